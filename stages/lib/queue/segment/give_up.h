/* Gives up bytes that a disk cannot read: copies a log's file with zeros in place of the unreadable blocks. The log treats zeros as
 * damage, reports the frames that were there, and continues with the frames after them. For `penstock channel repair`. Waits for the
 * disk. Thread: any. */
#pragma once

#include "core/status.h"
#include "stages/lib/queue/segment/files.h"

/* Copies `from` to a new file `to`, and syncs it; `to` NULL: only reads. Calls `gap` for each run of unreadable
 * bytes. Fails if the file cannot be opened at all, or if the copy cannot be written; then the file `to` may
 * exist. */
enum ps_status ps_segment_give_up(const struct ps_segment_files *files, const char *from, const char *to,
                                  void (*gap)(void *argument, uint64_t offset, uint64_t length),
                                  void *argument, struct ps_err *err);
