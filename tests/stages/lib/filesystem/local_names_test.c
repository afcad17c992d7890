/* Names of the local file system where renameat2 knows no RENAME_NOREPLACE, as on some network mounts: a rename is a link and a removal. */
#include "stages/lib/filesystem/local.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* Replaces libc's renameat2 in this program. */
int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    errno = EINVAL;
    return -1;
}

static struct ps_filesystem *filesystem;
static char from[512], to[512];

static void note(void *argument, const struct ps_file_answer *answer)
{
    *(enum ps_file_error *)argument = answer->error;
}

static enum ps_file_error rename_file(const char *old, const char *new)
{
    static const struct ps_now now = {.mono_ns = 1};
    enum ps_file_error error = PS_FILE_FAILED;
    ps_file_rename(filesystem, old, new, note, &error);
    ps_filesystem_turn(filesystem, &now);
    return error;
}

static bool is_there(const char *path)
{
    return access(path, F_OK) == 0;
}

static int begin(void **state)
{
    if (ps_test_folder_setup(state) != 0)
        return -1;
    snprintf(from, sizeof from, "%s/from", ps_test_folder());
    snprintf(to, sizeof to, "%s/to", ps_test_folder());
    ps_test_folder_append("from", "text\n", 5);
    filesystem = ps_filesystem_local_open();
    return filesystem == NULL;
}

static int finish(void **state)
{
    ps_filesystem_close(filesystem);
    return ps_test_folder_teardown(state);
}

static void test_rename(void **unused)
{
    assert_int_equal(rename_file(from, to), PS_FILE_OK);
    assert_true(is_there(to) && !is_there(from));
    assert_int_equal(rename_file(from, to), PS_FILE_MISSING);
}

/* Another file has the name: both stay. A name that is renamed to itself stays, too. */
static void test_name_in_use(void **unused)
{
    ps_test_folder_append("to", "other\n", 6);
    assert_int_equal(rename_file(from, to), PS_FILE_EXISTS);
    assert_int_equal(rename_file(from, from), PS_FILE_EXISTS);
    assert_string_equal(ps_test_folder_read("from"), "text\n");
    assert_string_equal(ps_test_folder_read("to"), "other\n");
}

/* A kill between the link and the removal left both names of one file: the next rename goes on. */
static void test_interrupted(void **unused)
{
    assert_int_equal(link(from, to), 0);
    assert_int_equal(rename_file(from, to), PS_FILE_OK);
    assert_false(is_there(from));
    assert_string_equal(ps_test_folder_read("to"), "text\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)
    const struct CMUnitTest tests[] = {TEST(test_rename), TEST(test_name_in_use), TEST(test_interrupted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
