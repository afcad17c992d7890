/* Sink hive: its keys, and transactions against a metastore within the test, on the local disk. With the real Hive:
 * tests/real/hive_sink_test.sh. */
#include "stages/sinks/hive/internal.h"
#include "tests/support/dead_letters.h"
#include "tests/support/hive_stage.h"
#include "tests/support/no_descriptors.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USUAL "batchSize", "15000"

/* ---- keys ---- */

static void assert_refused(const char *const *keys, const char *text)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_sink_hive);
    assert_int_equal(ps_test_stage_bind(&stage, keys), PS_FAIL);
    if (!ps_test_stage_reported(&stage, PS_LOG_ERROR, text))
        fail_msg("no error says: %s", text);
    ps_test_stage_fini(&stage);
}

static void assert_warned(const char *const *keys, const char *text)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_sink_hive);
    assert_int_equal(ps_test_stage_bind(&stage, keys), PS_OK);
    if (!ps_test_stage_reported(&stage, PS_LOG_WARN, text))
        fail_msg("no warning says: %s", text);
    ps_test_stage_fini(&stage);
}

#define TABLE "hive.metastore", "thrift://localhost:9083", "hive.database", "default", "hive.table", "t"

static void test_keys_that_are_refused(void **unused)
{
    assert_refused(PS_KEYS(TABLE, "serializer", "DELIMTED", "serializer.fieldnames", "a"),
                   "did you mean DELIMITED?");
    assert_refused(PS_KEYS(TABLE, "serializer", "com.example.Mine"), "custom classes are not loaded");
    assert_refused(PS_KEYS(TABLE, "serializer", "DELIMITED"), "needs the column of each field");
    assert_refused(PS_KEYS("hive.metastore", "localhost:9083", "hive.database", "d", "hive.table", "t",
                           "serializer", "DELIMITED", "serializer.fieldnames", "a"),
                   "thrift://HOST:PORT");
    assert_refused(PS_HIVE_LINES("batchSize", "0"), "must be greater than 0");
    assert_refused(PS_HIVE_LINES("hive.txnsPerBatchAsk", "0"), "must be greater than 0");
    assert_refused(PS_HIVE_LINES("roundValue", "61"), "must be from 1 to 60");
    assert_refused(PS_HIVE_LINES("serializer.delimiter", "\\s+"), "matches several texts");
    assert_refused(PS_HIVE_LINES("hive.partition", "a,,b"), "empty value");
    assert_refused(PS_HIVE_LINES("hive.partition", ",b"), "empty value");
    assert_refused(PS_HIVE_LINES("hive.partition", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"),
                   "more than 16 values");
    assert_refused(PS_HIVE_LINES("hive.partition", "%[nobody]"), "hive.partition");
    assert_refused(PS_HIVE_LINES("penstock.kerberosPrincipal", "flume"), "penstock.kerberosKeytab");
    assert_refused(PS_HIVE_LINES("penstock.kerberosKeytab", "/flume.keytab"), "penstock.kerberosPrincipal");
}

/* Each file of Hadoop's configuration that cannot be understood is refused, by its name: without hive-site.xml the sink would
 * take a metastore with logins for one without. */
static void test_files_of_hadoop(void **unused)
{
    static const char *const files[] = {"core-site.xml", "hive-site.xml"};
    static const char *const texts[] = {"<configuration><property><name>a.b</name>", "<configuration/>"};
    for (size_t damaged = 0; damaged <= PS_COUNT_OF(files); damaged++) { /* the last time: none */
        for (size_t i = 0; i < PS_COUNT_OF(files); i++) {
            const char *text = texts[i != damaged];
            (void)unlink(ps_test_folder_path(files[i]));
            ps_test_folder_append(files[i], text, strlen(text));
        }
        char *folder = strdup(ps_test_folder());
        const char *const *keys = PS_HIVE_LINES("penstock.hadoop.conf", folder);
        if (damaged < PS_COUNT_OF(files)) {
            assert_refused(keys, files[damaged]);
        } else {
            struct ps_test_stage stage;
            ps_test_stage_init(&stage, &ps_sink_hive);
            assert_int_equal(ps_test_stage_bind(&stage, keys), PS_OK);
            ps_test_stage_fini(&stage);
        }
        free(folder);
    }
}

/* Principal and keytab are needed together: where one is missing, that is the error, and the files of the login are not looked at with a half of it. */
static void test_halves_of_a_login(void **unused)
{
    static const char *const keys[] = {"penstock.kerberosPrincipal", "penstock.kerberosKeytab"};
    static const char damaged[] = "<configuration><property>";
    ps_test_folder_append("core-site.xml", damaged, sizeof damaged - 1);
    char *folder = strdup(ps_test_folder());
    for (unsigned given = 0; given < 4; given++) {
        struct ps_test_stage stage;
        bool half = given == 1 || given == 2;
        ps_test_stage_init(&stage, &ps_sink_hive);
        const char *const *all =
            given == 0 ? PS_HIVE_LINES("penstock.hadoop.conf", folder)
            : given == 3
                ? PS_HIVE_LINES("penstock.hadoop.conf", folder, keys[0], "flume", keys[1], "/flume.keytab")
                : PS_HIVE_LINES("penstock.hadoop.conf", folder, keys[given - 1], "/flume");
        assert_int_equal(ps_test_stage_bind(&stage, all), PS_FAIL);
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(ps_test_stage_reported(&stage, PS_LOG_ERROR, keys[i]), half && i != given - 1);
        assert_int_equal(ps_test_stage_reported(&stage, PS_LOG_ERROR, "core-site.xml"), !half);
        ps_test_stage_fini(&stage);
    }
    free(folder);
}

#define TRIES 200U

/* A sink that cannot be opened, as while no descriptor is left, leaves nothing, however often it is tried. (A sanitizer counts no
 * memory here; it finds what is lost itself.) */
static void test_opened_without_descriptors(void **unused)
{
    struct ps_test_stage stage;
    struct rlimit before;
    ps_test_stage_init(&stage, &ps_sink_hive);
    assert_int_equal(ps_test_stage_bind(&stage, PS_HIVE_LINES(USUAL)), PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    ps_test_no_descriptors(&before);
    assert_int_equal(ps_test_stage_open(&stage), PS_FAIL);
    size_t used = mallinfo2().uordblks;
    for (unsigned i = 0; i < TRIES; i++) {
        stage.err.length = 0;
        assert_int_equal(ps_test_stage_open(&stage), PS_FAIL);
    }
    size_t more = mallinfo2().uordblks - used;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true((ssize_t)more < (ssize_t)(TRIES / 4 * sizeof(struct ps_hive_sink)));
    assert_int_equal(ps_test_stage_open(&stage), PS_OK);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one")));
    ps_test_hive_expect_rows("", "one\n");
    ps_test_stage_fini(&stage);
}

/* Java's split drops the empty values at the end, however many there are. */
static void test_commas_at_the_end(void **unused)
{
    static const char most[] = "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,%{a},";
    static const char *const values[] = {"%{a}", "%{a},", "%{a},,,", most};
    for (size_t i = 0; i < PS_COUNT_OF(values); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_sink_hive);
        if (ps_test_stage_bind(&stage, PS_HIVE_LINES("hive.partition", values[i])) != PS_OK)
            fail_msg("%s: %s", values[i], stage.err.text);
        ps_test_stage_fini(&stage);
    }
}

static void test_keys_with_a_warning(void **unused)
{
    assert_warned(PS_HIVE_LINES("batchSize", "-1"), "15000 is used, as in Flume");
    assert_warned(PS_HIVE_LINES("heartBeatInterval", "0"), "hive.txn.timeout");
    assert_warned(PS_HIVE_LINES("serializer.delimiter", "|"), "Flume's regular expression");
    assert_warned(PS_HIVE_LINES("hive.partition", "day=%Y"), "takes only values");
    assert_warned(PS_HIVE_LINES("roundUnit", "day"), "times are not rounded");
}

/* ---- transactions ---- */

static void test_rows_of_a_table(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_LINES(USUAL));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one"), PS_BODY("two"), PS_BODY("three")));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("four,passed over")));
    ps_test_hive_expect_rows("", "one\ntwo\nthree\nfour\n");
    assert_int_equal(ps_test_metastore_calls("add_dynamic_partitions"), 0);
    assert_int_equal(ps_test_metastore_calls("open_txns"), 1);
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_COMMITTED), 2);
    assert_null(ps_test_sink_recall(&stage));
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_ABORTED), 98); /* the rest of the hive.txnsPerBatchAsk
                                                                        * transactions */
    ps_test_stage_fini(&stage);
}

