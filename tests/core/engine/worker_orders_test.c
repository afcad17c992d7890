/* How orders end: a reload that closes some sources of a worker while others stay open. */
#include "core/engine/engine.h"
#include "core/flow/engine_channel.h"
#include "tests/support/flow.h"

extern const struct ps_stage_ops ps_channel_memory;

static struct flow flow;
static struct ps_engine *engine;
static struct ps_now now;

static const struct ps_stage_ops *channel_stage; /* takes the place of each channel's; NULL: flow's own */

static struct ps_plan *plan_after(struct ps_plan *before, bool adopts)
{
    struct ps_err err = {0};
    const struct ps_machine machine = {.cores = 2, .memory_bytes = UINT64_C(1) << 30};
    struct ps_agent_spec *spec = flow_spec(&flow);
    for (size_t i = 0; channel_stage != NULL && i < spec->channel_count; i++)
        spec->channels[i].stage.ops = channel_stage;
    struct ps_plan *plan = ps_plan_create(spec, &machine, before, &err);
    if (plan != NULL && adopts)
        ps_plan_adopt(plan, before); /* what it adopts is not built anew */
    if (plan == NULL || ps_plan_build(plan, &err) != PS_OK)
        fail_msg("%s", err.text);
    return plan;
}

static void reach(uint64_t number)
{
    for (unsigned turn = 0; !ps_engine_reached(engine, number); turn++) {
        assert_true(turn < 10000);
        now.mono_ns += PS_NS_PER_MS;
        (void)ps_worker_cycle(ps_engine_worker(engine, 0), &now);
    }
}

static void cycle(unsigned turns)
{
    for (unsigned turn = 0; turn < turns; turn++) {
        now.mono_ns += PS_NS_PER_MS;
        (void)ps_worker_cycle(ps_engine_worker(engine, 0), &now);
    }
}

/* Starts an agent of one worker with `flow`, and lets it work for this number of cycles. */
static struct ps_plan *start(unsigned cycles)
{
    struct ps_err err = {0};
    flow_init(&flow);
    struct ps_plan *plan = plan_after(NULL, false);
    const struct ps_engine_settings settings = {
        .worker_count = 1, .memory_budget_bytes = plan->block_budget_bytes, .simulated = true};
    engine = ps_engine_create(&settings, &err);
    assert_non_null(engine);
    now = (struct ps_now){.mono_ns = PS_NS_PER_S, .wall_ms = 1700000000000};
    reach(ps_engine_order(engine, PS_PHASE_RUN, plan, NULL));
    cycle(cycles);
    return plan;
}

/* The drain ends although the source that stays has batches, whichever of the two sources it is. */
static void test_drain_ends_beside_a_source_that_stays(void **state)
{
    for (unsigned stays = 0; stays < 2; stays++) {
        struct ps_left carried, lost;
        flow = (struct flow){.total = 1000000,
                             .source_count = 2,
                             .sources = {{.channels = 1}, {.channels = 1}},
                             .channel_count = 1,
                             .sink_count = 1,
                             .options = {.workers = 1}};
        struct ps_plan *plan = start(0);
        for (unsigned turn = 0; turn < 100; turn++)
            (void)ps_worker_cycle(ps_engine_worker(engine, 0), &now);
        flow.sources[stays].changes = 0;
        flow.sources[1 - stays].changes = 1;
        struct ps_plan *next = plan_after(plan, false);
        ps_plan_adopt(next, plan);
        assert_true(next->sources[stays].adopts != NULL && next->sources[1 - stays].adopts == NULL);
        flow.chances.source_idle = 1000; /* each has an empty open batch */
        for (unsigned turn = 0; turn < 100; turn++)
            (void)ps_worker_cycle(ps_engine_worker(engine, 0), &now);
        reach(ps_engine_order(engine, PS_PHASE_DRAIN, plan, next));
        assert_int_equal(ps_engine_batches_out(engine), 1); /* of the source that stays */
        ps_plan_destroy(next);
        reach(ps_engine_order(engine, PS_PHASE_DRAIN, plan, NULL));
        reach(ps_engine_order(engine, PS_PHASE_RECALL, plan, NULL));
        reach(ps_engine_order(engine, PS_PHASE_CLOSE, plan, NULL));
        ps_engine_carry_over(engine, plan, NULL, &carried, &lost);
        assert_int_equal(lost.events, 0);
        ps_engine_destroy(engine);
        ps_plan_destroy(plan);
        flow_fini(&flow);
    }
}

