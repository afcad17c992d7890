/* Sink hive between a transaction's lock and its commit: partitions that are dropped, moved and made again. */
#include "stages/sinks/hive/internal.h"
#include "tests/support/hive_stage.h"

#include <ftw.h>
#include <stdio.h>

#define FOR_EVER UINT32_MAX
#define LOCK_LOOK_MS 6000 /* more than the time between two checks of a lock that waits */

static struct ps_hive_partition *partition_of(const struct ps_test_stage *stage)
{
    const struct ps_hive_sink *sink = *(struct ps_hive_sink **)stage->state;
    return TAILQ_FIRST(&sink->recent);
}

/* Returns whether this number of transactions of the partition have all their rows, and nothing is under way for
 * them. */
static bool are_waiting(const struct ps_test_stage *stage, unsigned count)
{
    const struct ps_hive_txn *txn;
    TAILQ_FOREACH(txn, &partition_of(stage)->txns, list)
    {
        if (txn->state == PS_HIVE_TXN_ENDS && txn->pending == 0 && !txn->is_locked)
            count--;
    }
    return count == 0;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    return remove(path);
}

/* Removes the directory with its contents, as "drop partition" does while it has the exclusive lock. The partition may
 * then be made again in `folder`. */
static void drop(const char *day, const char *folder)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", ps_test_hive_folder(), day);
    assert_int_equal(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
    ps_test_metastore_drop_partitions(folder);
}

/* The row "a" is committed in mon; the transactions 2 and 3 have "b" and "c", and wait for their locks. */
static void start_with_two_that_wait(struct ps_test_stage *stage)
{
    struct ps_test_metastore_table table = ps_test_hive_lines("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(stage, PS_HIVE_LINES(PS_HIVE_BY_DAY, "batchSize", "1"));
    ps_test_hive_deliver(stage, PS_LEASE(stage, PS_HIVE_DAY("a", "mon")));
    ps_test_metastore_hold_locks(2, FOR_EVER);
    ps_test_hive_offer(stage, PS_LEASE(stage, PS_HIVE_DAY("b", "mon"), PS_HIVE_DAY("c", "mon")));
    PS_HIVE_AWAIT(stage, are_waiting(stage, 2));
}

/* Transaction 2 gets its lock, finds that the partition is gone, and the partition is made or found again; then
 * transaction 3 gets its lock. */
static void give_one_lock_after_the_other(struct ps_test_stage *stage, unsigned finds)
{
    struct ps_hive_partition *partition = partition_of(stage);
    unsigned found = ps_test_metastore_calls("get_partition");
    ps_test_metastore_hold_locks(3, FOR_EVER);
    ps_test_stage_pass_ms(stage, LOCK_LOOK_MS);
    PS_HIVE_AWAIT(stage, ps_test_metastore_calls("get_partition") == found + finds &&
                             partition->state == PS_HIVE_PARTITION_READY);
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_COMMITTED), 1);
    ps_test_metastore_hold_locks(1, 0);
    ps_test_stage_pass_ms(stage, LOCK_LOOK_MS);
    PS_HIVE_AWAIT(stage, stage->done_count == 2);
}

/* The files are removed with the directory. A transaction that gets its lock later, when the partition is there again,
 * has lost nothing. */
static void test_one_that_is_dropped_while_transactions_wait(void **unused)
{
    struct ps_test_stage stage;
    char rows[64], folder[400];
    start_with_two_that_wait(&stage);
    drop("mon", NULL);
    give_one_lock_after_the_other(&stage, 3);
    assert_int_equal(ps_test_metastore_calls("append_partition"), 2);
    snprintf(folder, sizeof folder, "%s/mon", ps_test_hive_folder());
    assert_int_equal(ps_test_metastore_rows(folder, rows, sizeof rows), 2);
    assert_non_null(strchr(rows, 'b'));
    assert_non_null(strchr(rows, 'c'));
    assert_null(ps_test_sink_recall(&stage));
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), 0);
    ps_test_stage_fini(&stage);
}

/* The same, in another directory: events written to the old one belong to no partition. */
static void test_one_that_is_elsewhere_while_transactions_wait(void **unused)
{
    struct ps_test_stage stage;
    char rows[64], elsewhere[400];
    snprintf(elsewhere, sizeof elsewhere, "%s", ps_test_folder_path("elsewhere"));
    start_with_two_that_wait(&stage);
    drop("mon", elsewhere);
    give_one_lock_after_the_other(&stage, 3);
    snprintf(elsewhere, sizeof elsewhere, "%s/mon", ps_test_folder_path("elsewhere"));
    assert_int_equal(ps_test_metastore_rows(elsewhere, rows, sizeof rows), 2);
    assert_non_null(strchr(rows, 'b'));
    assert_non_null(strchr(rows, 'c'));
    assert_null(ps_test_sink_recall(&stage));
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), 0);
    ps_test_stage_fini(&stage);
}

/* The rows of transactions that wait for their locks count as memory of the sink. */
static void test_rows_that_wait_are_memory(void **unused)
{
    struct ps_test_stage stage;
    start_with_two_that_wait(&stage);
    const struct ps_hive_sink *sink = *(struct ps_hive_sink **)stage.state;
    (void)ps_test_sink_tick(&stage);
    assert_in_range(sink->orc_bytes, 2 * 100, 1 << 20);
    ps_test_metastore_hold_locks(1, 0);
    ps_test_stage_pass_ms(&stage, LOCK_LOOK_MS);
    PS_HIVE_AWAIT(&stage, stage.done_count == 2);
    (void)ps_test_sink_tick(&stage);
    assert_int_equal(sink->orc_bytes, 0);
    assert_null(ps_test_sink_recall(&stage));
    ps_test_stage_fini(&stage);
}

