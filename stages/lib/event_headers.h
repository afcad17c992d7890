/* Headers of events that come from outside, set while a source fills a batch: names that a batch has already are found
 * again, because events of one source have the same ones, and a later header of a name replaces the one before, as in
 * Flume's maps. Thread: the source's worker. */
#pragma once

#include "core/flow/batch.h"

#define PS_EVENT_HEADERS_NAMES 64U

/* One for each worker. */
struct ps_event_headers {
    const struct ps_name *names[PS_EVENT_HEADERS_NAMES]; /* names of the batch, by hash */
    /* The headers of an event that has more than a few, by a keyed hash of the name (ps_name_keyed_hash), so
     * that no client can choose names that collide. */
    struct ps_header *index[2 * PS_EVENT_HEADERS_MAX];
    uint32_t mask; /* mask of the index; 0: the event's headers are few, and are compared one by one */
};

/* Call it when a batch is begun. */
void ps_event_headers_begin(struct ps_event_headers *headers);
/* Call it before the headers of an event, which are within the limits (ps_header_sizes_refusal), are added; the
 * event has no headers yet. */
void ps_event_headers_expect(struct ps_event_headers *headers, uint32_t count);
/* Sets a header whose value lives as long as the batch. Returns false: no memory. */
bool ps_event_headers_add(struct ps_event_headers *headers, struct ps_batch *batch, struct ps_event *event,
                          const struct ps_slice *name, const struct ps_slice *value);

/* Removes the event that was begun at the point: there is no room for its headers or for what else belongs to it. */
void ps_event_withdraw(struct ps_event_headers *headers, struct ps_batch *batch,
                       const struct ps_batch_point *point);
