/* Definitions of rings/ that everything else may use as well (core/base.h includes them): assertions that stay on in release, the end
 * of a process without memory, and the sizes of the CPU's caches. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PS_LIKELY(x) __builtin_expect(!!(x), 1)
#define PS_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Ends the process with file, line and expression. Thread: any. */
_Noreturn void ps_assert_failed(const char *file, int line, const char *expression);

/* For programmer's mistakes only: conditions that no input, no configuration and no machine can bring about. */
#define PS_ASSERT(x) (PS_LIKELY(x) ? (void)0 : ps_assert_failed(__FILE__, __LINE__, #x))

/* Ends the process with the number of bytes (0: not known) and what they were for. Thread: any. */
_Noreturn void ps_out_of_memory(size_t bytes, const char *purpose);

/* Two cache lines: data of one thread is not loaded by the next-line prefetch of another thread. */
#define PS_CACHE_GAP 128
#define PS_ALIGNED_GAP __attribute__((aligned(PS_CACHE_GAP)))