/* Somebody else holds the lock of one table for two minutes: a sink of another table, on the same worker, delivers all its events meanwhile,
 * in transactions that were opened before. */
static void test_a_lock_that_another_table_waits_for(void **unused)
{
    enum { LEASES = 20 };
    struct ps_test_stage waits, goes_on;
    char rows[256], folder[400];
    ps_test_hive_start(&goes_on, PS_KEYS("hive.metastore", ps_test_metastore_url(), "hive.database",
                                         "default", "hive.table", "u", "serializer", "DELIMITED",
                                         "serializer.fieldnames", "line", "penstock.commit.interval", "0",
                                         "batchSize", "1", "hive.txnsPerBatchAsk", "100"));
    ps_test_hive_deliver(&goes_on, PS_LEASE(&goes_on, PS_BODY("x")));
    ps_test_metastore_hold_locks(101, FOR_EVER);
    ps_test_hive_start(&waits, PS_HIVE_LINES("batchSize", "1"));
    ps_test_hive_offer(&waits, PS_LEASE(&waits, PS_BODY("a"), PS_BODY("b")));
    PS_HIVE_AWAIT(&waits, are_waiting(&waits, 2));
    for (size_t i = 0; i < LEASES; i++) {
        ps_test_hive_offer(&goes_on, PS_LEASE(&goes_on, PS_BODY("y")));
        PS_HIVE_AWAIT(&goes_on, (ps_test_hive_turn(&waits), goes_on.done_count == i + 2));
        ps_test_stage_pass_ms(&waits, LOCK_LOOK_MS);
        ps_test_stage_pass_ms(&goes_on, LOCK_LOOK_MS);
    }
    assert_int_equal(waits.done_count, 0);
    assert_true(are_waiting(&waits, 2));
    ps_test_metastore_hold_locks(1, 0);
    ps_test_stage_pass_ms(&waits, LOCK_LOOK_MS);
    PS_HIVE_AWAIT(&waits, waits.done_count == 1);
    ps_test_hive_expect_rows("", "a\nb\n");
    snprintf(folder, sizeof folder, "%s-u", ps_test_hive_folder());
    assert_int_equal(ps_test_metastore_rows(folder, rows, sizeof rows), 1 + LEASES);
    ps_test_stage_fini(&waits);
    ps_test_stage_fini(&goes_on);
}

/* A transaction of up to 100 events ends when none has come for 50 ms, not 50 ms after its first event. */
static void test_silence_ends_a_transaction(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_event events[100], event = PS_BODY("x");
    for (unsigned i = 0; i < PS_COUNT_OF(events); i++)
        events[i] = event;
    ps_test_hive_start(&stage, PS_HIVE_KEYS("serializer", "DELIMITED", "serializer.fieldnames", "line",
                                            "penstock.commit.interval", "3600000", "batchSize", "15000"));
    ps_test_hive_offer(&stage, ps_test_lease(&stage, events, PS_COUNT_OF(events)));
    struct ps_hive_partition *partition = partition_of(&stage);
    PS_HIVE_AWAIT(&stage, !TAILQ_EMPTY(&partition->txns));
    const struct ps_hive_txn *txn = TAILQ_FIRST(&partition->txns);
    for (unsigned i = 0; i < 5; i++) {
        ps_test_stage_pass_ms(&stage, 40);
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("y"));
        assert_int_equal(ps_test_sink_work(&stage, &lease), PS_TAKEN);
        (void)ps_test_sink_tick(&stage);
        assert_int_equal(txn->state, PS_HIVE_TXN_FILLS);
    }
    ps_test_stage_pass_ms(&stage, 50);
    PS_HIVE_AWAIT(&stage, stage.done_count == 6);
    ps_test_stage_fini(&stage);
}

/* The commit of a transaction has no answer, so the sink does not know whether its lock is still there: later transactions
 * check their own locks. */
static void test_a_lock_behind_a_commit_without_answer(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_LINES("batchSize", "1"));
    stage.port.retry_step_ns = stage.port.retry_rest_max_ns = 20 * PS_NS_PER_S;
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("a")));
    ps_test_metastore_cut("commit_txn", 1);
    ps_test_hive_offer(&stage, PS_LEASE(&stage, PS_BODY("b")));
    PS_HIVE_AWAIT(&stage, ps_test_stage_counter(&stage, PS_COUNTER_ConnectionFailedCount) == 1);
    unsigned looks = ps_test_metastore_calls("get_table_req");
    ps_test_hive_offer(&stage, PS_LEASE(&stage, PS_BODY("c")));
    PS_HIVE_AWAIT(&stage, ps_test_metastore_txns(PS_TEST_TXN_COMMITTED) == 3);
    assert_int_equal(ps_test_metastore_calls("get_table_req"), looks + 1);
    assert_int_equal(ps_test_metastore_calls("commit_txn"), 3); /* the lock of "b" is checked again later */
    ps_test_stage_pass_ms(&stage, 21000);
    PS_HIVE_AWAIT(&stage, stage.done_count == 3);
    ps_test_hive_expect_rows("", "a\nb\nc\n");
    ps_test_stage_fini(&stage);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, ps_test_hive_setup, ps_test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_one_that_is_dropped_while_transactions_wait),
        TEST(test_one_that_is_elsewhere_while_transactions_wait),
        TEST(test_a_lock_behind_a_commit_without_answer),
        TEST(test_rows_that_wait_are_memory),
        TEST(test_a_lock_that_another_table_waits_for),
        TEST(test_silence_ends_a_transaction),
    };
    return cmocka_run_group_tests(tests, ps_test_hive_group_setup, ps_test_hive_group_teardown);
}
