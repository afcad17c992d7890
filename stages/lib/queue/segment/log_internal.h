/* Types and functions that only the files of the log use. */
#pragma once

#include "stages/lib/queue/segment/chunks.h"
#include "stages/lib/queue/segment/log.h"
#include "stages/lib/queue/segment/taken.h"

#define PS_SEGMENT_PATH_BYTES 4096U
/* The end of messages about a file that the disk cannot read: how to repair the channel. */
#define PS_SEGMENT_GIVE_UP                                                                                   \
    "if it stays so, stop the agent and run `penstock channel repair --give-up-unreadable`"

/* Why a segment file does not fit the state and the other files. */
enum ps_segment_fault {
    PS_SEGMENT_GONE,    /* it does not exist */
    PS_SEGMENT_BLANK,   /* its head is all zero */
    PS_SEGMENT_DAMAGED, /* its head is damaged: the file is not used, and was reported when it was found */
    PS_SEGMENT_SHORT,   /* it is shorter than when it was created */
    PS_SEGMENT_DOUBLE,  /* another file has its number, and is used */
    PS_SEGMENT_ALL,     /* no segment exists */
};

struct ps_segment_missing {
    enum ps_segment_fault fault;
    const char *directory;
    uint64_t segment;
    uint64_t first, last; /* promised frames, including delivered ones; last < first: not known */
};
/* Number of frames whose places the log remembers, so that consumers that keep up are fed without a read. */
#define PS_SEGMENT_RECENT_FRAMES 1024U

/* One segment file. */
struct ps_segment {
    struct ps_segment_head head;
    int fd;
    uint64_t end;          /* where its next frame begins, or would begin */
    uint64_t promised_end; /* end of its promised frames; only for the segment that is written */
    uint64_t size;         /* size of the file */
    const char *directory;
    size_t turn;          /* order in which the files were found */
    struct ps_seal *seal; /* the segment's key; NULL: not encrypted, or the key is missing */
    uint64_t sealed_end;  /* end of the bytes that were encrypted: no place is encrypted twice */
};

struct ps_segment_log {
    struct ps_segment_options options;
    const struct ps_segment_files *files;
    uint64_t id, random;
    struct ps_segment *segments; /* oldest first */
    size_t count, room;
    bool writing;           /* frames are appended to the last segment */
    uint64_t segment_bytes; /* size of the next file */
    uint64_t last_name;     /* the highest number that a segment of the log ever had */
    struct ps_chunks *chunks;
    /* The latest chunk: `buffered` bytes before the `end` of the last segment, of which the first `kept` are written.
     * Writes through direct_fd are of whole blocks: the last block is filled up with zeros, and written again with the
     * bytes that follow. */
    struct {
        char *buffer;
        uint64_t chunk;
        size_t buffered, kept;
        int direct_fd; /* descriptor of the last segment that bypasses the page cache; -1: none */
    } tail;
    uint64_t next, promised;                  /* numbers of frames of events */
    uint64_t events, bytes;                   /* appended and not delivered */
    uint64_t unsynced_events, unsynced_bytes; /* not promised yet */
    bool dirty;                               /* written bytes are not synced */
    struct ps_taken taken;
    struct {
        struct ps_taken_range *ranges;
        size_t count, room;
        size_t appended; /* number of ranges, from the first, that are in TAKEN frames that are not synced */
        /* Number of ranges, from the first, that may be on the disk already. These ranges do not grow, because recovery skips a range if
         * it knows a part of it. */
        size_t closed;
    } news; /* delivered, but not yet in a durable TAKEN frame */
    struct {
        int fd;
        uint64_t generation;
        uint64_t since_bytes; /* bytes appended since the state was written */
        uint64_t retry_ns; /* when a state with too many ranges is tried again after a failure; 0: at once */
        uint64_t retry_wait_ns; /* the wait before retry_ns; 0: none */
        uint64_t segment;       /* the last used segment that the state names; 0: none */
        bool remade;            /* the state file was created again: both of its slots must be written */
        bool lacks; /* neither the state nor the tail has all delivered ranges (ps_segment_make_space) */
        char *slot;
    } state;
    bool trim_failed; /* the last trim failed, and the failure was reported */
    bool full;        /* the disk was full when the last segment could not be created */
    bool torn;        /* a frame of ps_segment_log_save could not be appended: the log must be renewed */
    struct {
        uint64_t segment, offset, number;
    } feed; /* the next frame to feed is at or after this place */
    struct ps_segment_place
        *recent; /* the latest appended frames, each at its number modulo PS_SEGMENT_RECENT_FRAMES */
    uint64_t frames_lost;
    struct ps_sealer sealer;
    char *sealed; /* buffer for a frame as it is written, encrypted */
    size_t sealed_room;
    size_t held; /* number of segments whose key is missing */
    /* At first the files that are not used, in the order in which they were found; after ps_segment_miss the missing
     * segments. */
    struct {
        struct ps_segment_missing *items;
        size_t count, room;
    } missing;
};

