/* Transactions of the sink hive that fail, wait, or are stopped half-way; on the local disk. */
#include "stages/sinks/hive/internal.h"
#include "tests/support/dead_letters.h"
#include "tests/support/hive_stage.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

/* Returns whether no failed transaction is kept in memory. */
static bool nothing_is_dead(const struct ps_test_stage *stage)
{
    const struct ps_hive_sink *sink = *(struct ps_hive_sink **)stage->state;
    return TAILQ_EMPTY(&sink->dead);
}

/* The lock is checked less and less often. */
static void test_a_lock_that_waits_long(void **unused)
{
    struct ps_test_stage stage;
    ps_test_metastore_hold_locks(1, 4);
    ps_test_hive_start(&stage, PS_HIVE_LINES("batchSize", "15000"));
    uint64_t began_ns = stage.now.mono_ns;
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one")));
    assert_int_equal(ps_test_metastore_calls("check_lock"), 4);
    assert_true(stage.now.mono_ns - began_ns >= (100 + 200 + 400 + 800) * PS_NS_PER_MS);
    ps_test_stage_fini(&stage);
}

static char trouble[sizeof((struct ps_err){.length = 0}.text)];
static void record_trouble(struct ps_port *port, const struct ps_err *reason)
{
    snprintf(trouble, sizeof trouble, "%s", reason->text);
}

/* A transaction's files are in the directory that the metastore names, and in no other one whose name begins alike. */
static void test_locations(void **unused)
{
    static const struct {
        const char *location;
        bool is_in;
    } rows[] = {{"hdfs://nn1:8020/w/t/p=1", true},    {"hdfs://nn1:8020/w/t/p=10", false},
                {"hdfs://nn1:8020/w/t/p=1/x", false}, {"hdfs://nn1:8020/w/t/p=", false},
                {"hdfs://nn1:8020/w/t/p=2", false},   {"hdfs://nn1:8020/w/t", false},
                {"hdfs://nn1:8020/w/t_2/p=1", false}};
    struct ps_hive_sink sink = {.table = {.location = (char *)(uintptr_t) "hdfs://nn1:8020/w/t"}};
    const struct ps_hive_txn txn = {.sink = &sink, .directory = (char *)(uintptr_t) "/w/t/p=1/delta_1_1"};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const struct ps_slice location = {rows[i].location, (uint32_t)strlen(rows[i].location)};
        if (ps_hive_txn_is_in(&txn, location) != rows[i].is_in)
            fail_msg("%s", rows[i].location);
    }
}

/* After some checks of the lock its holder is reported. */
static void test_who_has_the_lock(void **unused)
{
    struct ps_test_stage stage;
    ps_test_metastore_hold_locks(1, 8);
    /* Time passes also while a call is outstanding, and no call times out by that. */
    ps_test_hive_start(&stage, PS_HIVE_LINES("batchSize", "15000", "callTimeout", "3600000"));
    stage.port.troubled = record_trouble;
    trouble[0] = '\0';
    ps_test_hive_offer(&stage, PS_LEASE(&stage, PS_BODY("one")));
    PS_HIVE_AWAIT(&stage, trouble[0] != '\0' || (ps_test_stage_pass_ms(&stage, 100), false));
    assert_int_equal(ps_test_metastore_calls("show_locks"), 1);
    assert_non_null(strstr(trouble, "somebody@host1 (query 7, transaction 13) waits for the exclusive lock"));
    assert_non_null(strstr(trouble, "somebody@host1 (penstock, transaction 11)"));
    PS_HIVE_AWAIT(&stage, stage.done_count == 1 || (ps_test_stage_pass_ms(&stage, 100), false));
    assert_int_equal(ps_test_metastore_calls("show_locks"), 1);
    ps_test_stage_fini(&stage);
}

