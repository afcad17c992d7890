/* Counts this thread's allocations and can make one of them fail; with PS_TEST_ALLOCATIONS_OF_ALL_THREADS, those of all threads
 * while ps_test_allocations_count is set. One file of a test includes it: it defines malloc, calloc and realloc on top of
 * glibc's, so the whole program uses them. A sanitizer has its own allocator: under one, nothing is counted and nothing
 * fails, and PS_TEST_ALLOCATIONS is 0. With PS_TEST_ALLOCATIONS_LIVE it defines free, too, and counts the blocks that live. */
#pragma once

#include "core/base.h"
#include "tests/support/countdown.h"
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

#ifdef PS_TEST_ALLOCATIONS_OF_ALL_THREADS
#define PS_TEST_ALLOCATION_SHARED(type) _Atomic(type)
static _Atomic bool ps_test_allocations_count; /* false during the test's own allocations */
#else
#define PS_TEST_ALLOCATION_SHARED(type) __thread type
static const bool ps_test_allocations_count __attribute__((unused)) = true;
#endif

/* PS_TEST_PLUGIN: several suites are in one program, and one file of it has the allocator (PS_TEST_PLUGIN_ALLOCATOR). */
#ifndef PS_TEST_PLUGIN
static PS_TEST_ALLOCATION_SHARED(uint64_t) ps_test_allocation_count __attribute__((unused));
/* Number of the allocation that fails, counted from the assignment: 1 = the next one, 0 = none. */
static PS_TEST_ALLOCATION_SHARED(uint64_t) ps_test_allocation_fails __attribute__((unused));
#ifdef PS_TEST_ALLOCATIONS_LIVE
/* Number of blocks that were allocated, less those that were freed, in this thread (or all threads, at any time). */
static PS_TEST_ALLOCATION_SHARED(int64_t) ps_test_allocation_live __attribute__((unused));
#endif
#else
extern __thread uint64_t ps_test_allocation_count, ps_test_allocation_fails;
#ifdef PS_TEST_PLUGIN_ALLOCATOR
__thread uint64_t ps_test_allocation_count, ps_test_allocation_fails;
#endif
#endif

#if PS_TEST_ALLOCATIONS && (!defined(PS_TEST_PLUGIN) || defined(PS_TEST_PLUGIN_ALLOCATOR))
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);

#ifdef PS_TEST_PLUGIN
/* A plug-in may be built with -fsanitize=address. The sanitizer's library is then loaded first and defines malloc, calloc and realloc; its own
 * functions have these names. */
void *__interceptor_malloc(size_t bytes) __attribute__((weak));
void *__interceptor_calloc(size_t count, size_t bytes) __attribute__((weak));
void *__interceptor_realloc(void *memory, size_t bytes) __attribute__((weak));
#define PS_TEST_ALLOCATE(name) (__interceptor_##name != NULL ? __interceptor_##name : __libc_##name)
#else
#define PS_TEST_ALLOCATE(name) __libc_##name
#endif

static inline bool ps_test_allocation_may(void)
{
    if (!ps_test_allocations_count)
        return true;
    ps_test_allocation_count++;
    if (!PS_TEST_COUNTDOWN(ps_test_allocation_fails))
        return true;
    errno = ENOMEM;
    return false;
}

#ifdef PS_TEST_ALLOCATIONS_LIVE
void __libc_free(void *memory);

static inline void *ps_test_allocation_made(void *memory)
{
    ps_test_allocation_live += memory != NULL;
    return memory;
}

void free(void *memory)
{
    ps_test_allocation_live -= memory != NULL;
    __libc_free(memory);
}
#else
/* Returns the memory at once, so that a sanitizer's malloc sees the caller: it does not report what the loader keeps. */
#define ps_test_allocation_made(memory) (memory)
#endif

void *malloc(size_t bytes)
{
    return ps_test_allocation_may() ? ps_test_allocation_made(PS_TEST_ALLOCATE(malloc)(bytes)) : NULL;
}

void *calloc(size_t count, size_t bytes)
{
    return ps_test_allocation_may() ? ps_test_allocation_made(PS_TEST_ALLOCATE(calloc)(count, bytes)) : NULL;
}

void *realloc(void *memory, size_t bytes)
{
    if (!ps_test_allocation_may())
        return NULL;
#ifdef PS_TEST_ALLOCATIONS_LIVE
    ps_test_allocation_live -= memory != NULL; /* a size of 0 frees it */
    void *larger = PS_TEST_ALLOCATE(realloc)(memory, bytes);
    ps_test_allocation_live += memory != NULL && larger == NULL && bytes > 0; /* it stays as it was */
    return ps_test_allocation_made(larger);
#else
    return PS_TEST_ALLOCATE(realloc)(memory, bytes);
#endif
}
#endif
