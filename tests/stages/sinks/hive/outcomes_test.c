/* The consequence of each outcome of each call of the metastore for the sink hive: whether the transaction fails,
 * whether it is aborted in Hive, whether the call is repeated. Each outcome comes twice, with a success in between, and
 * has the same effect. Nothing is left at the close. */
#include "stages/sinks/hive/internal.h"
#include "tests/support/hive_stage.h"

#include <stdio.h>

#define NOT_GIVEN 0 /* instead of an exception: the lock is not granted */
#define CUT (-1)    /* the call takes effect, and the connection is closed instead of an answer */
#define SILENT (-2) /* no answer before callTimeout */
#define SILENT_MS 10500U

static const struct row {
    const char *call;
    int16_t exception; /* number of the answer's field */
    bool fails;        /* the transaction fails: its event is written again in the next one */
    unsigned aborted;  /* number of transactions to be aborted in Hive */
    bool unreachable;  /* counted in ConnectionFailedCount */
    unsigned calls;    /* number of these calls until the event is delivered */
} rows[] = {
    {"commit_txn", 1, true, 0, false, 2}, /* the transaction is unknown or aborted: no abort is needed */
    {"commit_txn", 2, true, 0, false, 2},
    {"commit_txn", 3, false, 0, false, 2}, /* the transaction may be committed */
    {"commit_txn", CUT, false, 0, true, 2},
    {"commit_txn", SILENT, false, 0, true, 1},
    {"lock", SILENT, true, 1, true, 1},
    {"get_partition", SILENT, true, 1, true, 1},
    {"open_txns", SILENT, false, 0, true, 1},
    {"allocate_table_write_ids", SILENT, false, 1, true, 1},
    {"lock", 1, true, 0, false, 2},
    {"lock", 2, true, 0, false, 2},
    {"lock", 3, true, 1, false, 2},
    {"lock", NOT_GIVEN, true, 1, false, 2},
    {"lock", CUT, true, 1, true, 2},
    {"check_lock", 1, true, 0, false, 1},
    {"check_lock", 2, true, 0, false, 1},
    {"check_lock", 3, true, 0, false, 1},
    {"check_lock", 4, true, 1, false, 1},
    {"check_lock", NOT_GIVEN, true, 1, false, 1},
    {"check_lock", CUT, true, 1, true, 1},
    {"add_dynamic_partitions", 1, true, 0, false, 2},
    {"add_dynamic_partitions", 2, true, 0, false, 2},
    {"add_dynamic_partitions", 3, true, 1, false, 2},
    {"get_partition", 1, true, 1, false, 2},
    {"get_partition", 3, true, 1, false, 2},
    {"get_partition", CUT, true, 1, true, 2},
    {"get_table_req", 1, false, 0, false, 2}, /* the table is looked at again */
    {"get_table_req", 3, false, 0, false, 2},
    {"get_table_req", CUT, false, 0, true, 2},
    {"open_txns", 1, false, 0, false, 2},
    {"open_txns", CUT, false, 0, true, 2},
    {"allocate_table_write_ids", 1, false, 1, false, 2},
    {"allocate_table_write_ids", 2, false, 1, false, 2},
    {"allocate_table_write_ids", 3, false, 1, false, 2},
    {"allocate_table_write_ids", CUT, false, 1, true, 2},
};

static uint64_t counter(const struct ps_test_stage *stage, int number)
{
    return ps_test_stage_counter(stage, (enum ps_counter)number);
}

static const struct ps_hive_sink *sink_of(const struct ps_test_stage *stage)
{
    return *(struct ps_hive_sink **)stage->state;
}

