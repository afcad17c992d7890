/* For the files of the log only. */
#pragma once

#include "stages/segment/chunks.h"
#include "stages/segment/log.h"
#include "stages/segment/taken.h"

#define PS_SEGMENT_PATH_BYTES 4096U
/* What can be done about a file that the disk does not give. */
#define PS_SEGMENT_GIVE_UP                                                                                   \
    "if it stays so, stop the agent and run `penstock channel repair --give-up-unreadable`"

/* A file of the log that is not what the state and the other files say it should be. */
enum ps_segment_fault {
    PS_SEGMENT_GONE,    /* it is not there */
    PS_SEGMENT_BLANK,   /* its head is zero */
    PS_SEGMENT_DAMAGED, /* its head is damaged: left aside, reported when it was found */
    PS_SEGMENT_SHORT,   /* than it was made */
    PS_SEGMENT_DOUBLE,  /* another file has its number, and is read */
    PS_SEGMENT_ALL,     /* none is there */
};

struct ps_segment_missing {
    enum ps_segment_fault fault;
    const char *directory;
    uint64_t segment;
    uint64_t first,
        last; /* numbers of frames that were promised, delivered or not; last < first: none is known */
};
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
    size_t turn;          /* in which it was found */
    struct ps_seal *seal; /* its key; NULL: it is not encrypted, or the key is not there */
    uint64_t sealed_end;  /* of what was encrypted: each place once */
};

struct ps_segment_log {
    struct ps_segment_options options;
    const struct ps_segment_files *files;
    uint64_t id, random;
    struct ps_segment *segments; /* oldest first */
    size_t count, room;
    bool writing;           /* the last of them is the one that frames are appended to */
    uint64_t segment_bytes; /* of the next file */
    uint64_t last_name;     /* the highest number that a segment of the log has had */
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
    uint64_t state_segment;     /* the last segment that the state says was used; 0: none */
    bool state_remade;          /* its file is a new one, of which no slot is written */
    bool trim_failed;           /* the last time; reported */
    char *slot;
    uint64_t feed_segment, feed_offset, feed_number; /* the next frame to feed, at the latest */
    struct ps_segment_place
        *recent; /* the latest frames appended, each at its number modulo PS_SEGMENT_RECENT_FRAMES */
    uint64_t frames_lost;
    struct ps_sealer sealer;
    char *sealed; /* a frame as it is on the disk */
    size_t sealed_room;
    size_t held; /* segments */
    /* As they were found: first what was left aside, then with what is missed. */
    struct ps_segment_missing *missing;
    size_t missing_count, missing_room;
};

/* ---- what is missing (missing.c) ---- */

void ps_segment_missing_add(struct ps_segment_log *log, const struct ps_segment_missing *missing);
/* What the state says was there and is not: reports it and counts the frames as lost. Removes files whose head was never written.
 * `state` NULL: there is none, and nobody knows. After the state was read, before the tail. Fails when the disk does not give
 * what it has to look at. */
enum ps_status ps_segment_miss(struct ps_segment_log *log, const struct ps_segment_state *state,
                               struct ps_err *err);
const struct ps_segment_missing *ps_segment_missing_find(const struct ps_segment_log *log, uint64_t segment,
                                                         enum ps_segment_fault fault);
/* For people; not of DAMAGED. */
const char *ps_segment_fault_text(enum ps_segment_fault fault);

void ps_segment_report(const struct ps_segment_log *log, const struct ps_segment *segment, const char *format,
                       ...) __attribute__((format(printf, 3, 4)));
/* `to` has PS_SEGMENT_PATH_BYTES. */
void ps_segment_path(char *to, const char *directory, uint64_t number);
#define PS_SEGMENT_NUMBER_MAX UINT64_C(999999999999999999)
/* Returns the number of a segment's file name, or 0: only names as ps_segment_path makes them, up to PS_SEGMENT_NUMBER_MAX, are
 * the log's. */
