/* The source as a member of a group, with a fake librdkafka: what it commits and gives up, and when, while its sink
 * is slow, the group rebalances, and the broker refuses requests. tests/e2e/kafka_source_rebalance_test.c tests the
 * same with several members and a broker. */
#include "stages/lib/kafka/fetch/streams.h"
#include "tests/support/kafka/fake_library.h"

#define SECOND_MS 1000U

/* Answers the commit under way, and lets the source see it. */
static void answer(rd_kafka_resp_err_t error)
{
    fake_commit_answered(error, RD_KAFKA_RESP_ERR_NO_ERROR);
    fake_tick();
}

static void commit_succeeds(const char *expected)
{
    fake_assert_commit(expected);
    answer(RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void pass_s(unsigned seconds)
{
    for (unsigned i = 0; i < 10 * seconds; i++) {
        ps_test_stage_pass_ms(&source.stage, SECOND_MS / 10);
        fake_cycle();
    }
}

/* ---- commits ---- */

static void test_commits_what_was_delivered(void **state)
{
    fake_start("EAGER", PS_KEYS("batchSize", "2"));
    fake_assigned("a-0 a-64"); /* these two share a place in the cache of streams */
    fake_cycles(1);
    fake_assert_calls("assign a-0 a-64; ");
    for (int64_t offset = 5; offset < 8; offset++) {
        fake_records("a", 0, offset, 1);
        fake_records("a", 64, offset, 1);
    }
    fake_cycles(3);
    fake_assert_received("a-0-5 a-64-5 a-0-6 a-64-6 a-0-7 a-64-7 ");
    pass_s(1);
    fake_assert_commit("");
    fake_deliver(1);
    fake_cycles(1);
    fake_assert_commit("a-0:6 a-64:6");
    fake_deliver(1);
    pass_s(2); /* one commit at a time */
    fake_assert_commit("a-0:6 a-64:6");
    answer(RD_KAFKA_RESP_ERR_NO_ERROR);
    fake_cycles(1);
    commit_succeeds("a-0:7 a-64:7");
    fake_deliver(1);
    fake_cycles(150); /* at most one commit in 200 ms */
    fake_assert_commit("");
    fake_cycles(60);
    commit_succeeds("a-0:8 a-64:8");
    pass_s(2); /* no further commit, because everything is committed */
    fake_assert_commit("");
    assert_int_equal(fake.commit_count, 3);
    assert_int_equal(fake_counted(PS_COUNTER_EventReceivedCount), 6);
    fake_stop();
}

/* A commit that failed is sent again after half a second, with the offsets that were delivered meanwhile, without those
 * that succeeded. */
static void test_failed_commits(void **state)
{
    fake_start("EAGER", PS_KEYS("batchSize", "2"));
    fake_assigned("a-0 b-0");
    fake_records("a", 0, 0, 2);
    fake_records("b", 0, 0, 2);
    fake_records("a", 0, 2, 2);
    fake_cycles(4);
    fake_deliver(2);
    fake_cycles(1);
    fake_assert_commit("a-0:2 b-0:2");
    answer(RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
    fake_cycles(450);
    fake_assert_commit("");
    fake_cycles(100);
    fake_assert_commit("a-0:2 b-0:2");
    fake_commit_answered(RD_KAFKA_RESP_ERR_NO_ERROR, RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE); /* a-0 */
    fake_cycles(700);
    fake_assert_commit("a-0:2 b-0:2"); /* b-0's result came after an error: its offset is sent again */
    fake_deliver(1);
    answer(RD_KAFKA_RESP_ERR_NO_ERROR);
    fake_cycles(300);
    commit_succeeds("a-0:4");
    pass_s(1);
    fake_assert_commit("");
    fake_stop();
}

/* Cooperative: while the group forms anew nothing is committed (consumer.h, `rejoining`). */
static void test_no_commit_while_rejoining(void **state)
{
    static const char *const states[] = {"wait-join", "wait-metadata", "wait-sync"};
    fake_start("COOPERATIVE", PS_KEYS("batchSize", "2"));
    fake_assigned("a-0");
    for (int64_t i = 0; i < (int64_t)PS_COUNT_OF(states); i++) {
        char expected[16];
        fake_records("a", 0, 2 * i, 2);
        fake_cycles(1);
        fake_join_state(states[i]);
        fake_cycles(1);
        fake_deliver(1);
        pass_s(2);
        fake_assert_commit("");
        fake_join_state("steady");
        fake_cycles(1);
        snprintf(expected, sizeof expected, "a-0:%d", (int)(2 * i + 2));
        commit_succeeds(expected);
    }
    fake_stop();
}

/* ---- revocations ---- */

/* No record of a revoked partition is read any more, not even one that the library already has. The partition is given
 * up after everything that was read is delivered and committed. */
static void test_slow_sink(void **state)
{
    fake_start("EAGER", PS_KEYS("batchSize", "3"));
    fake_assigned("a-0 a-1 b-0");
    fake_records("a", 0, 0, 3);
    fake_records("a", 1, 0, 3);
    fake_cycles(2);
    fake_assert_received("a-0-0 a-0-1 a-0-2 a-1-0 a-1-1 a-1-2 ");
    fake_assert_calls("assign a-0 a-1 b-0; ");
    fake_records("a", 0, 3, 2);
    fake_revoked("a-0 a-1 b-0");
    pass_s(20);
    fake_assert_received("");
    fake_assert_calls("");
    fake_deliver(1);
    fake_tick();
    fake_assert_commit("a-0:3"); /* as without a revocation */
    fake_deliver(1);
    answer(RD_KAFKA_RESP_ERR_NO_ERROR); /* now a-0 is clean, a-1 is not, and b-0 was not read */
    fake_assert_calls("");
    fake_assert_commit("a-1:3");
    pass_s(5);
    fake_assert_calls(""); /* the answer is outstanding */
    answer(RD_KAFKA_RESP_ERR_NO_ERROR);
    fake_assert_calls("unassign all; ");
    pass_s(2);
    fake_assert_received("");
    assert_int_equal(fake.commit_count, 2);
    fake_stop();
}

/* The last partition of the list is clean, those before it are not. */
static void test_one_of_many_is_dirty(void **state)
{
    fake_start("EAGER", PS_KEYS("batchSize", "3"));
    fake_assigned("a-0 a-1");
    fake_records("a", 0, 0, 3);
    fake_cycles(1);
    fake_revoked("a-0 a-1");
    fake_cycles(1);
    fake_assert_calls("assign a-0 a-1; ");
    fake_deliver(1);
    fake_tick();
    fake_assert_calls("");
    commit_succeeds("a-0:3");
    fake_assert_calls("unassign all; ");
    fake_stop();
}

/* A sink is slower than the time limit: the partitions are given up at the limit, not before, and later deliveries are
 * not committed. */
static void run_out_of_time(const char *const *keys, unsigned limit_ms)
{
    fake_start("EAGER", keys);
    fake_assigned("a-0");
    fake_records("a", 0, 0, 3);
    fake_cycles(1);
    fake_assert_calls("assign a-0; ");
    fake_revoked("a-0");
    fake_tick();
    ps_test_stage_pass_ms(&source.stage, limit_ms - 1);
    fake_tick();
    fake_assert_calls("");
    assert_int_equal(source.due_ns, source.stage.now.mono_ns + PS_NS_PER_MS);
    ps_test_stage_pass_ms(&source.stage, 1);
    fake_tick();
    fake_assert_calls("unassign all; ");
    fake_deliver(1);
    pass_s(2);
    assert_int_equal(fake.commit_count, 0);
    fake_stop();
}

static void test_out_of_time(void **state)
{
    run_out_of_time(PS_KEYS("batchSize", "3"), 30000);
    run_out_of_time(PS_KEYS("batchSize", "3", "kafka.consumer.max.poll.interval.ms", "8000"), 6000);
}

/* Brokers have given the partitions to others: the source commits nothing and gives them up without waiting. */
static void test_lost(void **state)
{
    fake_start("EAGER", PS_KEYS("batchSize", "3"));
    fake_assigned("a-0");
    fake_records("a", 0, 0, 3);
    fake_cycles(1);
    fake_assert_calls("assign a-0; ");
    fake.lost = true;
    fake_revoked("a-0");
    fake_tick();
    fake_assert_calls("unassign all; ");
    fake_deliver(1);
    pass_s(2);
    assert_int_equal(fake.commit_count, 0);
    fake_stop();
}

/* The answer to a commit says that the group has removed this member. */
static void test_membership_lost_during_a_revocation(void **state)
{
    static const rd_kafka_resp_err_t errors[] = {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
                                                 RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION,
                                                 RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID};
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        fake_start("EAGER", PS_KEYS("batchSize", "3"));
        fake_assigned("a-0");
        fake_records("a", 0, 0, 3);
        fake_cycles(1);
        fake_revoked("a-0");
        fake_cycles(1);
        fake_deliver(1);
        fake_tick();
        fake_assert_commit("a-0:3");
        fake_assert_calls("assign a-0; ");
        answer(errors[i]);
        fake_assert_calls("unassign all; ");
        pass_s(2);
        assert_int_equal(fake.commit_count, 1);
        fake_stop();
    }
}

/* Revokes a-0, of which a batch is held, and refuses the commits: `refusals` of them, half a second apart. */
static void refuse_commits(unsigned refusals)
{
    fake_revoked("a-0");
    fake_cycles(1);
    fake_deliver(1);
    for (unsigned i = 0; i < refusals; i++) {
        fake_tick();
        fake_assert_calls("");
        fake_assert_commit("a-0:3");
        answer(RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS);
        ps_test_stage_pass_ms(&source.stage, 500);
    }
}

/* A broker that refuses commits holds a revocation up for four attempts; the next revocation has four of its own. */
static void test_refused_commits(void **state)
{
    fake_start("EAGER", PS_KEYS("batchSize", "3"));
    for (unsigned round = 0; round < 3; round++) {
        fake_assigned("a-0");
        fake_records("a", 0, 0, 3);
        fake_cycles(1);
        fake_assert_calls("assign a-0; ");
        fake_assert_received("a-0-0 a-0-1 a-0-2 ");
        refuse_commits(round == 1 ? 3 : 4);
        if (round == 1) {
            fake_tick();
            commit_succeeds("a-0:3");
        }
        fake_tick();
        fake_assert_calls("unassign all; ");
        pass_s(1);
        fake_assert_commit("");
    }
    fake_stop();
}

/* ---- assignments ---- */

/* The partition comes back while batches of its earlier assignment are under way: their deliveries do not move the
 * position of the new assignment, even where they are ahead of it. */
static void test_same_partition_again(void **state)
{
    fake_start("EAGER", PS_KEYS("batchSize", "3"));
    fake_assigned("a-0");
    fake_records("a", 0, 0, 9);
    fake_cycles(3);
    fake_assert_received("a-0-0 a-0-1 a-0-2 a-0-3 a-0-4 a-0-5 a-0-6 a-0-7 a-0-8 ");
    fake.lost = true;
    fake_revoked("a-0");
    fake_cycles(1);
    fake.lost = false;
    fake_assigned("a-0");
    fake_records("a", 0, 0, 6);
    fake_cycles(2);
    fake_assert_calls("assign a-0; unassign all; assign a-0; ");
    fake_assert_received("a-0-0 a-0-1 a-0-2 a-0-3 a-0-4 a-0-5 ");
    fake_deliver(2); /* of the earlier assignment */
    pass_s(1);
    fake_assert_commit("");
    fake_deliver(1); /* its last: offsets 6 to 8, which the new one has not read */
    pass_s(1);
    fake_assert_commit("");
    fake_deliver(1);
    fake_cycles(1);
    commit_succeeds("a-0:3");
    fake_deliver(1);
    fake_cycles(300);
    commit_succeeds("a-0:6");
    fake_stop();
}

/* Another partition reuses the table slot of one that is gone: deliveries for the old partition do not move the
 * position of the new one. */
static void test_slot_of_another_partition(void **state)
{
    fake_start("COOPERATIVE", PS_KEYS("batchSize", "3"));
    fake_assigned("a-0");
    fake_records("a", 0, 100, 3);
    fake_cycles(1);
    fake.lost = true;
    fake_revoked("a-0");
    fake_cycles(1);
    fake.lost = false;
    fake_assigned("b-7");
    fake_records("a", 0, 103, 1); /* came too late */
    fake_records("b", 7, 0, 3);
    fake_cycles(1);
    fake_assert_received("a-0-100 a-0-101 a-0-102 b-7-0 b-7-1 b-7-2 ");
    fake_deliver(1);
    pass_s(1);
    fake_assert_commit("");
    fake_deliver(1);
    fake_cycles(1);
    commit_succeeds("b-7:3");
    fake_stop();
}

/* Eager: the group assigns anew before the revocation ended. The partitions that were being given up are dropped
 * without a call that would remove the new ones; deliveries of their leases are not committed. */
static void test_assigned_during_a_revocation(void **state)
{
    fake_start("EAGER", PS_KEYS("batchSize", "3"));
    fake_assigned("a-0 a-1");
    fake_records("a", 0, 0, 3);
    fake_records("a", 1, 0, 3);
    fake_cycles(2);
    fake_revoked("a-0 a-1");
    fake_cycles(1);
    fake_assigned("a-1 b-0");
    fake_records("a", 1, 0, 3);
    fake_cycles(1);
    fake_assert_calls("assign a-0 a-1; assign a-1 b-0; ");
    fake_deliver(2);
    pass_s(1);
    fake_assert_commit("");
    fake_deliver(1);
    fake_cycles(1);
    commit_succeeds("a-1:3");
    pass_s(40);
    fake_assert_calls(""); /* the time limit of the revocation no longer matters */
    fake_stop();
}

/* Cooperative: the lists of revocations and assignments are separate. */
static void test_assigned_during_a_cooperative_revocation(void **state)
{
    fake_start("COOPERATIVE", PS_KEYS("batchSize", "3"));
    fake_assigned("a-0 a-1");
    fake_records("a", 0, 0, 3);
    fake_records("a", 1, 0, 3);
    fake_cycles(2);
    fake_assert_calls("add a-0 a-1; ");
    fake_revoked("a-0");
    fake_cycles(1);
    fake_assigned("b-0");
    fake_cycles(1);
    fake_assert_calls("remove a-0; add b-0; ");
    fake_deliver(2);
    fake_cycles(1);
    commit_succeeds("a-1:3");
    pass_s(1);
    fake_assert_commit("");
    fake_stop();
}

/* Cooperative: partitions are revoked in two steps before the first was given up. The source keeps reading the others. */
static void test_two_revocations(void **state)
{
    fake_start("COOPERATIVE", PS_KEYS("batchSize", "3"));
    fake_assigned("a-0 a-1 b-0");
    fake_records("a", 0, 0, 3);
    fake_records("a", 1, 0, 3);
    fake_cycles(2);
    fake_assert_calls("add a-0 a-1 b-0; ");
    fake_revoked("a-0");
    fake_cycles(1);
    fake_revoked("a-0 a-1");
    fake_records("a", 1, 3, 1);
    fake_records("b", 0, 0, 3);
    fake_cycles(1);
    fake_assert_received("a-0-0 a-0-1 a-0-2 a-1-0 a-1-1 a-1-2 b-0-0 b-0-1 b-0-2 ");
    fake_deliver(2);
    fake_tick();
    fake_assert_calls("");
    commit_succeeds("a-0:3 a-1:3");
    fake_assert_calls("remove a-0 a-1; "); /* the commit of b-0 is not awaited */
    fake_deliver(1);
    fake_cycles(300);
    commit_succeeds("b-0:3");
    fake_stop();
}

/* A partition that comes while another is being given up does not get that one's slot of the table. */
static void test_revoking_keeps_its_slot(void **state)
{
    struct ps_kafka_streams streams = {0};
    uint32_t first = ps_kafka_streams_assign(&streams, "a", 0);
    uint32_t generation = streams.items[first].generation;
    streams.items[first].taken = 5;
    streams.items[first].state = PS_KAFKA_STREAM_REVOKING;
    uint32_t second = ps_kafka_streams_assign(&streams, "a", 1);
    assert_int_not_equal(first, second);
    assert_int_not_equal(streams.items[second].generation, generation);
    ps_kafka_streams_delivered(
        &streams, &(struct ps_span){.stream = first, .generation = generation, .position = 5, .epoch = -1});
    assert_true(ps_kafka_stream_is_drained(&streams.items[first]));
    assert_int_equal(streams.items[second].delivered, PS_KAFKA_POSITION_NONE);
    streams.items[first].state = PS_KAFKA_STREAM_GONE;
    ps_kafka_streams_forget_handles(&streams); /* the next rebalance */
    assert_int_equal(ps_kafka_streams_assign(&streams, "a", 2), first);
    ps_kafka_streams_fini(&streams);
}

/* ---- stopping ---- */

/* A source that stops reads nothing more, waits for deliveries and for the commit, then leaves the group. */
static void test_drain(void **state)
{
    fake_start("EAGER", PS_KEYS("batchSize", "3"));
    fake_assigned("a-0 a-1");
    fake_records("a", 0, 0, 3);
    fake_records("a", 1, 0, 3);
    fake_cycles(2);
    fake_assert_calls("assign a-0 a-1; ");
    fake_assert_received("a-0-0 a-0-1 a-0-2 a-1-0 a-1-1 a-1-2 ");
    assert_false(fake_drain());
    fake_records("a", 0, 3, 3);
    fake_deliver(1);
    pass_s(60); /* as long as the engine allows */
    fake_assert_received("");
    commit_succeeds("a-0:3");
    assert_false(fake_drain());
    fake_deliver(1);
    assert_false(fake_drain());
    fake_assert_commit("a-1:3");
    fake_cycles(4000);
    assert_false(fake_drain());
    fake_assert_calls(""); /* the answer may come yet */
    answer(RD_KAFKA_RESP_ERR_NO_ERROR);
    fake.closes_at_once = false;
    assert_false(fake_drain());
    fake_assert_calls("close; ");
    fake_revoked("a-0 a-1"); /* on leaving the group: nothing is outstanding */
    fake_tick();
    fake_assert_calls("unassign all; ");
    assert_false(fake_drain());
    fake.closed = true;
    assert_true(fake_drain());
    fake_stop();
}

/* The broker answers neither the commit nor the request to leave: five seconds each. */
static void test_drain_without_answers(void **state)
{
    fake_start("EAGER", PS_KEYS("batchSize", "3"));
    fake.closes_at_once = false;
    fake_assigned("a-0");
    fake_records("a", 0, 0, 3);
    fake_cycles(1);
    fake_deliver(1);
    fake_assert_calls("assign a-0; ");
    assert_false(fake_drain());
    ps_test_stage_pass_ms(&source.stage, 4999);
    fake_tick();
    assert_false(fake_drain());
    fake_assert_calls("");
    ps_test_stage_pass_ms(&source.stage, 1);
    assert_false(fake_drain());
    fake_assert_calls("close; ");
    ps_test_stage_pass_ms(&source.stage, 4999);
    assert_false(fake_drain());
    ps_test_stage_pass_ms(&source.stage, 1);
    assert_true(fake_drain());
    fake_stop();
    fake_assert_calls(""); /* the test does not call a client that may end at this moment: it would not
                            * answer */
}

/* The time limit of the stop ends while a rebalance is unanswered: it is answered, once, because the client does not
 * end without an answer. */
static void test_ends_with_an_open_rebalance(void **state)
{
    fake_start("EAGER", PS_KEYS("batchSize", "3"));
    fake.closes_at_once = false;
    fake_assigned("a-0");
    fake_records("a", 0, 0, 3);
    fake_cycles(1);
    fake_assert_calls("assign a-0; ");
    fake_revoked("a-0");
    fake_tick();
    fake_deliver(1);
    assert_false(fake_drain());
    ps_test_stage_pass_ms(&source.stage, 5000);
    assert_false(fake_drain());
    fake_assert_calls("close; ");
    fake_stop();
    fake_assert_calls("unassign all; ");
}

/* The rebalance comes when the source no longer polls. */
static void test_ends_with_a_late_rebalance(void **state)
{
    fake_start("EAGER", PS_KEYS("batchSize", "3"));
    fake.closes_at_once = false;
    fake_assigned("a-0");
    fake_cycles(1);
    assert_false(fake_drain());
    fake_assert_calls("assign a-0; close; ");
    fake_revoked("a-0");
    fake_stop();
    fake_assert_calls("unassign all; ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commits_what_was_delivered),
        cmocka_unit_test(test_failed_commits),
        cmocka_unit_test(test_no_commit_while_rejoining),
        cmocka_unit_test(test_slow_sink),
        cmocka_unit_test(test_one_of_many_is_dirty),
        cmocka_unit_test(test_out_of_time),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_membership_lost_during_a_revocation),
        cmocka_unit_test(test_refused_commits),
        cmocka_unit_test(test_same_partition_again),
        cmocka_unit_test(test_slot_of_another_partition),
        cmocka_unit_test(test_assigned_during_a_revocation),
        cmocka_unit_test(test_assigned_during_a_cooperative_revocation),
        cmocka_unit_test(test_two_revocations),
        cmocka_unit_test(test_revoking_keeps_its_slot),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_drain_without_answers),
        cmocka_unit_test(test_ends_with_an_open_rebalance),
        cmocka_unit_test(test_ends_with_a_late_rebalance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
