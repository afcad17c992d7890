/* Stops and reloads while an interceptor fails for each batch, or what it needs does not run. At a stop a source whose events nobody else has waits for some
 * seconds, in which the interceptor may still handle them; so does one that refuses, if it has not refused them at once. One that reads
 * them again need not wait. A reload that exchanges the interceptor ends, and the batch goes through the new one. */
#include "tests/support/small_agent.h"

#include <limits.h>

static struct {
    unsigned make; /* events */
    bool fails;
    bool is_down; /* what it needs does not run */
    bool hangs;   /* it never answers */
    unsigned tries, settled, refused, delivered, mended;
    unsigned closed_tries; /* how often the interceptor of the next configuration cannot be opened */
    bool is_open;          /* the same interceptor */
    struct ps_port *port;
} script;

static enum ps_result source_work(const void *, void *, struct ps_batch *batch, const struct ps_now *)
{
    unsigned made = 0;
    for (; script.make > 0 && batch->count < batch->capacity; made++, script.make--)
        assert_non_null(ps_batch_add_copy(batch, "x", 1));
    batch->flush = true;
    return made > 0 ? PS_DONE : PS_IDLE;
}

static bool source_drain(const void *, void *, const struct ps_now *)
{
    return script.make == 0;
}

static void source_refused(const void *, void *, const struct ps_batch *batch, const char *,
                           const struct ps_now *)
{
    script.refused += batch->count;
}

static void source_delivered(const void *, void *, const struct ps_batch *, const struct ps_now *)
{
    script.delivered++;
}

static const struct ps_source_ops accepting_ops = {
    .needs = PS_LEVEL_ACCEPTED, .when_full = PS_WAIT, .work = source_work, .drain = source_drain};
static const struct ps_source_ops replayable_ops = {.needs = PS_LEVEL_DELIVERED,
                                                    .when_full = PS_WAIT,
                                                    .work = source_work,
                                                    .drain = source_drain,
                                                    .delivered = source_delivered};
static const struct ps_source_ops refusing_ops = {.needs = PS_LEVEL_ACCEPTED,
                                                  .when_full = PS_REFUSE,
                                                  .work = source_work,
                                                  .drain = source_drain,
                                                  .refused = source_refused};
static const struct ps_stage_ops refusing = {
    .kind = PS_KIND_SOURCE, .name = "refusing", .source = &refusing_ops};
static const struct ps_stage_ops accepting = {
    .kind = PS_KIND_SOURCE, .name = "accepting", .source = &accepting_ops};
static const struct ps_stage_ops replayable = {
    .kind = PS_KIND_SOURCE, .name = "replayable", .source = &replayable_ops};

static enum ps_status chain_open(const void *, void *, struct ps_port *port, struct ps_err *)
{
    script.port = port;
    return PS_OK;
}

/* As the interceptor java: it is asked again in each cycle, and tries from time to time. While it is down it starts from time to time. */
static enum ps_result chain_work(const void *, void *, struct ps_lease *, const struct ps_now *)
{
    script.tries++;
    script.port->is_down = script.is_down && script.tries % 3 != 0;
    if (script.is_down || script.hangs)
        return PS_LATER;
    return !script.fails ? PS_DONE : script.tries % 3 == 0 ? PS_LATER : PS_BACKOFF;
}

static const struct ps_interceptor_ops chain_ops = {.work = chain_work};
static const struct ps_stage_ops chain = {
    .kind = PS_KIND_INTERCEPTOR, .name = "chain", .open = chain_open, .interceptor = &chain_ops};

/* The interceptor of the next configuration. */
static enum ps_result mended_work(const void *, void *, struct ps_lease *lease, const struct ps_now *)
{
    assert_true(script.is_open);
    script.mended += lease->count;
    return PS_DONE;
}

static enum ps_status mended_open(const void *, void *, struct ps_port *, struct ps_err *err)
{
    if (script.closed_tries > 0) {
        script.closed_tries--;
        return ps_err_set(err, "it cannot be opened");
    }
    script.is_open = true;
    return PS_OK;
}

static void mended_close(const void *, void *)
{
    assert_true(script.is_open);
    script.is_open = false;
}

static const struct ps_interceptor_ops mended_ops = {.work = mended_work};
static const struct ps_stage_ops mended = {.kind = PS_KIND_INTERCEPTOR,
                                           .name = "mended",
                                           .open = mended_open,
                                           .close = mended_close,
                                           .interceptor = &mended_ops};

static enum ps_result sink_work(const void *, void *, struct ps_lease **lease, const struct ps_now *)
{
    script.settled += (*lease)->count;
    ps_lease_settle_all(*lease);
    return PS_DONE;
}

static const struct ps_sink_ops sink_ops = {.work = sink_work};
static const struct ps_stage_ops sink = {.kind = PS_KIND_SINK, .name = "sink", .sink = &sink_ops};

