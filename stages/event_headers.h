/* Headers of events that come from outside, set while a source fills a batch: names that a batch has already are found
 * again, because events of one source have the same ones, and a later header of a name replaces the one before, as in
 * Flume's maps. Thread: the source's worker. */
#pragma once

#include "core/flow/batch.h"

/* Limits of one event: names are copied, and a batch has only so many blocks. */
#define PS_EVENT_HEADERS_MAX 4096U
#define PS_EVENT_NAMES_BYTES_MAX (1U << 20)
#define PS_EVENT_HEADERS_NAMES 64U

/* One for each worker. */
struct ps_event_headers {
    const struct ps_name *names[PS_EVENT_HEADERS_NAMES]; /* of the batch, by hash */
    /* Headers of one event with many, by their names' hashes. */
    struct ps_header *index[2 * PS_EVENT_HEADERS_MAX];
    uint32_t mask; /* of the index; 0: the event's headers are few, and are compared one by one */
};

static inline bool ps_event_headers_are_legal(uint32_t count, uint64_t names_bytes)
{
    return count <= PS_EVENT_HEADERS_MAX && names_bytes <= PS_EVENT_NAMES_BYTES_MAX;
}

/* Call it when a batch is begun. */
void ps_event_headers_begin(struct ps_event_headers *headers);
/* Call it before the headers of an event, at most PS_EVENT_HEADERS_MAX, are added; it has none yet. */
void ps_event_headers_expect(struct ps_event_headers *headers, uint32_t count);
/* Sets a header whose value lives as long as the batch. A name longer than 64 KiB is left out. Returns false: no memory. */
bool ps_event_headers_add(struct ps_event_headers *headers, struct ps_batch *batch, struct ps_event *event,
                          const struct ps_slice *name, const struct ps_slice *value);

/* Takes away the event that was begun at the point: there is no room for its headers or for what else belongs to it. */
void ps_event_withdraw(struct ps_event_headers *headers, struct ps_batch *batch,
                       const struct ps_batch_point *point);
