/* Directories that are made: their names are on the disk before anything in them is promised. */
#include "stages/lib/make_directory.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char synced[4][512]; /* paths, in order */
static unsigned sync_count;
static int fault; /* errno of the next syncs; 0: none */

/* In place of libc's, for the program under test. */
int fsync(int fd)
{
    char link[64];
    assert_in_range(sync_count, 0, PS_COUNT_OF(synced) - 1);
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, synced[sync_count], sizeof synced[0] - 1);
    assert_true(length > 0);
    synced[sync_count++][length] = '\0';
    errno = fault;
    return fault == 0 ? 0 : -1;
}

static enum ps_status make(const char *name)
{
    struct ps_err err = {.length = 0};
    sync_count = 0;
    return ps_make_directory(ps_test_folder_path(name), &err);
}

static bool is_directory(const char *name)
{
    struct stat status;
    return stat(ps_test_folder_path(name), &status) == 0 && S_ISDIR(status.st_mode);
}

/* Each in which a name is new, from above; none where all are there. */
static void test_what_is_made_is_synced(void **unused)
{
    assert_int_equal(make("a/b//c/"), PS_OK);
    assert_true(is_directory("a/b/c"));
    assert_int_equal(sync_count, 3);
    char *above = realpath(ps_test_folder(), NULL);
    assert_non_null(above);
    assert_string_equal(synced[0], above);
    assert_string_equal(synced[1] + strlen(above), "/a");
    assert_string_equal(synced[2] + strlen(above), "/a/b");
    assert_int_equal(make("a/b/c"), PS_OK);
    assert_int_equal(sync_count, 0);
    assert_int_equal(make("a/b/d"), PS_OK);
    assert_int_equal(sync_count, 1);
    assert_string_equal(synced[0] + strlen(above), "/a/b");
    free(above);
}

/* A file system without that (EINVAL) is none of our matter; a disk that fails is. */
static void test_a_sync_that_fails(void **unused)
{
    fault = EINVAL;
    assert_int_equal(make("none"), PS_OK);
    fault = EIO;
    assert_int_equal(make("failed"), PS_FAIL);
    fault = 0;
    ps_test_folder_append("file", "x", 1);
    assert_int_equal(make("file/below"), PS_FAIL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_made_is_synced, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_sync_that_fails, ps_test_folder_setup,
                                        ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
