/* The limit of open files is reached. */
#pragma once

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

/* From here on no descriptor can be opened; the caller sets the limit back to `*before`. */
static inline void ps_test_no_descriptors(struct rlimit *before)
{
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(next >= 0);
    close(next);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)next, before->rlim_max}), 0);
}
