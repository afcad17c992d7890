/* The times of the engine's actions, to the nanosecond: Flume's back-off and keep-alive times, retries of
 * open, ticks. The clock only moves to the next deadline that the workers name, so a deadline that is
 * missing, late or too early is found. Also rules of the duty cycle that need a scripted source and sink. */
#include "tests/support/small_agent.h"

#define CALLS_MAX 1024U
#define KEPT_MAX 1024U

/* The orders for the stages, and their records. */
static struct {
    enum ps_result source_answer;
    uint32_t make, body_bytes; /* make: rows that one call makes, 0 = none */
    unsigned calls_more;       /* with flush: number of calls after this one that make as many */
    bool flush, ticket_only, refuses;
    unsigned source_opens_after, sink_opens_after; /* failures of `open` before it succeeds */
    uint64_t tick_every_ns;
    enum ps_result chain_answer, sink_answer;

    uint64_t source_calls[CALLS_MAX], sink_calls[CALLS_MAX], ticks[CALLS_MAX];
    uint64_t source_opens[CALLS_MAX], sink_opens[CALLS_MAX];
    unsigned source_call_count, sink_call_count, tick_count, source_open_count, sink_open_count;
    unsigned accepted, refused, paused, resumed, delivered_events;
    bool opens_when_refused;       /* the sink takes everything from the first refusal on */
    unsigned refused_before_third; /* batches that were refused before the third one was accepted */
    uint64_t accepted_ns, refused_ns;
    struct ps_lease *kept[KEPT_MAX];
    unsigned kept_count;
    struct ps_port *sink_port;
} script;

static struct ps_test_small_agent agent;

static void note(uint64_t *calls, unsigned *count, uint64_t mono_ns)
{
    if (*count < CALLS_MAX)
        calls[(*count)++] = mono_ns;
}

/* ---- stages ---- */

static enum ps_status source_open(const void *p, void *state, struct ps_port *port, struct ps_err *err)
{
    note(script.source_opens, &script.source_open_count, agent.now.mono_ns);
    return script.source_open_count > script.source_opens_after ? PS_OK : ps_err_set(err, "not yet");
}

static enum ps_result source_work(const void *p, void *state, struct ps_batch *batch, const struct ps_now *at)
{
    static char body[PS_BLOCK_BYTES];
    note(script.source_calls, &script.source_call_count, at->mono_ns);
    if (script.ticket_only) {
        script.ticket_only = false;
        assert_true(ps_batch_ticket(batch, 1, 0));
        batch->flush = true;
    }
    uint32_t made = 0;
    for (; made < script.make; made++) {
        if (ps_batch_add_copy(batch, body, script.body_bytes) == NULL)
            break;
    }
    if (made > 0 && script.flush)
        batch->flush = true;
    if (script.flush && script.calls_more > 0)
        script.calls_more--;
    else if (script.flush)
        script.make = 0;
    return made > 0 ? PS_DONE : script.source_answer;
}

static uint64_t source_tick(const void *p, void *state, const struct ps_now *at)
{
    if (script.tick_every_ns == 0)
        return PS_NEVER;
    if (script.tick_count == 0 || at->mono_ns >= script.ticks[script.tick_count - 1] + script.tick_every_ns)
        note(script.ticks, &script.tick_count, at->mono_ns);
    return script.ticks[script.tick_count - 1] + script.tick_every_ns;
}

static void source_accepted(const void *p, void *state, const struct ps_batch *batch, const struct ps_now *at)
{
    if (++script.accepted == 3)
        script.refused_before_third = script.refused;
    script.accepted_ns = at->mono_ns;
}

static void source_refused(const void *p, void *state, const struct ps_batch *batch, const char *reason,
                           const struct ps_now *at)
{
    assert_string_equal(reason, "channel c1 is full");
    script.refused++;
    script.refused_ns = at->mono_ns;
    if (script.opens_when_refused)
        script.sink_answer = PS_DONE;
}

static void source_paused(const void *p, void *state, bool paused, const struct ps_now *at)
{
    assert_int_equal(script.paused - script.resumed, paused ? 0 : 1); /* the calls alternate */
    (*(paused ? &script.paused : &script.resumed))++;
}

