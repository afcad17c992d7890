/* Sink groups in the engine: rests of a sink that delivers at its end, a stop in the middle, one that stands still beside one that delivers. */
#include "tests/support/group_agent.h"

#include <stdio.h>

static const int32_t falling[] = {30, 20};
static const struct ps_processor_settings failover = {
    .type = PS_PROCESSOR_FAILOVER, .max_ms = 30000, .count = 2, .priorities = falling};
static const struct ps_processor_settings in_turn = {.type = PS_PROCESSOR_LOAD_BALANCE, .count = 2};

/* The recall of a failing sink finds that events were delivered. That does not end its series of failures: each
 * backoff is twice the last one. */
static void test_rests_of_a_sink_that_delivers_at_its_end(void **state)
{
    ps_test_group_start(&failover, 2);
    for (unsigned failures = 1, rest_s = 2; failures <= 4; failures++, rest_s *= 2) {
        size_t settled = strlen(ps_test_group.members[0].settled);
        ps_test_group.members[0].keeps = true;
        ps_test_group_make(1, 1);
        assert_int_equal(ps_test_group.members[0].kept_count, 1);
        ps_test_group.members[0].fails = true;
        ps_test_group_pass_s(1);
        assert_int_equal(strlen(ps_test_group.members[0].settled), settled + 1);
        unsigned passed_s = 0;
        for (; ps_test_group.members[0].opens == failures; passed_s++)
            ps_test_group_pass_s(1);
        if (passed_s + 1 < rest_s || passed_s > rest_s + 1)
            fail_msg("failure %u: opened again after %u s, not %u s", failures, passed_s, rest_s);
        ps_test_group_pass_s(1);
    }
    ps_test_group.members[0].keeps = false;
    ps_test_group_make(1, 2);
    assert_int_equal(strlen(ps_test_group.members[0].settled), 6);
    ps_test_group_stop();
}

/* A stop while members hold leases, fail and back off: every event is delivered, or counted as lost. */
static void test_stop_in_the_middle(void **state)
{
    for (unsigned variant = 0; variant < 4; variant++) {
        ps_test_group_start(variant % 2 == 0 ? &failover : &in_turn, 1 + variant / 2);
        ps_test_group.members[0].keeps = true;
        ps_test_group_make(1, 3);
        ps_test_group.members[0].fails = variant > 1;
        ps_test_group.members[0].recall_calls_left = 2;
        ps_test_group.members[1].rolls_back = true;
        ps_test_group_make(1, 3);
        ps_test_small_agent_stop(&ps_test_group.agent, false);
        assert_int_equal(ps_test_group.agent.lost.events - ps_test_group.agent.lost.settled +
                             strlen(ps_test_group.settled),
                         6);
    }
}

/* A sink that stands still, with a lease that it has no room for or with one that it has taken, shows so for as long as it does, though
 * the other sink of its group delivers. */
static void test_one_stands_still_beside_one_that_delivers(void **state)
{
    for (unsigned takes = 0; takes < 2; takes++) {
        ps_test_group_start(&in_turn, 1);
        ps_test_group.members[0].has_no_room = takes == 0;
        ps_test_group.members[0].keeps = takes == 1;
        ps_test_group_make(1, 1);
        assert_true(ps_test_group.members[0].offers > 0);
        ps_test_group.members[0].has_no_room = true;
        for (unsigned i = 0; i < 30; i++) {
            ps_test_group_pass_s(1);
            ps_test_group_make(1, 1);
        }
        uint64_t now_ns = ps_test_group.agent.now.mono_ns;
        const struct ps_sink_runner *still = ps_test_small_agent_nth_sink(&ps_test_group.agent, 0);
        const struct ps_sink_runner *other = ps_test_small_agent_nth_sink(&ps_test_group.agent, 1);
        assert_true(strlen(ps_test_group.members[1].settled) >= 25);
        assert_true(ps_sink_runner_stalled_ns(still, now_ns) >= 25 * PS_NS_PER_S);
        assert_true(ps_sink_runner_stalled_ns(other, now_ns) <= 2 * PS_NS_PER_S);
        ps_test_group.members[0].has_no_room = ps_test_group.members[0].keeps = false;
        ps_test_group_deliver_kept(&ps_test_group.members[0]);
        ps_test_group_pass_s(1);
        ps_test_group_stop();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rests_of_a_sink_that_delivers_at_its_end),
        cmocka_unit_test(test_one_stands_still_beside_one_that_delivers),
        cmocka_unit_test(test_stop_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
