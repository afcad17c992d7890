/* The lock of a directory of Flume's file channel: the file in_use.lock, locked as Java does, with a record lock of POSIX.
 * Thread: the process has one set of these locks: closing any descriptor of the file releases them. */
#pragma once

#include "core/status.h"

struct ps_flume_lock;

/* Locks the directory, so that no Flume starts on it. Creates in_use.lock if it is not there, as Flume does. Fails if an agent
 * has the lock. Where the directory is not writable only whether there is a lock is checked: *lock is NULL then. */
enum ps_status ps_flume_lock(const char *directory, struct ps_flume_lock **lock, struct ps_err *err);
/* Removes in_use.lock if ps_flume_lock made it. */
void ps_flume_unlock(struct ps_flume_lock *lock);
