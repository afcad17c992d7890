/* A log on disk: frames of events are appended, synced in groups, read in order, and forgotten when they were delivered.
 *
 * It is one or several directories of segment files, and a file with the state from which recovery begins. A segment is
 * written once and never again after a restart or a failure: those begin a new one. It is removed when everything in it,
 * and before it, was delivered.
 *
 *   append .. append sync     the frames are promised: they survive a crash and a power cut
 *   feed                      the next promised frame that was not delivered
 *   take                      it was delivered: it is not fed again, also after a restart; after a power cut those of
 *                             the last moments may be
 *
 * Thread: one, the log's; ps_segment_load: any, while the frame is not taken. */
#pragma once

#include "core/option.h"
#include "core/status.h"
#include "stages/segment/files.h"
#include "stages/segment/format.h"

struct ps_segment_log;
struct ps_chunks;

/* A new file costs three syncs: a log that is filled fast has its longest files soon. */
#define PS_SEGMENT_GROWTH 8U

struct ps_segment_options {
    struct ps_texts directories; /* of the segments, at least one; they exist */
    const char *state_directory; /* of the file with the state */
    uint64_t segment_bytes;      /* size of a segment file; a longer frame gets a longer one */
    /* Size of the first one that is made; each that becomes full is followed by one that is PS_SEGMENT_GROWTH times as long, up to
     * segment_bytes. 0: segment_bytes. */
    uint64_t first_segment_bytes;
    const struct ps_segment_files *files; /* &ps_segment_disk, or a test's */
    /* Keys of segments that are encrypted; NULL: none. They live as long as the log. */
    const struct ps_key_ring *keys;
    const char *active_key; /* with which new segments are encrypted; NULL: they are plain */
    bool plain;             /* new segments may be plain although others are encrypted */
    /* For `penstock channel repair`: a frame of the tail that is read behind an unreadable place counts as promised, also when no
     * frame says that it was. A person gave the place up; a power cut did not leave it. */
    bool keeps_behind_holes;
    /* What recovery or reading found: one line that names the file, what is wrong, and what became of it. */
    void (*report)(void *argument, const char *text);
    /* The same for what is in the directories, looks like a segment, and is none: it is skipped. NULL: `report`. */
    void (*stray)(void *argument, const char *text);
    void *argument;
};

/* The outcome of a read. */
enum ps_segment_read {
    PS_SEGMENT_READ_WHOLE,   /* what was written */
    PS_SEGMENT_READ_NOTHING, /* nothing is there, or not what was written: another read will not help */
    /* The disk does not give it at the moment. Nothing is known of it: it is neither lost nor delivered, and is read again. */
    PS_SEGMENT_READ_FAILED,
};

enum ps_segment_fed {
    PS_SEGMENT_FED,
    PS_SEGMENT_EMPTY,       /* there is none */
    PS_SEGMENT_FEED_FAILED, /* the disk does not give the next one at the moment: call again later */
};

/* Where a frame of events is. */
struct ps_segment_place {
    uint64_t number;
    const char *directory;
    uint64_t segment, offset; /* of the payload in its file */
    int fd;
    uint32_t length; /* of the payload */
    uint32_t count, checksum, salt;
    uint64_t bytes;
    uint64_t promised;
    enum ps_frame_kind kind;
    uint32_t tag_bytes;         /* behind the payload; 0: it is not encrypted */
    const struct ps_seal *seal; /* the key of the segment; NULL: there is none */
    struct ps_chunks *chunks;   /* where its payload may still be in memory; NULL: nowhere */
    uint64_t chunk, chunk_offset;
};

struct ps_segment_fill {
    uint64_t events, bytes; /* promised and not delivered */
    uint64_t frames_lost;   /* promised once and not readable any more, since the log was opened */
    size_t segments;
    size_t
        held; /* segments that are encrypted with a key that is not there: nothing of them is fed or removed */
};

/* Opens the log, or makes it. What is damaged is reported and left out. Fails when the disk does not give the state, a head or
 * the tail, and when files belong to another log. Reads the state and the tail, not the backlog. */
struct ps_segment_log *ps_segment_log_open(const struct ps_segment_options *options, struct ps_err *err);
/* Writes the state. */
void ps_segment_log_close(struct ps_segment_log *log);

/* Returns where the payload of the next frame, of at most `room` bytes, may be made, so that ps_segment_log_append does not
 * have to copy it; nothing else of the log is called in between. NULL: nowhere at the moment. */
char *ps_segment_log_lend(struct ps_segment_log *log, uint32_t room);
/* Appends a frame of `count` events; `place` says where it will be. PS_FAIL: it cannot be written; call
 * ps_segment_log_renew. */
enum ps_status ps_segment_log_append(struct ps_segment_log *log, const void *payload, uint32_t length,
                                     uint32_t count, uint64_t bytes, struct ps_segment_place *place,
                                     struct ps_err *err);
/* Syncs: every frame appended is promised. PS_FAIL: those since the last sync are not, whatever is on the disk. */
enum ps_status ps_segment_log_sync(struct ps_segment_log *log, struct ps_err *err);
/* Writes without a sync: every frame appended is promised, against a crash of the process only. A sync that fails later
 * may lose them. */
enum ps_status ps_segment_log_write(struct ps_segment_log *log, struct ps_err *err);
/* After PS_FAIL: forgets the frames that are not promised and begins another segment. The caller appends those above
 * ps_segment_log_promised again: a segment that became full has been synced. */
enum ps_status ps_segment_log_renew(struct ps_segment_log *log, struct ps_err *err);

/* Sets *place to the next promised frame that was not delivered. FEED_FAILED: with the reason in `err`. */
enum ps_segment_fed ps_segment_log_feed(struct ps_segment_log *log, struct ps_segment_place *place,
                                        struct ps_err *err);
/* Reads a frame's payload: place->length bytes, from memory if it was written lately. NOTHING: it is damaged
 * (ps_segment_log_lost). FAILED: with the reason in `err`. `sealer`: the caller's, for frames that are encrypted. */
enum ps_segment_read ps_segment_load(const struct ps_segment_files *files,
                                     const struct ps_segment_place *place, struct ps_sealer *sealer, void *to,
                                     struct ps_err *err);
/* Its payload is damaged: reports it and takes it. */
void ps_segment_log_lost(struct ps_segment_log *log, const struct ps_segment_place *place);
/* The frame was delivered. */
void ps_segment_log_take(struct ps_segment_log *log, const struct ps_segment_place *place);

/* Writes which segments are held back and what is missing, one line; an empty one: none is. */
void ps_segment_log_held(const struct ps_segment_log *log, char *text, size_t room);

uint64_t ps_segment_log_promised(const struct ps_segment_log *log);
void ps_segment_log_fill(const struct ps_segment_log *log, struct ps_segment_fill *fill);
