/* A series of files that is followed: what is appended, new files, and rotation by renaming or by copying and
 * truncating. Thread: the far end's. */
#pragma once

#include "bench/verify/far_file.h"

struct ps_far_series {
    struct ps_far_place place;
    bool by_file;                    /* a stream for each file */
    struct ps_far_file **files;      /* in order; owned */
    struct ps_far_file **identified; /* the same ones by identity */
    size_t count, room;
    struct ps_far_identity *ignored; /* siblings that were there before us */
    size_t ignored_count;
    uint64_t next_stream;
    uint64_t scan_ns;   /* when to look for new files */
    int watch_fd;       /* inotify; -1: there is none */
    size_t early_count; /* files that are open and not begun */
    unsigned rescans;   /* in a row, because a file was about to be begun */
    bool again;         /* look at all files again before reading on */
    size_t unread;      /* files before this one have nothing to read */
    struct ps_far_notes *notes;
};

/* `place` says what is followed; `siblings` is set by this. */
void ps_far_series_init(struct ps_far_series *series, const struct ps_far_place *place, bool by_file,
                        struct ps_far_notes *notes);
void ps_far_series_fini(struct ps_far_series *series);
/* Hands over a piece of what is there; waits up to timeout_ms for it. False: nothing came. */
bool ps_far_series_read(struct ps_far_series *series, int timeout_ms, struct ps_far_hand *hand);
