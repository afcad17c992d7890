/* Stops while an interceptor fails for each batch. A source whose events nobody else has waits for some seconds, in which the interceptor
 * may still handle them; one that reads them again need not wait. */
#include "tests/support/small_agent.h"

static struct {
    unsigned make; /* events */
    bool fails;
    unsigned tries, settled;
} script;

static enum ps_result source_work(const void *, void *, struct ps_batch *batch, const struct ps_now *)
{
    unsigned made = 0;
    for (; made < script.make; made++)
        assert_non_null(ps_batch_add_copy(batch, "x", 1));
    script.make = 0;
    batch->flush = true;
    return made > 0 ? PS_DONE : PS_IDLE;
}

static bool source_drain(const void *, void *, const struct ps_now *)
{
    return true;
}

static void source_delivered(const void *, void *, const struct ps_batch *, const struct ps_now *)
{
}

static const struct ps_source_ops accepting_ops = {
    .needs = PS_LEVEL_ACCEPTED, .when_full = PS_WAIT, .work = source_work, .drain = source_drain};
static const struct ps_source_ops replayable_ops = {.needs = PS_LEVEL_DELIVERED,
                                                    .when_full = PS_WAIT,
                                                    .work = source_work,
                                                    .drain = source_drain,
                                                    .delivered = source_delivered};
static const struct ps_stage_ops accepting = {
    .kind = PS_KIND_SOURCE, .name = "accepting", .source = &accepting_ops};
static const struct ps_stage_ops replayable = {
    .kind = PS_KIND_SOURCE, .name = "replayable", .source = &replayable_ops};

/* As the interceptor java: it is asked again in each cycle, and tries from time to time. */
static enum ps_result chain_work(const void *, void *, struct ps_lease *, const struct ps_now *)
{
    script.tries++;
    return !script.fails ? PS_DONE : script.tries % 3 == 0 ? PS_LATER : PS_BACKOFF;
}

static const struct ps_interceptor_ops chain_ops = {.work = chain_work};
static const struct ps_stage_ops chain = {
    .kind = PS_KIND_INTERCEPTOR, .name = "chain", .interceptor = &chain_ops};

static enum ps_result sink_work(const void *, void *, struct ps_lease **lease, const struct ps_now *)
{
    script.settled += (*lease)->count;
    ps_lease_settle_all(*lease);
    return PS_DONE;
}

static const struct ps_sink_ops sink_ops = {.work = sink_work};
static const struct ps_stage_ops sink = {.kind = PS_KIND_SINK, .name = "sink", .sink = &sink_ops};

static struct ps_test_small_agent agent;

static void start(const struct ps_stage_ops *source)
{
    const struct ps_test_small_stages stages = {.source = source, .interceptor = &chain, .sink = &sink};
    memset(&script, 0, sizeof script);
    script.fails = true;
    script.make = 2;
    ps_test_small_agent_start(&agent, &stages, 1, "100");
    ps_test_small_agent_run(&agent, 20 * PS_NS_PER_S);
    assert_true(script.tries > 0);
}

static void test_is_given_up(void **unused)
{
    start(&accepting);
    uint64_t number = ps_engine_order(agent.engine, PS_PHASE_DRAIN, agent.plan, NULL);
    ps_test_small_agent_run(&agent, 6 * PS_NS_PER_S - 10 * PS_NS_PER_MS);
    assert_false(ps_engine_reached(agent.engine, number));
    ps_test_small_agent_run(&agent, 30 * PS_NS_PER_MS);
    assert_true(ps_engine_reached(agent.engine, number));
    assert_false(ps_test_small_agent_source(&agent)->answered); /* for the exit status */
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(script.settled, 0);
}

/* A stop during whose time the interceptor recovers loses nothing. */
static void test_recovers(void **unused)
{
    start(&accepting);
    uint64_t number = ps_engine_order(agent.engine, PS_PHASE_DRAIN, agent.plan, NULL);
    ps_test_small_agent_run(&agent, 5 * PS_NS_PER_S);
    assert_false(ps_engine_reached(agent.engine, number));
    script.fails = false;
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(agent.lost.events, 0);
    assert_int_equal(script.settled, 2);
}

static void test_is_read_again(void **unused)
{
    start(&replayable);
    uint64_t began_ns = agent.now.mono_ns;
    ps_test_small_agent_stop(&agent, true);
    assert_true(agent.now.mono_ns - began_ns < PS_NS_PER_S);
    assert_int_equal(agent.lost.events, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_is_given_up), cmocka_unit_test(test_recovers),
                                       cmocka_unit_test(test_is_read_again)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