/* The agent is stopped while Hive opens transactions: these come too late, and are aborted. */
static void test_recall_while_transactions_are_opened(void **unused)
{
    struct ps_test_stage stage;
    ps_test_metastore_set(PS_TEST_FAR_END_SLOW);
    ps_test_hive_start(&stage, PS_HIVE_LINES("batchSize", "15000"));
    ps_test_hive_offer(&stage, PS_LEASE(&stage, PS_BODY("one")));
    PS_HIVE_AWAIT(&stage, ps_test_metastore_calls("open_txns") == 1);
    struct ps_lease *back = ps_test_sink_recall(&stage);
    ps_test_metastore_set(PS_TEST_FAR_END_UP);
    assert_non_null(back);
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), 0);
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_ABORTED), 100);
    ps_test_hive_deliver(&stage, back);
    ps_test_hive_expect_rows("", "one\n");
    ps_test_stage_fini(&stage);
}

/* The same while the metastore has not answered: the sink waits for the answer, so that it can abort them. */
static void test_recall_waits_for_opened_transactions(void **unused)
{
    struct ps_test_stage stage;
    struct ps_lease *back = NULL;
    ps_test_metastore_hold("open_txns");
    ps_test_hive_start(&stage, PS_HIVE_LINES("batchSize", "15000"));
    ps_test_hive_offer(&stage, PS_LEASE(&stage, PS_BODY("one")));
    PS_HIVE_AWAIT(&stage, ps_test_metastore_is_holding());
    assert_false(stage.ops->sink->recall(stage.plan, stage.state, &back, &stage.now));
    ps_test_metastore_hold(NULL);
    PS_HIVE_AWAIT(&stage, stage.ops->sink->recall(stage.plan, stage.state, &back, &stage.now));
    assert_non_null(back);
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), 0);
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_ABORTED), 100);
    ps_test_hive_deliver(&stage, back);
    ps_test_hive_expect_rows("", "one\n");
    ps_test_stage_fini(&stage);
}

/* The transaction has an open file, which is no longer needed. */
static void test_recall_of_a_transaction_that_fills(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_KEYS("serializer", "DELIMITED", "serializer.fieldnames", "line",
                                            "penstock.commit.interval", "3600000"));
    ps_test_hive_offer(&stage, PS_LEASE(&stage, PS_BODY("one")));
    PS_HIVE_AWAIT(&stage, ps_test_metastore_calls("lock") == 1);
    struct ps_lease *back = ps_test_sink_recall(&stage);
    assert_non_null(back);
    PS_HIVE_AWAIT(&stage, nothing_is_dead(&stage));
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), 0);
    ps_test_hive_expect_rows("", "");
    ps_test_stage_fini(&stage);
}

/* The metastore accepts connections, and does not answer. */
static void test_a_metastore_that_is_silent(void **unused)
{
    struct ps_test_stage stage;
    char url[64];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    snprintf(url, sizeof url, "thrift://127.0.0.1:%u", ntohs(address.sin_port));
    ps_test_hive_start(&stage, PS_KEYS("hive.metastore", url, "hive.database", "default", "hive.table", "t",
                                       "serializer", "DELIMITED", "serializer.fieldnames", "line",
                                       "callTimeout", "5000"));
    stage.port.retry_step_ns = stage.port.retry_rest_max_ns = 60 * PS_NS_PER_S;
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("one"));
    uint64_t began_ns = stage.now.mono_ns;
    while (stage.now.mono_ns - began_ns < 4900 * PS_NS_PER_MS) {
        assert_int_equal(ps_test_sink_work(&stage, &lease), PS_LATER);
        (void)ps_test_sink_tick(&stage);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionFailedCount), 0);
        ps_test_stage_pass_ms(&stage, 100);
    }
    ps_test_stage_pass_ms(&stage, 5000);
    PS_HIVE_AWAIT(&stage, ps_test_stage_counter(&stage, PS_COUNTER_ConnectionFailedCount) > 0);
    assert_true(stage.now.mono_ns - began_ns < 20 * PS_NS_PER_S);
    close(listener);
    ps_test_stage_fini(&stage);
}

/* The events of a table that is dropped do not count as delivered: nothing is committed, and the engine opens the
 * sink again. */
