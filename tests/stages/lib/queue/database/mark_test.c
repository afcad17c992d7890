/* The mark of promised events beside a database: a written mark is read back, and the name of a new one is on the disk. */
#include "stages/lib/queue/database/mark.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned sync_count; /* of directories: the mark itself is synced by fdatasync */

/* Replaces libc's fsync in this program. */
int fsync(int fd)
{
    sync_count++;
    return 0;
}

static bool reads_fail;

/* Replaces libc's function in this program. */
ssize_t pread(int fd, void *to, size_t bytes, off_t at)
{
    if (reads_fail) {
        errno = EIO;
        return -1;
    }
    return syscall(SYS_pread64, fd, to, bytes, at);
}

static struct ps_promised_mark open_mark(const char *channel)
{
    struct ps_promised_mark mark;
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_promised_mark_open(&mark, ps_test_folder_path("events.db"), channel, "test", &err),
                     PS_OK);
    assert_true(mark.fd >= 0);
    return mark;
}

static void test_a_new_mark_keeps_its_name(void **unused)
{
    sync_count = 0;
    struct ps_promised_mark mark = open_mark("c1");
    assert_int_equal(sync_count, 1);
    assert_int_equal(mark.last, 0);
    assert_int_equal(mark.events, 0);
    ps_promised_mark_write(&mark, -7, 42);
    ps_promised_mark_close(&mark);
    assert_int_equal(mark.fd, -1);
    mark = open_mark("c1");
    assert_int_equal(sync_count, 1);
    assert_true(mark.last == -7 && mark.events == 42);
    ps_promised_mark_close(&mark);
}

/* Channels with similar names have separate marks. */
static void test_channels_have_their_own(void **unused)
{
    struct ps_promised_mark first = open_mark("a b"), second = open_mark("a_b");
    ps_promised_mark_write(&first, 1, 2);
    ps_promised_mark_close(&first);
    ps_promised_mark_close(&second);
    second = open_mark("a_b");
    assert_true(second.last == 0 && second.events == 0);
    ps_promised_mark_close(&second);
}

/* The file of the folder's only mark. */
static const char *mark_path(void)
{
    static char path[512];
    DIR *folder = opendir(ps_test_folder());
    assert_non_null(folder);
    path[0] = '\0';
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (strstr(entry->d_name, "-promised-") != NULL)
            snprintf(path, sizeof path, "%s", ps_test_folder_path(entry->d_name));
    closedir(folder);
    assert_true(path[0] != '\0');
    return path;
}

static void test_damaged_and_short_marks_count_as_none(void **unused)
{
    struct ps_promised_mark mark = open_mark("c1");
    ps_promised_mark_write(&mark, 5, 6);
    ps_promised_mark_close(&mark);
    FILE *file = fopen(mark_path(), "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, 20, SEEK_SET), 0);
    int byte = fgetc(file);
    assert_int_equal(fseek(file, 20, SEEK_SET), 0);
    fputc(byte ^ 1, file);
    fclose(file);
    mark = open_mark("c1");
    assert_true(mark.last == 0 && mark.events == 0);
    ps_promised_mark_write(&mark, 5, 6);
    ps_promised_mark_close(&mark);
    assert_int_equal(truncate(mark_path(), 39), 0);
    mark = open_mark("c1");
    assert_true(mark.last == 0 && mark.events == 0);
    ps_promised_mark_close(&mark);
}

/* A mark that cannot be read now keeps its bytes, and the channel does not open without it. */
static void test_an_unreadable_mark_is_kept(void **unused)
{
    struct ps_err err = {.length = 0};
    struct ps_promised_mark mark = open_mark("c1");
    ps_promised_mark_write(&mark, 5, 6);
    ps_promised_mark_close(&mark);
    reads_fail = true;
    assert_int_equal(ps_promised_mark_open(&mark, ps_test_folder_path("events.db"), "c1", "test", &err),
                     PS_FAIL);
    reads_fail = false;
    assert_int_equal(mark.fd, -1);
    assert_non_null(strstr(err.text, "-promised-c1-"));
    assert_non_null(strstr(err.text, "cannot be read: Input/output error"));
    mark = open_mark("c1");
    assert_true(mark.last == 5 && mark.events == 6);
    ps_promised_mark_close(&mark);
}

/* Nothing can be created where a folder is: the channel works without a mark. */
static void test_a_mark_that_cannot_be_opened(void **unused)
{
    struct ps_err err = {.length = 0};
    struct ps_promised_mark mark = open_mark("c1");
    ps_promised_mark_close(&mark);
    char path[512];
    snprintf(path, sizeof path, "%s", mark_path());
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(ps_promised_mark_open(&mark, ps_test_folder_path("events.db"), "c1", "test", &err),
                     PS_OK);
    assert_int_equal(mark.fd, -1);
    ps_promised_mark_write(&mark, 5, 6);
    ps_promised_mark_close(&mark);
    assert_int_equal(rmdir(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_new_mark_keeps_its_name, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_channels_have_their_own, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_damaged_and_short_marks_count_as_none, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_an_unreadable_mark_is_kept, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_mark_that_cannot_be_opened, ps_test_folder_setup,
                                        ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
