/* The bare Avro binary datum of Flume's event, as its Avro RPC and its Kafka components (useFlumeEventFormat,
 * parseAsFlumeEvent) carry it:
 * org.apache.flume.source.avro.AvroFlumeEvent, {map<string> headers; bytes body}: no magic byte, no schema
 * id, no container. Avro 1.11 specification, "Binary encoding".
 *
 * Thread: any; no state. Decoding reads untrusted bytes: it never reads past the input's length. */
#pragma once

#include "stages/lib/event_headers.h"

/* Returns an upper bound of the encoded size of this event, in bytes. */
size_t ps_avro_event_bound(const struct ps_batch *batch, const struct ps_event *event);

/* Writes the datum; returns its length. */
size_t ps_avro_event_encode(const struct ps_batch *batch, const struct ps_event *event, char *out);

/* Reads a datum part by part. */
struct ps_avro_event_reader {
    const unsigned char *next, *end;
    int64_t items_left; /* items that are left in the current block of the map */
};

enum ps_avro_event_step {
    PS_AVRO_EVENT_HEADER, /* *name and *value are set */
    PS_AVRO_EVENT_BODY,   /* *value is the body, the last part */
    PS_AVRO_EVENT_BAD,    /* the bytes are not a datum of this schema */
};

void ps_avro_event_reader_init(struct ps_avro_event_reader *reader, const void *datum, size_t length);

/* Reads the next part; slices point into the datum. Bytes after the body are ignored, as Avro does. */
enum ps_avro_event_step ps_avro_event_reader_next(struct ps_avro_event_reader *reader, struct ps_slice *name,
                                                  struct ps_slice *value);

/* ---- a whole datum, into a batch ---- */

/* The result of a first pass over a datum. */
struct ps_avro_datum {
    struct ps_slice body;
    size_t length; /* length of the datum */
    struct ps_header_sizes headers;
};

/* Returns whether the bytes begin with a datum. With more headers than the limit, length and body are not
 * set. */
bool ps_avro_event_read(const char *bytes, size_t length, struct ps_avro_datum *datum);

/* Sets the headers of a datum in a block of the batch on its event, which has no headers yet. Returns false
 * when there is no memory. */
bool ps_avro_event_add_headers(struct ps_event_headers *headers, struct ps_batch *batch,
                               struct ps_event *event, const char *bytes, const struct ps_avro_datum *datum);
