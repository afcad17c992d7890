/* The lock of a log on disk: the file `lock` in the directory of its state, locked with flock. An agent holds it while the
 * log is open; a command that changes the log's files also holds it. The kernel releases it when the process ends.
 *
 * Thread: any. */
#pragma once

#include "core/option.h"
#include "core/status.h"

/* The locks of a whole log: the lock file in the state's directory, and each data directory. If the lock file
 * was removed, the locks of the directories still protect the log. */
struct ps_segment_locks {
    int state;        /* -1: none */
    int *directories; /* `count` of them */
    size_t count;
};

/* Takes all locks for writing. If it returns false, no lock is held, and the error names the refused lock and
 * its holder. */
bool ps_segment_lock_log(struct ps_segment_locks *locks, const char *state_directory,
                         const struct ps_texts *directories, struct ps_err *err);
/* Locks further data directories for writing. `directories` begins with those that are locked already. If it
 * returns false, no lock is held. */
bool ps_segment_lock_more(struct ps_segment_locks *locks, const struct ps_texts *directories,
                          struct ps_err *err);
/* Takes all locks for reading; creates no file. */
bool ps_segment_lock_log_shared(struct ps_segment_locks *locks, const char *state_directory,
                                const struct ps_texts *directories, struct ps_err *err);
/* Releases locks that were taken; {.state = -1} is allowed. */
void ps_segment_unlock_log(struct ps_segment_locks *locks);

/* Takes the lock for writing, and writes the number of this process into the lock file, which it creates if
 * needed. Returns a descriptor for ps_segment_unlock, or -1; the error names the process that holds the lock, or
 * the reason why the file cannot be opened. Does not wait. */
int ps_segment_lock(const char *directory, struct ps_err *err);

/* Like ps_segment_lock, for the lock file `path`; the error calls the locked thing `what`. */
int ps_segment_lock_file(const char *path, const char *what, struct ps_err *err);

/* Takes the lock for reading: several readers may hold it together, but no writer. Creates and changes no file. Sets *lock
 * to -1 if there is no lock file, that is, if the log was never opened. */
enum ps_status ps_segment_lock_shared(const char *directory, int *lock, struct ps_err *err);

/* Releases a lock that was taken for writing or reading; -1 is allowed. */
void ps_segment_unlock(int lock);
