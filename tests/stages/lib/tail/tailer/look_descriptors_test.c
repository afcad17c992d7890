/* The descriptors of a source taildir that looks at directories: no program that the agent starts inherits one. */
#define PS_TEST_CALLS_OF_ALL_THREADS

#include "core/log/log.h"
#include "tests/stages/sources/taildir_support.h"
#include "tests/support/system_calls.h"

#include <dirent.h>
#include <stdlib.h>

#define FDS_MAX 1024

/* Notes which descriptors are open. Returns their number. */
static unsigned note_open(bool is_open[FDS_MAX])
{
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/fd");
    assert_non_null(directory);
    memset(is_open, 0, FDS_MAX * sizeof *is_open);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        int fd = entry->d_name[0] == '.' ? -1 : atoi(entry->d_name);
        assert_in_range(fd + 1, 0, FDS_MAX);
        if (fd < 0 || fd == dirfd(directory))
            continue;
        is_open[fd] = true;
        count++;
    }
    closedir(directory);
    return count;
}

static void test_descriptors_stay_here(void **unused)
{
    bool before[FDS_MAX], after[FDS_MAX];
    unsigned new_ones = 0;
    append("app.log", "one\n");
    (void)note_open(before);
    PS_START(NULL);
    expect("one");
    (void)note_open(after);
    for (int fd = 0; fd < FDS_MAX; fd++) {
        if (before[fd] || !after[fd])
            continue;
        char path[64], target[256] = "";
        new_ones++;
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        (void)!readlink(path, target, sizeof target - 1);
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0 && (flags & FD_CLOEXEC) == 0)
            fail_msg("a program inherits descriptor %d, %s", fd, target);
    }
    assert_true(new_ones >= 3); /* the file, and inotify's twice */
    ps_test_stage_fini(&stage);
}

/* The user has no watch left: the log says so once, and lines are found when the directory is looked at. */
static void test_no_watch(void **unused)
{
    static const char reason[] = "cannot be watched: No space left on device (fs.inotify.max_user_watches)";
    append("app.log", "one\n");
    ps_test_call_error = ENOSPC;
    ps_test_call_broken = "inotify_add_watch";
    ps_test_calls_count = true;
    assert_int_equal(ps_log_open(ps_test_folder_path("said"), NULL), PS_OK);
    PS_START("penstock.poll.interval", "100");
    expect("one");
    for (unsigned i = 0; i < 3; i++) {
        append("app.log", "two\n");
        expect("two");
    }
    ps_test_calls_count = false;
    ps_test_call_broken = NULL;
    assert_int_equal(ps_log_open(NULL, NULL), PS_OK);
    const char *said = strstr(ps_test_folder_read("said"), reason);
    assert_non_null(said);
    assert_null(strstr(said + 1, reason));
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_descriptors_stay_here, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_no_watch, setup, ps_test_folder_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