/* Delivers an event while the metastore gives the row's outcome. */
static void deliver_against(struct ps_test_stage *stage, const struct row *row, const char *body)
{
    size_t done = stage->done_count;
    uint64_t failed = counter(stage, PS_COUNTER_EventWriteFail),
             aborted = counter(stage, PS_HIVE_TXNS_ABORTED),
             unreachable = counter(stage, PS_COUNTER_ConnectionFailedCount),
             retried = counter(stage, PS_COUNTER_retried);
    unsigned calls = ps_test_metastore_calls(row->call);
    if (strcmp(row->call, "check_lock") == 0)
        ps_test_metastore_hold_locks(1, 1);
    if (row->exception == SILENT)
        ps_test_metastore_hold(row->call);
    else if (row->exception == CUT)
        ps_test_metastore_cut(row->call, 1);
    else
        ps_test_metastore_refuse_by(row->call, 1, row->exception);
    ps_test_hive_offer(stage, PS_LEASE(stage, PS_HIVE_DAY(body, "mon")));
    if (row->exception == SILENT) {
        PS_HIVE_AWAIT(stage, ps_test_metastore_is_holding());
        ps_test_stage_pass_ms(stage, SILENT_MS);
        PS_HIVE_AWAIT(stage, counter(stage, PS_COUNTER_ConnectionFailedCount) > unreachable);
        /* The metastore carries the call out unless it knows that the client has given the connection up. */
        for (uint64_t until_ns = ps_test_patience_end_ns(); ps_test_metastore_is_holding(); usleep(1000))
            assert_true(ps_test_patient_ns() < until_ns);
        ps_test_metastore_hold(NULL);
    }
    ps_test_sink_wait(stage, done + 1, PS_TEST_PATIENCE_MS);
    assert_int_equal(ps_test_metastore_left(), 0);
    assert_int_equal(ps_test_metastore_calls(row->call) - calls, row->calls);
    assert_int_equal(counter(stage, PS_COUNTER_EventWriteFail) - failed, row->fails);
    assert_int_equal(counter(stage, PS_COUNTER_retried) - retried, row->fails);
    assert_int_equal(counter(stage, PS_HIVE_TXNS_ABORTED) - aborted, row->aborted);
    assert_int_equal(counter(stage, PS_COUNTER_ConnectionFailedCount) - unreachable, row->unreachable);
    assert_int_equal(TAILQ_FIRST(&sink_of(stage)->recent)->failures, 0);
}

/* Every lease is released, and no list has an event or a transaction. */
static void expect_nothing_held(const struct ps_test_stage *stage)
{
    const struct ps_hive_sink *sink = sink_of(stage);
    assert_int_equal(sink->held.count, 0);
    assert_int_equal(sink->held.pinned_bytes, 0);
    assert_int_equal(sink->pool.free.count, sink->pool.used - 1);
    assert_int_equal(sink->look.failures, 0);
    assert_false(sink->look.under_way || sink->look.is_wanted || sink->look.is_changed);
    assert_int_equal(ps_hive_aborts_left(sink), 0);
    assert_true(TAILQ_EMPTY(&sink->dead));
}

static void test_outcome(void **state)
{
    const struct row *row = *state;
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = ps_test_hive_lines("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, PS_HIVE_LINES(PS_HIVE_BY_DAY, "batchSize", "1", "hive.txnsPerBatchAsk", "1"));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("a", "mon")));
    deliver_against(&stage, row, "b");
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("c", "mon")));
    deliver_against(&stage, row, "d");
    ps_test_hive_expect_rows("mon", "a\nb\nc\nd\n");
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_COMMITTED), 4);
    assert_null(ps_test_sink_recall(&stage));
    if (strcmp(row->call, "open_txns") != 0) /* a transaction whose opening was not answered is aborted by
                                              * Hive */
        assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), 0);
    PS_HIVE_AWAIT(&stage, TAILQ_EMPTY(&sink_of(&stage)->dead));
    expect_nothing_held(&stage);
    ps_test_stage_close(&stage);
    assert_int_equal(counter(&stage, PS_HIVE_PARTITIONS_OPEN), 0);
    assert_int_equal(counter(&stage, PS_HIVE_TXNS_OPEN), 0);
    ps_test_stage_fini(&stage);
}

/* Transactions that were opened and not used are no longer counted when the sink is closed. */
static void test_gauges_after_a_close(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_LINES("batchSize", "1", "hive.txnsPerBatchAsk", "10"));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("a")));
    PS_HIVE_AWAIT(&stage, counter(&stage, PS_HIVE_TXNS_OPEN) == 9);
    assert_null(ps_test_sink_recall(&stage));
    ps_test_stage_close(&stage);
    assert_int_equal(counter(&stage, PS_HIVE_PARTITIONS_OPEN), 0);
    assert_int_equal(counter(&stage, PS_HIVE_TXNS_OPEN), 0);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    static char names[PS_COUNT_OF(rows)][48];
    struct CMUnitTest tests[PS_COUNT_OF(rows) + 1];
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        snprintf(names[i], sizeof names[i], "%s: %d", rows[i].call, rows[i].exception);
        tests[i] = (struct CMUnitTest){names[i], test_outcome, ps_test_hive_setup, ps_test_folder_teardown,
                                       (void *)(uintptr_t)&rows[i]};
    }
    tests[PS_COUNT_OF(rows)] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(
        test_gauges_after_a_close, ps_test_hive_setup, ps_test_folder_teardown);
    return cmocka_run_group_tests(tests, ps_test_hive_group_setup, ps_test_hive_group_teardown);
}
