/* Writes the payload of a frame of events. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "stages/lib/queue/segment/events.h"

#define HEAD_BYTES 16U
/* A frame with several events has at most this many names, because a reader makes all of them before it reads an event. */
#define NAMES_MAX 256U
/* Initial size of the table of names, which is enough for most frames. A power of two. */
#define PLACES_FIRST 64U

struct ps_events_name {
    const char *text; /* `own` memory, or the caller's, which is valid while the frame is built */
    size_t length;
    uint64_t hash;
};

static void put_u32(char *to, uint32_t value)
{
    const uint32_t little = htole32(value);
    memcpy(to, &little, sizeof little);
}

static char *room_for(char **bytes, size_t *room, size_t used, size_t more)
{
    if (used + more > *room) {
        *room = 2 * (used + more);
        *bytes = ps_must_realloc(*bytes, *room, "a frame of events");
    }
    return *bytes + used;
}

/* Moves the payload to the encoder's own memory, because it no longer fits into the lent memory. */
static void move_on(struct ps_events_encoder *encoder, size_t more)
{
    bool was_lent = encoder->bytes != encoder->own;
    (void)room_for(&encoder->own, &encoder->own_room, encoder->length, more);
    if (was_lent && encoder->length > 0)
        memcpy(encoder->own, encoder->bytes, encoder->length);
    encoder->bytes = encoder->own;
    encoder->room = encoder->own_room;
}

static char *grow(struct ps_events_encoder *encoder, size_t more)
{
    if (encoder->length + more > encoder->room)
        move_on(encoder, more);
    encoder->length += more;
    return encoder->bytes + encoder->length - more;
}

void ps_events_encoder_fini(struct ps_events_encoder *encoder)
{
    free(encoder->own);
    free(encoder->names);
    free(encoder->index);
    free(encoder->places);
    free((void *)encoder->headers);
    *encoder = (struct ps_events_encoder){.bytes = NULL};
}

/* Returns the table's place of a name: it has the name's number plus one, or zero if the name is new. */
static uint32_t *place_of(const struct ps_events_encoder *encoder, const char *name, size_t length,
                          uint64_t hash)
{
    uint32_t at = (uint32_t)hash & (encoder->place_count - 1);
    for (; encoder->places[at] > 0; at = (at + 1) & (encoder->place_count - 1)) {
        const struct ps_events_name *known = &encoder->index[encoder->places[at] - 1];
        if (known->hash == hash && known->length == length &&
            (known->text == name || memcmp(known->text, name, length) == 0))
            break;
    }
    return &encoder->places[at];
}

/* Clears the table and makes it so large that half of it stays free. */
static void set_places(struct ps_events_encoder *encoder, uint32_t count)
{
    if (count > encoder->place_room) {
        encoder->places =
            ps_must_realloc(encoder->places, count * sizeof *encoder->places, "names of a frame of events");
        encoder->place_room = count;
    }
    encoder->place_count = count;
    memset(encoder->places, 0, count * sizeof *encoder->places);
    for (uint32_t i = 0; i < encoder->name_count; i++) {
        const struct ps_events_name *known = &encoder->index[i];
        *place_of(encoder, known->text, known->length, known->hash) = i + 1;
    }
}

/* Returns the number of a name, and adds the name to the frame if it is new. */
static uint32_t number_of(struct ps_events_encoder *encoder, const char *name, size_t length)
{
    uint64_t hash = ps_name_keyed_hash(name, length);
    uint32_t *place = place_of(encoder, name, length, hash);
    if (*place > 0)
        return *place - 1;
    PS_ARRAY_GROW(encoder->index, encoder->name_count, encoder->name_room, "names of a frame of events");
    char *to = room_for(&encoder->names, &encoder->names_room, encoder->names_length, 2 + length);
    const uint16_t little = htole16((uint16_t)length);
    memcpy(to, &little, sizeof little);
    memcpy(to + 2, name, length);
    encoder->names_length += 2 + length;
    encoder->index[encoder->name_count] = (struct ps_events_name){name, length, hash};
    *place = ++encoder->name_count;
    if (2 * encoder->name_count > encoder->place_count)
        set_places(encoder, 2 * encoder->place_count);
    return encoder->name_count - 1;
}

void ps_events_lend(struct ps_events_encoder *encoder, char *bytes, size_t room)
{
    encoder->lent = bytes;
    encoder->lent_room = room;
}

void ps_events_begin(struct ps_events_encoder *encoder)
{
    encoder->bytes = encoder->lent != NULL ? encoder->lent : encoder->own;
    encoder->room = encoder->lent != NULL ? encoder->lent_room : encoder->own_room;
    encoder->lent = NULL;
    encoder->length = encoder->names_length = 0;
    encoder->count = encoder->name_count = encoder->shared_count = 0;
    encoder->body_bytes = 0;
    encoder->cut = 0;
    set_places(encoder, PLACES_FIRST);
    grow(encoder, HEAD_BYTES);
}

