/* Giving up what a disk does not give: a copy of a log's file with zeros in place of the blocks that cannot be read. A log reads zeros
 * as damage, names the frames that were there, and goes on with those behind them. For `penstock channel repair`; blocks on the
 * disk. Thread: any. */
#pragma once

#include "core/status.h"
#include "stages/segment/files.h"

/* Copies `from` to a new file `to`, and syncs it; NULL: only looks. Calls `gap` for each run of bytes that cannot be read. Fails
 * when the file cannot be opened at all, or the copy cannot be written; then `to` may be there. */
enum ps_status ps_segment_give_up(const struct ps_segment_files *files, const char *from, const char *to,
                                  void (*gap)(void *argument, uint64_t offset, uint64_t length),
                                  void *argument, struct ps_err *err);
