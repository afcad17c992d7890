/* Statements of SQLite: values come back as they were written, reading stops at the last wanted row, and statements work again after
 * that and after a failure. */
#include "stages/lib/queue/database/database.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

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
static struct ps_database_settings settings;
static char path[600];
static void *database;

#define BLOCK_BYTES 4096U
static uint64_t free_blocks; /* of the file system */

/* Replaces libc's statvfs for the program under test. */
int statvfs(const char *unused, struct statvfs *system)
{
    *system = (struct statvfs){.f_bavail = free_blocks, .f_frsize = BLOCK_BYTES};
    return 0;
}

static int set_up(void **state)
{
    struct ps_err err = {.length = 0};
    if (ps_test_folder_setup(state) != 0)
        return -1;
    snprintf(path, sizeof path, "%s", ps_test_folder_path("t.sqlite"));
    settings =
        (struct ps_database_settings){.kind = PS_DATABASE_SQLITE, .label = "t", .path = path, .create = true};
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

/* Returns whether the files of the database are still there; else the reason has the name. */
static bool is_there(const char *name)
{
    struct ps_err err = {.length = 0};
    enum ps_status status = ops->is_there(database, &err);
    if (status != PS_OK && strstr(err.text, name) == NULL)
        fail_msg("%s", err.text);
    return status == PS_OK;
}

static bool is_same(void)
{
    struct ps_err err = {.length = 0};
    bool same = false;
    assert_int_equal(ops->is_same(database, &same, &err), PS_OK);
    return same;
}

/* The database file, or the write-ahead log of a channel that is locked there, is removed, and then replaced by another file: what was written since
 * would be lost. When the file is back, all is well again. */
static void test_files_that_are_gone(void **state)
{
    static const struct {
        const char *end, *label;
    } files[] = {{"", "database t was"}, {"-wal", "t.sqlite-wal was"}};
    struct ps_err err = {.length = 0};
    assert_int_equal(ops->lock(database, "c1", &err), PS_OK);
    for (size_t i = 0; i < PS_COUNT_OF(files); i++) {
        char name[700], aside[700];
        snprintf(name, sizeof name, "%s%s", path, files[i].end);
        snprintf(aside, sizeof aside, "%s/aside", ps_test_folder());
        assert_true(is_there("") && is_same());
        assert_int_equal(rename(name, aside), 0);
        assert_false(is_there(files[i].label));
        assert_int_equal(is_same(), i > 0);
        FILE *other = fopen(name, "w");
        assert_non_null(other);
        fclose(other);
        assert_false(is_there(files[i].label));
        assert_int_equal(is_same(), i > 0);
        assert_int_equal(rename(aside, name), 0);
    }
    assert_true(is_there("") && is_same());
}

/* 8 MiB are reserved beside the database while the file system has at least twice as much, and given up to make room. */
static void test_room_for_the_reserve(void **state)
{
    static const uint64_t enough = (UINT64_C(16) << 20) / BLOCK_BYTES;
    static const struct {
        uint64_t blocks;
        bool reserves;
    } rows[] = {{0, false}, {enough - 1, false}, {enough, true}, {enough + 1, true}, {2 * enough, true}};
    char reserve[700];
    struct stat status;
    snprintf(reserve, sizeof reserve, "%s" PS_SQLITE_RESERVE, path);
    assert_int_not_equal(access(reserve, F_OK), 0);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        free_blocks = rows[i].blocks;
        ops->keep_room(database);
        assert_int_equal(access(reserve, F_OK) == 0, rows[i].reserves);
        if (rows[i].reserves) {
            assert_int_equal(stat(reserve, &status), 0);
            assert_int_equal(status.st_size, 8 << 20);
        }
        assert_true(ops->make_room(database));
        assert_int_not_equal(access(reserve, F_OK), 0);
    }
    free_blocks = 0;
}

/* A process that was killed while it reserved them left an empty file, or a part of them: the next one reserves all bytes. */
static void test_reserve_of_a_killed_process(void **state)
{
    static const off_t left[] = {0, (8 << 20) - 1, 8 << 20};
    struct ps_err err = {0};
    char reserve[700];
    struct stat status;
    snprintf(reserve, sizeof reserve, "%s" PS_SQLITE_RESERVE, path);
    for (size_t i = 0; i < PS_COUNT_OF(left); i++) {
        free_blocks = 0;
        assert_true(ops->make_room(database));
        FILE *file = fopen(reserve, "w");
        assert_non_null(file);
        fclose(file);
        assert_int_equal(truncate(reserve, left[i]), 0);
        free_blocks = (UINT64_C(16) << 20) / BLOCK_BYTES;
        void *another = ops->connect(&settings, &err);
        assert_non_null(another);
        assert_int_equal(stat(reserve, &status), 0);
        assert_int_equal(status.st_size, 8 << 20);
        ops->close(another);
    }
    free_blocks = 0;
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_rows_until_no_more_are_wanted), TEST(test_a_failure_and_the_next),
        TEST(test_values_at_the_limits),          TEST(test_files_that_are_gone),
        TEST(test_room_for_the_reserve),          TEST(test_reserve_of_a_killed_process)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
