/* The files of one directory of dead letters: the current one is named by time, agent and process, so that several
 * agents can use one directory. A new one begins with each hour and at PS_DEAD_LETTER_FILE_BYTES_MAX. Thread: the
 * writer's (core/deadletter/writer.h). */
#pragma once

#include <sys/uio.h>

#include "core/clock.h"
#include "core/status.h"

#define PS_DEAD_LETTER_FILE_BYTES_MAX (UINT64_C(64) << 20)

struct ps_dead_letter_file {
    char *directory, *agent; /* owned */
    char path[4096];         /* path of the file that is open, or was open last */
    int fd;                  /* -1: none is open */
    uint64_t bytes;          /* synced bytes of the file */
    int64_t hour;            /* the hour in which the file was begun, counted from the epoch */
    unsigned number;         /* number of files that this process began in the directory */
};

/* Makes the directory when it is missing (not its parents), and checks that it can be written. */
enum ps_status ps_dead_letter_file_init(struct ps_dead_letter_file *file, const char *directory,
                                        const char *agent, struct ps_err *err);
void ps_dead_letter_file_fini(struct ps_dead_letter_file *file);

/* Appends whole lines and syncs them. On failure none of them counts as written: the file is cut back to its
 * synced length and, after a failed sync, is no longer used; a file without a synced line is removed, so that
 * a disk which cannot sync does not get a file with each try. Even so, a line may end up in two files.
 * `parts` is changed. */
enum ps_status ps_dead_letter_file_append(struct ps_dead_letter_file *file, struct iovec *parts, size_t count,
                                          struct ps_now now, struct ps_err *err);
