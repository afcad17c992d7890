/* For the files of the log only. */
#pragma once

#include "stages/segment/chunks.h"
#include "stages/segment/log.h"
#include "stages/segment/taken.h"

#define PS_SEGMENT_PATH_BYTES 4096U
/* Frames of which the log remembers where they are: consumers that keep up are fed without a read. */
#define PS_SEGMENT_RECENT_FRAMES 1024U

/* One segment file. */
struct ps_segment {
    struct ps_segment_head head;
    int fd;
    uint64_t end;          /* where its next frame begins, or would */
    uint64_t promised_end; /* of the frames that are promised; while it is written */
    uint64_t size;         /* of the file */
    const char *directory;
};

struct ps_segment_log {
    struct ps_segment_options options;
    const struct ps_segment_files *files;
    uint64_t id, random;
    struct ps_segment *segments; /* oldest first */
    size_t count, room;
    bool writing;       /* the last of them is the one that frames are appended to */
    uint64_t last_name; /* the highest number that a file has had */
    struct ps_chunks *chunks;
    /* The latest of them: `buffered` bytes before `end` of the last segment, of which the first `kept` are written. A write
     * through direct_fd is of whole blocks; the last one is filled up with zeros, and written again with what follows. */
    char *buffer;
    uint64_t chunk;
    size_t buffered, kept;
    int direct_fd;           /* of the last segment, past the page cache; -1: there is none */
    uint64_t next, promised; /* numbers of frames of events */
    uint64_t events, bytes;  /* appended and not delivered */
    uint64_t unsynced_events, unsynced_bytes; /* those of them that are not promised */
    bool dirty;                               /* written and not synced */
    struct ps_taken taken;
    struct ps_taken_range *news; /* delivered, and in no frame yet */
    size_t news_count, news_room;
    int state_fd;
    uint64_t generation;
    uint64_t since_state_bytes; /* appended since the state was written */
    bool trim_failed;           /* the last time; reported */
    char *slot;
    uint64_t feed_segment, feed_offset, feed_number; /* the next frame to feed, at the latest */
    struct ps_segment_place
        *recent; /* the latest frames appended, each at its number modulo PS_SEGMENT_RECENT_FRAMES */
    uint64_t frames_lost;
};

void ps_segment_report(const struct ps_segment_log *log, const struct ps_segment *segment, const char *format,
                       ...) __attribute__((format(printf, 3, 4)));
/* `to` has PS_SEGMENT_PATH_BYTES. */
void ps_segment_path(char *to, const char *directory, uint64_t number);
/* Returns the number of a segment's file name, or 0. */
uint64_t ps_segment_number(const char *name);
struct ps_segment *ps_segment_add(struct ps_segment_log *log, const struct ps_segment *segment);
/* The last segment whose first frame has this number or a lower one. */
size_t ps_segment_with(const struct ps_segment_log *log, uint64_t number);
/* Finds the next valid frame at *offset or behind it, and sets *offset to it. Returns false if there is none. */
bool ps_segment_walk(const struct ps_segment_log *log, const struct ps_segment *segment, uint64_t *offset,
                     struct ps_frame *frame);
/* Frames first .. last were promised and are not there: reports and takes those that were not delivered before. */
void ps_segment_numbers_lost(struct ps_segment_log *log, const struct ps_segment *segment, uint64_t first,
                             uint64_t last);
/* Closes direct_fd. */
void ps_segment_end_direct(struct ps_segment_log *log);
/* Writes the state: right after a sync. */
enum ps_status ps_segment_state_save(struct ps_segment_log *log, struct ps_err *err);
/* Reads the state file's slots. Returns false if there is no valid one; `ranges` has room for PS_STATE_RANGES_MAX. */
bool ps_segment_state_load(struct ps_segment_log *log, struct ps_segment_state *state);
/* Counts a range that was delivered. */
void ps_segment_taken(struct ps_segment_log *log, const struct ps_taken_range *range);
