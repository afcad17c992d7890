/* A stage that fails while it is open (ps_port_failed): its leases, its close, its next open, and its metrics. */
#include "tests/support/small_agent.h"

#include <stdio.h>

#define KEPT_MAX 16U

/* The script of the stages, and their records. */
static struct {
    uint32_t make; /* rows that the next call of the source's `work` makes */
    bool source_fails, delivered_fails, chain_fails, drain_fails;
    bool source_backs_off;
    bool sink_fails, sink_keeps, sink_has_no_room;
    unsigned recall_calls_left; /* before `recall` returns true */
    uint32_t recall_settles;    /* events of each lease that comes back */

    unsigned source_opens, source_closes, chain_opens, chain_closes, sink_opens, sink_closes;
    uint64_t source_opened_ns, source_closed_ns, source_worked_ns, sink_opened_ns, sink_closed_ns;
    int64_t source_opened_ms, source_closed_ms; /* by the wall clock */
    unsigned accepted, recall_calls;
    int64_t next, delivered; /* positions */
    struct ps_port *source_port, *chain_port, *sink_port;
    struct ps_lease *kept[KEPT_MAX];
    unsigned kept_count;
    char settled[64]; /* the bodies of settled events, one letter each */
    bool source_has_failed, sink_has_failed;
} script;

static struct ps_test_small_agent agent;

static void fails(struct ps_port *port, bool *flag, const char *reason)
{
    struct ps_err err = {0};
    if (!*flag)
        return;
    *flag = false;
    ps_err_set(&err, "%s", reason);
    ps_port_failed(port, &err);
    ps_err_set(&err, "a second reason, which nobody reads");
    ps_port_failed(port, &err);
}

/* ---- stages ---- */

static enum ps_status source_open(const void *p, void *state, struct ps_port *port, struct ps_err *err)
{
    assert_string_equal(port->component, "source r1");
    assert_string_equal(port->name, "r1");
    script.source_port = port;
    script.source_opens++;
    script.source_opened_ns = agent.now.mono_ns;
    script.source_opened_ms = agent.now.wall_ms;
    script.source_has_failed = false;
    script.next = script.delivered + 1;
    return PS_OK;
}

static void source_close(const void *p, void *state)
{
    script.source_closes++;
    script.source_closed_ns = agent.now.mono_ns;
    script.source_closed_ms = agent.now.wall_ms;
}

static void source_may_fail(bool *flag)
{
    script.source_has_failed |= *flag;
    fails(script.source_port, flag, "the far end has gone");
}

/* The body of the event at position n is the letter 'a' + n. */
static enum ps_result source_work(const void *p, void *state, struct ps_batch *batch, const struct ps_now *at)
{
    uint32_t made = 0;
    assert_false(script.source_has_failed);
    script.source_worked_ns = agent.now.mono_ns;
    if (script.source_backs_off)
        return PS_BACKOFF;
    for (; made < script.make; made++) {
        char body = (char)('a' + script.next);
        assert_non_null(ps_batch_add_copy(batch, &body, 1));
        assert_true(ps_batch_span(batch, 0, script.source_opens, script.next, NULL));
        script.next++;
        batch->flush = true;
    }
    script.make = 0;
    source_may_fail(&script.source_fails);
    return made > 0 ? PS_DONE : PS_IDLE;
}

static uint64_t source_tick(const void *p, void *state, const struct ps_now *at)
{
    assert_false(script.source_has_failed);
    return PS_NEVER;
}

static void source_accepted(const void *p, void *state, const struct ps_batch *batch, const struct ps_now *at)
{
    script.accepted++;
}

static void source_delivered(const void *p, void *state, const struct ps_batch *batch,
                             const struct ps_now *at)
{
    assert_false(script.source_has_failed);
    assert_int_equal(batch->spans[0].pass, script.source_opens);
    script.delivered = batch->spans[0].position;
    source_may_fail(&script.delivered_fails);
}

static bool source_drain(const void *p, void *state, const struct ps_now *at)
{
    bool stays = script.drain_fails;
    source_may_fail(&script.drain_fails);
    return !stays;
}

