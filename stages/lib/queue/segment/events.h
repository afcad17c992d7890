/* The payload of a frame of events: bodies and headers. docs/CHANNEL-FORMAT.md describes the bytes.
 *
 *   encoder   begin, shared headers, then each event with its headers, end
 *   cursor    reads a payload, which may come from a damaged disk: it checks every length
 *
 * Thread: the owner's. */
#pragma once

#include "core/flow/batch.h"

/* Limit of a frame of several events, so that it can be read into one block of a batch. An event that is longer
 * gets a frame of its own. */
#define PS_EVENTS_PAYLOAD_BYTES (PS_BLOCK_BYTES - 65536U)

struct ps_events_encoder {
    char *bytes; /* the payload: in `own` or in `lent` */
    size_t length, room;
    char *own, *lent, *names;
    size_t own_room, lent_room, names_length, names_room;
    uint32_t count, name_count, shared_count, name_room, header_room, place_count, place_room;
    uint32_t cut; /* events of the frame that were shortened because they did not fit */
    /* Limit of a frame with one event; 0: PS_EVENT_FRAME_BYTES_MAX (tests set less). */
    uint32_t event_bytes_max;
    uint64_t body_bytes;
    struct ps_events_name *index; /* the names of this frame */
    uint32_t *places;             /* a hash table of indexes into `index`, plus one */
    /* the headers of one event, collected so that the oldest can be written first */
    const struct ps_header **headers;
};

/* Frees the encoder's memory. A zeroed encoder is ready for use. */
void ps_events_encoder_fini(struct ps_events_encoder *encoder);

/* Lets the next payload be built at `bytes` if it fits into `room`, else in the encoder's own memory. `bytes`
 * NULL: in the encoder's own memory. */
void ps_events_lend(struct ps_events_encoder *encoder, char *bytes, size_t room);

/* ---- event by event ---- */

void ps_events_begin(struct ps_events_encoder *encoder);
/* Adds a header that all events share. Call it before the first event. */
void ps_events_shared(struct ps_events_encoder *encoder, const char *name, size_t name_length,
                      const char *value, uint32_t value_length);
/* Adds an event; the caller adds its `header_count` headers next. */
void ps_events_add(struct ps_events_encoder *encoder, const char *body, uint32_t length,
                   uint32_t header_count);
void ps_events_header(struct ps_events_encoder *encoder, const char *name, size_t name_length,
                      const char *value, uint32_t value_length);
/* Returns the payload, which has encoder->length bytes, encoder->count events and encoder->body_bytes bytes of
 * bodies. It is valid until the next begin. */
const char *ps_events_end(struct ps_events_encoder *encoder);

/* ---- a lease ---- */

/* Encodes events of the lease from *position on, as many as fit into one frame, and advances *position. Returns the payload
 * as ps_events_end does. */
const char *ps_events_encode(struct ps_events_encoder *encoder, const struct ps_lease *lease,
                             uint32_t *position);

/* ---- reading ---- */

struct ps_events_cursor {
    const char *payload, *names;
    const char **name_list; /* names by number; the two bytes before each name are the name's length */
    size_t length, end, at; /* `end`: end of the events */
    uint32_t count, name_count, shared_count, done;
    uint32_t headers_left; /* number of headers not read yet: of the event, or of the shared headers */
};

struct ps_events_item {
    const char *body;
    uint32_t length, header_count;
};

struct ps_events_field {
    uint32_t number; /* number of the name */
    const char *name, *value;
    uint32_t name_length, value_length;
};

/* Starts to read a payload; the shared headers (shared_count fields) come first. Returns false if the payload is
 * damaged. Allocates memory that ps_events_cursor_fini frees. */
bool ps_events_cursor_init(struct ps_events_cursor *cursor, const char *payload, size_t length);
void ps_events_cursor_fini(struct ps_events_cursor *cursor);
/* Reads the next header of the event, or the next shared header. Returns false after the last header
 * (headers_left is 0) or if the payload is damaged (headers_left is greater). */
bool ps_events_next_field(struct ps_events_cursor *cursor, struct ps_events_field *field);
/* Reads the next event; skips headers of the previous one that were not read. Returns false after the last event
 * (cursor->done is cursor->count) or if the payload is damaged. */
bool ps_events_next(struct ps_events_cursor *cursor, struct ps_events_item *item);

enum ps_events_result {
    PS_EVENTS_OK,
    PS_EVENTS_NO_MEMORY, /* no memory for the headers: try again with another batch */
    PS_EVENTS_DAMAGED,
};

/* Adds all events of a payload to an empty batch. On any other result the batch must be given back. The batch
 * references the block of the payload, and bodies and values stay there. */
enum ps_events_result ps_events_decode(struct ps_batch *batch, char *payload, size_t length);
