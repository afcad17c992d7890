/* Reports the whole content of a log's files: every frame and every damaged place. For commands that inspect a channel
 * (commands/channel); the channel itself reads only the bytes that it needs. Waits for the disk. Thread: the log's. */
#pragma once

#include "stages/lib/queue/segment/log.h"

struct ps_survey_segment {
    const char *directory;
    uint64_t number, bytes; /* number and size of the file */
    uint64_t first;         /* number of the first frame of events, as the head says */
    bool readable;          /* the head is valid and of this log, so the following fields are known */
    bool unused;            /* the file is not readable, and all zero: a crash interrupted its creation */
    bool ended;             /* it has an END frame: another segment continues */
    uint64_t frames, events, event_bytes; /* totals of the segment's frames of events */
    uint64_t open_frames, open_events;    /* totals of the undelivered ones */
    uint64_t last;                        /* number of the last frame; 0: none */
    const char *key;                      /* name of the encryption key; NULL: not encrypted */
    bool held;                            /* the key is missing: its events cannot be read */
    uint64_t held_events;                 /* number of the open_events that are in held frames */
};

struct ps_survey_frame {
    const char *directory;
    uint64_t segment, offset; /* `offset`: of the frame's head */
    struct ps_frame frame;    /* of kind PS_FRAME_EVENTS */
    bool delivered;
    bool held;               /* the frame is encrypted and the key is missing */
    uint32_t payload_length; /* bytes */
    const char *payload;     /* checksum verified; valid during the call; NULL: heads_only or held */
};

struct ps_survey_damage {
    const char *directory; /* NULL: the state file */
    uint64_t segment, offset, length;
    uint64_t first, last; /* undelivered frames that are lost with these bytes; 0: none, or not known */
    bool unsure;          /* undelivered frames may have been there, or are there and cannot be read now */
    /* The bytes may be of a frame that was being written when the process ended, and was not promised. */
    bool unfinished;
    const char *reason;
};

struct ps_survey_visitor {
    void *argument;
    bool heads_only; /* payloads are not read, so damage in them is not found */
    /* Returns a text that says what is wrong with the payload; NULL: nothing is. */
    const char *(*frame)(void *argument, const struct ps_survey_frame *frame);
    void (*damage)(void *argument, const struct ps_survey_damage *damage);
    /* Called after the segment's frames. */
    void (*segment)(void *argument, const struct ps_survey_segment *segment);
};

enum ps_survey_slot { PS_SURVEY_EMPTY, PS_SURVEY_READABLE, PS_SURVEY_DAMAGED };

struct ps_survey_state {
    enum ps_survey_slot slots[2];
    uint64_t generation, log; /* generation and log of the newest slot; 0: no slot is valid */
    uint64_t segment;         /* the last segment with a promised frame; 0: none */
    uint64_t low;             /* every frame below this number was delivered */
    int error;                /* errno of the open, or of the slot that cannot be read; 0: both can be read */
};

/* Reads all segments of an open log, in order. Call it before any frame is fed. */
void ps_segment_survey(struct ps_segment_log *log, const struct ps_survey_visitor *visitor);

/* Reads the state file without opening a log. Returns false if the state file does not exist or cannot be read:
 * then both slots are empty. */
bool ps_segment_survey_state(const char *state_directory, struct ps_survey_state *state);

/* The result of reading a segment's head without opening a log. */
enum ps_survey_head {
    PS_SURVEY_HEAD_RIGHT,
    PS_SURVEY_HEAD_ZERO,
    PS_SURVEY_HEAD_DAMAGED,
    PS_SURVEY_HEAD_FAILED,
    PS_SURVEY_HEAD_STRAY /* the name does not belong to a regular file */
};
/* Reads the head of a segment file. FAILED: errno has the reason. `number`: the number in the file's name. */
enum ps_survey_head ps_segment_survey_head(const char *directory, uint64_t number,
                                           struct ps_segment_head *head, uint64_t *bytes);

/* Returns the sorted numbers of the segment files in a directory; the caller frees them. Returns NULL with
 * errno if the directory cannot be read. */
uint64_t *ps_segment_survey_files(const char *directory, size_t *count);
