/* The native fetch client whose commits are lost: the connection ends before the answer comes, and nobody knows whether
 * they were carried out. Commits that the coordinator answers with an error. */
#include "core/log/log.h"
#include "stages/lib/kafka/errors.h"
#include "tests/support/kafka/fetch_run.h"

#include <limits.h>

static void append(struct run *run)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        ps_test_group_append_plain(&run->group, i, 3);
}

/* Reads and delivers some records, three times, and stops. */
static void tell(struct run *run)
{
    for (unsigned i = 0; i < 3; i++) {
        append(run);
        read_all(run);
    }
    stop(run);
}

/* Each commit is lost in turn, also the last one, after which the member stops: it is made again, before the member has stopped. */
static void test_each_commit_is_lost(void **state)
{
    static struct run run;
    bool lost = true;
    unsigned commits = 0;
    while (lost) {
        begin(&run, 1, NULL, 0);
        run.group.fail_key = PS_TEST_KEY_COMMIT;
        run.group.fail_at = run.group.fail_last = ++commits;
        run.group.cut_at = 0;
        tell(&run);
        assert_false(run.dead);
        check_committed(&run);
        assert_int_equal(run.again, 0);
        lost = run.group.counts.breaks > 0;
        if (lost) /* whether it was carried out is not known */
            assert_true(run.group.asked[PS_TEST_KEY_COMMIT] > commits);
        end(&run);
    }
    assert_true(commits > 2);
}

/* The coordinator answers commits with this error for 3 s of a revocation, then takes them. Returns whether the member
 * waited for that. */
static bool is_awaited(int16_t error)
{
    static struct run run;
    begin(&run, 1, NULL, 0);
    append(&run);
    read_all(&run);
    append(&run);
    while (run.waiting_count == 0)
        turn(&run);
    run.group.fail_key = PS_TEST_KEY_COMMIT;
    run.group.fail_error = error;
    run.group.fail_at = 1;
    run.group.fail_last = UINT_MAX;
    run.group.rebalances = true;
    unsigned joins = run.group.asked[PS_TEST_KEY_JOIN];
    uint64_t until_ns = run.group.now_ns + 3 * PS_NS_PER_S;
    while (run.group.now_ns < until_ns) {
        turn(&run);
        deliver(&run);
    }
    assert_true(run.group.counts.errors > 3);
    bool awaited = run.group.asked[PS_TEST_KEY_JOIN] == joins;
    run.group.fail_at = run.group.fail_last = 0;
    read_all(&run);
    stop(&run);
    assert_false(run.dead);
    check_committed(&run);
    assert_int_equal(run.again > 0, !awaited);
    end(&run);
    return awaited;
}

/* A coordinator that loads its log, or whose replicas are slow, does not refuse commits: the member waits, and no record
 * is read twice. Another error, four times in a row, ends the revocation. */
static void test_coordinator_loads(void **state)
{
    assert_true(is_awaited(14));
    assert_true(is_awaited(7));
    assert_false(is_awaited(-1));
}

/* The last commit fails for good when the source stops: the log says that records will be read again. */
static void test_last_commit_fails(void **state)
{
    static struct run run;
    begin(&run, 1, NULL, 0);
    append(&run);
    while (run.waiting_count == 0)
        turn(&run);
    run.group.fail_key = PS_TEST_KEY_COMMIT;
    run.group.fail_error = PS_KAFKA_ERROR_FENCED_INSTANCE_ID;
    run.group.fail_at = 1;
    run.group.fail_last = UINT_MAX;
    uint64_t told = ps_log_count(PS_LOG_WARN);
    stop(&run);
    assert_true(ps_kafka_reading_failed(run.reading, &run.reason));
    assert_int_equal(ps_log_count(PS_LOG_WARN) - told, 2); /* the error, and what follows from it */
    end(&run);
}

/* The process does not run for a minute while partitions are given up: the sink had no time to deliver, so the limit of
 * 30 s is not over. */
