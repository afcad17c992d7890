/* The descriptors of a source taildir that looks at directories: no program that the agent starts inherits one. */
#include "tests/stages/sources/taildir_support.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_descriptors_stay_here, setup, ps_test_folder_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