void ps_events_header(struct ps_events_encoder *encoder, const char *name, size_t name_length,
                      const char *value, uint32_t value_length)
{
    uint32_t number = number_of(encoder, name, name_length);
    char *to = grow(encoder, 8 + (size_t)value_length);
    put_u32(to, number);
    put_u32(to + 4, value_length);
    if (value_length > 0)
        memcpy(to + 8, value, value_length);
}

void ps_events_shared(struct ps_events_encoder *encoder, const char *name, size_t name_length,
                      const char *value, uint32_t value_length)
{
    ps_events_header(encoder, name, name_length, value, value_length);
    encoder->shared_count++;
}

void ps_events_add(struct ps_events_encoder *encoder, const char *body, uint32_t length,
                   uint32_t header_count)
{
    char *to = grow(encoder, 8 + (size_t)length);
    put_u32(to, length);
    put_u32(to + 4, header_count);
    if (length > 0)
        memcpy(to + 8, body, length);
    encoder->count++;
    encoder->body_bytes += length;
}

const char *ps_events_end(struct ps_events_encoder *encoder)
{
    size_t names_at = encoder->length;
    if (encoder->names_length > 0)
        memcpy(grow(encoder, encoder->names_length), encoder->names, encoder->names_length);
    put_u32(encoder->bytes, encoder->count);
    put_u32(encoder->bytes + 4, (uint32_t)names_at);
    put_u32(encoder->bytes + 8, encoder->name_count);
    put_u32(encoder->bytes + 12, encoder->shared_count);
    return encoder->bytes;
}

/* ---- a lease ---- */

/* Returns the maximal number of bytes that a header takes. */
static size_t header_bytes(const struct ps_header *header)
{
    return 10 + (size_t)header->name->length + header->value_length;
}

/* Shortens an event that, with its frame's shared headers, exceeds the limit of a frame. No source or interceptor
 * alone makes such an event, but the channel must not be blocked by it. Cuts the end of the body, then leaves out the
 * newest headers. Returns the number of headers that are left. */
static uint32_t cut_event(struct ps_events_encoder *encoder, size_t room, uint32_t *body_length,
                          uint32_t headers)
{
    size_t bytes = 8;
    uint32_t left_out = 0;
    if (*body_length > room - bytes)
        *body_length = (uint32_t)(room - bytes);
    bytes += *body_length;
    for (uint32_t i = headers; i > 0 && left_out == 0; i--) { /* the oldest first */
        bytes += header_bytes(encoder->headers[i - 1]);
        if (bytes > room)
            left_out = i;
    }
    if (left_out > 0)
        memmove((void *)encoder->headers, (void *)(encoder->headers + left_out),
                (headers - left_out) * sizeof *encoder->headers);
    encoder->cut++;
    return headers - left_out;
}

/* Collects the event's own headers. Returns their number, and adds their maximal bytes to *bytes. */
static uint32_t own_headers(struct ps_events_encoder *encoder, const struct ps_event *event, size_t *bytes)
{
    uint32_t count = 0;
    for (const struct ps_header *header = event->headers; header != NULL; header = header->next) {
        PS_ARRAY_GROW(encoder->headers, count, encoder->header_room, "headers of an event");
        encoder->headers[count++] = header;
        *bytes += header_bytes(header);
    }
    return count;
}

const char *ps_events_encode(struct ps_events_encoder *encoder, const struct ps_lease *lease,
                             uint32_t *position)
{
    ps_events_begin(encoder);
    for (const struct ps_header *header = lease->batch->shared; header != NULL; header = header->next)
        ps_events_shared(encoder, header->name->text, header->name->length, header->value,
                         header->value_length);
    size_t shared = encoder->length + encoder->names_length;
    size_t most = encoder->event_bytes_max > 0 ? encoder->event_bytes_max : PS_EVENT_FRAME_BYTES_MAX;
    for (; *position < lease->count; ++*position) {
        const struct ps_event *event = ps_lease_event(lease, *position);
        uint32_t length = event->body_length;
        size_t bytes = 8 + (size_t)length;
        uint32_t headers = own_headers(encoder, event, &bytes);
        if (PS_UNLIKELY(bytes > most - shared))
            headers = cut_event(encoder, most - shared, &length, headers);
        bool fits = encoder->length + encoder->names_length + bytes <= PS_EVENTS_PAYLOAD_BYTES &&
                    encoder->name_count + headers <= NAMES_MAX;
        if (encoder->count > 0 && !fits)
            break;
        ps_events_add(encoder, event->body, length, headers);
        while (headers-- > 0) {
            const struct ps_header *header = encoder->headers[headers];
            ps_events_header(encoder, header->name->text, header->name->length, header->value,
                             header->value_length);
        }
    }
    return ps_events_end(encoder);
}