static struct ps_test_small_agent agent;

static void start(const struct ps_stage_ops *source, bool is_down)
{
    const struct ps_test_small_stages stages = {.source = source, .interceptor = &chain, .sink = &sink};
    memset(&script, 0, sizeof script);
    script.fails = !is_down;
    script.is_down = is_down;
    script.make = 2;
    ps_test_small_agent_start(&agent, &stages, 1, "100");
    ps_test_small_agent_run(&agent, 20 * PS_NS_PER_S);
    assert_true(script.tries > 0);
}

static void stop_gives_up(bool is_down)
{
    start(&accepting, is_down);
    uint64_t number = ps_engine_order(agent.engine, PS_PHASE_DRAIN, agent.plan, NULL);
    ps_test_small_agent_run(&agent, 6 * PS_NS_PER_S - 10 * PS_NS_PER_MS);
    assert_false(ps_engine_reached(agent.engine, number));
    ps_test_small_agent_run(&agent, 30 * PS_NS_PER_MS);
    assert_true(ps_engine_reached(agent.engine, number));
    assert_false(ps_test_small_agent_source(&agent)->ending.answered); /* for the exit status */
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(script.settled, 0);
    assert_int_equal(agent.dropped, 2);
}

static void test_is_given_up(void **unused)
{
    stop_gives_up(false);
    stop_gives_up(true);
}

/* A stop during whose time the interceptor recovers loses nothing. */
static void stop_recovers(const struct ps_stage_ops *source, bool is_down)
{
    start(source, is_down);
    uint64_t number = ps_engine_order(agent.engine, PS_PHASE_DRAIN, agent.plan, NULL);
    ps_test_small_agent_run(&agent, 5 * PS_NS_PER_S);
    assert_false(ps_engine_reached(agent.engine, number));
    script.fails = script.is_down = false;
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(agent.lost.events, 0);
    assert_int_equal(script.settled, 2);
}

static void test_recovers(void **unused)
{
    stop_recovers(&accepting, false);
    stop_recovers(&accepting, true);
    stop_recovers(&refusing, true);
    assert_int_equal(script.refused, 0);
}

/* The events are not lost, and so they do not count as dropped. */
static void stop_leaves(bool is_down)
{
    start(&replayable, is_down);
    uint64_t began_ns = agent.now.mono_ns;
    ps_test_small_agent_stop(&agent, true);
    assert_true(agent.now.mono_ns - began_ns < PS_NS_PER_S);
    assert_int_equal(agent.lost.events, 0);
    assert_int_equal(agent.dropped, 0);
    assert_int_equal(script.delivered, 0); /* its position would pass them */
}

static void test_is_read_again(void **unused)
{
    stop_leaves(false);
    stop_leaves(true);
}

/* While the agent runs, a source that can refuse waits for what is down. At a stop it refuses what it has after the same time, and what
 * comes then at once. */
static void test_is_refused(void **unused)
{
    start(&refusing, true);
    assert_int_equal(script.refused, 0);
    script.make = 3;
    uint64_t number = ps_engine_order(agent.engine, PS_PHASE_DRAIN, agent.plan, NULL);
    ps_test_small_agent_run(&agent, 6 * PS_NS_PER_S - 10 * PS_NS_PER_MS);
    assert_int_equal(script.refused, 0);
    ps_test_small_agent_run(&agent, 100 * PS_NS_PER_MS);
    assert_int_equal(script.refused, 5);
    assert_true(ps_engine_reached(agent.engine, number));
    assert_true(ps_test_small_agent_source(&agent)->ending.answered);
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(script.settled, 0);
}

/* Returns how long the reload took. */
static uint64_t reload_ns(const struct ps_stage_ops *source)
{
    const struct ps_test_small_stages stages = {.source = source, .interceptor = &mended, .sink = &sink};
    uint64_t began_ns = agent.now.mono_ns;
    uint64_t number = ps_test_small_agent_exchange(&agent, &stages, "100");
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    assert_false(ps_engine_reached(agent.engine, number)); /* the old interceptor may still handle it */
    while (!ps_engine_reached(agent.engine, number)) {
        assert_true(agent.now.mono_ns - began_ns < 60 * PS_NS_PER_S);
        ps_test_small_agent_advance(&agent);
    }
    uint64_t took_ns = agent.now.mono_ns - began_ns;
    ps_test_small_agent_retire(&agent, number);
    return took_ns;
}