#define SOURCE(when)                                                                                         \
    {                                                                                                        \
        .needs = PS_LEVEL_ACCEPTED, .when_full = (when), .work = source_work, .tick = source_tick,           \
        .accepted = source_accepted, .refused = source_refused, .paused = source_paused                      \
    }
static const struct ps_source_ops waiting_ops = SOURCE(PS_WAIT), refusing_ops = SOURCE(PS_REFUSE),
                                  together_ops = SOURCE(PS_REFUSE_TOGETHER);
static const struct ps_stage_ops waiting = {
    .kind = PS_KIND_SOURCE, .name = "waiting", .open = source_open, .source = &waiting_ops};
static const struct ps_stage_ops refusing = {
    .kind = PS_KIND_SOURCE, .name = "refusing", .open = source_open, .source = &refusing_ops};
static const struct ps_stage_ops together = {
    .kind = PS_KIND_SOURCE, .name = "together", .open = source_open, .source = &together_ops};

static enum ps_result chain_work(const void *p, void *state, struct ps_lease *lease, const struct ps_now *at)
{
    return script.chain_answer;
}

static const struct ps_interceptor_ops chain_ops = {.work = chain_work};
static const struct ps_stage_ops chain = {
    .kind = PS_KIND_INTERCEPTOR, .name = "chain", .interceptor = &chain_ops};

static enum ps_status sink_open(const void *p, void *state, struct ps_port *port, struct ps_err *err)
{
    script.sink_port = port;
    note(script.sink_opens, &script.sink_open_count, agent.now.mono_ns);
    return script.sink_open_count > script.sink_opens_after ? PS_OK : ps_err_set(err, "not yet");
}

static enum ps_result sink_work(const void *p, void *state, struct ps_lease **lease, const struct ps_now *at)
{
    note(script.sink_calls, &script.sink_call_count, at->mono_ns);
    if (script.sink_answer == PS_TAKEN) {
        assert_true(script.kept_count < KEPT_MAX);
        script.kept[script.kept_count++] = *lease;
        *lease = NULL;
    } else if (script.sink_answer == PS_DONE) {
        script.delivered_events += (*lease)->count;
        ps_lease_settle_all(*lease);
    }
    return script.sink_answer;
}

/* Completes all leases during a recall, as a client library may. */
static bool sink_recall(const void *p, void *state, struct ps_lease **back, const struct ps_now *at)
{
    for (unsigned i = 0; i < script.kept_count; i++) {
        ps_lease_settle_all(script.kept[i]);
        ps_port_done(script.sink_port, &script.kept[i]);
    }
    script.kept_count = 0;
    return true;
}

static const struct ps_sink_ops sink_ops = {.work = sink_work, .recall = sink_recall};
static const struct ps_stage_ops sink = {
    .kind = PS_KIND_SINK, .name = "sink", .open = sink_open, .sink = &sink_ops};

static void start_agent(const struct ps_stage_ops *source, unsigned workers, const char *capacity)
{
    const struct ps_test_small_stages stages = {source, &chain, &sink};
    ps_test_small_agent_start(&agent, &stages, workers, capacity);
}

static int fresh(void **state)
{
    ps_log_set_level(PS_LOG_OFF);
    memset(&script, 0, sizeof script);
    script.source_answer = PS_IDLE;
    script.sink_answer = PS_DONE;
    script.chain_answer = PS_DONE;
    script.body_bytes = 10;
    return 0;
}

static void settle(void)
{
    ps_test_small_agent_settle(&agent);
}

static void advance(void)
{
    ps_test_small_agent_advance(&agent);
}

static void run_for(uint64_t ns)
{
    ps_test_small_agent_run(&agent, ns);
}

static void reach(uint64_t number)
{
    ps_test_small_agent_reach(&agent, number);
}

static void stop_agent(bool drain)
{
    ps_test_small_agent_stop(&agent, drain);
}