static void test_partitions(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = ps_test_hive_lines("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, PS_HIVE_LINES(PS_HIVE_BY_DAY));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("a", "mon"), PS_HIVE_DAY("b", "tue"),
                                          PS_HIVE_DAY("c", "mon"), PS_HIVE_DAY("d", "tue")));
    ps_test_hive_expect_rows("mon", "a\nc\n");
    ps_test_hive_expect_rows("tue", "b\nd\n");
    assert_int_equal(ps_test_metastore_calls("append_partition"), 2);
    assert_int_equal(ps_test_metastore_calls("add_dynamic_partitions"), 2);
    ps_test_stage_fini(&stage);
}

static void test_batch_size(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_LINES("batchSize", "2", "hive.txnsPerBatchAsk", "2"));
    ps_test_hive_deliver(
        &stage, PS_LEASE(&stage, PS_BODY("1"), PS_BODY("2"), PS_BODY("3"), PS_BODY("4"), PS_BODY("5")));
    ps_test_hive_expect_rows("", "1\n2\n3\n4\n5\n");
    assert_int_equal(ps_test_metastore_calls("commit_txn"), 3);
    assert_int_equal(ps_test_metastore_calls("open_txns"), 2);
    ps_test_stage_fini(&stage);
}

static void test_calls_that_fail(void **unused)
{
    static const char *const calls[] = {"open_txns", "allocate_table_write_ids", "lock", "get_table_req"};
    for (unsigned i = 0; i < PS_COUNT_OF(calls); i++) {
        struct ps_test_stage stage;
        ps_test_metastore_mark();
        ps_test_hive_start(&stage, PS_HIVE_LINES(USUAL));
        ps_test_metastore_cut(calls[i], 1);
        ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one")));
        assert_int_equal(ps_test_metastore_left(), 0);
        ps_test_metastore_refuse(calls[i], 1);
        (void)ps_test_sink_recall(&stage);
        ps_test_stage_close(&stage);
        assert_int_equal(ps_test_stage_open(&stage), PS_OK);
        ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("two")));
        assert_int_equal(ps_test_metastore_left(), 0);
        ps_test_hive_expect_rows("", "one\ntwo\n");
        ps_test_stage_fini(&stage);
    }
}

