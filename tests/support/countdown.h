/* For system_calls.h and allocations.h: the number of the call that fails, counted down by one thread or by all. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

static inline bool ps_test_countdown_own(uint64_t *left)
{
    uint64_t now = *left;
    *left = now > 0 ? now - 1 : 0;
    return now == 1;
}

static inline bool ps_test_countdown_shared(_Atomic(uint64_t) *left)
{
    uint64_t now = *left;
    while (now > 0 && !atomic_compare_exchange_weak(left, &now, now - 1)) {
    }
    return now == 1;
}

/* Returns whether the countdown ends with this call. 0: none is under way. */
#define PS_TEST_COUNTDOWN(left)                                                                              \
    _Generic(&(left), uint64_t *                                                                             \
             : ps_test_countdown_own, _Atomic(uint64_t) *                                                    \
             : ps_test_countdown_shared)(&(left))
