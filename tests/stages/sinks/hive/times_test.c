/* The sink hive asks the metastore at certain times: checks of a lock that waits, retries after backoffs, heartbeats. It
 * aborts thousands of transactions in a call. */
#include "stages/sinks/hive/internal.h"
#include "tests/support/dead_letters.h"
#include "tests/support/hive_stage.h"

#include <stdlib.h>

static const struct ps_hive_sink *sink_of(const struct ps_test_stage *stage)
{
    return *(struct ps_hive_sink **)stage->state;
}

static const struct ps_hive_txn *first_txn(const struct ps_test_stage *stage)
{
    const struct ps_hive_partition *partition = TAILQ_FIRST(&sink_of(stage)->recent);
    return partition != NULL ? TAILQ_FIRST(&partition->txns) : NULL;
}

/* Waits until the lock's timer is set to another time than `before_ns`. Returns how long after the answer it is due, in ms. */
static uint64_t next_wait_ms(struct ps_test_stage *stage, uint64_t *before_ns)
{
    const struct ps_hive_txn *txn = NULL;
    PS_HIVE_AWAIT(stage,
                  (txn = first_txn(stage)) != NULL && txn->timer.set && txn->timer.due_ns != *before_ns);
    *before_ns = txn->timer.due_ns;
    return (txn->timer.due_ns - sink_of(stage)->now.mono_ns) / PS_NS_PER_MS;
}

/* The time between two checks doubles, up to 5 s. The sink asks once for the lock's holder. Then the commit's answer is
 * lost, and the sink repeats the call after the port's first backoff: checks of the lock do not count as failures of the
 * commit. */
static void test_looks_at_a_lock(void **unused)
{
    static const uint64_t waits_ms[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000, 5000};
    struct ps_test_stage stage;
    uint64_t due_ns = 0;
    ps_test_metastore_hold_locks(1, PS_COUNT_OF(waits_ms));
    /* Time passes also while a call is outstanding, and no call times out by that. */
    ps_test_hive_start(&stage, PS_HIVE_LINES("batchSize", "1", "callTimeout", "3600000"));
    stage.port.retry_step_ns = PS_NS_PER_S;
    stage.port.retry_rest_max_ns = 60 * PS_NS_PER_S;
    ps_test_hive_offer(&stage, PS_LEASE(&stage, PS_BODY("one")));
    for (size_t i = 0; i < PS_COUNT_OF(waits_ms); i++) {
        uint64_t wait_ms = next_wait_ms(&stage, &due_ns);
        assert_int_equal(wait_ms, waits_ms[i]);
        assert_int_equal(ps_test_metastore_calls("check_lock"), i);
        if (i + 1 == PS_COUNT_OF(waits_ms))
            ps_test_metastore_cut("commit_txn", 1);
        ps_test_stage_pass_ms(&stage, (unsigned)wait_ms);
        PS_HIVE_AWAIT(&stage, ps_test_metastore_calls("check_lock") == i + 1);
    }
    assert_int_equal(next_wait_ms(&stage, &due_ns), 1000); /* the port's first backoff */
    PS_HIVE_AWAIT(&stage, stage.done_count == 1 || (ps_test_stage_pass_ms(&stage, 100), false));
    assert_int_equal(ps_test_metastore_calls("show_locks"), 1);
    assert_int_equal(ps_test_metastore_calls("commit_txn"), 2);
    ps_test_hive_expect_rows("", "one\n");
    ps_test_stage_fini(&stage);
}

/* After each lost answer to a commit the sink backs off longer, and then asks again. */
static void test_rests_of_a_commit(void **unused)
{
    static const uint64_t rests_s[] = {1, 2, 4, 8, 8};
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_LINES("batchSize", "1"));
    stage.port.retry_step_ns = PS_NS_PER_S;
    stage.port.retry_rest_max_ns = 8 * PS_NS_PER_S;
    for (unsigned round = 0; round < 2; round++) {
        uint64_t due_ns = 0;
        unsigned calls = ps_test_metastore_calls("commit_txn");
        ps_test_metastore_cut("commit_txn", PS_COUNT_OF(rests_s));
        ps_test_hive_offer(&stage, PS_LEASE(&stage, PS_BODY("one")));
        for (size_t i = 0; i < PS_COUNT_OF(rests_s); i++) {
            uint64_t rest_ms = next_wait_ms(&stage, &due_ns);
            assert_int_equal(rest_ms, ps_port_rest_ns(&stage.port, (unsigned)i + 1) / PS_NS_PER_MS);
            assert_in_range(rest_ms, 1, 1000 * rests_s[i]);
            ps_test_stage_pass_ms(&stage, (unsigned)rest_ms);
        }
        PS_HIVE_AWAIT(&stage, stage.done_count == round + 1);
        assert_int_equal(ps_test_metastore_calls("commit_txn") - calls, PS_COUNT_OF(rests_s) + 1);
    }
    ps_test_stage_fini(&stage);
}

/* No heartbeat is sent before the first interval is over, then one in each interval. Transactions that are not used
 * yet also have heartbeats. A lost answer delays the next ones no longer than the call. */
static void test_heartbeats(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(
        &stage, PS_HIVE_LINES("batchSize", "1", "heartBeatInterval", "1000", "hive.txnsPerBatchAsk", "5"));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one")));
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(ps_test_metastore_calls("heartbeat_txn_range"), i);
        ps_test_stage_pass_ms(&stage, 900000);
        for (unsigned turns = 0; turns < 20; turns++)
            ps_test_hive_turn(&stage);
        assert_int_equal(ps_test_metastore_calls("heartbeat_txn_range"), i);
        if (i == 1)
            ps_test_metastore_cut("heartbeat_txn_range", 1);
        ps_test_stage_pass_ms(&stage, 100000);
        PS_HIVE_AWAIT(&stage, ps_test_metastore_calls("heartbeat_txn_range") == i + 1);
        PS_HIVE_AWAIT(&stage, !TAILQ_FIRST(&sink_of(&stage)->recent)->heartbeats);
    }
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), 4);
    ps_test_stage_fini(&stage);
}

