/* Flume's event on Kafka (useFlumeEventFormat, parseAsFlumeEvent): the bare Avro binary datum of
 * org.apache.flume.source.avro.AvroFlumeEvent, {map<string> headers; bytes body}: no magic byte, no schema
 * id, no container. Avro 1.11 specification, "Binary encoding".
 *
 * Thread: any; no state. Decoding reads untrusted bytes: it never reads past the input's length. */
#pragma once

#include "core/flow/batch.h"

/* Returns an upper bound of the encoded size of this event, in bytes. */
size_t ps_kafka_event_format_bound(const struct ps_batch *batch, const struct ps_event *event);

/* Writes the datum; returns its length. */
size_t ps_kafka_event_format_encode(const struct ps_batch *batch, const struct ps_event *event, char *out);

/* Reads a datum part by part. */
struct ps_kafka_event_reader {
    const unsigned char *next, *end;
    int64_t items_left; /* of the current block of the map */
};

enum ps_kafka_event_step {
    PS_KAFKA_EVENT_HEADER, /* *name and *value are set */
    PS_KAFKA_EVENT_BODY,   /* *value is the body, the last part */
    PS_KAFKA_EVENT_BAD,    /* the bytes are no such datum */
};

void ps_kafka_event_reader_init(struct ps_kafka_event_reader *reader, const void *datum, size_t length);

/* Reads the next part; slices point into the datum. Bytes after the body are ignored, as Avro does. */
enum ps_kafka_event_step ps_kafka_event_reader_next(struct ps_kafka_event_reader *reader,
                                                    struct ps_slice *name, struct ps_slice *value);
