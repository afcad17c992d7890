/* One process at a time has a position file: of two, each would overwrite what the other one has read. */
#pragma once

#include "core/status.h"

/* Locks the position file at `path`, by the file <path>.lock, which stays and has the process's number. Returns PS_FAIL, and names the
 * other process, only when another one has it: a lock that cannot be made (a full disk, a file system without locks) is no reason
 * to refuse, and *lock is -1 then. Thread: the worker's, in `open`. */
enum ps_status ps_tail_lock(const char *path, int *lock, struct ps_err *err);
/* -1 is allowed. */
void ps_tail_unlock(int lock);
