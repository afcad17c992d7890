/* Counts wake-ups, on one thread. A put wakes one worker whose sink waits for a lease; a take wakes the
 * workers whose source waits for room, or for a hungry consumer, and no others. */
#include "core/engine/engine.h"
#include "tests/support/flow.h"

#define HOUR_NS (3600 * PS_NS_PER_S)

static struct flow flow;
static struct ps_plan *plan;
static struct ps_engine *engine;
static struct ps_now now;

/* The sinks' answers, by number; PS_TAKEN: the answer of the flow's sink. */
static enum ps_result answers[FLOW_SINKS_MAX];
/* in_work is called once by the next `work`, in_tick by the next `tick` of the sink with the number in_tick_of. */
static void (*in_work)(void), (*in_tick)(void);
static unsigned in_tick_of;

static void call_once(void (**function)(void))
{
    void (*call)(void) = *function;
    *function = NULL;
    if (call != NULL)
        call();
}

static uint64_t sink_tick(const void *sink_plan, void *state, const struct ps_now *at)
{
    if (((const struct flow_plan *)sink_plan)->number == in_tick_of)
        call_once(&in_tick);
    return flow_sink_stage.sink->tick(sink_plan, state, at);
}

static enum ps_result sink_work(const void *sink_plan, void *state, struct ps_lease **lease,
                                const struct ps_now *at)
{
    call_once(&in_work);
    enum ps_result answer = answers[((const struct flow_plan *)sink_plan)->number];
    return answer == PS_TAKEN ? flow_sink_stage.sink->work(sink_plan, state, lease, at) : answer;
}

static const struct ps_sink_ops *ops_of(bool tick)
{
    static struct ps_sink_ops ops;
    ops = *flow_sink_stage.sink;
    ops.work = sink_work;
    ops.tick = tick ? sink_tick : NULL;
    return &ops;
}

static struct ps_worker *worker(unsigned id)
{
    return ps_engine_worker(engine, id);
}

/* Starts idle sources on the first workers, sinks on the next ones, and one channel between them. test_chosen_later has its own
 * placement. */
static void start_on(unsigned workers, unsigned sources, unsigned sinks, const char *capacity, bool tick)
{
    static struct ps_stage_ops sink;
    struct ps_err err = {0};
    const struct ps_machine machine = {.cores = 32, .memory_bytes = UINT64_C(1) << 30};
    flow = (struct flow){.total = 1000,
                         .source_count = sources,
                         .channel_count = workers < sources + sinks ? 2 : 1,
                         .sink_count = sinks,
                         .capacity = capacity,
                         .work_events_max = 1,
                         .delay_max_ns = 5 * PS_NS_PER_S,
                         .options = {.workers = workers},
                         .chances = {.source_idle = 1000}};
    for (unsigned i = 2; flow.channel_count == 2 && i < sinks; i++)
        flow.sinks[i].channel = 1;
    for (unsigned i = 0; i < FLOW_SINKS_MAX; i++)
        answers[i] = PS_TAKEN;
    flow_init(&flow);
    struct ps_agent_spec *spec = flow_spec(&flow);
    sink = flow_sink_stage;
    sink.sink = ops_of(tick);
    for (unsigned i = 0; i < sinks; i++)
        spec->sinks[i].stage.ops = &sink;
    plan = ps_plan_create(spec, &machine, NULL, &err);
    if (plan == NULL || ps_plan_build(plan, &err) != PS_OK)
        fail_msg("%s", err.text);
    for (unsigned i = 0; i < sources; i++)
        assert_int_equal(plan->sources[i].workers[0], i);
    for (unsigned i = 0; i < sinks; i++)
        assert_int_equal(plan->sinks[i].worker, (sources + i) % workers);
    const struct ps_engine_settings settings = {.worker_count = plan->worker_count,
                                                .memory_budget_bytes = plan->block_budget_bytes,
                                                .park_max_ns = HOUR_NS,
                                                .simulated = true};
    engine = ps_engine_create(&settings, &err);
    if (engine == NULL)
        fail_msg("%s", err.text);
    now = (struct ps_now){.mono_ns = 1000 * PS_NS_PER_S, .wall_ms = 1700000000000};
    uint64_t number = ps_engine_order(engine, PS_PHASE_RUN, plan, NULL);
    while (!ps_engine_reached(engine, number)) {
        for (unsigned i = 0; i < workers; i++)
            (void)ps_worker_cycle(worker(i), &now);
    }
}

static void start(unsigned sources, unsigned sinks, const char *capacity, bool tick)
{
    start_on(sources + sinks, sources, sinks, capacity, tick);
}

