/* A source runner among others: which producer number it uses for which channel. */
#include "core/engine/engine.h"
#include "tests/support/flow.h"

#include <stdio.h>

/* r1 puts into c1; r2 into c1, where it is the second producer, and into c2, where it is the first. */
static void test_producer_numbers(void **state)
{
    struct ps_err err = {0};
    const struct ps_machine machine = {.cores = 2, .memory_bytes = UINT64_C(1) << 30};
    static struct flow flow;
    flow = (struct flow){.total = 100,
                         .source_count = 2,
                         .sources = {{.channels = 1}, {.channels = 3}},
                         .channel_count = 2,
                         .sink_count = 2,
                         .sinks = {{.channel = 0}, {.channel = 1}},
                         .options = {.workers = 1}};
    flow_init(&flow);
    struct ps_plan *plan = ps_plan_create(flow_spec(&flow), &machine, NULL, &err);
    assert_non_null(plan);
    assert_int_equal(ps_plan_build(plan, &err), PS_OK);
    const struct ps_engine_settings settings = {
        .worker_count = 1, .memory_budget_bytes = plan->block_budget_bytes, .simulated = true};
    struct ps_engine *engine = ps_engine_create(&settings, &err);
    assert_non_null(engine);
    struct ps_now now = {.mono_ns = PS_NS_PER_S, .wall_ms = 1700000000000};
    const enum ps_phase phases[] = {PS_PHASE_RUN, PS_PHASE_DRAIN, PS_PHASE_RECALL, PS_PHASE_CLOSE};
    for (unsigned i = 0; i < PS_COUNT_OF(phases); i++) {
        uint64_t number = ps_engine_order(engine, phases[i], plan, NULL);
        for (unsigned turn = 0; turn < 100000; turn++) {
            now.mono_ns += PS_NS_PER_MS;
            (void)ps_worker_cycle(ps_engine_worker(engine, 0), &now);
            if (ps_engine_reached(engine, number) && flow_is_made(&flow))
                break;
        }
        assert_true(ps_engine_reached(engine, number));
    }
    assert_int_equal(flow_seen(&flow), 300);
    const struct ps_counters *first = plan->channels[0].counters, *second = plan->channels[1].counters;
    assert_int_equal(ps_counter_read(&first[0], PS_COUNTER_EventPutSuccessCount), 100);
    assert_int_equal(ps_counter_read(&first[1], PS_COUNTER_EventPutSuccessCount), 100);
    assert_int_equal(ps_counter_read(&second[0], PS_COUNTER_EventPutSuccessCount), 100);
    ps_engine_destroy(engine);
    ps_plan_destroy(plan);
    flow_fini(&flow);
}

static const void *first_channel;

static enum ps_put never_put(void *plan, unsigned producer, struct ps_lease **lease, const struct ps_now *now)
{
    return PS_PUT_FULL;
}

static uint64_t keep_alive_ms(const void *plan)
{
    return plan == first_channel ? 5000 : 1000;
}

static bool is_troubled;
static char refusal[600];

static bool channel_trouble(const void *plan, char *text, size_t room)
{
    if (is_troubled)
        snprintf(text, room, "the disk says no");
    return is_troubled;
}

static void (*flow_refused)(const void *plan, void *state, const struct ps_batch *batch, const char *reason,
                            const struct ps_now *now);

static void keep_refusal(const void *plan, void *state, const struct ps_batch *batch, const char *reason,
                         const struct ps_now *now)
{
    snprintf(refusal, sizeof refusal, "%s", reason);
    flow_refused(plan, state, batch, is_troubled ? "is full" : reason, now); /* it knows full channels only */
}

