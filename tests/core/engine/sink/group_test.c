/* Sink groups in the engine: which sink gets the leases of one that dies, in each possible way, in which
 * order, and when. */
#include "tests/support/group_agent.h"

#include <stdio.h>

static const int32_t falling[] = {30, 20, 10};
static const struct ps_processor_settings failover = {
    .type = PS_PROCESSOR_FAILOVER, .max_ms = 30000, .count = 2, .priorities = falling};
static const struct ps_processor_settings failover_of_three = {
    .type = PS_PROCESSOR_FAILOVER, .max_ms = 30000, .count = 3, .priorities = falling};
static const struct ps_processor_settings in_turn = {.type = PS_PROCESSOR_LOAD_BALANCE, .count = 2};
static const struct ps_processor_settings in_turn_with_backoff = {
    .type = PS_PROCESSOR_LOAD_BALANCE, .backoff = true, .count = 2};

/* ---- failover ---- */

/* All sinks of a group are on one worker, and are one consumer. */
static void test_one_consumer(void **state)
{
    ps_test_group_start(&failover_of_three, 4);
    assert_int_equal(ps_test_group.agent.plan->worker_count, 4);
    assert_int_equal(ps_test_group.agent.plan->channels[0].consumer_count, 1);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(ps_test_group.agent.plan->sinks[i].worker,
                         ps_test_group.agent.plan->sinks[0].worker);
        assert_int_equal(ps_test_group.agent.plan->sinks[i].consumer, 0);
    }
    ps_test_group_make(2, 5);
    assert_string_equal(ps_test_group.members[0].settled, "abcdefghij");
    assert_int_equal(ps_test_group_member_state(0), PS_METRICS_MEMBER_ACTIVE);
    assert_int_equal(ps_test_group_member_state(1), PS_METRICS_MEMBER_STANDBY);
    ps_test_group_stop();
}

/* A rollback: the same lease goes to the next sink immediately; after 2 s the first is tried again, then after 4. */
static void test_rollback(void **state)
{
    ps_test_group_start(&failover, 1);
    ps_test_group.members[0].rolls_back = true;
    ps_test_group_make(1, 3);
    assert_string_equal(ps_test_group.members[1].settled, "abc");
    assert_int_equal(ps_test_group.members[0].offers, 1);
    assert_int_equal(ps_test_group.members[0].closes, 0); /* it stays open */
    assert_int_equal(ps_test_group_member_state(0), PS_METRICS_MEMBER_PENALISED);
    assert_int_equal(ps_test_group_member_state(1), PS_METRICS_MEMBER_ACTIVE);
    ps_test_group_pass_s(3);
    ps_test_group_make(1, 2); /* tried with the first of them */
    assert_int_equal(ps_test_group.members[0].offers, 2);
    assert_string_equal(ps_test_group.members[1].settled, "abcde");
    ps_test_group_pass_s(3);
    ps_test_group_make(1, 1);
    assert_int_equal(ps_test_group.members[0].offers, 2); /* 4 s */
    ps_test_group.members[0].rolls_back = false;
    ps_test_group_pass_s(2);
    ps_test_group_make(1, 2);
    assert_string_equal(ps_test_group.members[0].settled, "gh");
    assert_string_equal(ps_test_group.settled, "abcdefgh");
    assert_int_equal(ps_test_group_member_state(0), PS_METRICS_MEMBER_ACTIVE);
    ps_test_group_stop();
}

/* Events that the first sink settled are not given to the next sink. */
static void test_rollback_in_the_middle_of_a_batch(void **state)
{
    ps_test_group_start(&failover, 1);
    ps_test_group.members[0].rolls_back = true;
    ps_test_group.members[0].partly = 3;
    ps_test_group_make(10, 1);
    assert_string_equal(ps_test_group.members[0].settled, "abc");
    assert_string_equal(ps_test_group.members[1].settled, "defghij");
    ps_test_group_stop();
}

/* Leases that the sink took earlier are older than the one that it rolled back, and go first. */
static void test_rollback_with_leases_under_way(void **state)
{
    ps_test_group_start(&failover, 2);
    ps_test_group.members[0].keeps = true;
    ps_test_group_make(1, 4);
    ps_test_group.members[0].keeps = false;
    ps_test_group.members[0].rolls_back = true;
    ps_test_group.members[0].recall_calls_left = 3;
    ps_test_group_make(1, 1);
    assert_string_equal(ps_test_group.members[1].settled, ""); /* not before all have come back */
    ps_test_group_pass_s(1);
    ps_test_group_make(1, 1);
    assert_string_equal(ps_test_group.members[0].settled, "a");
    assert_string_equal(ps_test_group.members[1].settled, "bcdef");
    assert_int_equal(ps_test_group.members[0].closes, 1);
    ps_test_group_stop();
}

