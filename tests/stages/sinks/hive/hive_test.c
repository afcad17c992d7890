/* Sink hive: what `check --probe` says of a table, the longest partitions, dead letters of a long lease, and a sink that cannot be opened. Rows
 * and transactions are asked by the scenarios hive_* and the world; the real Hive by tests/real/hive_sink_test.sh. */
#include "stages/sinks/hive/internal.h"
#include "tests/support/dead_letters.h"
#include "tests/support/hash_tables.h"
#include "tests/support/hive_stage.h"
#include "tests/support/no_descriptors.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USUAL "batchSize", "15000"
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

/* Thousands of partitions whose values a client has chosen to have one hash are in many chains, and a cycle looks only at the one that
 * backs off. */
static void test_thousands_of_partitions(void **unused)
{
    struct ps_test_stage stage;
    struct ps_test_metastore_table table = ps_test_hive_lines("day:string");
    table.serde = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";
    table.serde_parameters = table.parameters = table.bucket_columns = "";
    table.bucket_count = 0;
    ps_test_metastore_set_table(&table);
    ps_test_hive_start(
        &stage, PS_HIVE_LINES("penstock.table.type", "plain", PS_HIVE_BY_DAY, "penstock.roll.interval", "0"));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_HIVE_DAY("1,a", "mon")));
    struct ps_hive_sink *sink = *(struct ps_hive_sink **)stage.state;
    struct ps_hive_partition *monday = TAILQ_FIRST(&sink->recent);
    for (unsigned i = 0; i < PS_TEST_COLLIDING_NAMES; i++) {
        char key[PS_TEST_COLLIDING_ROOM];
        uint32_t length = (uint32_t)ps_test_colliding_name(key, "", i);
        assert_non_null(ps_hive_partition_get(sink, key, length + 1));
    }
    assert_in_range(PS_TEST_CHAINS_IN_USE(sink->chains, PS_HIVE_CHAINS), 900, PS_HIVE_CHAINS);
    PS_HIVE_AWAIT(&stage, TAILQ_EMPTY(&sink->attended));
    ps_hive_partition_fail(monday, "it fails", "");
    sink->now.mono_ns = monday->rest_ns;
    const struct ps_hive_partitions recent = sink->recent;
    sink->recent.tqh_first = ps_test_nowhere();
    (void)ps_hive_partitions_tick_plain(sink);
    sink->recent = recent;
    assert_int_equal(monday->state, PS_HIVE_PARTITION_EMPTY);
    assert_true(TAILQ_EMPTY(&sink->attended));
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
    const struct CMUnitTest tests[] = {
        TEST(test_opened_without_descriptors),    TEST(test_values_that_are_too_long_together),
        TEST(test_a_value_that_becomes_too_long), TEST(test_thousands_of_partitions),
        TEST(test_dead_letters_in_a_long_lease),  TEST(test_probe)};
    return cmocka_run_group_tests(tests, ps_test_hive_group_setup, ps_test_hive_group_teardown);
}
