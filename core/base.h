/* What every file may use: assertions that stay on in release, and a few size macros.
 *
 * Errors are of three kinds, never mixed. A programmer's mistake ends the process here, with PS_ASSERT. A
 * set-up error is a `struct ps_err` (core/status.h). What happens to data is an enum and a counter. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PS_LIKELY(x) __builtin_expect(!!(x), 1)
#define PS_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Ends the process with file, line and expression. Thread: any. */
_Noreturn void ps_assert_failed(const char *file, int line, const char *expression);

#define PS_ASSERT(x) (PS_LIKELY(x) ? (void)0 : ps_assert_failed(__FILE__, __LINE__, #x))

#define PS_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Two lines: what one thread writes stays away from the next-line prefetch of another. */
#define PS_CACHE_GAP 128
#define PS_ALIGNED_GAP __attribute__((aligned(PS_CACHE_GAP)))

/* Bytes that belong to somebody else. Not terminated. */
struct ps_slice {
    const char *data;
    uint32_t length;
};