static void assert_times(const uint64_t *times, unsigned count, const unsigned *seconds, unsigned expected)
{
    assert_true(count >= expected);
    for (unsigned i = 0; i < expected; i++)
        assert_int_equal((times[i] - times[0]) / PS_NS_PER_MS, seconds[i] * 1000);
}

static const struct ps_source_runner *source_runner(void)
{
    return ps_test_small_agent_source(&agent);
}

#define source_counters() (source_runner()->base.counters)

/* ---- tests ---- */

/* Back-off as in Flume's PollableSourceRunner: 1, 2, .. 5 s, and 1 s again after an event. */
static void test_source_back_off(void **state)
{
    script.source_answer = PS_BACKOFF;
    start_agent(&waiting, 1, "100");
    run_for(26 * PS_NS_PER_S);
    assert_times(script.source_calls, script.source_call_count,
                 (const unsigned[]){0, 1, 3, 6, 10, 15, 20, 25}, 8);
    script.make = 1;
    script.flush = true;
    script.source_call_count = 0;
    run_for(12 * PS_NS_PER_S); /* an event at the end of the backoff, then the first back-off again at once */
    assert_int_equal(script.delivered_events, 1);
    assert_times(script.source_calls, script.source_call_count, (const unsigned[]){0, 0, 1, 3, 6}, 5);
    stop_agent(true);
}

/* Back-off as in Flume's SinkRunner: the lease is rolled back and offered again after 1, 2, .. 5 s, and after 1 s again
 * when one was delivered in between. */
static void test_sink_roll_back(void **state)
{
    script.sink_answer = PS_RETRY;
    script.make = 3;
    script.flush = true;
    script.source_answer = PS_IDLE;
    start_agent(&waiting, 2, "100");
    run_for(26 * PS_NS_PER_S);
    assert_times(script.sink_calls, script.sink_call_count, (const unsigned[]){0, 1, 3, 6, 10, 15, 20, 25},
                 8);
    script.sink_answer = PS_DONE;
    run_for(5 * PS_NS_PER_S);
    assert_int_equal(script.delivered_events, 3);
    const struct ps_counters *side =
        &agent.plan->channels[0].counters[agent.plan->channels[0].producer_count];
    assert_int_equal(ps_counter_read(side, PS_COUNTER_EventTakeSuccessCount),
                     3); /* counted once, however often the lease was taken */
    assert_true(ps_counter_read(side, PS_COUNTER_EventTakeAttemptCount) > 3);
    script.sink_answer = PS_RETRY;
    script.sink_call_count = 0;
    script.make = 1;
    script.flush = true;
    run_for(12 * PS_NS_PER_S);
    assert_times(script.sink_calls, script.sink_call_count, (const unsigned[]){0, 1, 3, 6, 10}, 5);
    script.sink_answer = PS_DONE;
    run_for(5 * PS_NS_PER_S);
    stop_agent(true);
}

/* A sink without room and without a time of its own is offered the lease again every 10 ms. */
static void test_sink_without_room(void **state)
{
    script.sink_answer = PS_LATER;
    script.make = 1;
    script.flush = true;
    start_agent(&waiting, 2, "100");
    run_for(PS_NS_PER_S);
    assert_true(script.sink_call_count > 90);
    for (unsigned i = 1; i < script.sink_call_count; i++)
        assert_true(script.sink_calls[i] - script.sink_calls[i - 1] <= 10 * PS_NS_PER_MS);
    script.sink_answer = PS_DONE;
    run_for(PS_NS_PER_S);
    assert_int_equal(script.delivered_events, 1);
    stop_agent(true);
}

/* As Flume's LifecycleSupervisor: `open` is tried every 3 s, and the other stages run meanwhile. */
static void test_open_again(void **state)
{
    script.sink_opens_after = 3;
    script.source_opens_after = 1;
    script.make = 1;
    script.flush = true;
    start_agent(&waiting, 2, "100");
    run_for(10 * PS_NS_PER_S);
    assert_times(script.sink_opens, script.sink_open_count, (const unsigned[]){0, 3, 6, 9}, 4);
    assert_times(script.source_opens, script.source_open_count, (const unsigned[]){0, 3}, 2);
    assert_int_equal(script.sink_open_count, 4);
    assert_int_equal(script.source_open_count, 2);
    assert_int_equal(script.delivered_events, 1);
    stop_agent(true);
}

