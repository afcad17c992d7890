/* Members that gave partitions up before all records of them were committed, while the group did not notice: a sink may yet commit these
 * records in the same generation. What a member reads while it joins. */
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include "core/log/log.h"
#include "tests/support/kafka/fetch_run.h"

#include <limits.h>

static struct run run;

static void append_to_all(void)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        ps_test_group_append_plain(&run.group, i, 5);
}

/* Opens a member whose sink commits, and reads one batch, which is not delivered. */
static void begin_with_batch(void)
{
    static const struct ps_pair session = {.key = "session.timeout.ms", .value = "1000"};
    begin_with(&run, 1, &session, 1, true);
    run.waiting_max = 1;
    append_to_all();
    for (unsigned turns = 0; run.waiting_count == 0; turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn(&run);
    }
    run.waiting_max = WAITING_MAX;
    run.group.keeps_generation = true;
}

static const struct ps_kafka_fetch_member *member(void)
{
    return &((const struct ps_kafka_fetch *)run.reading)->member;
}

static void turn_until_out(void)
{
    for (unsigned turns = 0; run.group.owned != 0 && member()->phase != PS_KAFKA_MEMBER_OUT &&
                             member()->phase != PS_KAFKA_MEMBER_JOINING;
         turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn(&run);
    }
}

/* Runs until records are read again, and asserts that all of them were read in another generation than `former`. */
static void expect_another(int32_t former)
{
    unsigned before = run.waiting_count;
    for (unsigned turns = 0; run.waiting_count == before; turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn(&run);
    }
    const struct ps_kafka_fetch *fetch = (const struct ps_kafka_fetch *)run.reading;
    assert_int_equal(fetch->membership.generation, former + 1);
    assert_int_equal(run.group.generation, former + 1);
}

/* The coordinator is away for longer than the session, and then has the group as it was: the member leaves, and another one joins. */
static void test_session_over_unnoticed(void **state)
{
    begin_with_batch();
    int32_t former = run.group.generation;
    run.group.now_ns += 1100 * PS_NS_PER_MS;
    turn_until_out();
    expect_another(former);
    assert_int_equal(run.group.asked[PS_TEST_KEY_LEAVE], 1);
    assert_false(run.dead);
    while (run.waiting_count > 0)
        deliver(&run);
    run.group.keeps_generation = false;
    read_all(&run);
    stop(&run);
    assert_int_equal(run.group.asked[PS_TEST_KEY_LEAVE], 2);
    end(&run);
}

/* The time limit for giving up partitions passes while the batch is not delivered. */
static void test_late_revocation_unnoticed(void **state)
{
    begin_with_batch();
    int32_t former = run.group.generation;
    ps_kafka_member_rejoin((struct ps_kafka_fetch *)run.reading);
    turn(&run);
    for (unsigned i = 0; i < 31; i++) { /* revoke_wait_ns is 30 s; heartbeats are answered meanwhile */
        uint64_t until_ns = run.group.now_ns + PS_NS_PER_S;
        while (run.group.now_ns < until_ns && member()->phase == PS_KAFKA_MEMBER_REVOKING)
            turn(&run);
    }
    expect_another(former);
    assert_int_equal(run.group.asked[PS_TEST_KEY_LEAVE], 1);
    end(&run);
}

/* All that was read is committed before the partitions are given up, with the same member id and generation. */
static void test_all_committed(void **state)
{
    begin_with_batch();
    int32_t former = run.group.generation;
    run.waiting_max = 1;
    ps_kafka_member_rejoin((struct ps_kafka_fetch *)run.reading);
    turn(&run);
    while (run.waiting_count > 0)
        deliver(&run);
    for (unsigned turns = 0; run.group.asked[PS_TEST_KEY_JOIN] < 3 && turns < 2000; turns++)
        turn(&run);
    run.waiting_max = WAITING_MAX;
    read_all(&run);
    assert_int_equal(run.group.generation, former);
    assert_int_equal(run.group.asked[PS_TEST_KEY_LEAVE], 0);
    assert_int_equal(run.again, 0);
    end(&run);
}