#define SOURCE(level)                                                                                        \
    {                                                                                                        \
        .needs = (level), .when_full = PS_WAIT, .work = source_work, .tick = source_tick,                    \
        .accepted = source_accepted, .delivered = source_delivered, .drain = source_drain                    \
    }
static const struct ps_source_ops accepting_ops = SOURCE(PS_LEVEL_ACCEPTED);
static const struct ps_source_ops replayable_ops = SOURCE(PS_LEVEL_DELIVERED);
static const struct ps_stage_ops accepting = {.kind = PS_KIND_SOURCE,
                                              .name = "accepting",
                                              .open = source_open,
                                              .close = source_close,
                                              .source = &accepting_ops};
static const struct ps_stage_ops replayable = {.kind = PS_KIND_SOURCE,
                                               .name = "replayable",
                                               .open = source_open,
                                               .close = source_close,
                                               .source = &replayable_ops};

static enum ps_status chain_open(const void *p, void *state, struct ps_port *port, struct ps_err *err)
{
    assert_string_equal(port->component, "interceptor i1");
    assert_string_equal(port->name, "i1");
    script.chain_port = port;
    script.chain_opens++;
    return PS_OK;
}

static void chain_close(const void *p, void *state)
{
    script.chain_closes++;
}

static enum ps_result chain_work(const void *p, void *state, struct ps_lease *lease, const struct ps_now *at)
{
    script.source_has_failed |= script.chain_fails;
    fails(script.chain_port, &script.chain_fails, "no disk");
    return PS_DONE;
}

static const struct ps_interceptor_ops chain_ops = {.work = chain_work};
static const struct ps_stage_ops chain = {.kind = PS_KIND_INTERCEPTOR,
                                          .name = "chain",
                                          .open = chain_open,
                                          .close = chain_close,
                                          .interceptor = &chain_ops};

static enum ps_status sink_open(const void *p, void *state, struct ps_port *port, struct ps_err *err)
{
    assert_string_equal(port->component, "sink k1");
    assert_string_equal(port->name, "k1");
    script.sink_port = port;
    script.sink_opens++;
    script.sink_opened_ns = agent.now.mono_ns;
    script.sink_has_failed = false;
    return PS_OK;
}

static void sink_close(const void *p, void *state)
{
    assert_int_equal(script.kept_count, 0);
    script.sink_closes++;
    script.sink_closed_ns = agent.now.mono_ns;
}

static void settle_lease(struct ps_lease *lease)
{
    for (uint32_t i = 0; i < lease->count; i++)
        snprintf(script.settled + strlen(script.settled), 2, "%c", ps_lease_event(lease, i)->body[0]);
    ps_lease_settle_all(lease);
}

static enum ps_result sink_work(const void *p, void *state, struct ps_lease **lease, const struct ps_now *at)
{
    assert_false(script.sink_has_failed);
    if (script.sink_has_no_room)
        return PS_LATER;
    if (script.sink_keeps) {
        script.kept[script.kept_count++] = *lease;
        *lease = NULL;
        return PS_TAKEN;
    }
    settle_lease(*lease);
    return PS_DONE;
}

static uint64_t sink_tick(const void *p, void *state, const struct ps_now *at)
{
    assert_false(script.sink_has_failed);
    script.sink_has_failed = script.sink_fails;
    fails(script.sink_port, &script.sink_fails, "the library gave up");
    return PS_NEVER;
}

/* The oldest lease was delivered meanwhile; the others come back. */
static bool sink_recall(const void *p, void *state, struct ps_lease **back, const struct ps_now *at)
{
    struct ps_lease **end = back;
    script.recall_calls++;
    if (script.recall_calls_left > 0) {
        script.recall_calls_left--;
        return false;
    }
    for (unsigned i = 0; i < script.kept_count; i++) {
        if (i == 0) {
            settle_lease(script.kept[i]);
            ps_port_done(script.sink_port, &script.kept[i]);
        } else {
            for (uint32_t k = 0; k < script.recall_settles; k++)
                ps_lease_settle(script.kept[i], k);
            *end = script.kept[i];
            end = &(*end)->next;
            *end = NULL;
        }
    }
    script.kept_count = 0;
    return true;
}