static void make_one(uint32_t rows)
{
    script.make = rows;
    script.flush = true;
}

/* Before an interceptor the first batches are small, because nobody knows what it makes of an event; they grow to
 * the limit when it makes little. */
static void test_batches_grow(void **state)
{
    start_agent(&waiting, 1, "100000");
    settle();
    assert_int_equal(ps_chain_rows_max(source_runner()), 64);
    for (unsigned i = 0; i < 16; i++) {
        make_one(2000);
        run_for(PS_NS_PER_S);
    }
    assert_int_equal(ps_chain_rows_max(source_runner()), PS_BATCH_EVENTS_MAX);
    stop_agent(true);
}

/* keep-alive is 3 s by default: the batch is refused exactly then, and `work` is not called before. */
static void test_refuse_after_keep_alive(void **state)
{
    script.sink_answer = PS_LATER;
    make_one(1);
    start_agent(&refusing, 1, "1");
    run_for(PS_NS_PER_S); /* the sink holds one event, */
    make_one(1);
    run_for(PS_NS_PER_S); /* a second one fills the channel */
    assert_int_equal(script.accepted, 2);
    make_one(1);
    uint64_t asked_ns = agent.now.mono_ns;
    unsigned calls = script.source_call_count;
    run_for(2 * PS_NS_PER_S);
    assert_int_equal(script.refused, 0);
    assert_int_equal(script.paused, 1);
    assert_int_equal(script.source_call_count, calls + 1);
    assert_int_equal(ps_source_runner_blocked_ns(source_runner(), agent.now.mono_ns),
                     agent.now.mono_ns - asked_ns);
    run_for(2 * PS_NS_PER_S);
    assert_int_equal(script.refused, 1);
    assert_int_equal(script.refused_ns - asked_ns, 3 * PS_NS_PER_S);
    assert_int_equal(ps_source_runner_blocked_ns(source_runner(), agent.now.mono_ns), 3 * PS_NS_PER_S);
    assert_int_equal(script.resumed, 1);
    const struct ps_counters *counters = source_counters();
    assert_int_equal(ps_counter_read(counters, PS_COUNTER_ChannelWriteFail), 1);
    assert_int_equal(ps_counter_read(counters, PS_COUNTER_EventAcceptedCount), 2);
    assert_int_equal(ps_counter_read(counters, PS_COUNTER_blocked_ns), 3 * PS_NS_PER_S);
    assert_int_equal(ps_counter_read(&agent.plan->channels[0].counters[0], PS_COUNTER_EventPutAttemptCount),
                     3);
    assert_int_equal(ps_counter_read(&agent.plan->channels[0].counters[0], PS_COUNTER_EventPutSuccessCount),
                     2);
    script.sink_answer = PS_DONE;
    stop_agent(true);
    assert_int_equal(script.delivered_events, 2);
}

/* Fills the channel, then makes three batches for which it has no room. */
static void make_three(const struct ps_stage_ops *source)
{
    script.sink_answer = PS_LATER;
    make_one(1);
    start_agent(source, 1, "1");
    run_for(PS_NS_PER_S);
    make_one(1);
    run_for(PS_NS_PER_S);
    assert_int_equal(script.accepted, 2);
    make_one(1);
    script.calls_more = 2;
    run_for(2 * PS_NS_PER_S);
    assert_int_equal(script.refused, 0);
}

/* Each batch waits for keep-alive: a sender that does not listen is slowed down by that. */
static void test_refuse_one_by_one(void **state)
{
    make_three(&refusing);
    for (unsigned i = 1; i <= 3; i++) {
        run_for(2 * PS_NS_PER_S);
        assert_int_equal(script.refused, i);
        run_for(PS_NS_PER_S);
    }
    script.sink_answer = PS_DONE;
    stop_agent(true);
}

/* Events that came while a batch waited have waited as well, and are refused with it. Later events wait
 * again. */