static void test_a_lock_that_waits(void **unused)
{
    struct ps_test_stage stage;
    ps_test_metastore_hold_locks(1, 3);
    ps_test_hive_start(&stage, PS_HIVE_LINES(USUAL));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one")));
    ps_test_hive_expect_rows("", "one\n");
    assert_int_equal(ps_test_metastore_calls("check_lock"), 3);
    ps_test_stage_fini(&stage);
}

/* Hive has aborted the open transactions, as after a pause of the agent that was longer than Hive's time-out. */
static void test_transactions_that_hive_has_aborted(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_LINES("heartBeatInterval", "100"));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one")));
    ps_test_metastore_abort_open();
    unsigned beats = ps_test_metastore_calls("heartbeat_txn_range");
    ps_test_stage_pass_ms(&stage, 101000);
    PS_HIVE_AWAIT(&stage, ps_test_metastore_calls("heartbeat_txn_range") > beats &&
                              ps_test_metastore_calls("abort_txns") > 0);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("two")));
    ps_test_hive_expect_rows("", "one\ntwo\n");
    assert_int_equal(ps_test_metastore_calls("open_txns"), 2);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_retried), 0);
    ps_test_stage_fini(&stage);
}

static void test_partitions_are_closed(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = ps_test_hive_lines("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, PS_HIVE_LINES(PS_HIVE_BY_DAY, "maxOpenConnections", "2",
                                             "hive.txnsPerBatchAsk", "5", "idleTimeout", "60000"));
    ps_test_hive_deliver(
        &stage, PS_LEASE(&stage, PS_HIVE_DAY("a", "mon"), PS_HIVE_DAY("b", "tue"), PS_HIVE_DAY("c", "wed")));
    PS_HIVE_AWAIT(&stage, ps_test_metastore_txns(PS_TEST_TXN_OPEN) == 8); /* transactions of two partitions */
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_ABORTED), 4);
    ps_test_stage_pass_ms(&stage, 61000);
    PS_HIVE_AWAIT(&stage, ps_test_metastore_txns(PS_TEST_TXN_OPEN) == 0);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionCreatedCount), 3);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionClosedCount), 3);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("d", "mon")));
    ps_test_hive_expect_rows("mon", "a\nd\n");
    ps_test_stage_fini(&stage);
}