static bool sink_drain(const void *p, void *state, const struct ps_now *at)
{
    assert_false(script.sink_has_failed);
    return script.kept_count == 0;
}

static const struct ps_sink_ops sink_ops = {
    .work = sink_work, .tick = sink_tick, .recall = sink_recall, .drain = sink_drain};
static const struct ps_stage_ops sink = {
    .kind = PS_KIND_SINK, .name = "sink", .open = sink_open, .close = sink_close, .sink = &sink_ops};

/* ---- helpers ---- */

static void start(const struct ps_stage_ops *source, unsigned workers, const char *capacity)
{
    const struct ps_test_small_stages stages = {source, &chain, &sink};
    ps_log_set_level(PS_LOG_OFF);
    memset(&script, 0, sizeof script);
    script.delivered = -1;
    ps_test_small_agent_start(&agent, &stages, workers, capacity);
    ps_test_small_agent_settle(&agent);
}

static void make(uint32_t rows)
{
    script.make = rows;
    ps_test_small_agent_run(&agent, 2 * PS_NS_PER_S); /* a second is the longest that an idle worker parks */
}

static const struct ps_runner *source_base(void)
{
    return &ps_test_small_agent_source(&agent)->base;
}

static const struct ps_runner *sink_base(void)
{
    return &ps_test_small_agent_sink(&agent)->base;
}

static uint64_t failures(const struct ps_runner *runner)
{
    return ps_counter_read(runner->counters, PS_COUNTER_failures);
}

/* ---- tests ---- */

/* The events that the source has read go into the channel first, however long that takes. The source is opened 3 s
 * after it was closed, with its chain, and nothing is called meanwhile. */
static void test_accepting_source_puts_what_it_has(void **state)
{
    start(&accepting, 1, "2");
    script.sink_has_no_room = true;
    make(1); /* the sink is offered this one */
    make(1);
    make(1); /* these fill the channel */
    script.source_fails = true;
    make(1);
    ps_test_small_agent_run(&agent, 20 * PS_NS_PER_S);
    assert_int_equal(ps_runner_state(source_base()), PS_RUNNER_ENDING);
    assert_string_equal(source_base()->error, "the far end has gone");
    assert_int_equal(script.source_closes, 0);
    assert_int_equal(script.accepted, 3);
    script.sink_has_no_room = false;
    ps_test_small_agent_settle(&agent);
    assert_int_equal(script.accepted, 4);
    assert_int_equal(script.source_closes, 1);
    assert_int_equal(script.chain_closes, 1);
    assert_int_equal(ps_runner_state(source_base()), PS_RUNNER_FAILED);
    assert_int_equal(source_base()->stop_ms, script.source_closed_ms);
    ps_test_small_agent_run(&agent, 10 * PS_NS_PER_S);
    assert_int_equal(source_base()->start_ms, script.source_opened_ms);
    assert_int_equal(source_base()->stop_ms, 0);
    assert_string_equal(script.settled, "abcd");
    assert_int_equal(script.source_opens, 2);
    assert_int_equal(script.chain_opens, 2);
    assert_int_equal(script.source_opened_ns - script.source_closed_ns, 3 * PS_NS_PER_S);
    assert_int_equal(failures(source_base()), 1);
    assert_true(ps_runner_is_open(source_base()));
    assert_string_equal(source_base()->error, "");
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(script.source_closes, 2);
}