/* ---- missing segments (missing.c) ---- */

void ps_segment_missing_add(struct ps_segment_log *log, const struct ps_segment_missing *missing);
/* Compares the files with the state: reports missing segments, and counts their frames as lost. Removes files
 * whose head was never written. `state` NULL: there is no state, so no segment is missing. Called after the
 * state is read and before the tail is read. Fails if the disk cannot read the needed bytes. */
enum ps_status ps_segment_miss(struct ps_segment_log *log, const struct ps_segment_state *state,
                               struct ps_err *err);
const struct ps_segment_missing *ps_segment_missing_find(const struct ps_segment_log *log, uint64_t segment,
                                                         enum ps_segment_fault fault);
/* Returns the fault as a text for people. Must not be called for DAMAGED. */
const char *ps_segment_fault_text(enum ps_segment_fault fault);

void ps_segment_report(const struct ps_segment_log *log, const struct ps_segment *segment, const char *format,
                       ...) __attribute__((format(printf, 3, 4)));
/* Writes the path of a segment to `to`, which has PS_SEGMENT_PATH_BYTES. */
void ps_segment_path(char *to, const char *directory, uint64_t number);
#define PS_SEGMENT_SUFFIX ".segment"
#define PS_SEGMENT_NUMBER_MAX UINT64_C(999999999999999999)
/* Returns the number in a segment's file name. Returns 0 if ps_segment_path makes no such name, or if the
 * number is above PS_SEGMENT_NUMBER_MAX. */
uint64_t ps_segment_number(const char *name);
struct ps_segment *ps_segment_add(struct ps_segment_log *log, const struct ps_segment *segment);
/* Returns the index of the last segment whose first frame has this number or a lower one. */
size_t ps_segment_with(const struct ps_segment_log *log, uint64_t number);
/* Sets `err` for a failed read of this file, from errno, with the cure. Returns PS_FAIL. `err` may be NULL. */
enum ps_status ps_segment_unreadable(const char *directory, uint64_t number, uint64_t offset,
                                     struct ps_err *err);
/* Finds the next valid frame at or after *offset, and sets *offset to it. NOTHING: there is none. FAILED: `err` has the reason. */
enum ps_segment_read ps_segment_walk(const struct ps_segment_log *log, const struct ps_segment *segment,
                                     uint64_t *offset, struct ps_frame *frame, struct ps_err *err);
/* Takes those of the frames `first` to `last` that were not delivered: they are lost. Returns how many there were. */
uint64_t ps_segment_take_missing(struct ps_segment_log *log, uint64_t first, uint64_t last);
/* Handles frames `first` to `last`, which were promised and are missing: reports and takes the undelivered ones. */
void ps_segment_numbers_lost(struct ps_segment_log *log, const struct ps_segment *segment, uint64_t first,
                             uint64_t last);
/* Returns the place of the frame whose head is at `offset`. */
struct ps_segment_place ps_segment_place_of(const struct ps_segment *segment, uint64_t offset,
                                            const struct ps_frame *frame);

/* Returns whether the segment has a frame. Before that, nothing in it is promised, and a power cut may remove the file. */
static inline bool ps_segment_is_used(const struct ps_segment *segment)
{
    return segment->end > ps_segment_head_bytes(&segment->head);
}

/* Returns whether the segment's events cannot be read because the key is missing. */
static inline bool ps_segment_is_held(const struct ps_segment *segment)
{
    return segment->head.sealing.on && segment->seal == NULL;
}

/* Finds the key of a segment that was found on the disk. */
void ps_segment_unlock_frames(struct ps_segment_log *log, struct ps_segment *segment);
/* Derives a key for a new segment. */
enum ps_status ps_segment_seal_head(struct ps_segment_log *log, struct ps_segment *segment,
                                    struct ps_err *err);