/* A sink calls ps_port_failed while leases are taken, offered and waiting. */
static void test_sink_that_dies(void **state)
{
    ps_test_group_start(&failover, 2);
    ps_test_group.members[0].keeps = true;
    ps_test_group_make(2, 3);
    ps_test_group.members[0].keeps = false;
    ps_test_group.members[0].has_no_room = true;
    ps_test_group_make(2, 3);
    assert_string_equal(ps_test_group.settled, "");
    ps_test_group.members[0].fails = true;
    ps_test_group_pass_s(1);
    assert_string_equal(ps_test_group.members[0].settled, "ab"); /* its recall learned that */
    assert_string_equal(ps_test_group.members[1].settled, "cdefghijkl");
    assert_int_equal(ps_test_small_agent_nth_sink(&ps_test_group.agent, 0)->inflight, 0);
    ps_test_group.members[0].has_no_room = false;
    ps_test_group_pass_s(4);
    assert_int_equal(ps_test_group.members[0].opens, 2);
    ps_test_group_make(2, 1);
    assert_string_equal(ps_test_group.members[0].settled, "abmn");
    ps_test_group_stop();
}

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

/* A sink that keeps trying by itself reports trouble: with another sink in the group this is a failure. */
static void test_sink_in_trouble(void **state)
{
    ps_test_group_start(&failover, 1);
    ps_test_group.members[0].keeps = true;
    ps_test_group_make(1, 5);
    ps_test_group.members[0].is_troubled = true;
    ps_test_group_pass_s(1);
    assert_string_equal(ps_test_group.members[1].settled, "bcde");
    assert_int_equal(ps_test_group.members[0].closes, 1);
    assert_string_equal(ps_test_small_agent_nth_sink(&ps_test_group.agent, 0)->base.error,
                        "the far end has gone");
    ps_test_group.members[0].keeps = false;
    ps_test_group_pass_s(4);
    ps_test_group_stop();

    static const struct ps_processor_settings alone = {
        .type = PS_PROCESSOR_FAILOVER, .max_ms = 30000, .count = 1, .priorities = falling};
    ps_test_group_start(&alone, 1);
    ps_test_group.members[0].keeps = true;
    ps_test_group_make(1, 2);
    ps_test_group.members[0].is_troubled = true;
    ps_test_group_pass_s(5);
    assert_int_equal(ps_test_group.members[0].closes, 0); /* nobody else could have them */
    ps_test_group_deliver_kept(&ps_test_group.members[0]);
    ps_test_group.members[0].keeps = false;
    ps_test_group_stop();
}

/* A sink that does not open counts as failed, and is tried when it opens later. */
static void test_sink_that_does_not_open(void **state)
{
    ps_test_group_forget();
    ps_test_group.members[0].opens_not = true;
    ps_test_group_begin(&failover, 1);
    ps_test_group_make(1, 2);
    assert_string_equal(ps_test_group.members[1].settled, "ab");
    ps_test_group.members[0].opens_not = false;
    ps_test_group_pass_s(40); /* its penalty may have grown to 30 s */
    ps_test_group_make(1, 2);
    assert_string_equal(ps_test_group.members[0].settled, "cd");
    ps_test_group_stop();
}

/* A sink that was down shows with one lease that it works; the others wait for it. */
static void test_one_lease_after_a_penalty(void **state)
{
    ps_test_group_start(&failover, 1);
    ps_test_group.members[0].rolls_back = true;
    ps_test_group_make(1, 1);
    ps_test_group.members[0].rolls_back = false;
    ps_test_group.members[0].keeps = true;
    ps_test_group_pass_s(3);
    ps_test_group_make(1, 4);
    assert_int_equal(ps_test_group.members[0].kept_count, 1);
    assert_string_equal(ps_test_group.members[1].settled, "a");
    ps_test_group_deliver_kept(&ps_test_group.members[0]);
    ps_test_small_agent_settle(&ps_test_group.agent);
    assert_int_equal(ps_test_group.members[0].kept_count, 3);
    ps_test_group_deliver_kept(&ps_test_group.members[0]);
    assert_string_equal(ps_test_group.settled, "abcde");
    ps_test_group.members[0].keeps = false;
    ps_test_group_stop();
}

/* A sink does not get later leases while the other one still has leases. */
static void test_waits_for_what_the_other_one_holds(void **state)
{
    ps_test_group_start(&failover, 1);
    ps_test_group.members[0].rolls_back = true;
    ps_test_group.members[1].keeps = true;
    ps_test_group_make(1, 3);
    assert_int_equal(ps_test_group.members[1].kept_count, 3);
    ps_test_group.members[0].rolls_back = false;
    ps_test_group_pass_s(3);
    ps_test_group_make(1, 2);
    assert_string_equal(ps_test_group.members[0].settled, "");
    assert_int_equal(ps_test_group.members[1].kept_count, 3);
    ps_test_group_deliver_kept(&ps_test_group.members[1]);
    ps_test_small_agent_settle(&ps_test_group.agent);
    assert_string_equal(ps_test_group.settled, "abcde");
    assert_string_equal(ps_test_group.members[0].settled, "de");
    ps_test_group_stop();
}

