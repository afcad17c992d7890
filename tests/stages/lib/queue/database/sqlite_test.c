/* The reserve of a database of SQLite: how much room the file system must have for it. */
#include "stages/lib/queue/database/database.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/support/support.h"

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

struct reading {
    unsigned calls, wanted;
    int64_t numbers[8];
};

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

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_room_for_the_reserve),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