static void test_refuse_together(void **state)
{
    make_three(&together);
    run_for(2 * PS_NS_PER_S);
    assert_int_equal(script.refused, 3);
    make_one(1);
    run_for(2 * PS_NS_PER_S);
    assert_int_equal(script.refused, 3);
    run_for(2 * PS_NS_PER_S);
    assert_int_equal(script.refused, 4);
    make_one(1);
    run_for(PS_NS_PER_S);
    script.sink_answer = PS_DONE; /* there is room in time */
    run_for(PS_NS_PER_S);
    assert_int_equal(script.refused, 4);
    assert_int_equal(script.accepted, 3);
    stop_agent(true);
}

/* As test_refuse_together, until the channel takes a batch: later batches wait again, although the source has not
 * paused. */
static void test_refused_then_taken(void **state)
{
    make_three(&together);
    script.make = 1;
    script.calls_more = 500; /* more than one cycle makes */
    script.opens_when_refused = true;
    run_for(2 * PS_NS_PER_S);
    assert_true(script.refused > 0 && script.accepted > 3);
    assert_int_equal(script.refused, script.refused_before_third);
    assert_int_equal(script.make, 0);
    stop_agent(true);
}

/* Room that appears in the last nanosecond of keep-alive is used. */
static void test_room_in_time(void **state)
{
    script.sink_answer = PS_LATER;
    make_one(1);
    start_agent(&refusing, 1, "1");
    run_for(PS_NS_PER_S);
    make_one(1);
    run_for(PS_NS_PER_S);
    make_one(1);
    run_for(2 * PS_NS_PER_S);
    script.sink_answer = PS_DONE;
    run_for(2 * PS_NS_PER_S);
    assert_int_equal(script.refused, 0);
    assert_int_equal(script.accepted, 3);
    assert_int_equal(script.delivered_events, 3);
    stop_agent(true);
}

static void test_tick(void **state)
{
    script.tick_every_ns = 7 * PS_NS_PER_MS + 1;
    start_agent(&waiting, 1, "100");
    run_for(PS_NS_PER_S / 10);
    assert_int_equal(script.tick_count, 16); /* the last tick is at the end of the run */
    for (unsigned i = 0; i < script.tick_count; i++)
        assert_int_equal(script.ticks[i] - script.ticks[0], i * script.tick_every_ns);
    stop_agent(true);
}

/* A request without events (an empty Avro batch) must be answered as well. */
static void test_ticket_without_events(void **state)
{
    script.ticket_only = true;
    start_agent(&refusing, 1, "100");
    settle();
    assert_int_equal(script.accepted, 1);
    stop_agent(true);
}

/* More leases are returned during a stop than a worker takes in one cycle: all are back when the close phase
 * is reached. */
static void test_close_takes_everything_home(void **state)
{
    struct ps_left carried, lost;
    script.sink_answer = PS_TAKEN;
    start_agent(&waiting, 2, "2000");
    while (script.kept_count < 700) {
        make_one(1);
        settle();
        if (script.kept_count < 700)
            advance();
    }
    (void)ps_engine_order(agent.engine, PS_PHASE_DRAIN, agent.plan, NULL);
    reach(ps_engine_order(agent.engine, PS_PHASE_RECALL, agent.plan, NULL));
    uint64_t number = ps_engine_order(agent.engine, PS_PHASE_CLOSE, agent.plan, NULL);
    for (unsigned k = 0; k < 2; k++) /* one cycle each */
        (void)ps_worker_cycle(ps_engine_worker(agent.engine, k), &agent.now);
    assert_true(ps_engine_reached(agent.engine, number));
    assert_int_equal(ps_engine_batches_out(agent.engine), 0);
    ps_engine_carry_over(agent.engine, agent.plan, NULL, &carried, &lost);
    assert_int_equal(lost.batches, 0);
    ps_engine_destroy(agent.engine);
    ps_plan_destroy(agent.plan);
}

