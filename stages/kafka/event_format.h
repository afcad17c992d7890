/* Flume's event on Kafka (useFlumeEventFormat, parseAsFlumeEvent): the bare Avro binary datum of
 * org.apache.flume.source.avro.AvroFlumeEvent, {map<string> headers; bytes body}: no magic byte, no schema
 * id, no container. Avro 1.11 specification, "Binary encoding".
 *
 * Thread: any; no state. Decoding reads bytes from outside: everything is bounded by the input's length. */
#pragma once

#include "core/flow/batch.h"

/* The most bytes that encoding this event can take. */
size_t ps_kafka_event_format_bound(const struct ps_batch *batch, const struct ps_event *event);

/* Writes the datum; returns its length. */
size_t ps_kafka_event_format_encode(const struct ps_batch *batch, const struct ps_event *event, char *out);

/* One header of a datum that is read. */
struct ps_kafka_event_reader {
    const unsigned char *next, *end;
    int64_t items_left; /* of the current block of the map */
};

enum ps_kafka_event_step {
    PS_KAFKA_EVENT_HEADER, /* *name and *value are set */
    PS_KAFKA_EVENT_BODY,   /* *value is the body: the end */
    PS_KAFKA_EVENT_BAD,    /* not such a datum */
};

void ps_kafka_event_reader_init(struct ps_kafka_event_reader *reader, const void *datum, size_t length);

/* The next part; slices point into the datum. Bytes behind the body are ignored, as Avro does. */
enum ps_kafka_event_step ps_kafka_event_reader_next(struct ps_kafka_event_reader *reader,
                                                    struct ps_slice *name, struct ps_slice *value);
