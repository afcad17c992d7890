/* Statements of SQLite: values come back as they were written, reading stops at the last wanted row, and statements work again after
 * that and after a failure. */
#include "stages/lib/queue/database/database.h"

#include <string.h>

#include "tests/support/folder.h"
#include "tests/support/support.h"

static const struct ps_database_statement insert = {
    .number = 0,
    .text = {[PS_DATABASE_SQLITE] = "INSERT INTO t VALUES ($1, $2, $3, $4)"},
    .parameters = "ntbf",
};
static const struct ps_database_statement all = {
    .number = 1,
    .text = {[PS_DATABASE_SQLITE] = "SELECT * FROM t WHERE a >= $1 ORDER BY a"},
    .parameters = "n",
};

static const struct ps_database_ops *const ops = &ps_database_sqlite;
static void *database;

static int set_up(void **state)
{
    struct ps_err err = {.length = 0};
    if (ps_test_folder_setup(state) != 0)
        return -1;
    const struct ps_database_settings settings = {
        .kind = PS_DATABASE_SQLITE, .label = "t", .path = ps_test_folder_path("t.sqlite"), .create = true};
    database = ops->connect(&settings, &err);
    return database != NULL &&
                   ops->execute(database, "CREATE TABLE t (a INTEGER PRIMARY KEY, b, c, d)", &err) == PS_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    ops->close(database);
    return ps_test_folder_teardown(state);
}

static enum ps_status put(int64_t number, const char *text, const char *bytes, size_t length, bool flag)
{
    struct ps_err err = {.length = 0};
    const struct ps_database_value values[] = {
        {.type = PS_DATABASE_NUMBER, .number = number},
        {.type = text != NULL ? PS_DATABASE_TEXT : PS_DATABASE_NULL,
         .data = text,
         .length = text != NULL ? strlen(text) : 0},
        {.type = PS_DATABASE_BYTES, .data = bytes, .length = length},
        {.type = PS_DATABASE_NUMBER, .number = flag},
    };
    enum ps_status status = ops->run(database, &insert, values, &err);
    assert_int_equal(err.length > 0, status != PS_OK);
    return status;
}

struct reading {
    unsigned calls, wanted;
    int64_t numbers[8];
};

static bool read_row(void *argument, const struct ps_database_value *values)
{
    struct reading *reading = argument;
    assert_in_range(reading->calls, 0, reading->wanted - 1); /* it is not called once more */
    reading->numbers[reading->calls++] = values[0].number;
    return reading->calls < reading->wanted;
}

static struct reading read_from(int64_t least, unsigned wanted)
{
    struct ps_err err = {.length = 0};
    struct reading reading = {.wanted = wanted};
    const struct ps_database_value value = {.type = PS_DATABASE_NUMBER, .number = least};
    assert_int_equal(ops->query(database, &all, &value, read_row, &reading, &err), PS_OK);
    return reading;
}

static void test_rows_until_no_more_are_wanted(void **state)
{
    for (int64_t i = 1; i <= 5; i++)
        assert_int_equal(put(i, "x", "y", 1, true), PS_OK);
    for (unsigned wanted = 1; wanted <= 7; wanted++) { /* each query begins at the first row */
        struct reading reading = read_from(2, wanted);
        assert_int_equal(reading.calls, wanted < 4 ? wanted : 4);
        for (unsigned i = 0; i < reading.calls; i++)
            assert_int_equal(reading.numbers[i], 2 + i);
    }
    assert_int_equal(read_from(6, 1).calls, 0);
}

/* An INSERT of a row that exists already is refused, and harms neither the next one nor existing rows. */
static void test_a_failure_and_the_next(void **state)
{
    assert_int_equal(put(1, "x", "y", 1, true), PS_OK);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(put(1, "z", "z", 1, false), PS_FAIL);
        assert_int_equal(put(2 + i, "x", "y", 1, true), PS_OK);
        assert_int_equal(read_from(1, 8).calls, 2 + i);
    }
}

static bool compare_row(void *argument, const struct ps_database_value *values)
{
    unsigned *calls = argument;
    switch (++*calls) {
    case 1:
        assert_int_equal(values[0].number, INT64_MIN);
        assert_int_equal(values[1].type, PS_DATABASE_TEXT);
        assert_int_equal(values[1].length, 0);
        assert_int_equal(values[2].type, PS_DATABASE_BYTES);
        assert_int_equal(values[2].length, 3);
        assert_memory_equal(values[2].data, "a\0b", 3);
        assert_int_equal(values[3].number, 0);
        return true;
    case 2:
        assert_int_equal(values[0].number, INT64_MAX);
        assert_int_equal(values[1].type, PS_DATABASE_NULL);
        assert_int_equal(values[2].type, PS_DATABASE_BYTES);
        assert_int_equal(values[2].length, 0);
        assert_int_equal(values[3].number, 1);
        return true;
    default:
        fail();
        return false;
    }
}

static void test_values_at_the_limits(void **state)
{
    struct ps_err err = {.length = 0};
    unsigned calls = 0;
    const struct ps_database_value value = {.type = PS_DATABASE_NUMBER, .number = INT64_MIN};
    assert_int_equal(put(INT64_MIN, "", "a\0b", 3, false), PS_OK);
    assert_int_equal(put(INT64_MAX, NULL, "", 0, true), PS_OK);
    assert_int_equal(ops->query(database, &all, &value, compare_row, &calls, &err), PS_OK);
    assert_int_equal(calls, 2);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(test_rows_until_no_more_are_wanted),
                                       TEST(test_a_failure_and_the_next), TEST(test_values_at_the_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