static void test_a_table_that_is_dropped(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table again = ps_test_hive_lines("");
    ps_test_hive_start(&stage, PS_HIVE_LINES("batchSize", "15000"));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one")));
    ps_test_metastore_alter_table(NULL);
    ps_test_hive_offer(&stage, PS_LEASE(&stage, PS_BODY("two")));
    PS_HIVE_AWAIT(&stage, stage.failed);
    assert_non_null(strstr(stage.err.text, "no longer exists"));
    struct ps_lease *back = ps_test_sink_recall(&stage);
    assert_non_null(back);
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_COMMITTED), 1);
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), 0);
    again.created_s = 1700000000; /* another one of that name */
    ps_test_metastore_alter_table(&again);
    ps_test_stage_close(&stage);
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    ps_test_hive_deliver(&stage, back);
    ps_test_hive_expect_rows("", "one\ntwo\n");
    ps_test_stage_fini(&stage);
}

static void test_a_table_that_is_made_again(void **unused)
{
    struct ps_test_metastore_table table = ps_test_hive_lines(""), others[] = {table, table, table};
    others[0].created_s = 1;
    others[1].bucket_count = 2;
    others[2].columns = "line:string,more:int";
    for (size_t i = 0; i < PS_COUNT_OF(others); i++) {
        struct ps_test_stage stage;
        ps_test_metastore_set_table(&table);
        ps_test_hive_start(&stage, PS_HIVE_LINES("batchSize", "15000"));
        ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one")));
        ps_test_metastore_alter_table(&others[i]);
        ps_test_hive_offer(&stage, PS_LEASE(&stage, PS_BODY("two")));
        PS_HIVE_AWAIT(&stage, stage.failed);
        assert_non_null(strstr(stage.err.text, "was altered, or dropped and created again"));
        assert_non_null(ps_test_sink_recall(&stage));
        assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_COMMITTED), 1);
        ps_test_stage_fini(&stage);
    }
}

/* At first the look at the table gets no answer. */
static void test_a_look_that_fails(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_LINES("batchSize", "15000"));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one")));
    ps_test_metastore_cut("get_table_req", 2);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("two")));
    assert_int_equal(ps_test_metastore_left(), 0);
    assert_false(stage.failed);
    ps_test_hive_expect_rows("", "one\ntwo\n");
    ps_test_stage_fini(&stage);
}

/* Transactions that are locked before the previous one is committed check nothing, unless that commit fails. */
static void test_transactions_that_follow_each_other(void **unused)
{
    struct ps_test_metastore_table table = ps_test_hive_lines("day:string");
    for (unsigned failures = 0; failures < 2; failures++) {
        struct ps_test_stage stage;
        ps_test_metastore_set_table(&table);
        ps_test_metastore_mark();
        ps_test_hive_start(
            &stage, PS_HIVE_LINES("batchSize", "2", PS_HIVE_BY_DAY, "penstock.commit.interval", "3600000"));
        ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("0", "mon"), PS_HIVE_DAY("1", "mon")));
        unsigned tables = ps_test_metastore_calls("get_table_req"),
                 partitions = ps_test_metastore_calls("get_partition");
        ps_test_metastore_refuse("commit_txn", failures);
        ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("2", "mon"), PS_HIVE_DAY("3", "mon"),
                                              PS_HIVE_DAY("4", "mon"), PS_HIVE_DAY("5", "mon"),
                                              PS_HIVE_DAY("6", "mon"), PS_HIVE_DAY("7", "mon")));
        if (failures == 0) {
            assert_int_equal(ps_test_metastore_calls("get_table_req") - tables, 1);
            assert_int_equal(ps_test_metastore_calls("get_partition") - partitions, 1);
            ps_test_hive_expect_rows("mon", "0\n1\n2\n3\n4\n5\n6\n7\n");
        } else {
            char folder[400], rows[256];
            snprintf(folder, sizeof folder, "%s/mon", ps_test_hive_folder());
            assert_true(ps_test_metastore_calls("get_table_req") - tables >= 2);
            assert_int_equal(ps_test_metastore_rows(folder, rows, sizeof rows), 8);
        }
        assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_COMMITTED), 4);
        assert_null(ps_test_sink_recall(&stage));
        assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), 0);
        ps_test_stage_fini(&stage);
    }
}

