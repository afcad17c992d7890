/* Events of Flume 0.9 ("OG"), as the sources thriftLegacy and avroLegacy take them over: host, timestamp, priority,
 * nanoseconds and fields become headers. Thread: the source's worker. */
#pragma once

#include "stages/event_headers.h"

#define PS_LEGACY_PRIORITIES 6U

struct ps_legacy_event {
    struct ps_slice body, host;
    bool has_host, has_priority;
    int64_t timestamp, nanos;
    unsigned priority; /* FATAL, ERROR, WARN, INFO, DEBUG, TRACE; others have no name */
    uint32_t field_count;
    uint64_t names_bytes; /* of the fields */
    /* Reads the next of the fields, which were checked; they lie in a block of the batch. */
    void (*next_field)(void *cursor, struct ps_slice *name, struct ps_slice *value);
    void *cursor;
};

static inline bool ps_legacy_event_is_legal(const struct ps_legacy_event *event)
{
    return ps_event_headers_are_legal(event->field_count, event->names_bytes);
}

/* Adds the event to the batch. Its headers are, as in org.apache.flume.source.avroLegacy.AvroLegacySource: host, timestamp, pri,
 * nanos, then the fields, then FlumeOG = yes; a later one replaces one of the same name. Returns false, without a row: no room, and
 * batch->full is set, or no memory. */
bool ps_legacy_event_add(struct ps_event_headers *headers, struct ps_batch *batch,
                         const struct ps_legacy_event *event);
