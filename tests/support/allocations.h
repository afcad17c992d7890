/* Counts this thread's allocations, and lets one of them fail. Included by one file of a test: it defines
 * malloc, calloc and realloc (over glibc's own), so the whole program uses them. Under a sanitizer, which has
 * its own, nothing is counted and nothing fails: see PS_TEST_ALLOCATIONS. */
#pragma once

#include "core/base.h"
#include "tests/support/support.h"

#include <errno.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define PS_TEST_ALLOCATIONS 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PS_TEST_ALLOCATIONS 0
#endif
#endif
#ifndef PS_TEST_ALLOCATIONS
#define PS_TEST_ALLOCATIONS 1
#endif

static __thread uint64_t ps_test_allocation_count __attribute__((unused));
/* The number of the allocation that fails (counted from now on, 1 = the next); 0 = none. */
static __thread uint64_t ps_test_allocation_fails __attribute__((unused));

#if PS_TEST_ALLOCATIONS
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);

static inline bool ps_test_allocation_may(void)
{
    ps_test_allocation_count++;
    if (ps_test_allocation_fails == 0 || --ps_test_allocation_fails > 0)
        return true;
    errno = ENOMEM;
    return false;
}

void *malloc(size_t bytes)
{
    return ps_test_allocation_may() ? __libc_malloc(bytes) : NULL;
}

void *calloc(size_t count, size_t bytes)
{
    return ps_test_allocation_may() ? __libc_calloc(count, bytes) : NULL;
}

void *realloc(void *memory, size_t bytes)
{
    return ps_test_allocation_may() ? __libc_realloc(memory, bytes) : NULL;
}
#endif