/* The group has noticed: the member keeps its id, and is in the next generation. */
static void test_session_over_noticed(void **state)
{
    begin_with_batch();
    int32_t former = run.group.generation;
    run.group.keeps_generation = false;
    run.group.now_ns += 1100 * PS_NS_PER_MS;
    turn_until_out();
    expect_another(former);
    assert_int_equal(run.group.asked[PS_TEST_KEY_LEAVE], 0);
    end(&run);
}

/* A member whose sink commits gives all partitions up before it joins again, even with a cooperative assignor: the sink
 * settles leases of an old generation without writing them, so no partition may be kept over a generation. */
static void test_no_partition_is_kept(void **state)
{
    static const struct ps_pair assignor = {.key = "partition.assignment.strategy",
                                            .value = "cooperative-sticky"};
    begin_with(&run, 1, &assignor, 1, true);
    run.group.cooperative = true;
    run.waiting_max = 1;
    append_to_all();
    for (unsigned turns = 0; run.waiting_count == 0; turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn(&run);
    }
    unsigned joins = run.group.asked[PS_TEST_KEY_JOIN];
    run.group.rebalances = true;
    for (unsigned turns = 0; turns < 200; turns++) {
        turn(&run);
        assert_true(run.waiting_count == 0 || run.group.asked[PS_TEST_KEY_JOIN] == joins);
    }
    while (run.waiting_count > 0)
        deliver(&run);
    for (unsigned turns = 0; run.group.asked[PS_TEST_KEY_JOIN] == joins; turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn(&run);
    }
    assert_int_equal(run.group.claimed, 0);
    run.waiting_max = WAITING_MAX;
    read_all(&run);
    stop(&run);
    end(&run);
}

/* While partitions are given up, the coordinator moves seven times, each time after the cluster has named it and before the commit: these
 * commits are not refused by the group. Each is sent again as soon as the next coordinator is known, and nothing is read twice. */
static void test_coordinator_moves_on(void **state)
{
    enum { MOVES = 7 };
    unsigned moves = 0, found;
    begin(&run, 1, NULL, 0);
    run.waiting_max = 1;
    append_to_all();
    for (unsigned turns = 0; run.waiting_count == 0; turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn(&run);
    }
    ps_kafka_member_rejoin((struct ps_kafka_fetch *)run.reading);
    turn(&run);
    uint64_t begun_ns = run.group.now_ns;
    unsigned commits = run.group.asked[PS_TEST_KEY_COMMIT];
    run.group.coordinator ^= 1;
    deliver(&run);
    while (moves < MOVES || member()->phase == PS_KAFKA_MEMBER_REVOKING) {
        found = run.group.asked[PS_TEST_KEY_COORDINATOR];
        assert_true(run.group.now_ns < begun_ns + 2 * PS_NS_PER_S);
        turn(&run);
        if (run.group.asked[PS_TEST_KEY_COORDINATOR] != found && moves++ < MOVES - 1)
            run.group.coordinator ^= 1;
    }
    assert_int_equal(run.group.asked[PS_TEST_KEY_COMMIT], commits + MOVES + 1);
    run.waiting_max = WAITING_MAX;
    read_all(&run);
    assert_int_equal(run.again, 0);
    stop(&run);
    check_committed(&run);
    end(&run);
}

/* A cluster that has just started names no coordinator for some seconds. The log has it only if that lasts. */
static void test_no_coordinator_yet(void **state)
{
    begin(&run, 1, NULL, 0);
    ps_log_set_level(PS_LOG_WARN);
    uint64_t begun_ns = run.group.now_ns, errors = ps_log_count(PS_LOG_ERROR) + ps_log_count(PS_LOG_WARN);
    run.group.fail_key = PS_TEST_KEY_COORDINATOR;
    run.group.fail_error = PS_KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE;
    run.group.fail_at = 1;
    run.group.fail_last = UINT_MAX;
    for (; run.group.now_ns < begun_ns + 9 * PS_NS_PER_S; run.group.now_ns += 20 * PS_NS_PER_MS)
        turn(&run);
    assert_true(run.group.counts.errors > 1);
    assert_int_equal(ps_log_count(PS_LOG_ERROR) + ps_log_count(PS_LOG_WARN), errors);
    for (; run.group.now_ns < begun_ns + 13 * PS_NS_PER_S; run.group.now_ns += 20 * PS_NS_PER_MS)
        turn(&run);
    assert_int_equal(ps_log_count(PS_LOG_ERROR) + ps_log_count(PS_LOG_WARN), errors + 1);
    ps_log_set_level(PS_LOG_OFF);
    run.group.fail_last = 0;
    append_to_all();
    read_all(&run);
    assert_false(run.dead);
    stop(&run);
    end(&run);
}

