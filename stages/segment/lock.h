/* The lock of a log on disk: the file `lock` in the directory of its state, locked with flock. An agent holds it for as long
 * as the log is open, and so does a command that changes the log's files. The kernel releases it when the process ends.
 * Thread: any. */
#pragma once

#include "core/option.h"
#include "core/status.h"

/* The locks of a whole log: of its state's directory, and of each data directory. The latter hold when somebody has removed the
 * lock file of the former. */
struct ps_segment_locks {
    int state;        /* -1: none */
    int *directories; /* `count` of them */
    size_t count;
};

/* Takes all of them for writing; false: the error says who holds which, and none is held. */
bool ps_segment_lock_log(struct ps_segment_locks *locks, const char *state_directory,
                         const struct ps_texts *directories, struct ps_err *err);
/* The same for reading; creates no file. */
bool ps_segment_lock_log_shared(struct ps_segment_locks *locks, const char *state_directory,
                                const struct ps_texts *directories, struct ps_err *err);
/* Of locks that were taken, or of {.state = -1}. */
void ps_segment_unlock_log(struct ps_segment_locks *locks);

/* Takes the lock for writing and writes the number of this process into the file, which it creates if needed. Returns a
 * descriptor for ps_segment_unlock, or -1: the error names the process that holds the lock, or why the file cannot be
 * opened. Does not wait. */
int ps_segment_lock(const char *directory, struct ps_err *err);

/* The same with this file as the lock of `what`, which the error names. */
int ps_segment_lock_file(const char *path, const char *what, struct ps_err *err);

/* Locks a data directory itself, with no file: so that two logs with different states do not share it, nor two processes of which
 * one has removed the lock file. Returns a descriptor for ps_segment_unlock, or -1: the error says that it is in use, or why it
 * cannot be opened. A file system that locks no directories (NFS) is no reason to refuse. */
int ps_segment_lock_directory(const char *directory, struct ps_err *err);

/* Takes the lock for reading: several readers may hold it, and nobody who writes. It creates and changes no file. *lock is
 * -1 if there is no lock file: then nobody has opened the log. */
enum ps_status ps_segment_lock_shared(const char *directory, int *lock, struct ps_err *err);

/* Releases what one of the two returned; nothing for -1. */
void ps_segment_unlock(int lock);