/* Two full channels: a source that refuses waits for the one with the longer keep-alive. */
static void refuse_after_the_longest_keep_alive(bool troubled)
{
    struct ps_err err = {0};
    struct ps_left carried, lost;
    const struct ps_machine machine = {.cores = 2, .memory_bytes = UINT64_C(1) << 30};
    static struct flow flow;
    flow = (struct flow){.total = 10,
                         .source_count = 1,
                         .sources = {{.kind = FLOW_CALLS, .channels = 3}},
                         .channel_count = 2,
                         .sink_count = 2,
                         .sinks = {{.channel = 0}, {.channel = 1}},
                         .options = {.workers = 1}};
    flow_init(&flow);
    struct ps_agent_spec *spec = flow_spec(&flow);
    struct ps_channel_ops channel = *spec->channels[0].stage.ops->channel;
    struct ps_stage_ops stage = *spec->channels[0].stage.ops;
    channel.put = never_put;
    channel.keep_alive_ms = keep_alive_ms;
    channel.trouble = channel_trouble;
    is_troubled = troubled;
    struct ps_source_ops source = *spec->sources[0].stage.ops->source;
    struct ps_stage_ops source_stage = *spec->sources[0].stage.ops;
    flow_refused = source.refused;
    source.refused = keep_refusal;
    source_stage.source = &source;
    spec->sources[0].stage.ops = &source_stage;
    stage.channel = &channel;
    spec->channels[0].stage.ops = spec->channels[1].stage.ops = &stage;
    first_channel = spec->channels[0].stage.plan;
    struct ps_plan *plan = ps_plan_create(spec, &machine, NULL, &err);
    assert_non_null(plan);
    assert_int_equal(ps_plan_build(plan, &err), PS_OK);
    const struct ps_engine_settings settings = {
        .worker_count = 1, .memory_budget_bytes = plan->block_budget_bytes, .simulated = true};
    struct ps_engine *engine = ps_engine_create(&settings, &err);
    assert_non_null(engine);
    struct ps_now now = {.mono_ns = PS_NS_PER_S, .wall_ms = 1700000000000};
    const uint64_t began_ns = now.mono_ns;
    struct flow_origin *origin = &flow.sources[0].origins[0];
    (void)ps_engine_order(engine, PS_PHASE_RUN, plan, NULL);
    for (;; now.mono_ns += 100 * PS_NS_PER_MS) {
        (void)ps_worker_cycle(ps_engine_worker(engine, 0), &now);
        if (origin->refused_calls > 0)
            break;
        assert_true(now.mono_ns - began_ns < 20 * PS_NS_PER_S);
    }
    assert_int_equal((now.mono_ns - began_ns) / PS_NS_PER_MS, 5000);
    char words[600];
    snprintf(words, sizeof words,
             troubled ? "channel %s takes no events: the disk says no" : "channel %s is full",
             spec->channels[0].stage.name);
    assert_string_equal(refusal, words);
    const enum ps_phase phases[] = {PS_PHASE_DRAIN, PS_PHASE_RECALL, PS_PHASE_CLOSE};
    for (unsigned i = 0; i < PS_COUNT_OF(phases); i++) {
        uint64_t number = ps_engine_order(engine, phases[i], plan, NULL);
        for (unsigned turn = 0; turn < 1000 && !ps_engine_reached(engine, number); turn++) {
            now.mono_ns += 100 * PS_NS_PER_MS;
            (void)ps_worker_cycle(ps_engine_worker(engine, 0), &now);
        }
    }
    ps_engine_carry_over(engine, plan, NULL, &carried, &lost);
    (void)ps_engine_order(engine, PS_PHASE_CLOSE, NULL, NULL);
    (void)ps_worker_cycle(ps_engine_worker(engine, 0), &now);
    ps_engine_destroy(engine);
    ps_plan_destroy(plan);
    flow_fini(&flow);
}

/* The reason that a client gets names the channel, and its trouble if it has one. */
static void test_longest_keep_alive(void **state)
{
    refuse_after_the_longest_keep_alive(false);
    refuse_after_the_longest_keep_alive(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_producer_numbers),
                                       cmocka_unit_test(test_longest_keep_alive)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