static enum ps_lack lack(const char **why)
{
    *why = "";
    return ps_kafka_reading_lack(run.reading, why);
}

/* Another member is a client of another kind: its subscription cannot be read by the leader, or it is the leader, and what it assigns
 * cannot be read. That is said, in the log and as a state; the member asks for its partitions at intervals, over one connection. */
static void test_foreign_member(void **state)
{
    const char *why;
    for (unsigned leads = 0; leads < 2; leads++) {
        begin(&run, 1, NULL, 0);
        append_to_all();
        read_all(&run);
        run.group.leads = leads != 0;
        run.group.others = 1;
        run.group.foreign = run.group.rebalances = true;
        uint64_t errors = ps_log_count(PS_LOG_ERROR);
        unsigned connections = run.group.asked[PS_TEST_KEY_VERSIONS],
                 joins = run.group.asked[PS_TEST_KEY_JOIN];
        ps_log_set_level(PS_LOG_WARN);
        for (uint64_t end_ns = run.group.now_ns + 20 * PS_NS_PER_S; run.group.now_ns < end_ns;)
            turn(&run);
        ps_log_set_level(PS_LOG_OFF);
        assert_int_equal(lack(&why), PS_LACK_GONE);
        assert_non_null(
            strstr(why, leads != 0 ? "the subscription of member" : "what the group's leader assigns"));
        assert_int_equal(ps_log_count(PS_LOG_ERROR), errors + 1);
        assert_int_equal(run.group.asked[PS_TEST_KEY_VERSIONS], connections);
        assert_in_range(run.group.asked[PS_TEST_KEY_JOIN] - joins, 2, 12);
        run.group.foreign = false;
        run.group.others = 0;
        run.group.rebalances = true;
        append_to_all();
        read_all(&run);
        assert_false(run.dead);
        assert_int_equal(lack(&why), PS_LACK_NONE);
        stop(&run);
        end(&run);
    }
}

/* The log no longer has the offset of a kept partition while the member waits to join: it goes on at once by
 * auto.offset.reset, although the others take long. */
static void test_out_of_range_while_joining(void **state)
{
    static const struct ps_pair option = {.key = "partition.assignment.strategy",
                                          .value = "cooperative-sticky"};
    begin(&run, 1, &option, 1);
    run.group.cooperative = true;
    append_to_all();
    read_all(&run);
    unsigned joins = run.group.asked[PS_TEST_KEY_JOIN], read = run.read;
    run.group.fail_key = PS_TEST_KEY_JOIN;
    run.group.fail_error = PS_KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS;
    run.group.fail_at = joins + 1;
    run.group.fail_last = UINT32_MAX;
    run.group.rebalances = run.group.holds = true;
    while (run.group.asked[PS_TEST_KEY_JOIN] == joins)
        turn(&run);
    for (unsigned i = 0; i < 16; i++)
        append_to_all();
    while (run.group.logs[0].start <= run.next[0])
        ps_test_group_trim(&run.group, 0);
    run.group.holds = false;
    for (unsigned i = 0; i < 400; i++) {
        turn(&run);
        deliver(&run);
    }
    assert_int_equal(run.group.counts.out_of_range, 1);
    assert_true(run.next[0] > run.group.logs[0].start && run.read > read);
    run.group.fail_at = run.group.fail_last = 0;
    read_all(&run);
    stop(&run);
    check_committed(&run);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_out_of_range_while_joining),
        cmocka_unit_test(test_session_over_unnoticed),
        cmocka_unit_test(test_late_revocation_unnoticed),
        cmocka_unit_test(test_all_committed),
        cmocka_unit_test(test_session_over_noticed),
        cmocka_unit_test(test_coordinator_moves_on),
        cmocka_unit_test(test_no_partition_is_kept),
        cmocka_unit_test(test_no_coordinator_yet),
        cmocka_unit_test(test_foreign_member),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
