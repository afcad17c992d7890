/* Duplicates of the descriptors that wake workers. */
#include "core/helper/wake_fd.h"

#include <fcntl.h>
#include <unistd.h>

#include "tests/support/conformance.h"
#include "tests/support/support.h"

static void test_copy(void **unused)
{
    struct ps_err err = {0};
    unsigned fds = ps_test_open_fds();
    int ends[2], copy = -1;
    char byte = 0;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(ps_wake_fd_copy(ends[1], &copy, &err), PS_OK);
    assert_true(copy >= 0 && copy != ends[1]);
    assert_true(fcntl(copy, F_GETFD) & FD_CLOEXEC);
    ps_wake_fd_close(ends[1]);
    assert_int_equal(write(copy, "x", 1), 1); /* of the same pipe, which the copy keeps open */
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    ps_wake_fd_close(copy);
    ps_wake_fd_close(ends[0]);
    assert_int_equal(ps_test_open_fds(), fds);
}

static void test_none(void **unused)
{
    struct ps_err err = {0};
    int copy = 1;
    assert_int_equal(ps_wake_fd_copy(-1, &copy, &err), PS_OK);
    assert_int_equal(copy, -1);
    ps_wake_fd_close(copy);
}

static void test_failure(void **unused)
{
    struct ps_err err = {0};
    int copy = 1;
    assert_int_equal(ps_wake_fd_copy(1000000, &copy, &err), PS_FAIL); /* not open */
    assert_int_equal(copy, -1);
    assert_string_equal(err.text,
                        "cannot copy a file descriptor: Bad file descriptor; raise the limit of open "
                        "files (LimitNOFILE, ulimit -n)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_copy), cmocka_unit_test(test_none),
                                       cmocka_unit_test(test_failure)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
