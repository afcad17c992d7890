/* Definitions that every file may use: assertions that stay on in release, memory for set-up, the meaning of an errno, and a few size
 * macros.
 *
 * Failures are handled in one of four ways, never mixed:
 *
 *   a programmer's mistake        PS_ASSERT ends the process
 *   no memory at set-up           ps_must_alloc and the like end the process
 *   any other failure at set-up   `struct ps_err` (core/status.h)
 *   a failure while data flows    an enum and a counter, also for a lack of memory */
#pragma once

#include "rings/base.h"

#include <stdio.h>

/* Memory for set-up (plans, runners, pages of metrics): small, and the agent cannot run without it. These
 * functions end the process, with ps_out_of_memory, rather than return NULL. `purpose` completes "no N bytes
 * for ..". Never called in a stage's `work`. The caller owns the memory: free(). Thread: any. */

/* Returns `count` times `bytes`, zeroed; NULL only for 0 bytes. */
void *ps_must_alloc(size_t count, size_t bytes, const char *purpose);
/* Returns zeroed memory at a multiple of PS_CACHE_GAP; the length is rounded up to such a multiple as well. */
void *ps_must_alloc_aligned(size_t bytes, const char *purpose);
/* As realloc, for bytes > 0. */
void *ps_must_realloc(void *memory, size_t bytes, const char *purpose);
char *ps_must_copy_text(const char *text, const char *purpose);
/* As open_memstream: after fclose, *text is the terminated text, which the caller frees. No byte of it is missing. */
FILE *ps_must_open_text(char **text, size_t *length, const char *purpose);

/* Returns whether a system call failed with this errno for want of descriptors or of memory: the error says nothing about the file or the
 * socket, and the same call may succeed later. A caller whose call may also fail for a while with other errors names those itself.
 * Thread: any. */
bool ps_is_shortage(int error);

#define PS_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Bytes that the struct does not own. Not terminated. */
struct ps_slice {
    const char *data;
    uint32_t length;
};