uint64_t ps_segment_number(const char *name);
struct ps_segment *ps_segment_add(struct ps_segment_log *log, const struct ps_segment *segment);
/* The last segment whose first frame has this number or a lower one. */
size_t ps_segment_with(const struct ps_segment_log *log, uint64_t number);
/* Sets `err` to what a read of this file says that failed, from errno, and what the user can do. Returns PS_FAIL. `err` may be
 * NULL. */
enum ps_status ps_segment_unreadable(const char *directory, uint64_t number, uint64_t offset,
                                     struct ps_err *err);
/* Finds the next valid frame at *offset or behind it, and sets *offset to it. NOTHING: there is none. FAILED: with the reason
 * in `err`. */
enum ps_segment_read ps_segment_walk(const struct ps_segment_log *log, const struct ps_segment *segment,
                                     uint64_t *offset, struct ps_frame *frame, struct ps_err *err);
/* Frames first .. last were promised and are not there: reports and takes those that were not delivered before. */
void ps_segment_numbers_lost(struct ps_segment_log *log, const struct ps_segment *segment, uint64_t first,
                             uint64_t last);
/* Where a frame is whose head is at `offset`. */
struct ps_segment_place ps_segment_place_of(const struct ps_segment *segment, uint64_t offset,
                                            const struct ps_frame *frame);

/* Whether there is a frame in it. While there is none nothing was promised in it, and a power cut may take it. */
static inline bool ps_segment_is_used(const struct ps_segment *segment)
{
    return segment->end > ps_segment_head_bytes(&segment->head);
}

/* Whether its events cannot be read for want of the key. */
static inline bool ps_segment_is_held(const struct ps_segment *segment)
{
    return segment->head.sealing.on && segment->seal == NULL;
}

/* Finds the key of a segment that was found on the disk. */
void ps_segment_unlock_frames(struct ps_segment_log *log, struct ps_segment *segment);
/* Gives a new segment a key of its own. */
enum ps_status ps_segment_seal_head(struct ps_segment_log *log, struct ps_segment *segment,
                                    struct ps_err *err);
/* Encrypts a frame that will be at segment->end: frame->length and *payload become those of what is written; valid until the next
 * call. */
enum ps_status ps_segment_seal_frame(struct ps_segment_log *log, struct ps_segment *segment,
                                     struct ps_frame *frame, const void **payload, struct ps_err *err);
/* Decrypts a frame's payload in place. Returns false if it was altered. Thread: any. */
bool ps_segment_open_frame(struct ps_sealer *sealer, const struct ps_segment_place *place, void *payload,
                           const uint8_t tag[PS_SEAL_TAG_BYTES]);
/* Counts and reports the segments that are held back and have what was not delivered. Fails if new segments would be plain beside
 * encrypted ones. */
enum ps_status ps_segment_hold(struct ps_segment_log *log, struct ps_err *err);

/* Closes direct_fd. */
void ps_segment_end_direct(struct ps_segment_log *log);
/* Opens the file of the state, or makes it. */
enum ps_status ps_segment_state_open(struct ps_segment_log *log, struct ps_err *err);
/* Makes the file of the state again if it is not where it was: a log without a state delivers everything again. */
enum ps_status ps_segment_state_keep(struct ps_segment_log *log, struct ps_err *err);
/* Writes the state: right after a sync. */
enum ps_status ps_segment_state_save(struct ps_segment_log *log, struct ps_err *err);
/* Reads the state file's slots. NOTHING: there is no valid one. FAILED: one of them may be newer than what could be read; the
 * reason is in `err`. `ranges` has room for PS_STATE_RANGES_MAX. */
enum ps_segment_read ps_segment_state_load(struct ps_segment_log *log, struct ps_segment_state *state,
                                           struct ps_err *err);
/* Counts a range that was delivered. */
void ps_segment_taken(struct ps_segment_log *log, const struct ps_taken_range *range);