/* A file exists where the table's folder should be: nothing can be written. */
static void test_files_that_fail(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_LINES(USUAL));
    ps_test_folder_append("t", "", 0);
    ps_test_hive_offer(&stage, PS_LEASE(&stage, PS_BODY("one"), PS_BODY("two")));
    PS_HIVE_AWAIT(&stage, ps_test_stage_counter(&stage, PS_COUNTER_EventWriteFail) > 0);
    PS_HIVE_AWAIT(&stage, ps_test_metastore_txns(PS_TEST_TXN_OPEN) == 0);
    assert_int_equal(remove(ps_test_hive_folder()), 0);
    ps_test_sink_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    ps_test_hive_expect_rows("", "one\ntwo\n");
    ps_test_stage_fini(&stage);
}

/* An event that cannot become a row is dropped, as in Flume, or becomes a dead letter. */
static void test_rows_of_json(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_KEYS("serializer", "json", "penstock.commit.interval", "0"));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("{\"line\": \"one\"}"), PS_BODY("no row"),
                                          PS_BODY("{\"LINE\": \"two\", \"more\": 3}")));
    ps_test_hive_expect_rows("", "one\ntwo\n");
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 1);
    ps_test_stage_fini(&stage);
}

static void test_dead_letters(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_KEYS("serializer", "JSON", "penstock.commit.interval", "0"));
    ps_test_dead_letters_open(&stage);
    ps_test_hive_deliver(&stage,
                         PS_LEASE(&stage, PS_BODY("{\"line\": \"one\"}"), PS_BODY("no row"), PS_BODY("{7}")));
    ps_test_hive_expect_rows("", "one\n");
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_deadletter), 2);
    assert_string_equal(ps_test_dead_letters_bodies("event-unwritable"), "no row\n{7}\n");
    assert_int_equal(ps_test_dead_letters_with("the body is not an object"), 1); /* each letter has its own
                                                                                  * reason */
    ps_test_stage_close(&stage);
    ps_test_dead_letters_close(&stage);
    ps_test_stage_fini(&stage);
}

static void test_a_table_that_is_not_transactional(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = ps_test_hive_lines("");
    table.parameters = "orc.compress=NONE";
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, PS_HIVE_LINES(USUAL));
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("one")), *offered = lease;
    assert_int_equal(ps_test_sink_work(&stage, &offered), PS_LATER);
    PS_HIVE_AWAIT(&stage, ps_test_metastore_calls("get_table_req") == 2);
    assert_int_equal(ps_test_sink_work(&stage, &offered), PS_LATER);
    table.parameters = "transactional=true,orc.compress=NONE";
    ps_test_metastore_set_table(&table);
    ps_test_hive_deliver(&stage, lease);
    ps_test_hive_expect_rows("", "one\n");
    ps_test_stage_fini(&stage);
}

static void test_an_event_without_its_partition(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = ps_test_hive_lines("day:string");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, PS_HIVE_LINES(PS_HIVE_BY_DAY));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("a", "mon")));
    struct ps_lease *lease = PS_LEASE(&stage, PS_HIVE_DAY("b", "mon"), PS_BODY("no day"));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_RETRY);
    ps_test_hive_expect_rows("mon", "a\n");
    ps_test_stage_fini(&stage);
}

