/* The bare Avro binary datum of Flume's event, as its Avro RPC and its Kafka components (useFlumeEventFormat,
 * parseAsFlumeEvent) carry it:
 * org.apache.flume.source.avro.AvroFlumeEvent, {map<string> headers; bytes body}: no magic byte, no schema
 * id, no container. Avro 1.11 specification, "Binary encoding".
 *
 * Thread: any; no state. Decoding reads untrusted bytes: it never reads past the input's length. */
#pragma once

#include "core/flow/batch.h"

/* Returns an upper bound of the encoded size of this event, in bytes. */
size_t ps_avro_event_bound(const struct ps_batch *batch, const struct ps_event *event);

/* Writes the datum; returns its length. */
size_t ps_avro_event_encode(const struct ps_batch *batch, const struct ps_event *event, char *out);

/* Reads a datum part by part. */
struct ps_avro_event_reader {
    const unsigned char *next, *end;
    int64_t items_left; /* of the current block of the map */
};

enum ps_avro_event_step {
    PS_AVRO_EVENT_HEADER, /* *name and *value are set */
    PS_AVRO_EVENT_BODY,   /* *value is the body, the last part */
    PS_AVRO_EVENT_BAD,    /* the bytes are no such datum */
};

void ps_avro_event_reader_init(struct ps_avro_event_reader *reader, const void *datum, size_t length);

/* Reads the next part; slices point into the datum. Bytes after the body are ignored, as Avro does. */
enum ps_avro_event_step ps_avro_event_reader_next(struct ps_avro_event_reader *reader, struct ps_slice *name,
                                                  struct ps_slice *value);

/* ---- a whole datum, into a batch ---- */

/* Limits of one event's headers: their names are copied, and a batch has only so many blocks. */
#define PS_AVRO_EVENT_HEADERS_MAX 4096U
#define PS_AVRO_EVENT_NAMES_BYTES_MAX (1U << 20)
#define PS_AVRO_NAMES 64U

/* What a first pass over a datum finds. */
struct ps_avro_datum {
    struct ps_slice body;
    size_t length; /* of the datum */
    uint32_t header_count;
    uint64_t names_bytes;
};

/* Returns whether the bytes begin with a datum. It has no length and no body when it has more headers than the limit. */
bool ps_avro_event_read(const char *bytes, size_t length, struct ps_avro_datum *datum);

/* Whether it is within the limits. */
static inline bool ps_avro_event_is_legal(const struct ps_avro_datum *datum)
{
    return datum->header_count <= PS_AVRO_EVENT_HEADERS_MAX &&
           datum->names_bytes <= PS_AVRO_EVENT_NAMES_BYTES_MAX;
}

/* One for each worker: makes headers of a batch. */
struct ps_avro_headers {
    /* Names that the batch has already, by hash: events of one source have the same ones. */
    const struct ps_name *names[PS_AVRO_NAMES];
    /* Headers of one datum with many, by their names' hashes. */
    struct ps_header *index[2 * PS_AVRO_EVENT_HEADERS_MAX];
};

/* Call it when a batch is begun. */
void ps_avro_headers_begin(struct ps_avro_headers *headers);

/* Sets the headers of a datum, which is in a block of the batch, on its event, which has none yet. A later entry of the
 * same name wins, as in Flume's map; a name longer than 64 KiB is left out. Returns false: no memory. */
bool ps_avro_event_add_headers(struct ps_avro_headers *headers, struct ps_batch *batch,
                               struct ps_event *event, const char *bytes, const struct ps_avro_datum *datum);

/* Removes the event added last: there is no room for its headers or for what else belongs to it. */
void ps_avro_event_withdraw(struct ps_batch *batch);