/* Nothing else than the reload can mend the source, and the agent's control waits for it: it must end. */
static void reload_mends(const struct ps_stage_ops *source, bool is_down, bool hangs)
{
    start(source, is_down);
    script.hangs = hangs;
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    uint64_t took_ns = reload_ns(source);
    assert_in_range(took_ns, (hangs ? 30 : 6) * PS_NS_PER_S - PS_NS_PER_MS,
                    (hangs ? 30 : 6) * PS_NS_PER_S + 100 * PS_NS_PER_MS);
    script.make = 3;
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    assert_int_equal(script.settled, 5);
    assert_int_equal(script.mended, 5);
    assert_int_equal(script.refused, 0);
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(agent.dropped, 0);
}

static void test_reload_mends(void **unused)
{
    reload_mends(&accepting, false, false);
    reload_mends(&accepting, true, false);
    reload_mends(&accepting, false, true);
    reload_mends(&replayable, false, false);
    reload_mends(&replayable, true, false);
    assert_int_equal(script.delivered, 2);
    reload_mends(&refusing, true, false);
}

/* The new interceptor cannot be opened at first: what the source cannot read again waits for it, and what it can refuse is
 * refused. */
static void reload_opens_late(const struct ps_stage_ops *source, unsigned refused, unsigned settled)
{
    start(source, true);
    script.closed_tries = 4;
    (void)reload_ns(source);
    assert_int_equal(script.closed_tries, 3);
    script.make = 3;
    ps_test_small_agent_run(&agent, 20 * PS_NS_PER_S);
    assert_int_equal(script.closed_tries, 0);
    assert_int_equal(script.refused, refused);
    assert_int_equal(script.settled, settled);
    assert_int_equal(script.mended, settled);
    ps_test_small_agent_stop(&agent, true);
    assert_false(script.is_open);
    assert_int_equal(agent.dropped, 0);
}

static void test_reload_opens_late(void **unused)
{
    reload_opens_late(&accepting, 0, 5);
    reload_opens_late(&replayable, 0, 3); /* it would read the first two again */
    reload_opens_late(&refusing, 2, 3);
}

/* It is never opened: the source's stop ends, and what was read is counted. */
static void test_reload_never_opens(void **unused)
{
    start(&accepting, true);
    script.closed_tries = UINT_MAX;
    (void)reload_ns(&accepting);
    ps_test_small_agent_run(&agent, 10 * PS_NS_PER_S);
    uint64_t number = ps_engine_order(agent.engine, PS_PHASE_DRAIN, agent.plan, NULL);
    ps_test_small_agent_run(&agent, 6 * PS_NS_PER_S + 100 * PS_NS_PER_MS);
    assert_true(ps_engine_reached(agent.engine, number));
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(script.settled, 0);
    assert_int_equal(agent.dropped, 2);
}

/* One that was only slow and then fails has its time from the first failure on. */
static void test_reload_waits_from_the_failure_on(void **unused)
{
    const struct ps_test_small_stages stages = {.source = &accepting, .interceptor = &mended, .sink = &sink};
    start(&accepting, false);
    script.fails = false;
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    assert_int_equal(script.settled, 2);
    script.hangs = true;
    script.make = 2;
    ps_test_small_agent_run(&agent, 10 * PS_NS_PER_MS);
    uint64_t began_ns = agent.now.mono_ns;
    uint64_t number = ps_test_small_agent_exchange(&agent, &stages, "100");
    ps_test_small_agent_run(&agent, 10 * PS_NS_PER_S);
    script.hangs = false;
    script.fails = true;
    ps_test_small_agent_run(&agent, 5 * PS_NS_PER_S);
    assert_false(ps_engine_reached(agent.engine, number));
    ps_test_small_agent_retire(&agent, number);
    assert_in_range(agent.now.mono_ns - began_ns, 16 * PS_NS_PER_S, 16 * PS_NS_PER_S + 100 * PS_NS_PER_MS);
    ps_test_small_agent_stop(&agent, true);
}

/* An interceptor that recovers before the time is over handles the batch itself. */
static void test_reload_waits(void **unused)
{
    start(&accepting, false);
    const struct ps_test_small_stages stages = {.source = &accepting, .interceptor = &mended, .sink = &sink};
    uint64_t number = ps_test_small_agent_exchange(&agent, &stages, "100");
    ps_test_small_agent_run(&agent, 5 * PS_NS_PER_S);
    assert_false(ps_engine_reached(agent.engine, number));
    script.fails = false;
    ps_test_small_agent_retire(&agent, number);
    assert_int_equal(script.settled, 2);
    assert_int_equal(script.mended, 0);
    ps_test_small_agent_stop(&agent, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reload_mends),
                                       cmocka_unit_test(test_reload_waits),
                                       cmocka_unit_test(test_reload_opens_late),
                                       cmocka_unit_test(test_reload_never_opens),
                                       cmocka_unit_test(test_reload_waits_from_the_failure_on),
                                       cmocka_unit_test(test_is_given_up),
                                       cmocka_unit_test(test_recovers),
                                       cmocka_unit_test(test_is_read_again),
                                       cmocka_unit_test(test_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
