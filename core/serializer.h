/* A serializer turns events into bytes: a sub-stage of a sink that writes streams. It has a state for each open file.
 * Part of core/stage.h. Thread: the sink's worker. */
#pragma once

#include "core/status.h"

#include <string.h>

struct ps_batch;
struct ps_event;

struct ps_output {
    /* Appends bytes; returns false when the destination failed (the caller gives the batch up). */
    bool (*write)(struct ps_output *output, const void *data, size_t length);
    /* Free bytes of a buffer, into which bytes may be put without a call of `write`, and their number. 0: no buffer.
     * `write` may change both. */
    char *at;
    size_t room;
};

/* As `write`, but fast for few bytes: for functions that are called for each event. */
static inline bool ps_output_put(struct ps_output *output, const void *data, size_t length)
{
    if (length >= output->room) /* also when there is no room at all */
        return output->write(output, data, length);
    memcpy(output->at, data, length);
    output->at += length;
    output->room -= length;
    return true;
}

/* The serializer's answer for an event before the event is written. */
enum ps_serializer_answer {
    PS_SERIALIZER_READY,
    /* The data that it needs is being read: ask again in a later cycle. The port's wake_fd or epoll_fd wakes the
     * worker. */
    PS_SERIALIZER_LATER,
    /* The event does not fit the open file: end that file, and begin another one. Not for the first event of a file. */
    PS_SERIALIZER_NEW_FILE,
    /* The event fits no file. */
    PS_SERIALIZER_REFUSED,
};

struct ps_serializer_ops {
    const char *extension; /* suggested file extension, or NULL */
    /* Called at the start of a file. */
    bool (*begin)(const void *plan, void *state, struct ps_output *output);
    bool (*event)(const void *plan, void *state, const struct ps_batch *batch, const struct ps_event *event,
                  struct ps_output *output);
    /* Called at the end of a transaction. */
    bool (*flush)(const void *plan, void *state, struct ps_output *output);
    /* Called before the file is closed. */
    bool (*end)(const void *plan, void *state, struct ps_output *output);
    /* Called before `event`, any number of times; changes nothing in the file. If the event is refused, sets
     * `reason`. NULL: always READY. */
    enum ps_serializer_answer (*ready)(const void *plan, void *state, const struct ps_batch *batch,
                                       const struct ps_event *event, struct ps_err *reason);
};