/* A heartbeat is for all transactions that are open, down to the last one that is not used; without any there is none. */
static void test_heartbeats_of_unused(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(
        &stage, PS_HIVE_LINES("batchSize", "1", "heartBeatInterval", "1000", "hive.txnsPerBatchAsk", "4"));
    for (unsigned left = 4; left-- > 0;) {
        unsigned beats = ps_test_metastore_calls("heartbeat_txn_range");
        ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one")));
        assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), left);
        ps_test_stage_pass_ms(&stage, 1000000);
        if (left == 0) {
            for (unsigned turns = 0; turns < 20; turns++)
                ps_test_hive_turn(&stage);
            assert_int_equal(ps_test_metastore_calls("heartbeat_txn_range"), beats);
            break;
        }
        PS_HIVE_AWAIT(&stage, ps_test_metastore_calls("heartbeat_txn_range") == beats + 1);
        PS_HIVE_AWAIT(&stage, !TAILQ_FIRST(&sink_of(&stage)->recent)->heartbeats);
        assert_int_equal(ps_test_metastore_beaten[0], 5 - left);
        assert_int_equal(ps_test_metastore_beaten[1], 4);
    }
    ps_test_stage_fini(&stage);
}

/* A partition that is idle while a heartbeat has no answer is closed after the answer; until then the sink does not ask for tick after
 * tick. */
static void test_idle_during_a_heartbeat(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_LINES("batchSize", "1", "heartBeatInterval", "50",
                                             "hive.txnsPerBatchAsk", "5", "idleTimeout", "55000"));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one")));
    ps_test_metastore_hold("heartbeat_txn_range");
    ps_test_stage_pass_ms(&stage, 50000);
    PS_HIVE_AWAIT(&stage, ps_test_metastore_is_holding());
    ps_test_stage_pass_ms(&stage, 5000);
    for (unsigned turns = 0; turns < 3; turns++)
        assert_true(ps_test_sink_tick(&stage) > stage.now.mono_ns);
    assert_int_equal(sink_of(&stage)->partition_count, 1);
    ps_test_metastore_hold(NULL);
    PS_HIVE_AWAIT(&stage, sink_of(&stage)->partition_count == 0);
    ps_test_stage_fini(&stage);
}

/* A call aborts at most ten thousand transactions; each is aborted once. */
static void test_many_aborts(void **unused)
{
    static const struct {
        const char *count;
        unsigned calls;
    } cases[] = {{"10001", 1}, {"10002", 2}, {"20002", 3}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        unsigned calls = ps_test_metastore_calls("abort_txns"),
                 aborted = ps_test_metastore_txns(PS_TEST_TXN_ABORTED);
        unsigned count = (unsigned)strtoul(cases[i].count, NULL, 10);
        ps_test_hive_start(&stage, PS_HIVE_LINES("batchSize", "1", "hive.txnsPerBatchAsk", cases[i].count));
        ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one")));
        PS_HIVE_AWAIT(&stage, ps_test_metastore_txns(PS_TEST_TXN_OPEN) > 0);
        assert_null(ps_test_sink_recall(&stage));
        assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), 0);
        unsigned unused_count = ps_test_metastore_txns(PS_TEST_TXN_ABORTED) - aborted;
        assert_int_equal(unused_count, count - 1);
        assert_int_equal(ps_test_metastore_calls("abort_txns") - calls, cases[i].calls);
        ps_test_stage_fini(&stage);
    }
}

/* Nothing wakes the sink for an event that is to become a dead letter, nor when the letter is written: while there is one, the sink asks for a
 * tick soon, also if this tick found it. Again for a second lease, after the first. */
static void test_looks_at_a_letter(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_KEYS("serializer", "JSON", "penstock.commit.interval", "0"));
    ps_test_dead_letters_open(&stage);
    unsigned looks = 0;
    for (unsigned round = 1; round <= 2; round++) {
        ps_test_hive_offer(&stage, PS_LEASE(&stage, PS_BODY("no row")));
        for (unsigned turns = 0; stage.done_count < round; turns++) {
            assert_in_range(turns, 0, PS_TEST_PATIENCE_MS);
            uint64_t due_ns = ps_test_sink_tick(&stage);
            if (sink_of(&stage)->flaws.events.count > 0) {
                assert_in_range(due_ns, stage.now.mono_ns, stage.now.mono_ns + PS_DEADLETTER_LOOK_NS);
                looks++;
            }
            ps_test_stage_pass_ms(&stage, 1);
            usleep(1000);
        }
    }
    assert_true(looks >
                0); /* the first event waits for a transaction, so that a tick finds out that it is no row */
    assert_string_equal(ps_test_dead_letters_bodies("event-unwritable"), "no row\nno row\n");
    ps_test_stage_close(&stage);
    ps_test_dead_letters_close(&stage);
    ps_test_stage_fini(&stage);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, ps_test_hive_setup, ps_test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_looks_at_a_lock),      TEST(test_rests_of_a_commit),       TEST(test_heartbeats),
        TEST(test_heartbeats_of_unused), TEST(test_idle_during_a_heartbeat), TEST(test_many_aborts),
        TEST(test_looks_at_a_letter),
    };
    return cmocka_run_group_tests(tests, ps_test_hive_group_setup, ps_test_hive_group_teardown);
}
