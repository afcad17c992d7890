/* Gives up bytes that a disk cannot read: copies a log's file with zeros in place of the unreadable blocks. The log treats zeros as
 * damage, reports the frames that were there, and continues with the frames after them. For `penstock channel repair`. Waits for the
 * disk. Thread: any. */
#pragma once

#include "core/status.h"
#include "stages/lib/queue/segment/files.h"

/* Returns whether this errno of an open or a read says that the disk cannot read the file. Any other one (EMFILE, ENOMEM, EACCES,
 * ESTALE) says nothing about its bytes. */
bool ps_segment_is_disk_error(int error);

/* Copies `from` to a new file `to`, and syncs it; `to` NULL: only reads. Calls `gap` for each run of bytes that the disk
 * cannot read. Fails if the file cannot be opened at all, if a read fails for another reason, or if the copy cannot be
 * written; then the file `to` may exist. */
enum ps_status ps_segment_give_up(const struct ps_segment_files *files, const char *from, const char *to,
                                  void (*gap)(void *argument, uint64_t offset, uint64_t length),
                                  void *argument, struct ps_err *err);
