/* The lock of a position file: it fails only if another process holds it, not on a system without locks, or in a folder
 * that cannot be written. */
#include "stages/lib/tail/lock.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

static int flock_error; /* 0: none */

/* Replaces libc's function. */
int flock(int fd, int operation)
{
    if (flock_error == 0)
        return (int)syscall(SYS_flock, fd, operation);
    errno = flock_error;
    return -1;
}

static char path[512];

static int setup(void **state)
{
    ps_test_folder_setup(state);
    snprintf(path, sizeof path, "%s", ps_test_folder_path("positions.json"));
    return 0;
}

static int take(void)
{
    struct ps_err err = {.length = 0};
    int lock = -7;
    assert_int_equal(ps_tail_lock(path, "positionFile", &lock, &err), PS_OK);
    return lock;
}

/* Returns the descriptor that the next open file gets: the same after a call that leaves none open. */
static int next_descriptor(void)
{
    int fd = dup(0);
    assert_true(fd >= 0);
    close(fd);
    return fd;
}

static void expect_refused(const char *holder)
{
    int next = next_descriptor();
    struct ps_err err = {.length = 0};
    int lock = -7;
    assert_int_equal(ps_tail_lock(path, "positionFile", &lock, &err), PS_FAIL);
    assert_int_equal(lock, -1);
    assert_int_equal(next_descriptor(), next);
    const char *text = ps_err_join(&err);
    assert_non_null(strstr(text, path));
    assert_non_null(strstr(text, holder));
    assert_non_null(strstr(text, "set another positionFile"));
}

static void expect_text(const char *wanted)
{
    char text[64] = "";
    FILE *file = fopen(ps_test_folder_path("positions.json.lock"), "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, wanted);
}

/* The second lock works like the first. The file has the holder's process id, whatever it had before. */
static void test_one_holder(void **unused)
{
    char own[32];
    snprintf(own, sizeof own, "%ld\n", (long)getpid());
    for (unsigned round = 0; round < 3; round++) {
        ps_test_folder_append("positions.json.lock", "1234567890123456789\n", 20);
        int lock = take();
        assert_true(lock >= 0);
        expect_text(own);
        own[strlen(own) - 1] = '\0';
        char holder[128];
        snprintf(holder, sizeof holder, "is in use by process %s, another agent", own);
        strcat(own, "\n");
        expect_refused(holder);
        expect_refused(holder);
        expect_text(own);
        ps_tail_unlock(lock);
    }
    int lock = take();
    assert_int_equal(truncate(ps_test_folder_path("positions.json.lock"), 0),
                     0); /* the disk is full, so the process id is not written */
    expect_refused("is in use by another agent");
    ps_tail_unlock(lock);
}

static void test_errors(void **unused)
{
    static const int errors[] = {ENOLCK, EOPNOTSUPP, ENOSYS, EINTR, EIO, EINVAL};
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        int next = next_descriptor();
        flock_error = errors[i];
        int lock = take();
        flock_error = 0;
        ps_tail_unlock(lock);
        ps_tail_unlock(take());
        assert_int_equal(next_descriptor(), next);
    }
    flock_error = EWOULDBLOCK;
    expect_refused("is in use by");
    flock_error = 0;
}

static void test_no_folder(void **unused)
{
    snprintf(path, sizeof path, "%s/none/positions.json", ps_test_folder());
    int lock = take();
    assert_int_equal(lock, -1);
    ps_tail_unlock(lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_holder, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_errors, setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_no_folder, setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