static void finish(void)
{
    struct ps_left carried, lost;
    const enum ps_phase phases[] = {PS_PHASE_DRAIN, PS_PHASE_RECALL, PS_PHASE_CLOSE};
    for (unsigned i = 0; i < FLOW_SINKS_MAX; i++)
        answers[i] = PS_TAKEN;
    for (unsigned i = 0; i < PS_COUNT_OF(phases); i++) {
        uint64_t number = ps_engine_order(engine, phases[i], plan, NULL);
        for (unsigned turn = 0; !ps_engine_reached(engine, number); turn++) {
            assert_true(turn < 1000);
            now.mono_ns += 10 * PS_NS_PER_S;
            for (unsigned k = 0; k < plan->worker_count; k++)
                (void)ps_worker_cycle(worker(k), &now);
        }
    }
    ps_engine_carry_over(engine, plan, NULL, &carried, &lost);
    assert_int_equal(lost.events, 0);
    ps_engine_destroy(engine);
    ps_plan_destroy(plan);
    flow_fini(&flow);
}

/* Cycles a worker until it may sleep. */
static void park(unsigned id)
{
    for (unsigned i = 0;; i++) {
        assert_true(i < 100);
        if (ps_worker_park(worker(id), &now))
            return;
        ps_worker_unpark(worker(id));
        (void)ps_worker_cycle(worker(id), &now);
    }
}

static void park_all(void)
{
    for (unsigned i = 0; i < plan->worker_count; i++)
        park(i);
}

/* The workers that sleep, as bits. */
static uint64_t parked(void)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < plan->worker_count; i++)
        bits |= (uint64_t)ps_worker_is_parked(worker(i)) << i;
    return bits;
}

static uint64_t wakes(void)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < plan->worker_count; i++)
        sum += ps_worker_stats(worker(i))->wakes;
    return sum;
}

/* The worker wakes and makes one turn. */
static bool turn(unsigned id)
{
    ps_worker_unpark(worker(id));
    return ps_worker_cycle(worker(id), &now);
}

/* The source on this worker makes events in one turn: one put, if there is room. */
static void put(unsigned id)
{
    flow.chances.source_idle = 0;
    assert_true(turn(id));
    flow.chances.source_idle = 1000;
}

static uint64_t content(void)
{
    struct ps_fill fill;
    const struct ps_stage_spec *stage = &plan->channels[0].spec->stage;
    stage->ops->channel->fill(stage->plan, &fill);
    return fill.size;
}

/* A put wakes one of seven workers, and the next put another one; when all are awake, a put wakes none. */
static void test_put_wakes_one(void **state)
{
    start(1, 7, "100000", true);
    park_all();
    assert_int_equal(parked(), 0xFF);
    for (unsigned i = 1; i <= 7; i++) {
        put(0);
        assert_int_equal(wakes(), i);
        assert_int_equal(__builtin_popcountll(parked()), 7 - i);
        assert_true(turn(1)); /* awake since the first one */
        assert_int_equal(content(), 0);
    }
    put(0);
    assert_int_equal(wakes(), 7);
    assert_true(turn(1));
    park_all();
    uint64_t before = wakes();
    put(0);
    put(0);
    assert_int_equal(wakes(), before + 2);
    finish();
}

/* Of five workers with a source, the three that could not put are woken. */
static void test_take_wakes_those_that_wait(void **state)
{
    start(5, 1, "1", true);
    for (unsigned i = 0; i < 3; i++)
        put(i);
    assert_int_equal(content(), 1);
    for (unsigned i = 0; i < 5; i++)
        park(i);
    uint64_t before = wakes();
    assert_true(turn(5));
    assert_int_equal(wakes(), before + 3);
    assert_int_equal(parked(), 0x18);
    assert_true(turn(1)); /* it puts now; the others wait again */
    park(0);
    park(2);
    before = wakes();
    assert_true(turn(5));
    assert_int_equal(wakes(), before + 2);
    assert_int_equal(parked(), 0x18);
    finish();
}

/* A source that waits for nothing is not woken by progress. */
static void test_idle_sources_sleep_on(void **state)
{
    start(4, 2, "100000", true);
    park_all();
    put(0);
    assert_int_equal(wakes(), 1);
    assert_true(turn(4));
    assert_int_equal(parked(), 0x2E);
    park(0);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t before = wakes();
        put(3);
        assert_int_equal(wakes(), before + 1);
        park(4);
        park(3);
        assert_int_equal(parked() & 0x7, 0x7);
    }
    finish();
}

/* Events wait in an open batch until the consumer is hungry. The take that makes it hungry wakes their worker, which
 * puts them. */
