/* The lock of a log: one writer or several readers; the error names the holder; the kernel releases it. */
#include "stages/lib/queue/segment/lock.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/support/support.h"

/* Each file is the root of a disk of its own: roots of file systems of one kind have one inode number. */
static bool roots_of_disks;

/* Replaces libc's fstat in this program. */
int fstat(int fd, struct stat *status)
{
    int result = fstatat(fd, "", status, AT_EMPTY_PATH);
    if (result == 0 && roots_of_disks) {
        status->st_dev = status->st_ino;
        status->st_ino = 2;
    }
    return result;
}

static void test_second_writer_is_refused(void **state)
{
    struct ps_err err = {0};
    char pid[64];
    int first = ps_segment_lock(ps_test_folder(), &err);
    assert_true(first >= 0);
    assert_int_equal(ps_segment_lock(ps_test_folder(), &err), -1);
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(err.text, pid));
    assert_non_null(strstr(err.text, ps_test_folder()));
    ps_segment_unlock(first);
    first = ps_segment_lock(ps_test_folder(), &err);
    assert_true(first >= 0);
    ps_segment_unlock(first);
}

static void test_readers_share_it(void **state)
{
    struct ps_err err = {0};
    int one, two;
    ps_segment_unlock(ps_segment_lock(ps_test_folder(), &err));
    assert_int_equal(ps_segment_lock_shared(ps_test_folder(), &one, &err), PS_OK);
    assert_int_equal(ps_segment_lock_shared(ps_test_folder(), &two, &err), PS_OK);
    assert_true(one >= 0 && two >= 0);
    assert_int_equal(ps_segment_lock(ps_test_folder(), &err), -1);
    assert_non_null(strstr(err.text, "another process"));
    ps_segment_unlock(one);
    ps_segment_unlock(two);
    one = ps_segment_lock(ps_test_folder(), &err);
    assert_true(one >= 0);
    assert_int_equal(ps_segment_lock_shared(ps_test_folder(), &two, &err), PS_FAIL);
    ps_segment_unlock(one);
}

static void test_reading_creates_no_file(void **state)
{
    struct ps_err err = {0};
    int lock = 0;
    assert_int_equal(ps_segment_lock_shared(ps_test_folder(), &lock, &err), PS_OK);
    assert_int_equal(lock, -1);
    assert_int_not_equal(access(ps_test_folder_path("lock"), F_OK), 0);
    ps_segment_unlock(lock);
}