/* A sink that finds events from before a reload is not reported as stalled since the start of the machine. */
static void test_restored_events_are_not_old(void **state)
{
    struct ps_err err = {0};
    struct ps_left carried, lost;
    size_t count;
    flow = (struct flow){.total = 10, .source_count = 1, .channel_count = 1, .sink_count = 1};
    flow.options.workers = 1;
    flow_init(&flow);
    flow.sinks[0].dead = true;
    struct ps_plan *plan = plan_after(NULL, false);
    const struct ps_engine_settings settings = {
        .worker_count = 1, .memory_budget_bytes = plan->block_budget_bytes, .simulated = true};
    engine = ps_engine_create(&settings, &err);
    assert_non_null(engine);
    now = (struct ps_now){.mono_ns = 1000 * PS_NS_PER_S, .wall_ms = 1700000000000};
    reach(ps_engine_order(engine, PS_PHASE_RUN, plan, NULL));
    while (!flow_is_made(&flow))
        (void)ps_worker_cycle(ps_engine_worker(engine, 0), &now);
    struct ps_plan *next = plan_after(plan, false);
    (void)ps_engine_order(engine, PS_PHASE_DRAIN, plan, next);
    (void)ps_worker_cycle(ps_engine_worker(engine, 0), &now);
    reach(ps_engine_order(engine, PS_PHASE_RECALL, plan, next));
    reach(ps_engine_order(engine, PS_PHASE_CLOSE, plan, next));
    ps_engine_carry_over(engine, plan, next, &carried, &lost);
    assert_true(carried.events > 0);
    reach(ps_engine_order(engine, PS_PHASE_RUN, next, NULL));
    struct ps_sink_runner **sinks = ps_worker_sinks(ps_engine_worker(engine, 0), &count);
    assert_int_equal(count, 1);
    assert_false(ps_sink_runner_is_idle(sinks[0]));
    assert_true(ps_sink_runner_stalled_ns(sinks[0], now.mono_ns) < PS_NS_PER_S);
    assert_true(ps_sink_runner_stalled_ns(sinks[0], now.mono_ns + 9 * PS_NS_PER_S) >= 9 * PS_NS_PER_S);
    flow.sinks[0].dead = false;
    reach(ps_engine_order(engine, PS_PHASE_DRAIN, next, NULL));
    reach(ps_engine_order(engine, PS_PHASE_RECALL, next, NULL));
    reach(ps_engine_order(engine, PS_PHASE_CLOSE, next, NULL));
    ps_engine_carry_over(engine, next, NULL, &carried, &lost);
    assert_int_equal(lost.events, 0);
    ps_engine_destroy(engine);
    ps_plan_destroy(plan);
    ps_plan_destroy(next);
    flow_fini(&flow);
}

static uint64_t made(unsigned source)
{
    return flow.sources[source].origins[0].next;
}

/* Stops the agent, which runs this plan: so many cycles for its drain. */
static void stop(struct ps_plan *plan, unsigned cycles)
{
    struct ps_left carried, lost;
    (void)ps_engine_order(engine, PS_PHASE_DRAIN, plan, NULL);
    cycle(cycles);
    reach(ps_engine_order(engine, PS_PHASE_RECALL, plan, NULL));
    reach(ps_engine_order(engine, PS_PHASE_CLOSE, plan, NULL));
    ps_engine_carry_over(engine, plan, NULL, &carried, &lost);
    ps_engine_destroy(engine);
    ps_plan_destroy(plan);
    flow_fini(&flow);
}

/* A reload waits for the sink k1, which takes long: r0, of whose flow nothing changes, reads on until CLOSE, and its
 * sink delivers. r1, which puts into k1's channel, pauses even if only its sink changes. */
static void test_another_flow_reads_on(void **state)
{
    static const enum ps_phase phases[] = {PS_PHASE_PAUSE, PS_PHASE_DRAIN, PS_PHASE_RECALL, PS_PHASE_CLOSE};
    struct ps_left carried, lost;
    flow = (struct flow){.total = 1000000,
                         .source_count = 2,
                         .sources = {{.channels = 1}, {.channels = 2}},
                         .channel_count = 2,
                         .sink_count = 2,
                         .sinks = {{.channel = 0}, {.channel = 1}},
                         .options = {.workers = 1}};
    struct ps_plan *plan = start(0);
    flow.channels_stay = UINT32_MAX;
    flow.sinks[0].stays = true;
    flow.sinks[1].stays = false;
    struct ps_plan *next = plan_after(plan, true);
    assert_true(next->sources[0].undisturbed && !next->sources[1].undisturbed);
    for (size_t i = 0; i < PS_COUNT_OF(phases); i++) {
        uint64_t number = ps_engine_order(engine, phases[i], plan, next);
        cycle(50); /* a batch in r1's chain goes through it */
        uint64_t first = made(0), second = made(1), delivered = flow.sinks[0].settled;
        bool reads = phases[i] != PS_PHASE_CLOSE;
        cycle(200);
        assert_true(reads == (made(0) > first));
        assert_true(!reads || flow.sinks[0].settled > delivered);
        assert_int_equal(made(1), second);
        reach(number);
    }
    ps_engine_carry_over(engine, plan, next, &carried, &lost);
    reach(ps_engine_order(engine, PS_PHASE_RUN, next, NULL));
    ps_plan_retire(plan, next);
    uint64_t first = made(0), second = made(1);
    cycle(200);
    assert_true(made(0) > first && made(1) > second);
    stop(next, 1000);
}

/* Carries out the reload, and stops the agent. The drain must end in a second: it took less than 300 ms when the
 * source paused, and never ended when the source continued. */