/* Returns whether the folder of the table, or of its partition mon, has a directory of a transaction. */
static bool has_delta(const char *day)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", ps_test_hive_folder(), day);
    DIR *folder = opendir(path);
    bool found = false;
    for (struct dirent *entry; folder != NULL && !found && (entry = readdir(folder)) != NULL;)
        found = strncmp(entry->d_name, "delta_", 6) == 0;
    if (folder != NULL)
        closedir(folder);
    return found;
}

/* From time to time an hour passes, so that the commit is due. A call that is under way at that moment is late and
 * fails, and the next hour makes the sink try again. */
static bool is_done_in_hours(struct ps_test_stage *stage, unsigned *turns)
{
    if ((*turns)++ % 500 == 100)
        ps_test_stage_pass_ms(stage, 3600000);
    return stage->done_count == 1;
}

/* Hive forgets an aborted transaction if it does not know that the transaction writes to a table; the rows in its directory
 * would be read then. The directory is created only after the lock is granted, also when the transaction ends meanwhile. */
static void expect_no_file_before_the_lock(const char *day, const char *const *keys)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = ps_test_hive_lines(day[0] == '\0' ? "" : "day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, keys);
    ps_test_metastore_hold("lock");
    ps_test_hive_offer(&stage, PS_LEASE(&stage, PS_HIVE_DAY("one", "mon"), PS_HIVE_DAY("two", "mon")));
    PS_HIVE_AWAIT(&stage, ps_test_metastore_calls("allocate_table_write_ids") == 1);
    PS_HIVE_AWAIT(&stage, day[0] == '\0' || ps_test_metastore_calls("add_dynamic_partitions") == 1);
    for (unsigned turns = 0; turns < 50; turns++) {
        ps_test_hive_turn(&stage);
        assert_false(has_delta(day));
    }
    ps_test_metastore_hold(NULL);
    PS_HIVE_AWAIT(&stage, has_delta(day));
    unsigned turns = 0;
    PS_HIVE_AWAIT(&stage, is_done_in_hours(&stage, &turns));
    ps_test_hive_expect_rows(day[0] == '\0' ? "" : "mon", "one\ntwo\n");
    ps_test_stage_fini(&stage);
}

static void test_no_file_before_the_lock(void **unused)
{
    expect_no_file_before_the_lock("", PS_HIVE_LINES("batchSize", "15000"));
}

static void test_no_file_before_the_lock_of_a_partition(void **unused)
{
    expect_no_file_before_the_lock("mon", PS_HIVE_LINES(PS_HIVE_BY_DAY));
}

static void test_no_file_before_the_lock_of_one_that_fills(void **unused)
{
    expect_no_file_before_the_lock("mon",
                                   PS_HIVE_KEYS("serializer", "DELIMITED", "serializer.fieldnames", "line",
                                                "penstock.commit.interval", "3600000", PS_HIVE_BY_DAY));
}

