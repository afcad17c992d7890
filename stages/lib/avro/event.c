#include "stages/lib/avro/event.h"

#include "stages/lib/avro/binary.h"

#include <string.h>

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
    out += ps_avro_put_long(out, 0); /* a count of 0 ends the map's blocks */
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
        ps_header_sizes_add(&datum->headers, name.length, datum->body.length);
        if (datum->headers.count > PS_EVENT_HEADERS_MAX)
            return true;
    }
    datum->length = (size_t)((const char *)reader.next - bytes);
    return step == PS_AVRO_EVENT_BODY;
}

bool ps_avro_event_add_headers(struct ps_event_headers *headers, struct ps_batch *batch,
                               struct ps_event *event, const char *bytes, const struct ps_avro_datum *datum)
{
    struct ps_avro_event_reader reader;
    struct ps_slice name, value;
    ps_event_headers_expect(headers, datum->headers.count);
    ps_avro_event_reader_init(&reader, bytes, datum->length);
    while (ps_avro_event_reader_next(&reader, &name, &value) == PS_AVRO_EVENT_HEADER) {
        if (!ps_event_headers_add(headers, batch, event, &name, &value))
            return false;
    }
    return true;
}