static void reload_and_stop(struct ps_plan *plan, struct ps_plan *next)
{
    struct ps_left carried, lost;
    uint64_t number = ps_engine_order(engine, PS_PHASE_DRAIN, plan, next);
    for (unsigned turn = 0; turn < 1000 && !ps_engine_reached(engine, number); turn++)
        cycle(1);
    assert_true(ps_engine_reached(engine, number));
    reach(ps_engine_order(engine, PS_PHASE_RECALL, plan, next));
    reach(ps_engine_order(engine, PS_PHASE_CLOSE, plan, next));
    ps_engine_carry_over(engine, plan, next, &carried, &lost);
    reach(ps_engine_order(engine, PS_PHASE_RUN, next, NULL));
    ps_plan_retire(plan, next);
    stop(next, 3000);
}

static uint64_t quota_bytes; /* what a channel was told last */

static void note_quota(void *plan, uint64_t bytes)
{
    quota_bytes = bytes;
}

/* A channel that stays over a reload is told its share of the memory in the next plan. */
static void test_a_channel_that_stays_gets_its_new_share(void **state)
{
    flow = (struct flow){.total = 1000000,
                         .source_count = 1,
                         .sources = {{.channels = 1}},
                         .channel_count = 1,
                         .sink_count = 1,
                         .options = {.workers = 1}};
    struct ps_stage_ops stage = ps_channel_memory;
    struct ps_channel_ops channel = *stage.channel;
    struct ps_engine_channel_ops engine_ops = *ps_engine_channel(stage.channel);
    engine_ops.set_quota = note_quota;
    channel.engine = &engine_ops;
    stage.channel = &channel;
    channel_stage = &stage;
    struct ps_plan *plan = start(100);
    flow.channels_stay = UINT32_MAX;
    struct ps_plan *next = plan_after(plan, true);
    assert_non_null(next->channels[0].adopts);
    uint64_t expected = plan->channel_quota_bytes / 2;
    next->channel_quota_bytes = expected;
    reload_and_stop(plan, next);
    assert_int_equal(quota_bytes, expected);
    channel_stage = NULL;
}

/* The channel is full, and r1, which closes, must put its last batch into it: r0 leaves it the room. */
static void test_a_closing_source_gets_the_room_of_its_channel(void **state)
{
    for (unsigned before = 3000; before < 4000; before += 111) {
        flow = (struct flow){.total = 100000000,
                             .source_count = 2,
                             .sources = {{.channels = 1}, {.channels = 1}},
                             .channel_count = 1,
                             .sink_count = 1,
                             .capacity = "100",
                             .work_events_max = 1000,
                             .delay_max_ns = 640 * PS_NS_PER_MS,
                             .chances = {.sink_keep = 1000, .sink_back_off = 300},
                             .options = {.workers = 1}};
        struct ps_plan *plan = start(before);
        flow.sources[0].changes = 0;
        flow.sources[1].changes = 1;
        flow.channels_stay = UINT32_MAX;
        flow.sinks[0].stays = true;
        struct ps_plan *next = plan_after(plan, true);
        assert_true(next->sources[0].adopts != NULL && next->sources[1].adopts == NULL);
        assert_false(next->sources[0].undisturbed);
        reload_and_stop(plan, next);
    }
}

/* The sink k1 of the channel for dead letters closes. Its drain ends because r0 pauses, whose sink writes dead
 * letters. */
static void test_a_closing_sink_gets_no_more_dead_letters(void **state)
{
    for (unsigned before = 500; before < 506; before++) {
        flow = (struct flow){.total = 100000000,
                             .source_count = 1,
                             .sources = {{.channels = 1}},
                             .channel_count = 2,
                             .letters = 2,
                             .letters_of_sinks_only = true,
                             .sink_count = 2,
                             .sinks = {{.channel = 0}, {.channel = 1}},
                             .capacity = "100",
                             .work_events_max = 5,
                             .delay_max_ns = 5 * PS_NS_PER_MS,
                             .chances = {.sink_keep = 1000, .die = 300},
                             .options = {.workers = 1}};
        struct ps_plan *plan = start(before);
        flow.channels_stay = UINT32_MAX;
        flow.sinks[0].stays = true;
        flow.sinks[1].stays = false;
        struct ps_plan *next = plan_after(plan, true);
        assert_true(next->sinks[0].adopts != NULL && next->sinks[1].adopts == NULL);
        assert_true(next->channels[0].adopts != NULL && next->channels[1].adopts != NULL);
        assert_false(next->sources[0].undisturbed);
        reload_and_stop(plan, next);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drain_ends_beside_a_source_that_stays),
                                       cmocka_unit_test(test_another_flow_reads_on),
                                       cmocka_unit_test(test_a_closing_source_gets_the_room_of_its_channel),
                                       cmocka_unit_test(test_a_closing_sink_gets_no_more_dead_letters),
                                       cmocka_unit_test(test_restored_events_are_not_old),
                                       cmocka_unit_test(test_a_channel_that_stays_gets_its_new_share)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