/* A success resets the count of failures: the backoff after the next failure is as long as after the first. */
static void test_a_failure_after_a_success(void **unused)
{
    static const char *const calls[] = {"lock",       "commit_txn", "open_txns", "allocate_table_write_ids",
                                        "commit_txn", "lock"};
    struct ps_test_stage stage;
    char body[2] = "a";
    ps_test_hive_start(&stage, PS_HIVE_LINES("batchSize", "1", "hive.txnsPerBatchAsk", "1"));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("0")));
    const struct ps_hive_sink *sink = *(struct ps_hive_sink **)stage.state;
    const struct ps_hive_partition *partition = TAILQ_FIRST(&sink->recent);
    for (unsigned i = 0; i < PS_COUNT_OF(calls); i++, body[0]++) {
        uint64_t step_ns = stage.port.retry_step_ns;
        size_t done = stage.done_count;
        ps_test_metastore_refuse(calls[i], 1);
        ps_test_hive_offer(&stage, PS_LEASE(&stage, PS_BODY(body)));
        PS_HIVE_AWAIT(&stage, partition->failures > 0 || stage.done_count > done);
        assert_int_equal(partition->failures, 1);
        assert_true(partition->rest_ns <= stage.now.mono_ns + step_ns);
        ps_test_sink_wait(&stage, done + 1, PS_TEST_PATIENCE_MS);
        assert_int_equal(partition->failures, 0);
        assert_int_equal(partition->trouble.tries, 0);
        assert_int_equal(ps_test_metastore_left(), 0);
    }
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_COMMITTED), 1 + PS_COUNT_OF(calls));
    assert_true(nothing_is_dead(&stage));
    assert_null(ps_test_sink_recall(&stage));
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), 0);
    ps_test_stage_fini(&stage);
}

/* A transaction fails while the next ones get their write ids: these are then aborted, and not used. */
static void test_a_failure_while_write_ids_are_allocated(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = ps_test_hive_lines("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage,
                       PS_HIVE_LINES("batchSize", "2", "hive.txnsPerBatchAsk", "2", "hive.partition", "mon"));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("a")));
    ps_test_metastore_drop_partitions(NULL);
    ps_test_metastore_hold("allocate_table_write_ids");
    ps_test_hive_offer(&stage, PS_LEASE(&stage, PS_BODY("b"), PS_BODY("c"), PS_BODY("d"), PS_BODY("e")));
    PS_HIVE_AWAIT(&stage, ps_test_stage_counter(&stage, PS_COUNTER_EventWriteFail) == 1);
    ps_test_metastore_hold(NULL);
    PS_HIVE_AWAIT(&stage, stage.done_count == 2);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventWriteFail), 1);
    ps_test_hive_expect_rows("mon", "a\nb\nc\nd\ne\n");
    assert_null(ps_test_sink_recall(&stage));
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), 0);
    ps_test_stage_fini(&stage);
}

/* A transaction fails while the next ones are opened: these are used, but only after the partition's backoff. */
static void test_a_failure_while_transactions_are_opened(void **unused)
{
    struct ps_test_stage stage;
    char path[400];
    ps_test_hive_start(&stage, PS_HIVE_LINES("batchSize", "2", "hive.txnsPerBatchAsk", "2"));
    stage.port.retry_step_ns = stage.port.retry_rest_max_ns = 3600 * PS_NS_PER_S;
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("a")));
    snprintf(path, sizeof path, "%s/delta_0000002_0000002", ps_test_hive_folder());
    FILE *file = fopen(path, "w"); /* instead of its directory */
    assert_non_null(file);
    fclose(file);
    ps_test_metastore_hold("open_txns");
    ps_test_hive_offer(&stage, PS_LEASE(&stage, PS_BODY("b"), PS_BODY("c"), PS_BODY("d"), PS_BODY("e")));
    PS_HIVE_AWAIT(&stage, ps_test_stage_counter(&stage, PS_COUNTER_EventWriteFail) == 1);
    ps_test_metastore_hold(NULL);
    PS_HIVE_AWAIT(&stage, ps_test_metastore_calls("allocate_table_write_ids") == 2);
    for (unsigned turns = 0; turns < 50; turns++)
        ps_test_hive_turn(&stage);
    assert_int_equal(ps_test_metastore_calls("lock"), 2);
    ps_test_stage_pass_ms(&stage, 3600000);
    PS_HIVE_AWAIT(&stage, stage.done_count == 2);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventWriteFail), 1);
    assert_int_equal(unlink(path), 0);
    ps_test_hive_expect_rows("", "a\nb\nc\nd\ne\n");
    assert_null(ps_test_sink_recall(&stage));
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), 0);
    ps_test_stage_fini(&stage);
}

