/* The payload of a frame of events: their bodies and headers. docs/CHANNEL-FORMAT.md has the bytes.
 *
 *   encoder   begin, headers of all events, then each event with its headers, end
 *   cursor    reads a payload, which may come from a damaged disk: it checks every length
 *
 * Thread: the owner's. */
#pragma once

#include "core/flow/batch.h"

/* A frame of several events is not longer: it is read into one block of a batch. A longer event has a frame of its own. */
#define PS_EVENTS_PAYLOAD_BYTES (PS_BLOCK_BYTES - 65536U)

struct ps_events_encoder {
    char *bytes; /* of the payload: its own, or lent */
    size_t length, room;
    char *own, *lent, *names;
    size_t own_room, lent_room, names_length, names_room;
    uint32_t count, name_count, shared_count, name_room, header_room, place_count, place_room;
    uint32_t cut;             /* events of the frame that lack what did not fit */
    uint32_t event_bytes_max; /* of a frame with one event; 0: PS_EVENT_FRAME_BYTES_MAX (tests set less) */
    uint64_t body_bytes;
    struct ps_events_name *index;     /* of the names of this frame */
    uint32_t *places;                 /* of `index`, by hash: a number plus one */
    const struct ps_header **headers; /* of one event, to write the oldest first */
};

/* An encoder that is zero is ready. */
void ps_events_encoder_fini(struct ps_events_encoder *encoder);

/* The next payload is made at `bytes`, if `room` is enough for it, else in memory of the encoder's own. NULL: there. */
void ps_events_lend(struct ps_events_encoder *encoder, char *bytes, size_t room);

/* ---- event by event ---- */

void ps_events_begin(struct ps_events_encoder *encoder);
/* A header of every event; before the first event. */
void ps_events_shared(struct ps_events_encoder *encoder, const char *name, size_t name_length,
                      const char *value, uint32_t value_length);
/* An event with so many headers, which are added next. */
void ps_events_add(struct ps_events_encoder *encoder, const char *body, uint32_t length,
                   uint32_t header_count);
void ps_events_header(struct ps_events_encoder *encoder, const char *name, size_t name_length,
                      const char *value, uint32_t value_length);
/* Returns the payload, of encoder->length bytes, encoder->count events and encoder->body_bytes; it is valid until the
 * next begin. */
const char *ps_events_end(struct ps_events_encoder *encoder);

/* ---- a lease ---- */

/* Encodes its events from *position on, as many as one frame has, and moves *position. Returns the payload as ps_events_end
 * does. */
const char *ps_events_encode(struct ps_events_encoder *encoder, const struct ps_lease *lease,
                             uint32_t *position);

/* ---- reading ---- */

struct ps_events_cursor {
    const char *payload, *names;
    const char **name_list; /* by number; the length is in the two bytes before each */
    size_t length, end, at; /* end: of the events */
    uint32_t count, name_count, shared_count, done;
    uint32_t headers_left; /* of the event, or of those that all have */
};

struct ps_events_item {
    const char *body;
    uint32_t length, header_count;
};

struct ps_events_field {
    uint32_t number; /* of the name */
    const char *name, *value;
    uint32_t name_length, value_length;
};

/* Begins with the headers that all events have: shared_count fields. Returns false if the payload is damaged. Allocates;
 * ps_events_cursor_fini frees. */
bool ps_events_cursor_init(struct ps_events_cursor *cursor, const char *payload, size_t length);
void ps_events_cursor_fini(struct ps_events_cursor *cursor);
/* The next field of the event, or of those that all have. Returns false after the last, or if the payload is damaged:
 * headers_left says which. */
bool ps_events_next_field(struct ps_events_cursor *cursor, struct ps_events_field *field);
/* The next event; what is left of the fields before it is passed over. Returns false after the last, or if the
 * payload is damaged: cursor->done < cursor->count says which. */
bool ps_events_next(struct ps_events_cursor *cursor, struct ps_events_item *item);

enum ps_events_result {
    PS_EVENTS_OK,
    PS_EVENTS_NO_MEMORY, /* for headers: try again with another batch */
    PS_EVENTS_DAMAGED,
};

/* Adds the events of a payload to a batch that was just taken: all of them, or the batch must be given back. The batch
 * references the block that it is in, and bodies and values stay there. */
enum ps_events_result ps_events_decode(struct ps_batch *batch, char *payload, size_t length);