/* A source that is opened again begins immediately: earlier failures cause no backoff. */
static void test_reopened_source_does_not_rest(void **state)
{
    start(&accepting, 1, "100");
    script.source_backs_off = true;
    ps_test_small_agent_run(&agent, 20 * PS_NS_PER_S); /* it backs off for 5 s each time */
    uint64_t worked_ns = script.source_worked_ns;
    while (script.source_worked_ns == worked_ns)
        ps_test_small_agent_advance(&agent);
    script.source_backs_off = false;
    script.source_fails = true;
    fails(script.source_port, &script.source_fails, "the far end has gone");
    ps_test_small_agent_run(&agent, 4 * PS_NS_PER_S);
    assert_int_equal(script.source_opens, 2);
    assert_true(script.source_worked_ns >= script.source_opened_ns);
    script.source_backs_off = true;
    ps_test_small_agent_settle(&agent);
    worked_ns = script.source_worked_ns;
    while (script.source_worked_ns == worked_ns)
        ps_test_small_agent_advance(&agent);
    assert_int_equal(script.source_worked_ns - worked_ns, PS_NS_PER_S); /* the first rest again */
    ps_test_small_agent_stop(&agent, true);
}

/* A source that had halted by its own rule reads again when it is opened again, and /metrics says so. */
static void test_reopened_source_is_not_halted(void **state)
{
    start(&accepting, 1, "100");
    for (unsigned round = 0; round < 2; round++) {
        ps_port_halted(script.source_port, "it has read enough");
        assert_true(source_base()->halted);
        assert_string_equal(source_base()->error, "it has read enough");
        script.source_fails = true;
        fails(script.source_port, &script.source_fails, "the far end has gone");
        ps_test_small_agent_run(&agent, 4 * PS_NS_PER_S);
        assert_int_equal(script.source_opens, round + 2);
        assert_true(ps_runner_is_open(source_base()));
        assert_false(source_base()->halted);
        assert_string_equal(source_base()->error, "");
    }
    ps_test_small_agent_stop(&agent, true);
}

/* Each wait for a full channel counts from its own beginning. */
static void test_waits_add_up(void **state)
{
    start(&accepting, 1, "1");
    uint64_t began_ns = agent.now.mono_ns;
    for (unsigned i = 0; i < 3; i++) {
        script.sink_has_no_room = true;
        for (unsigned k = 0; k < 3; k++)
            make(1);
        assert_true(ps_test_small_agent_source(&agent)->waiting);
        ps_test_small_agent_run(&agent, 10 * PS_NS_PER_S);
        script.sink_has_no_room = false;
        ps_test_small_agent_settle(&agent);
        assert_false(ps_test_small_agent_source(&agent)->waiting);
        uint64_t blocked_ns = ps_counter_read(source_base()->counters, PS_COUNTER_blocked_ns);
        assert_true(blocked_ns >= (i + 1) * 10 * PS_NS_PER_S);
        assert_true(blocked_ns <= agent.now.mono_ns - began_ns);
    }
    ps_test_small_agent_stop(&agent, true);
}

/* Events that were not put are given up, and batches in flight do not move the position: the source reads them again. */
static void test_replayable_source_reads_again(void **state)
{
    start(&replayable, 2, "1");
    make(1);
    assert_int_equal(script.delivered, 0);
    script.sink_keeps = true;
    make(1); /* "b": in the sink */
    script.sink_keeps = false;
    script.sink_has_no_room = true;
    make(1); /* "c": offered to the sink */
    make(1); /* "d": in the channel */
    make(1); /* "e": not put */
    script.source_fails = true;
    make(0); /* `work` is not called: the channel is full */
    assert_int_equal(failures(source_base()), 0);
    fails(script.source_port, &script.source_fails, "the far end has gone");
    script.source_has_failed = true;
    ps_test_small_agent_settle(&agent);
    assert_int_equal(ps_runner_state(source_base()), PS_RUNNER_FAILED);
    assert_int_equal(script.source_closes, 1);
    script.sink_has_no_room = false;
    settle_lease(script.kept[0]);
    ps_port_done(script.sink_port, &script.kept[0]);
    script.kept_count = 0;
    ps_test_small_agent_settle(&agent);
    assert_int_equal(ps_test_small_agent_sink(&agent)->inflight_bytes, 0); /* or its share would be used up */
    assert_string_equal(script.settled, "abcd");
    assert_int_equal(script.delivered, 0); /* "b" to "d" were returned when it was closed */
    ps_test_small_agent_run(&agent, 4 * PS_NS_PER_S);
    assert_int_equal(script.source_opens, 2);
    for (unsigned i = 0; i < 4; i++)
        make(1);
    assert_string_equal(script.settled, "abcdbcde");
    assert_int_equal(script.delivered, 4);
    ps_test_small_agent_stop(&agent, true);
}