/* All sinks fail: they are tried again when the first penalty ends, and nothing is lost. */
static void test_all_fail(void **state)
{
    ps_test_group_start(&failover_of_three, 3);
    for (unsigned i = 0; i < 3; i++)
        ps_test_group.members[i].rolls_back = true;
    ps_test_group_make(1, 4);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(ps_test_group.members[i].offers, 1);
    ps_test_group_pass_s(3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(ps_test_group.members[i].offers, 2);
    ps_test_group.members[2].rolls_back = false;
    ps_test_group_pass_s(4);
    assert_string_equal(ps_test_group.members[2].settled, "abcd");
    ps_test_group.members[0].rolls_back = ps_test_group.members[1].rolls_back = false;
    ps_test_group_pass_s(9);
    ps_test_group_make(1, 1);
    assert_string_equal(ps_test_group.settled, "abcde");
    ps_test_group_stop();
}

/* ---- load_balance ---- */

static void test_in_turn(void **state)
{
    ps_test_group_start(&in_turn, 3);
    ps_test_group_make(1, 6);
    assert_string_equal(ps_test_group.members[0].settled, "ace");
    assert_string_equal(ps_test_group.members[1].settled, "bdf");
    assert_int_equal(ps_test_group_member_state(0), PS_METRICS_MEMBER_ACTIVE);
    assert_int_equal(ps_test_group_member_state(1), PS_METRICS_MEMBER_ACTIVE);
    ps_test_group.members[0].rolls_back = true;
    ps_test_group_make(1, 4);
    assert_string_equal(ps_test_group.members[1].settled, "bdfghij");
    assert_int_equal(ps_test_group.members[0].offers,
                     5); /* without backoff it is offered each second lease */
    ps_test_group_stop();
}

static void test_backoff(void **state)
{
    ps_test_group_start(&in_turn_with_backoff, 1);
    ps_test_group.members[0].rolls_back = true;
    ps_test_group_make(1, 4);
    assert_int_equal(ps_test_group.members[0].offers, 1);
    assert_int_equal(ps_test_group_member_state(0), PS_METRICS_MEMBER_PENALISED);
    ps_test_group.members[0].rolls_back = false;
    ps_test_group_pass_s(3);
    ps_test_group_make(1, 4);
    assert_int_equal(strlen(ps_test_group.members[0].settled), 2);
    assert_int_equal(strlen(ps_test_group.members[1].settled), 6);
    ps_test_group_stop();
}

/* A sink that is full is passed over; its lease waits for it, in its order. */
static void test_full_sink_is_passed_over(void **state)
{
    ps_test_group_start(&in_turn, 1);
    ps_test_group.members[0].has_no_room = true;
    ps_test_group_make(1, 5);
    assert_string_equal(ps_test_group.members[1].settled, "bcde");
    ps_test_group.members[0].has_no_room = false;
    ps_test_group_pass_s(1);
    assert_string_equal(ps_test_group.members[0].settled, "a");
    ps_test_group_stop();
}

/* The leases of a dead sink come before leases that no sink had yet. */
static void test_leases_of_a_dead_sink_come_first(void **state)
{
    ps_test_group_start(&in_turn_with_backoff, 2);
    ps_test_group.members[0].keeps = true;
    ps_test_group_make(1, 8);
    assert_int_equal(ps_test_group.members[0].kept_count, 4); /* a c e g */
    ps_test_group.members[1].has_no_room = true;
    ps_test_group_make(1, 4); /* i, k kept; j offered */
    ps_test_group.members[0].fails = true;
    ps_test_group.members[0].keeps = false;
    ps_test_small_agent_settle(&ps_test_group.agent);
    ps_test_group.members[0].opens_not = true;
    ps_test_group_pass_s(1);
    ps_test_group.members[1].has_no_room = false;
    ps_test_group_pass_s(1);
    assert_string_equal(ps_test_group.members[0].settled, "a");
    assert_string_equal(ps_test_group.members[1].settled, "bdfhjcegikl");
    ps_test_group.members[0].opens_not = false;
    ps_test_group_pass_s(40);
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
        cmocka_unit_test(test_one_consumer),
        cmocka_unit_test(test_rollback),
        cmocka_unit_test(test_rollback_in_the_middle_of_a_batch),
        cmocka_unit_test(test_rollback_with_leases_under_way),
        cmocka_unit_test(test_sink_that_dies),
        cmocka_unit_test(test_rests_of_a_sink_that_delivers_at_its_end),
        cmocka_unit_test(test_sink_in_trouble),
        cmocka_unit_test(test_sink_that_does_not_open),
        cmocka_unit_test(test_one_lease_after_a_penalty),
        cmocka_unit_test(test_waits_for_what_the_other_one_holds),
        cmocka_unit_test(test_all_fail),
        cmocka_unit_test(test_in_turn),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_full_sink_is_passed_over),
        cmocka_unit_test(test_one_stands_still_beside_one_that_delivers),
        cmocka_unit_test(test_leases_of_a_dead_sink_come_first),
        cmocka_unit_test(test_stop_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