/* Another user takes the whole budget and returns it without a notification: the source tries again soon. */
static void test_memory_comes_back(void **state)
{
    script.sink_opens_after = 1000;
    start_agent(&waiting, 2, "100000");
    run_for(PS_NS_PER_S);
    struct ps_block_cache hoard;
    static struct ps_block *blocks[64];
    unsigned count = 0;
    ps_block_cache_init(&hoard, ps_engine_depot(agent.engine));
    while (count < 64 && (blocks[count] = ps_block_take(&hoard)) != NULL)
        count++;
    assert_true(count > 32);
    script.source_answer = PS_IDLE;
    script.make = 10;
    script.body_bytes = PS_BLOCK_BYTES / 2 + 1;
    run_for(PS_NS_PER_S);
    uint64_t put = ps_counter_read(&agent.plan->channels[0].counters[0], PS_COUNTER_EventPutSuccessCount);
    run_for(PS_NS_PER_S);
    assert_int_equal(ps_counter_read(&agent.plan->channels[0].counters[0], PS_COUNTER_EventPutSuccessCount),
                     put);
    uint64_t back_ns = agent.now.mono_ns;
    while (count > 0)
        ps_block_drop(&hoard, blocks[--count]);
    ps_block_cache_fini(&hoard);
    while (ps_counter_read(&agent.plan->channels[0].counters[0], PS_COUNTER_EventPutSuccessCount) == put)
        advance();
    assert_true(agent.now.mono_ns - back_ns <= 10 * PS_NS_PER_MS);
    stop_agent(false);
}

/* An interceptor is not done when the time is up: its events are counted as dropped. */
static void test_chain_given_up(void **state)
{
    script.chain_answer = PS_LATER;
    make_one(5);
    start_agent(&waiting, 1, "100");
    run_for(PS_NS_PER_S);
    (void)ps_engine_order(agent.engine, PS_PHASE_DRAIN, agent.plan, NULL);
    run_for(PS_NS_PER_S);
    reach(ps_engine_order(agent.engine, PS_PHASE_RECALL, agent.plan, NULL));
    reach(ps_engine_order(agent.engine, PS_PHASE_CLOSE, agent.plan, NULL));
    assert_int_equal(ps_counter_read(source_counters(), PS_COUNTER_dropped), 5);
    assert_int_equal(ps_engine_batches_out(agent.engine), 0);
    ps_engine_destroy(agent.engine);
    ps_plan_destroy(agent.plan);
}

/* A stopped source wakes no worker while the stop waits for a slow sink, whether the source had opened or
 * not. */
static void test_drained_source_is_quiet(void **state)
{
    for (unsigned opens_after = 0; opens_after <= 1000; opens_after += 1000) {
        fresh(NULL);
        script.source_opens_after = opens_after;
        script.tick_every_ns = 150 * PS_NS_PER_MS;
        script.sink_answer = PS_LATER;
        make_one(1);
        start_agent(&waiting, 1, "100");
        run_for(PS_NS_PER_S);
        script.source_answer = PS_IDLE;
        (void)ps_engine_order(agent.engine, PS_PHASE_DRAIN, agent.plan, NULL);
        run_for(5 * PS_NS_PER_S); /* `advance` fails on a deadline in the past */
        stop_agent(false);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_source_back_off, fresh),
        cmocka_unit_test_setup(test_sink_roll_back, fresh),
        cmocka_unit_test_setup(test_sink_without_room, fresh),
        cmocka_unit_test_setup(test_open_again, fresh),
        cmocka_unit_test_setup(test_batches_grow, fresh),
        cmocka_unit_test_setup(test_refuse_after_keep_alive, fresh),
        cmocka_unit_test_setup(test_refuse_one_by_one, fresh),
        cmocka_unit_test_setup(test_refuse_together, fresh),
        cmocka_unit_test_setup(test_refused_then_taken, fresh),
        cmocka_unit_test_setup(test_room_in_time, fresh),
        cmocka_unit_test_setup(test_tick, fresh),
        cmocka_unit_test_setup(test_ticket_without_events, fresh),
        cmocka_unit_test_setup(test_close_takes_everything_home, fresh),
        cmocka_unit_test_setup(test_memory_comes_back, fresh),
        cmocka_unit_test_setup(test_chain_given_up, fresh),
        cmocka_unit_test_setup(test_drained_source_is_quiet, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