/* The source fails while a delivery is reported to it: later ones are not reported to the closed source. */
static void test_fails_while_delivered(void **state)
{
    start(&replayable, 1, "100");
    script.sink_has_no_room = true;
    for (unsigned i = 0; i < 4; i++)
        make(1);
    script.delivered_fails = true;
    script.sink_has_no_room = false;
    ps_test_small_agent_settle(&agent);
    assert_string_equal(script.settled, "abcd");
    assert_int_equal(script.delivered, 0);
    ps_test_small_agent_run(&agent, 4 * PS_NS_PER_S);
    make(1);
    assert_string_equal(script.settled, "abcdb");
    assert_int_equal(script.delivered, 1);
    ps_test_small_agent_stop(&agent, true);
}

/* A stage of the chain can also report trouble: its name is in the reason. */
static void test_interceptor_fails(void **state)
{
    start(&accepting, 1, "100");
    script.chain_fails = true;
    make(2);
    assert_int_equal(script.chain_closes, 1);
    assert_string_equal(source_base()->error, "interceptor i1: no disk");
    assert_string_equal(script.settled, "ab");
    ps_test_small_agent_run(&agent, 4 * PS_NS_PER_S);
    assert_int_equal(script.chain_opens, 2);
    make(1);
    assert_int_equal(strlen(script.settled), 3);
    ps_test_small_agent_stop(&agent, true);
}

/* `recall` is called until it ends. Then the leases wait in the channel, in order, for the reopened sink. */
static void test_sink_gives_its_leases_back(void **state)
{
    start(&accepting, 2, "100");
    script.sink_keeps = true;
    for (unsigned i = 0; i < 4; i++)
        make(1);
    script.sink_keeps = false;
    script.sink_has_no_room = true;
    make(1); /* "e": offered */
    make(1); /* "f": in the channel */
    script.sink_fails = true;
    script.recall_calls_left = 5;
    uint64_t failed_ns = agent.now.mono_ns;
    ps_test_small_agent_run(&agent, 2 * PS_NS_PER_S);
    assert_int_equal(ps_runner_state(sink_base()), PS_RUNNER_FAILED);
    assert_string_equal(sink_base()->error, "the library gave up");
    assert_int_equal(script.recall_calls, 6);
    assert_int_equal(script.sink_closes, 1);
    assert_int_equal(ps_test_small_agent_sink(&agent)->inflight, 0);
    assert_string_equal(script.settled, "a"); /* `recall` learned that it was delivered */
    struct ps_fill fill;
    const struct ps_stage_spec *channel = &agent.plan->channels[0].spec->stage;
    channel->ops->channel->fill(channel->plan, &fill);
    assert_int_equal(fill.size, 5);
    script.sink_has_no_room = false;
    ps_test_small_agent_run(&agent, 4 * PS_NS_PER_S);
    assert_int_equal(script.sink_opens, 2);
    assert_true(script.sink_closed_ns - failed_ns < 2 * PS_NS_PER_S);
    assert_int_equal(script.sink_opened_ns - script.sink_closed_ns, 3 * PS_NS_PER_S);
    assert_string_equal(script.settled, "abcdef");
    assert_int_equal(failures(sink_base()), 1);
    script.sink_keeps = true;
    make(1);
    ps_test_small_agent_stop(&agent, false); /* the leases that it took after that are recalled as well */
    assert_string_equal(script.settled, "abcdefg");
    assert_int_equal(script.sink_closes, 2);
}

