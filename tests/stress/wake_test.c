/* Workers that sleep until they are woken: no timer helps them, so that a wake-up that is lost stops the flow. Small
 * channels, several sources and sinks for each, a worker for each of them, all park as soon as they have nothing to do:
 * both sides wait again and again. */
#include "core/engine/engine.h"
#include "rings/tsan.h"
#include "tests/support/flow.h"

#include <stdio.h>
#include <time.h>

#if defined(PS_TSAN) || defined(__SANITIZE_ADDRESS__)
#define EVENTS UINT64_C(1500)
#define ROUNDS 6U
#else
#define EVENTS UINT64_C(10000)
#define ROUNDS 12U
#endif
#define HOUR_NS (3600 * PS_NS_PER_S)
#define PATIENCE_NS (100 * PS_NS_PER_S)

static void draw(struct flow *flow, uint64_t *random, unsigned round)
{
    static const char *const capacities[] = {"1", "8", "200"};
    flow->seed = ps_test_random(random);
    flow->total = EVENTS;
    flow->source_count = 1 + round % 4;
    flow->channel_count = 1 + (unsigned)(ps_test_random(random) % 2);
    flow->sink_count = flow->channel_count + (unsigned)(ps_test_random(random) % 5);
    flow->capacity = capacities[round % PS_COUNT_OF(capacities)];
    flow->multiplex = ps_test_random(random) % 2 == 0;
    for (unsigned i = 0; i < flow->source_count; i++)
        flow->sources[i].kind = ps_test_random(random) % 2 == 0 ? FLOW_STREAM : FLOW_POSITION;
    for (unsigned i = 0; i < flow->sink_count; i++)
        flow->sinks[i].channel = i % flow->channel_count;
    for (unsigned i = 0; round % 2 == 1 && i < flow->sink_count; i++)
        flow->sinks[i].sockets = true;
    if (round % 2 == 1) { /* its sinks keep leases, and only their sockets say when one is done */
        flow->delay_max_ns = 200000;
        flow->chances.sink_keep = 500;
    }
    flow->work_events_max = 1 + (uint32_t)(ps_test_random(random) % 20);
    flow->options = (struct ps_agent_options){
        .workers = flow->source_count + flow->sink_count, .batch_events = 4, .memory_budget = 128 << 20};
}

static uint64_t events_of(const struct flow *flow)
{
    uint64_t events = 0;
    for (unsigned i = 0; i < flow->source_count; i++) {
        for (uint64_t n = 0; n < flow->total; n++)
            events += (unsigned)__builtin_popcount(flow_route(flow, flow_origin_number(i, 0), n));
    }
    return events;
}

static uint64_t delivered(struct ps_engine *engine)
{
    uint64_t events = 0;
    for (unsigned i = 0; i < ps_engine_worker_count(engine); i++) {
        size_t count;
        struct ps_sink_runner **sinks = ps_worker_sinks(ps_engine_worker(engine, i), &count);
        for (size_t k = 0; k < count; k++)
            events += ps_counter_read(sinks[k]->base.counters, PS_COUNTER_EventDrainSuccessCount);
    }
    return events;
}

/* Waits until everything is delivered; fails when the flow stands still: only a wake-up can be missing. */
static void wait_delivered(const struct flow *flow, struct ps_engine *engine)
{
    uint64_t until_ns = ps_test_patient_ns() + PATIENCE_NS, events = events_of(flow);
    while (!flow_is_made(flow) || delivered(engine) < events) {
        if (ps_test_patient_ns() > until_ns)
            fail_msg("the flow stands still: %llu of %llu events are delivered (seed %llu)",
                     (unsigned long long)delivered(engine), (unsigned long long)events,
                     (unsigned long long)flow->seed);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    }
}

static void order(struct ps_engine *engine, enum ps_phase phase, struct ps_plan *plan)
{
    uint64_t number = ps_engine_order(engine, phase, plan, NULL);
    assert_true(ps_engine_wait(engine, number, 60000));
}

static void run(struct flow *flow, uint64_t *parks, uint64_t *wakes)
{
    struct ps_err err = {0};
    struct ps_left carried, lost;
    const struct ps_machine machine = {.cores = 4, .memory_bytes = UINT64_C(1) << 30};
    flow_init(flow);
    struct ps_plan *plan = ps_plan_create(flow_spec(flow), &machine, NULL, &err);
    if (plan == NULL || ps_plan_build(plan, &err) != PS_OK)
        fail_msg("%s", err.text);
    const struct ps_engine_settings settings = {.worker_count = plan->worker_count,
                                                .memory_budget_bytes = plan->block_budget_bytes,
                                                .idle = PS_IDLE_PARK,
                                                .park_max_ns = HOUR_NS};
    struct ps_engine *engine = ps_engine_create(&settings, &err);
    if (engine == NULL || ps_engine_start(engine, &err) != PS_OK)
        fail_msg("%s", err.text);
    order(engine, PS_PHASE_RUN, plan);
    wait_delivered(flow, engine);
    for (unsigned i = 0; i < plan->worker_count; i++) {
        const struct ps_worker_stats *stats = ps_worker_stats(ps_engine_worker(engine, i));
        *parks += __atomic_load_n(&stats->parked_count, __ATOMIC_RELAXED);
        *wakes += __atomic_load_n(&stats->wakes, __ATOMIC_RELAXED);
    }
    order(engine, PS_PHASE_DRAIN, plan);
    order(engine, PS_PHASE_RECALL, plan);
    order(engine, PS_PHASE_CLOSE, plan);
    ps_engine_carry_over(engine, plan, NULL, &carried, &lost);
    assert_int_equal(lost.events, 0);
    order(engine, PS_PHASE_CLOSE, NULL);
    ps_engine_destroy(engine);
    ps_plan_destroy(plan);
    flow_verify(flow, FLOW_EXACTLY_ONCE);
    flow_fini(flow);
}

static void test_no_wake_up_is_lost(void **state)
{
    uint64_t random = ps_test_seed(), parks = 0, wakes = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct flow flow = {0};
        draw(&flow, &random, round);
        run(&flow, &parks, &wakes);
    }
    printf("%llu parks, %llu wake-ups by other workers\n", (unsigned long long)parks,
           (unsigned long long)wakes);
    assert_true(parks > 100 && wakes > 100);
}

int main(void)
{
    ps_log_set_level(PS_LOG_OFF);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_wake_up_is_lost)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