static void test_killed_holder_releases_it(void **state)
{
    struct ps_err err = {0};
    int ready[2], status;
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int lock = ps_segment_lock(ps_test_folder(), &err);
        if (lock < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(ps_segment_lock(ps_test_folder(), &err), -1);
    char text[64];
    snprintf(text, sizeof text, "process %ld", (long)child);
    assert_non_null(strstr(err.text, text));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    int lock = ps_segment_lock(ps_test_folder(), &err);
    assert_true(lock >= 0);
    ps_segment_unlock(lock);
    close(ready[0]);
    close(ready[1]);
}

static void test_missing_directory_is_named(void **state)
{
    struct ps_err err = {0};
    assert_int_equal(ps_segment_lock(ps_test_folder_path("nowhere"), &err), -1);
    assert_non_null(strstr(err.text, "nowhere/lock"));
}

/* A data directory is locked itself, also against a log whose state is elsewhere. */
static void test_data_directory_is_locked(void **state)
{
    struct ps_err err = {0};
    char states[2][512];
    struct ps_segment_locks first, second;
    const char *data[] = {ps_test_folder()}, *missing[] = {ps_test_folder_path("nowhere")};
    const struct ps_texts directories = {1, data}, nowhere = {1, missing};
    for (int i = 0; i < 2; i++) {
        snprintf(states[i], sizeof states[i], "%s/state%d", ps_test_folder(), i);
        assert_int_equal(mkdir(states[i], 0750), 0);
    }
    assert_true(ps_segment_lock_log(&first, states[0], &directories, &err));
    assert_false(ps_segment_lock_log(&second, states[1], &directories, &err));
    assert_non_null(strstr(err.text, "in use by another channel or process"));
    ps_segment_unlock_log(&first);
    assert_true(ps_segment_lock_log(&second, states[1], &directories, &err));
    ps_segment_unlock_log(&second);
    assert_false(ps_segment_lock_log(&first, states[0], &nowhere, &err));
    assert_non_null(strstr(err.text, "nowhere cannot be opened"));
}

/* One directory under two names would be locked against itself. */
static void test_directory_named_twice(void **state)
{
    char data[512], again[520], linked[512];
    struct ps_err err = {0};
    struct ps_segment_locks locks;
    snprintf(data, sizeof data, "%s", ps_test_folder_path("data"));
    snprintf(again, sizeof again, "%s/.", data);
    snprintf(linked, sizeof linked, "%s", ps_test_folder_path("link"));
    assert_int_equal(mkdir(data, 0750), 0);
    assert_int_equal(symlink("data", linked), 0);
    const char *const others[] = {data, again, linked};
    for (size_t i = 0; i < PS_COUNT_OF(others); i++) {
        const char *const directories[] = {ps_test_folder(), data, others[i]};
        const struct ps_texts three = {3, directories}, two = {2, directories};
        assert_false(ps_segment_lock_log(&locks, ps_test_folder(), &three, &err));
        assert_non_null(
            strstr(err.text, " are one directory: name each of the channel's data directories once"));
        assert_false(ps_segment_lock_log_shared(&locks, ps_test_folder(), &three, &err));
        assert_non_null(strstr(err.text, " are one directory"));
        assert_true(ps_segment_lock_log(&locks, ps_test_folder(), &two, &err)); /* no lock was left */
        ps_segment_unlock_log(&locks);
    }
}

/* Two disks, each with a data directory that is the root of its file system. */
static void test_directories_with_one_inode_number(void **state)
{
    char one[512], other[512];
    struct ps_err err = {0};
    struct ps_segment_locks locks;
    snprintf(one, sizeof one, "%s", ps_test_folder_path("one"));
    snprintf(other, sizeof other, "%s", ps_test_folder_path("other"));
    assert_int_equal(mkdir(one, 0750), 0);
    assert_int_equal(mkdir(other, 0750), 0);
    const char *const items[] = {one, other};
    const struct ps_texts directories = {2, items};
    roots_of_disks = true;
    bool locked = ps_segment_lock_log(&locks, ps_test_folder(), &directories, &err);
    roots_of_disks = false;
    if (!locked)
        fail_msg("%s", err.text);
    ps_segment_unlock_log(&locks);
}

/* Somebody removed the lock file: the data directories still keep others out. */
static void test_removed_lock_file_lets_nobody_in(void **state)
{
    struct ps_err err = {0};
    struct ps_segment_locks first, second;
    const char *items[] = {ps_test_folder()};
    const struct ps_texts directories = {1, items};
    assert_true(ps_segment_lock_log(&first, ps_test_folder(), &directories, &err));
    assert_int_equal(unlink(ps_test_folder_path("lock")), 0);
    assert_false(ps_segment_lock_log(&second, ps_test_folder(), &directories, &err));
    assert_non_null(strstr(err.text, "whose file lock was removed"));
    err = (struct ps_err){0};
    assert_false(ps_segment_lock_log_shared(&second, ps_test_folder(), &directories, &err));
    assert_non_null(strstr(err.text, "is in use by another channel or process"));
    ps_segment_unlock_log(&first);
    assert_true(ps_segment_lock_log_shared(&first, ps_test_folder(), &directories, &err));
    assert_true(ps_segment_lock_log_shared(&second, ps_test_folder(), &directories, &err));
    ps_segment_unlock_log(&second);
    ps_segment_unlock_log(&first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_second_writer_is_refused, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_readers_share_it, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_reading_creates_no_file, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_killed_holder_releases_it, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_directory_named_twice, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_directories_with_one_inode_number, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_data_directory_is_locked, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_removed_lock_file_lets_nobody_in, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_missing_directory_is_named, ps_test_folder_setup,
                                        ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
