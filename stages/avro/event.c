#include "stages/avro/event.h"

#include "stages/avro/binary.h"

#include <string.h>

#define LINEAR_HEADERS_MAX 16U /* up to so many headers of a datum are compared one by one */
#define NAME_BYTES_MAX 65536U  /* of ps_batch_name */

static char *put_bytes(char *out, const char *data, uint32_t length)
{
    out += ps_avro_put_long(out, length);
    if (length > 0)
        memcpy(out, data, length);
    return out + length;
}

size_t ps_avro_event_bound(const struct ps_batch *batch, const struct ps_event *event)
{
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    size_t bound = 3 * PS_AVRO_LONG_BYTES_MAX + event->body_length;
    while ((header = ps_headers_next(&cursor)) != NULL)
        bound += 2 * PS_AVRO_LONG_BYTES_MAX + header->name->length + header->value_length;
    return bound;
}

size_t ps_avro_event_encode(const struct ps_batch *batch, const struct ps_event *event, char *out)
{
    char *start = out;
    int64_t count = 0;
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    while (ps_headers_next(&cursor) != NULL)
        count++;
    if (count > 0) {
        out += ps_avro_put_long(out, count);
        cursor = ps_headers_begin(batch, event);
        while ((header = ps_headers_next(&cursor)) != NULL) {
            out = put_bytes(out, header->name->text, header->name->length);
            out = put_bytes(out, header->value, header->value_length);
        }
    }
    out += ps_avro_put_long(out, 0); /* ends the map's blocks */
    out = put_bytes(out, event->body, event->body_length);
    return (size_t)(out - start);
}

/* ---- reading ---- */

static bool get_long(struct ps_avro_event_reader *reader, int64_t *value)
{
    return ps_avro_get_long(&reader->next, reader->end, value);
}

static bool get_bytes(struct ps_avro_event_reader *reader, struct ps_slice *bytes)
{
    int64_t length;
    if (!get_long(reader, &length) || length < 0 || length > reader->end - reader->next ||
        length > UINT32_MAX)
        return false;
    *bytes = (struct ps_slice){(const char *)reader->next, (uint32_t)length};
    reader->next += length;
    return true;
}

void ps_avro_event_reader_init(struct ps_avro_event_reader *reader, const void *datum, size_t length)
{
    *reader = (struct ps_avro_event_reader){.next = datum, .end = (const unsigned char *)datum + length};
}

/* Reads the head of a block of the map: its count of items; after a negative count also the block's length in
 * bytes. */
static bool next_block(struct ps_avro_event_reader *reader)
{
    int64_t count, bytes;
    if (!get_long(reader, &count))
        return false;
    if (count < 0) {
        if (count == INT64_MIN || !get_long(reader, &bytes))
            return false;
        count = -count;
    }
    reader->items_left = count;
    return true;
}

enum ps_avro_event_step ps_avro_event_reader_next(struct ps_avro_event_reader *reader, struct ps_slice *name,
                                                  struct ps_slice *value)
{
    if (reader->items_left == 0) {
        if (!next_block(reader))
            return PS_AVRO_EVENT_BAD;
        if (reader->items_left == 0)
            return get_bytes(reader, value) ? PS_AVRO_EVENT_BODY : PS_AVRO_EVENT_BAD;
    }
    if (!get_bytes(reader, name) || !get_bytes(reader, value))
        return PS_AVRO_EVENT_BAD;
    reader->items_left--;
    return PS_AVRO_EVENT_HEADER;
}

/* ---- into a batch ---- */

bool ps_avro_event_read(const char *bytes, size_t length, struct ps_avro_datum *datum)
{
    struct ps_avro_event_reader reader;
    struct ps_slice name;
    enum ps_avro_event_step step;
    *datum = (struct ps_avro_datum){.length = 0};
    ps_avro_event_reader_init(&reader, bytes, length);
    while ((step = ps_avro_event_reader_next(&reader, &name, &datum->body)) == PS_AVRO_EVENT_HEADER) {
        datum->header_count++;
        datum->names_bytes += name.length;
        if (datum->header_count > PS_AVRO_EVENT_HEADERS_MAX)
            return true;
    }
    datum->length = (size_t)((const char *)reader.next - bytes);
    return step == PS_AVRO_EVENT_BODY;
}

void ps_avro_headers_begin(struct ps_avro_headers *headers)
{
    memset(headers->names, 0, sizeof headers->names);
}

/* Returns the name in this batch. NULL: no memory. */
static const struct ps_name *find_name(struct ps_avro_headers *headers, struct ps_batch *batch,
                                       const struct ps_slice *text)
{
    const struct ps_name **place = &headers->names[ps_name_hash(text->data, text->length) % PS_AVRO_NAMES];
    if (*place == NULL || (*place)->length != text->length ||
        memcmp((*place)->text, text->data, text->length) != 0) {
        const struct ps_name *made = ps_batch_name(batch, text->data, text->length);
        if (made == NULL)
            return NULL;
        *place = made;
    }
    return *place;
}

/* Returns the place of the name in the index of `mask` + 1 entries: of its header, or a free one. */
static struct ps_header **index_find(struct ps_avro_headers *headers, const struct ps_name *name,
                                     uint32_t mask)
{
    uint32_t at = name->hash & mask;
    while (headers->index[at] != NULL && !ps_name_equal(headers->index[at]->name, name))
        at = (at + 1) & mask;
    return &headers->index[at];
}

/* `mask` 0: the event's headers are few, and are compared one by one. */
static bool add_header(struct ps_avro_headers *headers, struct ps_batch *batch, struct ps_event *event,
                       const struct ps_name *name, const struct ps_slice *value, uint32_t mask)
{
    if (mask == 0)
        return ps_batch_header_set(batch, event, name, value->data, value->length);
    struct ps_header **place = index_find(headers, name, mask);
    if (*place != NULL) {
        (*place)->value = value->data;
        (*place)->value_length = value->length;
        return true;
    }
    if (!ps_batch_header_add(batch, event, name, value->data, value->length))
        return false;
    *place = event->headers;
    return true;
}

bool ps_avro_event_add_headers(struct ps_avro_headers *headers, struct ps_batch *batch,
                               struct ps_event *event, const char *bytes, const struct ps_avro_datum *datum)
{
    struct ps_avro_event_reader reader;
    struct ps_slice text, value;
    uint32_t mask = 0;
    if (datum->header_count > LINEAR_HEADERS_MAX) {
        for (mask = 1; mask < 2 * datum->header_count; mask *= 2)
            ;
        memset(headers->index, 0, mask * sizeof headers->index[0]);
        mask--;
    }
    ps_avro_event_reader_init(&reader, bytes, datum->length);
    while (ps_avro_event_reader_next(&reader, &text, &value) == PS_AVRO_EVENT_HEADER) {
        if (text.length > NAME_BYTES_MAX)
            continue;
        const struct ps_name *name = find_name(headers, batch, &text);
        if (name == NULL || !add_header(headers, batch, event, name, &value, mask))
            return false;
    }
    return true;
}

void ps_avro_event_withdraw(struct ps_batch *batch)
{
    const struct ps_event *event = &batch->events[--batch->count];
    batch->body_bytes -= event->body_length;
    batch->full = batch->count > 0; /* if it was alone, memory is missing: the caller tries again later */
}
