/* The lock of a directory of Flume's file channel: a POSIX record lock on the file in_use.lock, as Java takes it.
 *
 * Thread: any, one at a time: these locks belong to the process, and closing any descriptor of the file releases them. */
#pragma once

#include "core/status.h"

struct ps_flume_lock;

/* Locks the directory, so that no Flume agent can start on it. Creates in_use.lock if it does not exist, as Flume does. Fails
 * if an agent holds the lock. If the directory is not writable, only checks for a lock, and sets *lock to NULL. */
enum ps_status ps_flume_lock(const char *directory, struct ps_flume_lock **lock, struct ps_err *err);
/* Releases the lock, and removes in_use.lock if ps_flume_lock created it. */
void ps_flume_unlock(struct ps_flume_lock *lock);
