/* The contract of a deserializer: a sub-stage of sources that read files. Part of core/stage.h. */
#pragma once

#include "core/status.h"

struct ps_batch;

#define PS_INPUT_END 0 /* the file ends here */
/* The bytes are not in memory yet: the source's worker is woken when they are. */
#define PS_INPUT_NOT_NOW (-1)
#define PS_INPUT_UNREADABLE (-2) /* the file cannot be read */

enum ps_decode_policy { PS_DECODE_FAIL, PS_DECODE_REPLACE, PS_DECODE_IGNORE };

struct ps_charset;

/* A file that is being read. The source owns it. Positions count bytes from the beginning of the file, or of the
 * decompressed text of a compressed file. */
struct ps_input {
    /* Reads up to `room` bytes from `offset` on; never waits. Returns the number of bytes, which may be less than
     * `room` before the end of the file, or one of PS_INPUT_*. */
    int64_t (*read)(struct ps_input *input, uint64_t offset, void *to, uint32_t room);
    const struct ps_charset *charset; /* of its text: inputCharset */
    enum ps_decode_policy policy;     /* for bytes that are not of that charset */
    uint64_t size;                    /* when it was opened; the file may have grown since. 0: not known */
    /* Written by the deserializer: all bytes before it are in batches, so a later run of the agent can begin here. It
     * never decreases. */
    uint64_t position;
    /* Written by the deserializer: the number of events that end at a size limit in the middle of a line. It never
     * decreases. */
    uint64_t cuts;
    /* The number of events after `position` that are in batches: a later run must skip them. Only a deserializer that
     * `continues`, and whose position does not move with every event, reads it in `begin` and writes it. */
    uint64_t inside;
};

enum ps_deserialized {
    PS_DESERIALIZED_SOME,   /* call again: it made progress */
    PS_DESERIALIZED_WAITS,  /* for bytes of the file, or for memory */
    PS_DESERIALIZED_FULL,   /* the batch is full: call again with the next one */
    PS_DESERIALIZED_ALL,    /* the file has ended, all of it is in batches */
    PS_DESERIALIZED_FAILED, /* the file cannot be read further; the events before that point are in batches */
};

struct ps_deserializer_ops {
    /* A file begins, at input->position: 0, or the position at which an earlier run ended. The deserializer may not
     * have finished the previous file. */
    void (*begin)(const void *plan, void *state, struct ps_input *input);
    /* Adds events to the batch, at most a few hundred kilobytes of the file, and moves input->position to the end of
     * the last event after which reading can resume. Allocates nothing once warm. `err` is for
     * PS_DESERIALIZED_FAILED. */
    enum ps_deserialized (*work)(const void *plan, void *state, struct ps_input *input,
                                 struct ps_batch *batch, struct ps_err *err);
    /* The deserializer's events are whole files: compressed files are decompressed only when the configuration
     * asks for it. */
    bool as_they_are;
    /* A later run that begins at input->position, with input->inside, makes exactly the events that follow. If false,
     * it may make some events again, and the source cannot deliver them exactly once. */
    bool continues;
};
