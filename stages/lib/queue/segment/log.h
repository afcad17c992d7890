/* A log on disk: frames of events are appended, synced in groups, read in order, and removed after delivery. It
 * consists of one or several directories of segment files, and a file with the state from which recovery
 * begins. A segment is written once: after a restart or a failure, appending continues in a new segment. A
 * segment is removed when all its events were delivered and the state no longer needs it.
 *
 *   append .. append sync     the frames are promised: they survive a crash and a power cut
 *   feed                      the next promised frame that was not delivered
 *   take                      the frame was delivered: it is not fed again, even after a restart; but after a power
 *                             cut, frames that were taken in the last moments may be fed again
 *
 * Thread: the log's; for ps_segment_load any, while the frame is not taken. */
#pragma once

#include "core/option.h"
#include "core/status.h"
#include "stages/lib/queue/segment/files.h"
#include "stages/lib/queue/segment/format.h"

struct ps_segment_log;
struct ps_chunks;

/* Factor between the sizes of successive segment files. A new file costs three syncs, so a log that fills fast soon gets long files. */
#define PS_SEGMENT_GROWTH 8U

struct ps_segment_options {
    struct ps_texts directories; /* directories of the segments, at least one */
    /* For each of `directories`, whether it does not exist although another one does, so its file system may not be
     * mounted. Then the log is not opened if a segment with promised frames is missing. The caller makes these
     * directories after the log was opened, and before it is used. NULL: all exist. The caller keeps the array as
     * long as the log. */
    const bool *absent;
    const char *state_directory; /* directory of the state file */
    uint64_t segment_bytes;      /* size of a segment file; a frame that is longer gets a longer file */
    /* Size of the first file that is created. Each full segment is followed by a segment that is
     * PS_SEGMENT_GROWTH times as long, up to segment_bytes. 0: the first file has segment_bytes. */
    uint64_t first_segment_bytes;
    const struct ps_segment_files *files; /* &ps_segment_disk, or the files of a test */
    /* Keys of encrypted segments; NULL: none. The caller keeps them as long as the log. */
    const struct ps_key_ring *keys;
    const char *active_key; /* key for new segments; NULL: new segments are plain */
    bool plain;             /* new segments may be plain although older ones are encrypted */
    /* For `penstock channel repair`: a frame in the tail after an unreadable place counts as promised, even if
     * no later frame confirms that, because the user gave the place up, so it was not left by a power cut. */
    bool keeps_behind_holes;
    /* Called for each fault that recovery or reading finds: one line with the file, the fault, and the consequence. */
    void (*report)(void *argument, const char *text);
    /* Called for a file that looks like a segment but is not one, and is skipped. NULL: `report` is called. */
    void (*stray)(void *argument, const char *text);
    void *argument;
};

/* The result of a read. */
enum ps_segment_read {
    PS_SEGMENT_READ_WHOLE,   /* the bytes that were written */
    PS_SEGMENT_READ_NOTHING, /* the bytes are missing or damaged: another read will not help */
    /* The disk cannot read the bytes now. They are neither lost nor delivered, and will be read again. */
    PS_SEGMENT_READ_FAILED,
};

enum ps_segment_fed {
    PS_SEGMENT_FED,
    PS_SEGMENT_EMPTY,       /* no frame is left */
    PS_SEGMENT_FEED_FAILED, /* the disk cannot read the next frame now: call again later */
};

/* The place of a frame of events. */
struct ps_segment_place {
    uint64_t number;
    uint64_t log; /* random number of the log */
    const char *directory;
    uint64_t segment, offset; /* `offset`: where the payload begins in the segment's file */
    int fd;
    uint32_t length; /* length of the payload, bytes */
    uint32_t count, checksum, salt;
    uint64_t bytes;
    uint64_t promised;
    enum ps_frame_kind kind;
    uint32_t tag_bytes;         /* length of the tag after the payload; 0: not encrypted */
    const struct ps_seal *seal; /* the segment's key; NULL: none */
    struct ps_chunks *chunks;   /* chunks that may still have the payload; NULL: none */
    uint64_t chunk, chunk_offset;
};

struct ps_segment_fill {
    uint64_t events, bytes; /* promised and not delivered */
    uint64_t frames_lost;   /* number of promised frames that became unreadable since the log was opened */
    size_t segments;
    size_t
        /* number of encrypted segments whose key is missing: their frames are not fed, and the segments are not removed */
        held;
};

/* Opens or creates the log. Reports damaged places and skips them. Fails if the disk cannot read the state, a head or
 * the tail, or if files belong to another log. Reads the state and the tail, not the backlog. */
struct ps_segment_log *ps_segment_log_open(const struct ps_segment_options *options, struct ps_err *err);
/* Writes the state and frees the log. */
void ps_segment_log_close(struct ps_segment_log *log);

/* Returns the address at which the payload of the next frame, of at most `room` bytes, can be built, so that
 * ps_segment_log_append need not copy it. Until then the caller calls no other function of the log. Returns
 * NULL if there is no such place now. */
char *ps_segment_log_lend(struct ps_segment_log *log, uint32_t room);
/* Appends a frame of `count` events, and sets *place. Returns PS_FAIL if the frame cannot be written; the
 * caller then calls ps_segment_log_renew. */
enum ps_status ps_segment_log_append(struct ps_segment_log *log, const void *payload, uint32_t length,
                                     uint32_t count, uint64_t bytes, struct ps_segment_place *place,
                                     struct ps_err *err);
/* Syncs the log: all appended frames are promised. On PS_FAIL, the frames since the last sync are not promised, even if they are on the disk. */
enum ps_status ps_segment_log_sync(struct ps_segment_log *log, struct ps_err *err);
/* Writes without a sync: all appended frames are promised against a crash of the process only. If a later sync
 * fails, these frames may be lost. */
enum ps_status ps_segment_log_write(struct ps_segment_log *log, struct ps_err *err);
/* After PS_FAIL: forgets the frames that are not promised and begins another segment. The caller appends the
 * frames above ps_segment_log_promised again. ps_segment_log_promised may have increased, because a segment is
 * synced when it is full. */
enum ps_status ps_segment_log_renew(struct ps_segment_log *log, struct ps_err *err);

/* Sets *place to the next promised frame that was not delivered. FEED_FAILED: `err` has the reason. */
enum ps_segment_fed ps_segment_log_feed(struct ps_segment_log *log, struct ps_segment_place *place,
                                        struct ps_err *err);
/* Reads a frame's payload, place->length bytes, from memory if the frame was written recently. NOTHING: the payload is
 * damaged (call ps_segment_log_lost). FAILED: `err` has the reason. `sealer` decrypts; it belongs to the caller. */
enum ps_segment_read ps_segment_load(const struct ps_segment_files *files,
                                     const struct ps_segment_place *place, struct ps_sealer *sealer, void *to,
                                     struct ps_err *err);
/* Reports a frame whose payload is damaged, and takes it. */
void ps_segment_log_lost(struct ps_segment_log *log, const struct ps_segment_place *place);
/* Notes that the frame was delivered. */
void ps_segment_log_take(struct ps_segment_log *log, const struct ps_segment_place *place);

/* Writes one line: the number of segments that are held back, the first of them, and what is wrong with its
 * key. Writes an empty text if there are none. */
void ps_segment_log_held(const struct ps_segment_log *log, char *text, size_t room);

uint64_t ps_segment_log_promised(const struct ps_segment_log *log);
void ps_segment_log_fill(const struct ps_segment_log *log, struct ps_segment_fill *fill);
