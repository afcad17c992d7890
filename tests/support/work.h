/* Counts what this thread does: the basic blocks that it runs of those source files that the program has with -fsanitize-coverage=trace-pc
 * (tests/tests.cmake). The count is the same on a busy machine, so a test can assert how work grows with its input. One file of a test
 * includes it. A build with a sanitizer counts nothing: PS_TEST_WORK is 0. */
#pragma once

#include <stdint.h>

#ifndef PS_TEST_WORK
#define PS_TEST_WORK 0
#endif

static __thread uint64_t ps_test_work;

#if PS_TEST_WORK
void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    ps_test_work++;
}
#endif