/* A transaction notices after it gets its lock that the partition was dropped, and the partition is made again for its events. */
static void test_a_partition_that_is_dropped(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = ps_test_hive_lines("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, PS_HIVE_LINES("batchSize", "15000", PS_HIVE_BY_DAY));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("one", "mon")));
    ps_test_metastore_drop_partitions(NULL);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("two", "mon")));
    assert_int_equal(ps_test_metastore_calls("append_partition"), 2);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_retried), 1);
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_COMMITTED), 2);
    ps_test_stage_fini(&stage);
}

/* A slow metastore gets the unused transactions of all partitions in one list to abort, and the recall waits for it. */
static void test_recall_aborts_those_of_all_partitions(void **unused)
{
    struct ps_test_stage stage;
    char days[20][8];
    struct ps_test_metastore_table table = ps_test_hive_lines("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage,
                       PS_HIVE_LINES("batchSize", "15000", PS_HIVE_BY_DAY, "hive.txnsPerBatchAsk", "5"));
    for (size_t i = 0; i < PS_COUNT_OF(days); i++) {
        snprintf(days[i], sizeof days[i], "%zu", i);
        ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("one", days[i])));
    }
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), 4 * PS_COUNT_OF(days));
    ps_test_metastore_set(PS_TEST_FAR_END_SLOW);
    assert_null(ps_test_sink_recall(&stage));
    ps_test_metastore_set(PS_TEST_FAR_END_UP);
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), 0);
    assert_int_equal(ps_test_metastore_calls("abort_txns"), 2);
    ps_test_stage_fini(&stage);
}

/* Closed partitions do not count for maxOpenConnections. */
static void test_closed_partitions_make_room(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = ps_test_hive_lines("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, PS_HIVE_LINES(PS_HIVE_BY_DAY, "maxOpenConnections", "2",
                                             "hive.txnsPerBatchAsk", "5", "idleTimeout", "60000"));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("a", "mon"), PS_HIVE_DAY("b", "tue")));
    ps_test_stage_pass_ms(&stage, 61000);
    PS_HIVE_AWAIT(&stage, ps_test_stage_counter(&stage, PS_COUNTER_ConnectionClosedCount) == 2);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("c", "wed"), PS_HIVE_DAY("d", "thu")));
    for (unsigned i = 0; i < 50; i++)
        (void)ps_test_sink_tick(&stage);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionClosedCount), 2);
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), 8);
    ps_test_stage_fini(&stage);
}

/* The values of a partition take at most 2,047 bytes, each with a byte after it; a longer list is refused, not cut.
 * So is a name that is too long for a directory. */
static void test_a_partition_that_is_too_long(void **unused)
{
    struct ps_test_stage stage;
    static char day[3000];
    struct ps_test_metastore_table table = ps_test_hive_lines("day:string");
    memset(day, 'x', sizeof day - 1);
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, PS_HIVE_LINES(PS_HIVE_BY_DAY));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("a", "mon")));
    struct ps_lease *lease = PS_LEASE(&stage, PS_HIVE_DAY("b", day));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_RETRY);
    day[252] = '\0'; /* "day=" and this are too long for a directory */
    lease = PS_LEASE(&stage, PS_HIVE_DAY("b", day));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_RETRY);
    memset(day, 'x', sizeof day - 1);
    day[2047] = '\0';
    lease = PS_LEASE(&stage, PS_HIVE_DAY("b", day));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_RETRY);
    assert_int_equal(ps_test_metastore_calls("append_partition"), 1);
    day[251] = '\0';
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("b", day)));
    ps_test_hive_expect_rows(day, "b\n");
    ps_test_stage_fini(&stage);
}

/* The directory of a partition cannot be made. Leases that are delivered after its own are released, if the channel
 * records each batch by itself. */
