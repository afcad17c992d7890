/* Events of Flume 0.9 ("OG"), as the sources thriftLegacy and avroLegacy take them over: host, timestamp, priority,
 * nanoseconds and fields become headers. Thread: the source's worker. */
#pragma once

#include "stages/lib/event_headers.h"

#define PS_LEGACY_PRIORITIES 6U
/* Headers that do not come from a field: host, timestamp, pri, nanos, FlumeOG. */
#define PS_LEGACY_OWN_HEADERS 5U
#define PS_LEGACY_SIZES ((struct ps_header_sizes){.count = PS_LEGACY_OWN_HEADERS})

struct ps_legacy_event {
    struct ps_slice body, host;
    bool has_host, has_priority;
    int64_t timestamp, nanos;
    unsigned priority; /* FATAL, ERROR, WARN, INFO, DEBUG, TRACE; others have no name */
    uint32_t field_count;
    /* sizes of the fields and of the event's own headers: begins as PS_LEGACY_SIZES */
    struct ps_header_sizes sizes;
    /* Reads the next of the fields, which were checked; they lie in a block of the batch. */
    void (*next_field)(void *cursor, struct ps_slice *name, struct ps_slice *value);
    void *cursor;
};

/* Adds the event to the batch. Its headers are, as in org.apache.flume.source.avroLegacy.AvroLegacySource: host,
 * timestamp, pri, nanos, then the fields, then FlumeOG = yes; a later one replaces one of the same name. Returns
 * false and adds no row if there is no room (batch->full is set) or no memory. */
bool ps_legacy_event_add(struct ps_event_headers *headers, struct ps_batch *batch,
                         const struct ps_legacy_event *event);
