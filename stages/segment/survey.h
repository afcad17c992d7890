/* Everything that is in the files of a log: every frame, every place that is damaged. For commands that look at a channel
 * (core/commands/channel*.c); the channel itself reads only what it needs. Thread: the log's; blocks on the disk. */
#pragma once

#include "stages/segment/log.h"

struct ps_survey_segment {
    const char *directory;
    uint64_t number, bytes; /* of the file */
    uint64_t first;         /* number of its first frame of events, as its head says */
    bool readable;          /* its head is right, and it is of this log: what follows is known */
    bool unused;            /* not readable, and all zero: what a crash left of making it */
    bool ended;             /* another segment goes on */
    uint64_t frames, events, event_bytes; /* frames of events that are of the log */
    uint64_t open_frames, open_events;    /* those of them that were not delivered */
    uint64_t last;                        /* number of the last of them; 0: none */
    const char *key;                      /* the name of the key that it is encrypted with; NULL: it is not */
    bool held;                            /* that key is not there: its events cannot be read */
    uint64_t held_events;                 /* of open_events */
};

struct ps_survey_frame {
    const char *directory;
    uint64_t segment, offset; /* of its head */
    struct ps_frame frame;    /* of kind PS_FRAME_EVENTS */
    bool delivered;
    bool held;               /* it is encrypted, and the key is not there */
    uint32_t payload_length; /* bytes */
    const char *payload;     /* with the right checksum, valid during the call; NULL: heads_only, or held */
};

struct ps_survey_damage {
    const char *directory; /* NULL: the state */
    uint64_t segment, offset, length;
    uint64_t first,
        last; /* frames of events that are lost to it and had not been delivered; 0: none, or not known */
    /* It may be what was being written when the process ended; then it was not promised. */
    bool unfinished;
    const char *reason;
};

struct ps_survey_visitor {
    void *argument;
    bool heads_only; /* payloads are not read, and what is damaged in them is not found */
    /* Returns what is wrong with the payload, or NULL. */
    const char *(*frame)(void *argument, const struct ps_survey_frame *frame);
    void (*damage)(void *argument, const struct ps_survey_damage *damage);
    void (*segment)(void *argument, const struct ps_survey_segment *segment); /* after its frames */
};

enum ps_survey_slot { PS_SURVEY_EMPTY, PS_SURVEY_READABLE, PS_SURVEY_DAMAGED };

struct ps_survey_state {
    enum ps_survey_slot slots[2];
    uint64_t generation, log; /* of the newest; 0: there is none */
    uint64_t segment;         /* the last one in which anything was promised; 0: none */
    uint64_t low;             /* every frame below it was delivered */
    int error;                /* why a slot cannot be read; 0: both can */
};

/* Reads all segments of an open log, in order. Call it before frames are fed. */
void ps_segment_survey(struct ps_segment_log *log, const struct ps_survey_visitor *visitor);

/* Reads the state file, without a log. Returns false if it is not there or cannot be read: then both slots are empty. */
bool ps_segment_survey_state(const char *state_directory, struct ps_survey_state *state);

/* What the head of a segment's file says, without a log. */
enum ps_survey_head {
    PS_SURVEY_HEAD_RIGHT,
    PS_SURVEY_HEAD_ZERO,
    PS_SURVEY_HEAD_DAMAGED,
    PS_SURVEY_HEAD_FAILED,
    PS_SURVEY_HEAD_STRAY /* there is no regular file of that name */
};
/* FAILED: with errno. `number`: what its name says. */
enum ps_survey_head ps_segment_survey_head(const char *directory, uint64_t number,
                                           struct ps_segment_head *head, uint64_t *bytes);

/* Returns the numbers of the segment files in a directory, in order, to be freed; NULL with errno if it cannot be read. */
uint64_t *ps_segment_survey_files(const char *directory, size_t *count);
