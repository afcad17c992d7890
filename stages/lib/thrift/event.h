/* struct ThriftFlumeEvent {1: required map<string, string> headers, 2: required binary body} of Flume's
 * flume.thrift, in either of Thrift's encodings. Reading copies nothing. Thread: any; no state. */
#pragma once

#include "stages/lib/event_headers.h"
#include "stages/lib/thrift/protocol.h"

/* The result of a first pass over an event. */
struct ps_thrift_datum {
    struct ps_slice body;
    const uint8_t *headers; /* the first name; then name and value alternate */
    struct ps_header_sizes sizes;
};

/* Reads an event and moves past it. Returns NULL, or a static text with the reason why it is invalid, such
 * as headers beyond the limits of core/flow/limits.h. */
const char *ps_thrift_event_read(struct ps_thrift_reader *in, struct ps_thrift_datum *datum);

/* Sets the headers of a datum, which `in` has read from a block of the batch, on its event, which has no
 * headers yet. Returns false without memory. */
bool ps_thrift_event_add_headers(struct ps_event_headers *headers, struct ps_batch *batch,
                                 struct ps_event *event, const struct ps_thrift_reader *in,
                                 const struct ps_thrift_datum *datum);

/* Returns an upper bound of the encoded size of this event, in bytes. */
size_t ps_thrift_event_bound(const struct ps_batch *batch, const struct ps_event *event);

/* Writes the event. */
void ps_thrift_event_put(struct ps_thrift_writer *out, const struct ps_batch *batch,
                         const struct ps_event *event);