/* The account of a stop: of a lease that is given back, the settled events are delivered, the others lost. */
static void test_partly_settled_lease_in_the_account(void **state)
{
    start(&accepting, 1, "100");
    script.sink_keeps = true;
    make(1); /* delivered when it is recalled */
    make(5);
    make(3);
    script.recall_settles = 2;
    ps_test_small_agent_stop(&agent, false);
    assert_int_equal(agent.lost.events, 3 + 1);
    assert_int_equal(agent.lost.settled, 2 + 2);
    assert_int_equal(agent.lost.batches, 2);
    assert_int_equal(agent.lost.doubled, 0);
}

/* The same of a source that reads its batches again: the settled events of a batch that is not settled come twice. */
static void test_partly_settled_lease_that_is_read_again(void **state)
{
    start(&replayable, 1, "100");
    script.sink_keeps = true;
    make(1);
    make(5);
    make(3);
    script.recall_settles = 2;
    ps_test_small_agent_stop(&agent, false);
    assert_int_equal(agent.lost.events, 0);
    assert_int_equal(agent.lost.settled, 2 + 2);
    assert_int_equal(agent.lost.reread, 3 + 1);
    assert_int_equal(agent.lost.doubled, 2 + 2);
}

/* A stop at any moment of a reload ends: the events that can be delivered are delivered, and every stage is closed. */
static void test_stop_while_failing(void **state)
{
    for (unsigned variant = 0; variant < 4; variant++) {
        start(variant % 2 == 0 ? &accepting : &replayable, 1, "1");
        script.sink_keeps = true;
        make(1);
        script.sink_keeps = false;
        script.sink_has_no_room = variant >= 2;
        if (variant >= 2) {
            make(1);
            make(1);
            make(1); /* waits for the channel */
        }
        script.recall_calls_left = 3;
        script.sink_fails = true;
        script.drain_fails = true;
        (void)ps_engine_order(agent.engine, PS_PHASE_DRAIN, agent.plan, NULL);
        for (unsigned i = 0; i < variant; i++)
            (void)ps_worker_cycle(ps_engine_worker(agent.engine, 0), &agent.now);
        ps_test_small_agent_stop(&agent, variant < 2);
        assert_int_equal(script.source_closes, script.source_opens);
        assert_int_equal(script.sink_closes, script.sink_opens);
        assert_int_equal(script.chain_closes, script.chain_opens);
        assert_int_equal(script.kept_count, 0);
    }
}

/* A runner's metrics have everything that was reported to it, after each report. */
static void test_note_has_every_member(void **state)
{
    static struct ps_runner runner;
    const struct ps_runner_look looks[] = {
        {.held = 1,
         .open_events = 2,
         .rests_until_ns = 3,
         .waits_since_ns = 4,
         .waits_for = PS_METRICS_WAITS_FOR_CHAIN},
        {.held = 5,
         .open_events = 6,
         .rests_until_ns = 7,
         .waits_since_ns = 8,
         .waits_for = PS_METRICS_WAITS_FOR_MEMORY},
        {.held = 0},
    };
    for (size_t i = 0; i < PS_COUNT_OF(looks); i++) {
        ps_runner_note(&runner, &looks[i]);
        assert_int_equal(runner.look.held, looks[i].held);
        assert_int_equal(runner.look.open_events, looks[i].open_events);
        assert_int_equal(runner.look.rests_until_ns, looks[i].rests_until_ns);
        assert_int_equal(runner.look.waits_since_ns, looks[i].waits_since_ns);
        assert_int_equal(runner.look.waits_for, looks[i].waits_for);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepting_source_puts_what_it_has),
        cmocka_unit_test(test_reopened_source_does_not_rest),
        cmocka_unit_test(test_reopened_source_is_not_halted),
        cmocka_unit_test(test_waits_add_up),
        cmocka_unit_test(test_note_has_every_member),
        cmocka_unit_test(test_replayable_source_reads_again),
        cmocka_unit_test(test_fails_while_delivered),
        cmocka_unit_test(test_interceptor_fails),
        cmocka_unit_test(test_sink_gives_its_leases_back),
        cmocka_unit_test(test_partly_settled_lease_in_the_account),
        cmocka_unit_test(test_partly_settled_lease_that_is_read_again),
        cmocka_unit_test(test_stop_while_failing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