/* Keys that are not strings: one partition for each value, whatever its text. */
static void test_values_of_partitions(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = ps_test_hive_lines("year:int,day:date");
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage, PS_HIVE_LINES("hive.partition", "%{y},%{d}"));
    ps_test_dead_letters_open(&stage);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_EVENT("a", "y", "2026", "d", "2026-02-09"),
                                          PS_EVENT("b", "y", "02026", "d", "2026-2-9"),
                                          PS_EVENT("c", "y", "x", "d", "2026-02-09"),
                                          PS_EVENT("d", "y", "2026", "d", "2026-02-30"),
                                          PS_EVENT("e", "y", "2026", "d", "__HIVE_DEFAULT_PARTITION__")));
    ps_test_hive_expect_rows("2026/2026-02-09", "a\nb\n");
    ps_test_hive_expect_rows("2026/__HIVE_DEFAULT_PARTITION__", "e\n");
    assert_int_equal(ps_test_metastore_calls("append_partition"), 2);
    assert_string_equal(ps_test_dead_letters_bodies("event-unwritable"), "c\nd\n");
    ps_test_stage_close(&stage);
    ps_test_dead_letters_close(&stage);
    ps_test_stage_fini(&stage);
}

/* The values of a partition together, each with a terminating 0: 2,047 bytes are accepted; one byte more, and many
 * more, are refused. */
static void test_values_that_are_too_long_together(void **unused)
{
    static const struct {
        size_t last;
        bool good;
    } cases[] = {{119, false}, {118, true}, {240, false}, {117, true}};
    struct ps_test_stage stage;
    char value[241], last[241];
    struct ps_test_metastore_table table = ps_test_hive_lines(
        "k1:string,k2:string,k3:string,k4:string,k5:string,k6:string,k7:string,k8:string,k9:string");
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(&stage,
                       PS_HIVE_LINES("hive.partition", "%{v},%{v},%{v},%{v},%{v},%{v},%{v},%{v},%{last}"));
    ps_test_dead_letters_open(&stage);
    for (unsigned i = 0, good = 0; i < PS_COUNT_OF(cases); i++) {
        snprintf(last, sizeof last, "%.*s", (int)cases[i].last, value);
        ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_EVENT("a", "v", value, "last", last)));
        good += cases[i].good;
        assert_int_equal(ps_test_metastore_calls("append_partition"), good);
    }
    assert_string_equal(ps_test_dead_letters_bodies("event-unwritable"), "a\na\n");
    ps_test_stage_close(&stage);
    ps_test_dead_letters_close(&stage);
    ps_test_stage_fini(&stage);
}

/* The last value is a date, which Hive writes in two more letters than the event: the values have room for it up to the last byte, and no further. */
static void test_a_value_that_becomes_too_long(void **unused)
{
    static const struct {
        int before; /* bytes of the value before the date */
        bool good;
    } cases[] = {{107, true}, {108, false}, {109, false}, {110, false}, {111, false}, {107, true}};
    struct ps_test_stage stage;
    char value[241], last[241];
    struct ps_test_metastore_table table = ps_test_hive_lines(
        "k1:string,k2:string,k3:string,k4:string,k5:string,k6:string,k7:string,k8:string,k9:string,k10:date");
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(
        &stage, PS_HIVE_LINES("hive.partition", "%{v},%{v},%{v},%{v},%{v},%{v},%{v},%{v},%{last},2026-2-9"));
    ps_test_dead_letters_open(&stage);
    for (unsigned i = 0; i < PS_COUNT_OF(cases); i++) {
        snprintf(last, sizeof last, "%.*s", cases[i].before, value);
        ps_test_hive_deliver(
            &stage, PS_LEASE(&stage, PS_EVENT(cases[i].good ? "good" : "a", "v", value, "last", last)));
    }
    assert_string_equal(ps_test_dead_letters_bodies("event-unwritable"), "a\na\na\na\n");
    ps_test_stage_close(&stage);
    ps_test_dead_letters_close(&stage);
    ps_test_stage_fini(&stage);
}

/* ---- check --probe ---- */

static char probed[2048]; /* the lines of the probe */

static void note_tried(const struct ps_probe *probe, enum ps_probed result, const char *key, const char *what,
                       const char *cause, const char *cure)
{
    size_t length = strlen(probed);
    snprintf(probed + length, sizeof probed - length, "%s %s: %s%s%s\n",
             result == PS_PROBED_OK ? "ok" : "FAILED", key != NULL ? key : "", what,
             cause != NULL ? ": " : "", cause != NULL ? cause : "");
}