static void test_pause_of_the_process(void **state)
{
    static struct run run;
    static const struct ps_pair session = {.key = "session.timeout.ms", .value = "300000"};
    begin(&run, 1, &session, 1);
    append(&run);
    while (run.waiting_count == 0)
        turn(&run);
    run.group.rebalances = true;
    for (unsigned turns = 0; turns < 1000; turns++)
        turn(&run);
    run.group.now_ns += 60 * PS_NS_PER_S;
    for (unsigned turns = 0; turns < 10; turns++)
        turn(&run);
    read_all(&run);
    stop(&run);
    assert_false(run.dead);
    check_committed(&run);
    assert_int_equal(run.again, 0);
    end(&run);
}

/* Asserts that the group has no lag: nothing is between its offsets and the ends of the logs, hidden or not. */
static void check_no_lag(const struct run *run)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++) {
        const struct ps_test_group_log *log = &run->group.logs[i];
        assert_true(log->end > 0);
        assert_int_equal(log->committed, log->end);
    }
}

/* Logs that end with records of aborted transactions and with the ends of transactions: the offset behind them is
 * committed. If it were that behind the last delivered record, and retention then removed the whole log, a member with
 * auto.offset.reset = latest would skip what was written after. */
static void test_hidden_end(void **state)
{
    static struct run run;
    begin(&run, 1, NULL, 0);
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        ps_test_group_append_nested(&run.group, i);
    read_all(&run);
    stop(&run);
    assert_false(run.dead);
    check_no_lag(&run);
    end(&run);
}

/* The same for what is hidden and comes when everything before it was delivered and committed, and for a log without
 * any record that is visible. */
static void test_hidden_later(void **state)
{
    static struct run run;
    begin(&run, 1, NULL, 0);
    ps_test_group_append_plain(&run.group, 0, 3);
    ps_test_group_append_plain(&run.group, 1, 3);
    read_all(&run);
    for (unsigned turns = 0; run.group.logs[0].committed < 3 && turns < TURNS_MAX; turns++)
        turn(&run);
    assert_int_equal(run.group.logs[0].committed, 3);
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        ps_test_group_append_aborted(&run.group, i);
    for (unsigned turns = 0; run.group.logs[2].committed < run.group.logs[2].end && turns < TURNS_MAX;
         turns++)
        turn(&run);
    stop(&run);
    check_no_lag(&run);
    assert_int_equal(run.read, 6);
    end(&run);
}

/* With a sink that commits, the positions that the batch gives it are behind what is hidden after its records, if that came
 * in the same answer. */
static void test_hidden_end_of_transactions(void **state)
{
    static struct run run;
    begin_with(&run, 1, NULL, 0, true);
    ps_test_group_append_nested(&run.group, 0);
    read_all(&run);
    stop(&run);
    assert_false(run.dead);
    assert_int_equal(run.group.asked[PS_TEST_KEY_COMMIT], 0);
    const struct ps_test_group_log *log = &run.group.logs[0];
    assert_true(log->committed > run.next[0]);
    assert_true(log->committed <= log->end);
    end(&run);
}

/* Records that are written after the hidden end, while its batch waits for the sink, are not committed with it. */
static void test_records_after_the_hidden_end(void **state)
{
    static struct run run;
    begin_with(&run, 1, NULL, 0, true);
    ps_test_group_append_plain(&run.group, 0, 3);
    ps_test_group_append_aborted(&run.group, 0);
    int64_t hidden_end = run.group.logs[0].end;
    for (unsigned turns = 0; run.read < 3 && turns < TURNS_MAX; turns++)
        turn(&run);
    ps_test_group_append_plain(&run.group, 0, 3);
    deliver(&run);
    assert_in_range(run.group.logs[0].committed, 3, hidden_end);
    kill_and_start(&run);
    read_all(&run);
    stop(&run);
    assert_int_equal(run.read, 6);
    assert_int_equal(run.again, 0);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_commit_is_lost),
        cmocka_unit_test(test_coordinator_loads),
        cmocka_unit_test(test_last_commit_fails),
        cmocka_unit_test(test_pause_of_the_process),
        cmocka_unit_test(test_hidden_end),
        cmocka_unit_test(test_hidden_later),
        cmocka_unit_test(test_hidden_end_of_transactions),
        cmocka_unit_test(test_records_after_the_hidden_end),
    };
    assert_int_equal(ps_log_open("/dev/null", NULL), PS_OK);
    ps_log_set_level(PS_LOG_WARN); /* warnings are counted */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
