/* Follows a series of files: appended data, new files, and rotation by renaming or by copying and truncating.
 * Thread: the far end's. */
#pragma once

#include "bench/verify/far/file.h"

struct ps_far_series {
    struct ps_far_place place;
    bool by_file;                    /* each file is a stream */
    struct ps_far_file **files;      /* in the order of reading; owned */
    struct ps_far_file **identified; /* the same files, sorted by identity */
    size_t count, room;
    struct ps_far_identity *ignored; /* siblings that existed before the start */
    size_t ignored_count;
    uint64_t next_stream;
    uint64_t scan_ns;   /* when to list the directories next */
    int watch_fd;       /* inotify; -1: not available */
    size_t early_count; /* open files that were not read yet */
    unsigned rescans;   /* consecutive scans because a new file was about to be read */
    bool again;         /* examine all files again before reading on */
    size_t unread;      /* the files before this index have nothing to read */
    struct ps_far_notes *notes;
};

/* Prepares following `place`, and sets its `siblings`. */
void ps_far_series_init(struct ps_far_series *series, const struct ps_far_place *place, bool by_file,
                        struct ps_far_notes *notes);
void ps_far_series_fini(struct ps_far_series *series);
/* Hands over a piece of the data; waits up to timeout_ms for it. Returns false when no data came. */
bool ps_far_series_read(struct ps_far_series *series, int timeout_ms, struct ps_far_hand *hand);