static void assert_probed(const char *const *keys, const char *text)
{
    struct ps_test_stage stage;
    const struct ps_probe probe = {
        .component = "sink k1", .timeout_ms = PS_TEST_PATIENCE_MS, .tried = note_tried};
    probed[0] = '\0';
    ps_test_stage_init(&stage, &ps_sink_hive);
    assert_int_equal(ps_test_stage_bind(&stage, keys), PS_OK);
    ps_sink_hive.probe(stage.plan, &stage.context, &probe);
    if (strstr(probed, text) == NULL)
        fail_msg("the probe does not say: %s\nbut: %s", text, probed);
    ps_test_stage_fini(&stage);
}

static void test_probe(void **unused)
{
    struct ps_test_metastore_table table = ps_test_hive_lines("day:string");
    assert_probed(PS_HIVE_LINES(USUAL),
                  ": answers\nok : hive.table: default.t: transactional, ORC, 1 columns, 0 partition keys");
    assert_probed(PS_HIVE_LINES(USUAL), "hive.table: directory "); /* the directory of the local disk, which
                                                                    * exists */
    assert_probed(PS_HIVE_LINES(PS_HIVE_BY_DAY),
                  "FAILED hive.partition: hive.table: default.t: it has 0 partition keys, and");
    assert_probed(PS_HIVE_KEYS("serializer", "DELIMITED", "serializer.fieldnames", "lime"),
                  "FAILED serializer.fieldnames: ");
    ps_test_metastore_set_table(&table);
    assert_probed(PS_HIVE_LINES(PS_HIVE_BY_DAY), "1 partition keys");
    assert_probed(PS_HIVE_LINES(USUAL),
                  "hive.table: default.t: it has 1 partition keys, and hive.partition has 0 values");
    assert_probed(PS_HIVE_LINES("hive.partition", "%{day},%{hour}"),
                  "hive.table: default.t: it has 1 partition keys, and hive.partition has 2 values");
    table.parameters = "orc.compress=NONE";
    ps_test_metastore_set_table(&table);
    assert_probed(PS_HIVE_LINES(PS_HIVE_BY_DAY),
                  "FAILED hive.table: hive.table: default.t: it is not transactional");
    ps_test_metastore_set(PS_TEST_FAR_END_DOWN);
    assert_probed(PS_HIVE_LINES(PS_HIVE_BY_DAY), "FAILED hive.metastore: hive.metastore: ");
    ps_test_metastore_set(PS_TEST_FAR_END_UP);
    assert_int_equal(ps_test_metastore_calls("open_txns") + ps_test_metastore_calls("append_partition"), 0);
    table.serde = "org.apache.hadoop.hive.serde2.JsonSerDe";
    table.serde_parameters = table.keys = "";
    table.bucket_count = 0;
    ps_test_metastore_set_table(&table);
    assert_probed(PS_HIVE_LINES("penstock.table.type", "plain"), "plain, JSON, 1 columns, 0 partition keys");
    table.parameters = "COLUMN_STATS_ACCURATE={\"BASIC_STATS\":\"true\"}";
    ps_test_metastore_set_table(&table);
    assert_probed(PS_HIVE_LINES("penstock.table.type", "plain"),
                  "default.t: its statistics are marked as accurate");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, ps_test_hive_setup, ps_test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_keys_that_are_refused),
                                       TEST(test_files_of_hadoop),
                                       TEST(test_halves_of_a_login),
                                       TEST(test_opened_without_descriptors),
                                       TEST(test_commas_at_the_end),
                                       TEST(test_keys_with_a_warning),
                                       TEST(test_rows_of_a_table),
                                       TEST(test_partitions),
                                       TEST(test_batch_size),
                                       TEST(test_calls_that_fail),
                                       TEST(test_a_lock_that_waits),
                                       TEST(test_transactions_that_hive_has_aborted),
                                       TEST(test_partitions_are_closed),
                                       TEST(test_files_that_fail),
                                       TEST(test_rows_of_json),
                                       TEST(test_dead_letters),
                                       TEST(test_a_table_that_is_not_transactional),
                                       TEST(test_an_event_without_its_partition),
                                       TEST(test_values_of_partitions),
                                       TEST(test_values_that_are_too_long_together),
                                       TEST(test_a_value_that_becomes_too_long),
                                       TEST(test_probe)};
    return cmocka_run_group_tests(tests, ps_test_hive_group_setup, ps_test_hive_group_teardown);
}