static void test_a_partition_that_fails_for_good(void **unused)
{
    struct ps_test_stage stage;
    char path[600];
    struct ps_test_metastore_table table = ps_test_hive_lines("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, PS_HIVE_LINES(PS_HIVE_BY_DAY));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("a", "mon")));
    snprintf(path, sizeof path, "%s/day=bad", ps_test_hive_folder());
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    struct ps_lease *bad = PS_LEASE(&stage, PS_HIVE_DAY("a", "bad"));
    struct ps_lease *good = PS_LEASE(&stage, PS_HIVE_DAY("b", "mon"));
    bad->batch->any_order = good->batch->any_order = true;
    ps_test_hive_offer(&stage, bad);
    ps_test_hive_offer(&stage, good);
    PS_HIVE_AWAIT(&stage, stage.done_count == 2);
    ps_test_hive_expect_rows("mon", "a\nb\n");
    assert_ptr_equal(ps_test_sink_recall(&stage), bad);
    assert_null(bad->next);
    ps_test_stage_fini(&stage);
}

static void test_events_without_their_partition_are_dead_letters(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = ps_test_hive_lines("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, PS_HIVE_LINES(PS_HIVE_BY_DAY));
    ps_test_dead_letters_open(&stage);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("no day"), PS_HIVE_DAY("a", "mon"), PS_BODY("none"),
                                          PS_HIVE_DAY("b", "mon"), PS_BODY("none either")));
    ps_test_hive_expect_rows("mon", "a\nb\n");
    assert_string_equal(ps_test_dead_letters_bodies("event-unwritable"), "no day\nnone\nnone either\n");
    ps_test_stage_close(&stage);
    ps_test_dead_letters_close(&stage);
    ps_test_stage_fini(&stage);
}

/* One bit marks each event of a lease: more than a machine word of them. */
static void test_dead_letters_in_a_long_lease(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_event events[130], good = PS_HIVE_DAY("good", "mon");
    struct ps_test_metastore_table table = ps_test_hive_lines("day:string");
    for (unsigned i = 0; i < PS_COUNT_OF(events); i++)
        events[i] = good;
    events[31] = PS_BODY("31");
    events[40] = PS_BODY("40");
    events[63] = PS_BODY("63");
    events[64] = PS_BODY("64");
    events[129] = PS_BODY("129");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, PS_HIVE_LINES(PS_HIVE_BY_DAY));
    ps_test_dead_letters_open(&stage);
    ps_test_hive_deliver(&stage, ps_test_lease(&stage, events, PS_COUNT_OF(events)));
    assert_string_equal(ps_test_dead_letters_bodies("event-unwritable"), "31\n40\n63\n64\n129\n");
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_deadletter), 5);
    ps_test_stage_close(&stage);
    ps_test_dead_letters_close(&stage);
    ps_test_stage_fini(&stage);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, ps_test_hive_setup, ps_test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_locations),
        TEST(test_a_lock_that_waits_long),
        TEST(test_who_has_the_lock),
        TEST(test_recall_while_transactions_are_opened),
        TEST(test_recall_waits_for_opened_transactions),
        TEST(test_recall_of_a_transaction_that_fills),
        TEST(test_a_table_that_is_dropped),
        TEST(test_a_table_that_is_made_again),
        TEST(test_a_look_that_fails),
        TEST(test_transactions_that_follow_each_other),
        TEST(test_no_file_before_the_lock),
        TEST(test_no_file_before_the_lock_of_a_partition),
        TEST(test_no_file_before_the_lock_of_one_that_fills),
        TEST(test_a_failure_after_a_success),
        TEST(test_a_failure_while_transactions_are_opened),
        TEST(test_a_failure_while_write_ids_are_allocated),
        TEST(test_a_partition_that_is_dropped),
        TEST(test_recall_aborts_those_of_all_partitions),
        TEST(test_a_metastore_that_is_silent),
        TEST(test_closed_partitions_make_room),
        TEST(test_a_partition_that_is_too_long),
        TEST(test_a_partition_that_fails_for_good),
        TEST(test_events_without_their_partition_are_dead_letters),
        TEST(test_dead_letters_in_a_long_lease),
    };
    return cmocka_run_group_tests(tests, ps_test_hive_group_setup, ps_test_hive_group_teardown);
}
