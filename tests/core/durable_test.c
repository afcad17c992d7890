/* Directories and files whose names are on the disk before the call that made them returns. */
#include "core/durable.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYNCS_MAX 4U

static char synced[SYNCS_MAX][512]; /* paths, in order */
static unsigned sync_count, fails;  /* number of the sync that fails, from 1; 0: all */
static int fault;                   /* its errno; 0: none fails */

/* Replaces libc's fsync for the program under test. */
int fsync(int fd)
{
    char link[64];
    assert_in_range(sync_count, 0, SYNCS_MAX - 1);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, synced[sync_count], sizeof synced[0] - 1);
    assert_true(length > 0);
    synced[sync_count++][length] = '\0';
    errno = fault;
    return fault != 0 && (fails == 0 || fails == sync_count) ? -1 : 0;
}

static void fail_sync(unsigned number, int error)
{
    sync_count = 0;
    fails = number;
    fault = error;
}

static enum ps_status make(const char *name)
{
    struct ps_err err = {.length = 0};
    sync_count = 0;
    return ps_directories_need(ps_test_folder_path(name), &err);
}

static bool is_directory(const char *name)
{
    struct stat status;
    return stat(ps_test_folder_path(name), &status) == 0 && S_ISDIR(status.st_mode);
}

/* Checks that this sync was of the path below the test's folder; "": of the folder itself. */
static void assert_synced(unsigned number, const char *below)
{
    char *folder = realpath(ps_test_folder(), NULL);
    assert_non_null(folder);
    assert_true(number < sync_count);
    assert_memory_equal(synced[number], folder, strlen(folder));
    assert_string_equal(synced[number] + strlen(folder), below);
    free(folder);
}

/* Each directory in which a name is new is synced, from the top down; none is if all names exist. */
static void test_new_directories_are_synced(void **unused)
{
    assert_int_equal(make("a/b//c/"), PS_OK);
    assert_true(is_directory("a/b/c"));
    assert_int_equal(sync_count, 3);
    assert_synced(0, "");
    assert_synced(1, "/a");
    assert_synced(2, "/a/b");
    assert_int_equal(make("a/b/c"), PS_OK);
    assert_int_equal(sync_count, 0);
    assert_int_equal(make("a/b/d"), PS_OK);
    assert_int_equal(sync_count, 1);
    assert_synced(0, "/a/b");
}

/* A file system that cannot sync a directory (EINVAL) is accepted; a disk that fails, or that has become read-only because of an error
 * (EROFS), is not, and the next try syncs the name again. */
static void test_a_sync_of_a_directory_that_fails(void **unused)
{
    fail_sync(0, EINVAL);
    assert_int_equal(make("none"), PS_OK);
    fail_sync(0, EROFS);
    assert_int_equal(make("none.2"), PS_FAIL);
    assert_false(is_directory("none.2"));
    fail_sync(2, EIO);
    assert_int_equal(make("a/b"), PS_FAIL);
    assert_true(is_directory("a"));
    assert_false(is_directory("a/b"));
    fail_sync(0, 0);
    assert_int_equal(make("a/b"), PS_OK);
    assert_int_equal(sync_count, 1);
    assert_synced(0, "/a");
    ps_test_folder_append("file", "x", 1);
    assert_int_equal(make("file/below"), PS_FAIL);
}

static int sync_above(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", ps_test_folder(), name);
    sync_count = 0;
    return ps_directory_sync_above(path);
}

/* The directory that has a name is synced, whatever was synced before: here, at the root, and as long as a path can be, and no longer. */
static void test_a_directory_above(void **unused)
{
    static char longest[4096 + 3];
    assert_int_equal(make("a/b/c/d"), PS_OK);
    assert_int_equal(sync_above("a/b/c/d"), 0);
    assert_synced(0, "/a/b/c");
    assert_int_equal(sync_above("a/no such name"), 0);
    assert_synced(0, "/a");
    assert_int_equal(sync_above("a"), 0);
    assert_synced(0, "");
    assert_int_equal(sync_above("none/a"), ENOENT);
    sync_count = 0;
    assert_int_equal(ps_directory_sync_above("/a"), 0);
    assert_string_equal(synced[0], "/");
    char *here = getcwd(NULL, 0);
    assert_int_equal(ps_directory_sync_above("a"), 0);
    assert_string_equal(synced[1], here);
    free(here);
    memset(longest, '/', sizeof longest - 1);
    longest[4096] = 'a';
    longest[4097] = '\0';
    assert_int_equal(ps_directory_sync_above(longest), 0); /* the directory's path has 4,095 bytes */
    assert_string_equal(synced[2], "/");
    longest[4096] = '/';
    longest[4097] = 'a';
    assert_int_equal(ps_directory_sync_above(longest), ENAMETOOLONG);
}

static int replace(const char *bytes)
{
    char path[512], beside[512];
    snprintf(path, sizeof path, "%s", ps_test_folder_path("file"));
    snprintf(beside, sizeof beside, "%s", ps_test_folder_path("file.new"));
    return ps_file_replace(path, beside, 0640, bytes, strlen(bytes));
}

static void assert_content(const char *expected)
{
    char bytes[64];
    FILE *file = fopen(ps_test_folder_path("file"), "r");
    assert_non_null(file);
    size_t length = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(bytes, expected, length);
    assert_int_not_equal(access(ps_test_folder_path("file.new"), F_OK), 0);
}

/* The bytes are on the disk before the file gets its name, and the name before the call returns. */
static void test_replaced_file_is_synced(void **unused)
{
    struct stat status;
    assert_int_equal(replace("first"), 0);
    assert_int_equal(sync_count, 2);
    assert_synced(0, "/file.new");
    assert_synced(1, "");
    assert_content("first");
    assert_int_equal(stat(ps_test_folder_path("file"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
    sync_count = 0;
    assert_int_equal(replace("second"), 0);
    assert_content("second");
}

/* A reader finds the old file until the bytes are on the disk. */
static void test_a_sync_of_a_file_that_fails(void **unused)
{
    assert_int_equal(replace("first"), 0);
    fail_sync(1, EIO);
    assert_int_equal(replace("second"), EIO);
    assert_content("first");
    fail_sync(2, EIO);
    assert_int_equal(replace("third"), EIO);
    assert_content("third");
    fail_sync(2, EINVAL); /* a file system that has nothing to sync for names */
    assert_int_equal(replace("fourth"), 0);
    fail_sync(0, 0);
    assert_int_equal(mkdir(ps_test_folder_path("file.new"), 0755), 0);
    assert_int_equal(replace("fifth"), EISDIR);
    assert_int_equal(rmdir(ps_test_folder_path("file.new")), 0);
    assert_content("fourth");
}

static int setup(void **state)
{
    fail_sync(0, 0);
    return ps_test_folder_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_new_directories_are_synced, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_sync_of_a_directory_that_fails, setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_directory_above, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_replaced_file_is_synced, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_sync_of_a_file_that_fails, setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
