#include "stages/lib/thrift/event.h"

#define HEADERS_ID 1
#define BODY_ID 2

/* ---- reading ---- */

static void read_headers(struct ps_thrift_reader *in, struct ps_thrift_datum *datum)
{
    enum ps_thrift_type key, value;
    datum->sizes = (struct ps_header_sizes){.count = 0};
    uint32_t count = ps_thrift_read_map(in, &key, &value);
    datum->headers = in->at;
    if (count > 0)
        in->bad = in->bad || key != PS_THRIFT_STRING || value != PS_THRIFT_STRING;
    for (uint32_t i = 0; i < count && !in->bad; i++) {
        uint32_t name_length = ps_thrift_read_text(in).length;
        ps_header_sizes_add(&datum->sizes, name_length, ps_thrift_read_text(in).length);
    }
}

const char *ps_thrift_event_read(struct ps_thrift_reader *in, struct ps_thrift_datum *datum)
{
    struct ps_thrift_field field = {.id = 0};
    bool has_body = false;
    *datum = (struct ps_thrift_datum){.headers = NULL};
    while (ps_thrift_read_field(in, &field)) {
        if (field.id == HEADERS_ID && field.type == PS_THRIFT_MAP) {
            read_headers(in, datum);
        } else if (field.id == BODY_ID && field.type == PS_THRIFT_STRING) {
            datum->body = ps_thrift_read_text(in);
            has_body = true;
        } else {
            ps_thrift_skip(in, field.type);
        }
    }
    if (in->bad)
        return "an event is not complete";
    if (datum->headers == NULL)
        return "Required field 'headers' was not present";
    if (!has_body)
        return "Required field 'body' was not present";
    return ps_header_sizes_refusal(&datum->sizes);
}

bool ps_thrift_event_add_headers(struct ps_event_headers *headers, struct ps_batch *batch,
                                 struct ps_event *event, const struct ps_thrift_reader *in,
                                 const struct ps_thrift_datum *datum)
{
    struct ps_thrift_reader map = {.at = datum->headers, .end = in->end, .compact = in->compact};
    ps_event_headers_expect(headers, datum->sizes.count);
    for (uint32_t i = 0; i < datum->sizes.count; i++) {
        struct ps_slice name = ps_thrift_read_text(&map), value = ps_thrift_read_text(&map);
        if (!ps_event_headers_add(headers, batch, event, &name, &value))
            return false;
    }
    return true;
}

/* ---- writing ---- */

static uint32_t count_headers(const struct ps_batch *batch, const struct ps_event *event)
{
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    uint32_t count = 0;
    while (ps_headers_next(&cursor) != NULL)
        count++;
    return count;
}

size_t ps_thrift_event_bound(const struct ps_batch *batch, const struct ps_event *event)
{
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    size_t bound = 2 * PS_THRIFT_FIELD_BYTES_MAX + PS_THRIFT_MAP_BYTES_MAX + PS_THRIFT_LENGTH_BYTES_MAX +
                   event->body_length + 1;
    while ((header = ps_headers_next(&cursor)) != NULL)
        bound += 2 * PS_THRIFT_LENGTH_BYTES_MAX + header->name->length + header->value_length;
    return bound;
}

void ps_thrift_event_put(struct ps_thrift_writer *out, const struct ps_batch *batch,
                         const struct ps_event *event)
{
    const struct ps_header *header;
    ps_thrift_put_field(out, PS_THRIFT_MAP, HEADERS_ID, 0);
    ps_thrift_put_map(out, PS_THRIFT_STRING, PS_THRIFT_STRING, count_headers(batch, event));
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    while ((header = ps_headers_next(&cursor)) != NULL) {
        ps_thrift_put_text(out, header->name->text, header->name->length);
        ps_thrift_put_text(out, header->value, header->value_length);
    }
    ps_thrift_put_field(out, PS_THRIFT_STRING, BODY_ID, HEADERS_ID);
    ps_thrift_put_text(out, event->body, event->body_length);
    ps_thrift_put_stop(out);
}