/* Encrypts a frame that will be at segment->end: sets frame->length and *payload to the encrypted bytes, which are valid until the next call. */
enum ps_status ps_segment_seal_frame(struct ps_segment_log *log, struct ps_segment *segment,
                                     struct ps_frame *frame, const void **payload, struct ps_err *err);
/* Decrypts a frame's payload in place. Returns false if its tag does not fit. Thread: any. */
bool ps_segment_open_frame(struct ps_sealer *sealer, const struct ps_segment_place *place, void *payload,
                           const uint8_t tag[PS_SEAL_TAG_BYTES]);
/* Counts and reports the segments whose key is missing and that have undelivered events. Fails if new segments would be plain
 * although older ones are encrypted. */
enum ps_status ps_segment_look_for_held(struct ps_segment_log *log, struct ps_err *err);

/* Closes direct_fd. */
void ps_segment_end_direct(struct ps_segment_log *log);
/* Opens or creates the state file. */
enum ps_status ps_segment_state_open(struct ps_segment_log *log, struct ps_err *err);
/* Creates the state file again if it was removed or replaced: without the file, a restart would deliver
 * everything again. */
enum ps_status ps_segment_state_keep(struct ps_segment_log *log, struct ps_err *err);
/* Returns the number of delivered ranges that must be in the state: those that may have all frames of a segment; all if there are at most
 * PS_STATE_RANGES_MAX. The function looks at each range, so its caller calls it once and keeps the number, which stays the same while a
 * state is written. */
size_t ps_segment_state_needed(const struct ps_segment_log *log);
/* Returns whether a state can be written: it has room for all delivered ranges; or it has room for those that may have all frames of a
 * segment, and the log is being written, so that the log can have the others. Without this check a restart would miss segments that
 * were removed: their range would be neither in the state nor in the log. */
bool ps_segment_state_fits(const struct ps_segment_log *log, size_t needed);
/* Returns all delivered ranges: first PS_STATE_RANGES_MAX ranges for the state (those that it needs, and the oldest of the others), then
 * the rest. The caller frees them. Call it only if there are more than PS_STATE_RANGES_MAX, and `needed` is at most that number. */
struct ps_taken_range *ps_segment_state_choose(const struct ps_segment_log *log, size_t needed);
/* Writes the state. Called right after a sync. `ranges`: from ps_segment_state_choose, and the tail begins at this offset of the last
 * segment, with a frame of the ranges that are not for the state; NULL: the state has room for all. */
enum ps_status ps_segment_state_save(struct ps_segment_log *log, struct ps_taken_range *ranges,
                                     uint64_t offset, struct ps_err *err);
/* Writes the state if it fits. `needed`: of ps_segment_state_needed. Called right after a sync. Appends and syncs the ranges that it has
 * no room for. If that fails, sets log->torn. */
enum ps_status ps_segment_log_save(struct ps_segment_log *log, size_t needed, struct ps_err *err);
/* Writes the state if that is due, and removes the delivered segments. Called right after a sync. */
enum ps_status ps_segment_trim(struct ps_segment_log *log, struct ps_err *err);
/* For a full disk, if no segment is written and the state has no room for all delivered ranges: writes a state with those that it needs, and
 * removes the delivered segments. Returns whether there were any; sets log->state.lacks. */
bool ps_segment_make_space(struct ps_segment_log *log);
/* Returns whether a segment can be removed. */
bool ps_segment_has_delivered(const struct ps_segment_log *log);
/* Removes delivered segments that the state no longer needs. Called right after the state was written. `at_once`: frees
 * their space before it returns. */
void ps_segment_remove_delivered(struct ps_segment_log *log, size_t needed, bool at_once);
/* Reads the slots of the state file. NOTHING: no slot is valid. FAILED: a slot that may be newer than the other
 * one cannot be read; `err` has the reason. `ranges` has room for PS_STATE_RANGES_MAX. */
enum ps_segment_read ps_segment_state_load(struct ps_segment_log *log, struct ps_segment_state *state,
                                           struct ps_err *err);
/* Adds a delivered range, and updates the counts of undelivered events. */
void ps_segment_taken(struct ps_segment_log *log, const struct ps_taken_range *range);