static void test_hunger_wakes(void **state)
{
    start(1, 1, "100000", true);
    flow.chances.sink_keep = 1000; /* none is returned and wakes worker 0 for that */
    for (unsigned i = 0; i < 3; i++)
        put(0); /* two leases, and an open batch */
    uint64_t in_channel = content();
    assert_true(in_channel >= 2);
    park(0);
    assert_int_equal(content(), in_channel);
    assert_true(turn(1));
    assert_int_equal(content(), 0);
    assert_false(ps_worker_is_parked(worker(0)));
    assert_true(turn(0));
    assert_true(content() > 0);
    finish();
}

/* The sink of the chosen worker fails before it takes the lease: another worker is woken. */
static void test_failed_sink_passes_on(void **state)
{
    size_t count;
    start(1, 3, "100000", true);
    park_all();
    put(0);
    assert_int_equal(parked(), 0xC);
    struct ps_runner *runner = &ps_worker_sinks(worker(1), &count)[0]->base;
    runner->status = PS_RUNNER_FAILED;
    runner->retry_ns = now.mono_ns + HOUR_NS;
    assert_false(turn(1));
    assert_int_equal(parked(), 0x8);
    assert_true(turn(2));
    assert_int_equal(content(), 0);
    assert_false(turn(1)); /* once */
    assert_int_equal(parked(), 0x8);
    park(2);
    park(1);
    put(0);
    put(0);
    assert_true(ps_worker_is_parked(worker(1))); /* it waits for its next try, not for leases */
    runner->status = PS_RUNNER_OPEN;
    finish();
}

/* While worker 1 looks once more before it sleeps, worker 2 goes to sleep and a put chooses worker 1. */
static void sleep_and_put(void)
{
    park(2);
    put(0);
    assert_true(ps_worker_is_parked(worker(2)));
}

/* A put chooses a worker whose sink is just finding that it has no room. The worker does not sleep yet, so no wake-up
 * is sent. The lease goes to the other worker. */
static void test_chosen_without_room(void **state)
{
    start(1, 2, "100000", true);
    park(2);
    assert_false(ps_worker_cycle(worker(1), &now));
    put(0);
    ps_worker_unpark(worker(2));
    answers[0] = PS_LATER;
    in_work = sleep_and_put; /* worker 2 finds nothing: worker 1 has the lease */
    assert_false(ps_worker_park(worker(1), &now));
    ps_worker_unpark(worker(1));
    (void)ps_worker_cycle(worker(1), &now);
    assert_false(ps_worker_is_parked(worker(2)));
    assert_true(turn(2));
    assert_int_equal(content(), 0);
    finish();
}

/* The same a moment later: the turn of the sink is over, and the worker runs another sink (of the other channel). */
static void test_chosen_later(void **state)
{
    start_on(3, 1, 4, "100000", true); /* worker 0: source and third sink; worker 1: first and last sink */
    park(2);
    assert_false(ps_worker_cycle(worker(1), &now));
    put(0);
    ps_worker_unpark(worker(2));
    answers[0] = PS_LATER;
    answers[3] = PS_LATER;
    in_tick = sleep_and_put;
    in_tick_of = 3;
    assert_false(ps_worker_park(worker(1), &now));
    assert_true(ps_worker_is_parked(worker(2)));
    ps_worker_unpark(worker(1));
    (void)ps_worker_cycle(worker(1), &now);
    assert_false(ps_worker_is_parked(worker(2)));
    assert_true(turn(2));
    assert_int_equal(content(), 0);
    finish();
}

/* A sink that has no room is not chosen; it is tried again after 10 ms if it names no time. */
static void test_sink_without_room(void **state)
{
    start(1, 2, "100000", false);
    answers[0] = PS_LATER;
    park_all();
    put(0);
    assert_int_equal(parked(), 0x4);
    assert_false(turn(1));
    assert_int_equal(ps_worker_deadline_ns(worker(1)), now.mono_ns + 10 * PS_NS_PER_MS);
    park(1);
    put(0);
    assert_int_equal(parked(), 0x2);
    park(2);
    put(0);
    assert_int_equal(parked(), 0x2);
    now.mono_ns += 10 * PS_NS_PER_MS;
    answers[0] = PS_TAKEN;
    assert_true(turn(1));
    finish();
}

int main(void)
{
    ps_log_set_level(PS_LOG_OFF);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_wakes_one),         cmocka_unit_test(test_take_wakes_those_that_wait),
        cmocka_unit_test(test_idle_sources_sleep_on), cmocka_unit_test(test_hunger_wakes),
        cmocka_unit_test(test_failed_sink_passes_on), cmocka_unit_test(test_chosen_without_room),
        cmocka_unit_test(test_chosen_later),          cmocka_unit_test(test_sink_without_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
