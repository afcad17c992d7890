/* A lock for the position file, so that only one process uses it. If two used it, each would overwrite the positions of the other. */
#pragma once

#include "core/status.h"

/* Locks the position file at `path` by the file <path>.lock, which has the number of the process, and remains
 * when the process ends. Returns PS_FAIL with the number of the other process only when another process holds
 * the lock. If the lock cannot be made (a full disk, a file system without locks), sets *lock to -1 and returns
 * PS_OK. `key`: the configuration key that says where the position file is. Thread: the worker's, in `open`. */
enum ps_status ps_tail_lock(const char *path, const char *key, int *lock, struct ps_err *err);
/* -1 is allowed */
void ps_tail_unlock(int lock);
