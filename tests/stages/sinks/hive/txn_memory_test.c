/* The sink hive without memory for a row, in both kinds of tables: the event waits, and is neither dropped nor a dead letter. */
#include "stages/sinks/hive/internal.h"
#include "tests/support/dead_letters.h"
#include "tests/support/hive_stage.h"

#include <dirent.h>
#include <stdio.h>

#define TIMES 3U

static const struct ps_hive_rows_ops *real;
static unsigned reads_left; /* calls of `read` that have no memory */

static bool read_without_memory(struct ps_hive_rows *rows, const char *body, uint32_t length,
                                struct ps_orc_value *row, struct ps_err *err)
{
    if (reads_left == 0)
        return real->read(rows, body, length, row, err);
    reads_left--;
    rows->lacks_memory = true;
    return ps_err_set(err, "no memory for a row") == PS_OK;
}

static void close_rows(struct ps_hive_rows *rows)
{
    real->close(rows);
}

static const struct ps_hive_rows_ops ops = {.read = read_without_memory, .close = close_rows};

/* Delivers the first event, then two more, of which one has no memory at first. */
static void expect_that_events_wait(const char *const *keys, bool has_dead_letters)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, keys);
    if (has_dead_letters)
        ps_test_dead_letters_open(&stage);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one")));
    struct ps_hive_sink *sink = *(struct ps_hive_sink **)stage.state;
    real = sink->rows->ops;
    sink->rows->ops = &ops;
    reads_left = TIMES;
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("two"), PS_BODY("three")));
    assert_int_equal(reads_left, 0);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 0);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_deadletter), 0);
    assert_null(ps_test_sink_recall(&stage));
    ps_test_stage_close(&stage);
    if (has_dead_letters)
        ps_test_dead_letters_close(&stage);
    ps_test_stage_fini(&stage);
}

static void check_transactions(bool has_dead_letters)
{
    expect_that_events_wait(PS_HIVE_LINES("batchSize", "15000"), has_dead_letters);
    ps_test_hive_expect_rows("", "one\ntwo\nthree\n");
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_OPEN), 0);
}

static void test_transactions(void **unused)
{
    check_transactions(false);
}

static void test_transactions_with_dead_letters(void **unused)
{
    check_transactions(true);
}

/* Compares with the text of the only file in the table's folder. */
static void expect_file(const char *expected)
{
    char name[300] = "";
    unsigned count = 0;
    DIR *folder = opendir(ps_test_hive_folder());
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (entry->d_name[0] != '.') {
            snprintf(name, sizeof name, "t/%s", entry->d_name);
            count++;
        }
    closedir(folder);
    assert_int_equal(count, 1);
    assert_string_equal(ps_test_folder_read(name), expected);
}

static void check_plain_table(bool has_dead_letters)
{
    const struct ps_test_metastore_table table = {.location = ps_test_hive_folder(),
                                                  .columns = "line:string",
                                                  .keys = "",
                                                  .bucket_columns = "",
                                                  .parameters = "",
                                                  .serde =
                                                      "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
                                                  .serde_parameters = "field.delim=|"};
    ps_test_metastore_set_table(&table);
    expect_that_events_wait(PS_HIVE_KEYS("penstock.table.type", "plain", "serializer", "DELIMITED",
                                         "serializer.fieldnames", "line", "penstock.roll.interval", "0"),
                            has_dead_letters);
    expect_file("one\ntwo\nthree\n");
}

static void test_plain_table(void **unused)
{
    check_plain_table(false);
}

static void test_plain_table_with_dead_letters(void **unused)
{
    check_plain_table(true);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, ps_test_hive_setup, ps_test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_transactions), TEST(test_transactions_with_dead_letters),
                                       TEST(test_plain_table), TEST(test_plain_table_with_dead_letters)};
    return cmocka_run_group_tests(tests, ps_test_hive_group_setup, ps_test_hive_group_teardown);
}
