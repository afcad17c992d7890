/* Reads the payload of a frame of events. Checks every length, because the bytes come from a disk. */
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "stages/lib/queue/segment/events.h"

#define HEAD_BYTES 16U

static uint32_t get_u32(const char *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return le32toh(value);
}

static uint32_t name_length(const char *name)
{
    uint16_t value;
    memcpy(&value, name - 2, sizeof value);
    return le16toh(value);
}

/* Notes the beginning of each name. */
static bool list_names(struct ps_events_cursor *cursor)
{
    size_t at = cursor->end;
    for (uint32_t i = 0; i < cursor->name_count; i++) {
        if (cursor->length - at < 2)
            return false;
        const char *name = cursor->payload + at + 2;
        if (cursor->length - at - 2 < name_length(name))
            return false;
        cursor->name_list[i] = name;
        at += 2 + name_length(name);
    }
    return at == cursor->length;
}

bool ps_events_cursor_init(struct ps_events_cursor *cursor, const char *payload, size_t length)
{
    *cursor = (struct ps_events_cursor){.payload = payload, .length = length, .at = HEAD_BYTES};
    if (length < HEAD_BYTES)
        return false;
    cursor->count = get_u32(payload);
    cursor->end = get_u32(payload + 4);
    cursor->name_count = get_u32(payload + 8);
    cursor->shared_count = cursor->headers_left = get_u32(payload + 12);
    if (cursor->end < HEAD_BYTES || cursor->end > length || cursor->name_count > (length - cursor->end) / 2 ||
        cursor->count > (cursor->end - HEAD_BYTES) / 8)
        return false;
    cursor->name_list = (const char **)ps_must_alloc(cursor->name_count + 1, sizeof *cursor->name_list,
                                                     "names of a frame of events");
    if (list_names(cursor))
        return true;
    ps_events_cursor_fini(cursor);
    return false;
}

void ps_events_cursor_fini(struct ps_events_cursor *cursor)
{
    free((void *)cursor->name_list);
    cursor->name_list = NULL;
}

bool ps_events_next_field(struct ps_events_cursor *cursor, struct ps_events_field *field)
{
    if (cursor->headers_left == 0 || cursor->end - cursor->at < 8)
        return false;
    const char *from = cursor->payload + cursor->at;
    uint32_t number = get_u32(from), length = get_u32(from + 4);
    if (number >= cursor->name_count || cursor->end - cursor->at - 8 < length)
        return false;
    *field = (struct ps_events_field){.number = number,
                                      .name = cursor->name_list[number],
                                      .name_length = name_length(cursor->name_list[number]),
                                      .value = from + 8,
                                      .value_length = length};
    cursor->at += 8 + (size_t)length;
    cursor->headers_left--;
    return true;
}

bool ps_events_next(struct ps_events_cursor *cursor, struct ps_events_item *item)
{
    struct ps_events_field field;
    while (ps_events_next_field(cursor, &field)) {
    }
    if (cursor->headers_left > 0 || cursor->done == cursor->count || cursor->end - cursor->at < 8)
        return false;
    const char *from = cursor->payload + cursor->at;
    *item =
        (struct ps_events_item){.body = from + 8, .length = get_u32(from), .header_count = get_u32(from + 4)};
    if (cursor->end - cursor->at - 8 < item->length)
        return false;
    cursor->at += 8 + (size_t)item->length;
    cursor->headers_left = item->header_count;
    cursor->done++;
    return true;
}

/* ---- into a batch ---- */

struct decoding {
    struct ps_batch *batch;
    const struct ps_name **names; /* the batch's names, by number */
};

/* Adds all rows before the headers: rows have to be contiguous, and headers would use the space after them. */
static enum ps_events_result decode_rows(const struct decoding *to, struct ps_events_cursor *cursor,
                                         bool *headers)
{
    struct ps_batch *batch = to->batch;
    struct ps_events_item item;
    while (ps_events_next(cursor, &item)) {
        if (ps_batch_add(batch, (char *)(uintptr_t)item.body, item.length) == NULL)
            return batch->count == batch->capacity ? PS_EVENTS_DAMAGED : PS_EVENTS_NO_MEMORY;
        *headers |= item.header_count > 0;
    }
    bool whole = cursor->done == cursor->count && cursor->headers_left == 0 && cursor->at == cursor->end;
    return whole ? PS_EVENTS_OK : PS_EVENTS_DAMAGED;
}

static bool decode_names(struct decoding *to, const struct ps_events_cursor *cursor)
{
    to->names = (const struct ps_name **)ps_must_alloc(cursor->name_count + 1, sizeof *to->names,
                                                       "names of a frame of events");
    for (uint32_t i = 0; i < cursor->name_count; i++) {
        const char *name = cursor->name_list[i];
        to->names[i] = ps_batch_name(to->batch, name, name_length(name));
        if (to->names[i] == NULL)
            return false;
    }
    return true;
}

static enum ps_events_result decode_headers(const struct decoding *to, struct ps_events_cursor *cursor)
{
    struct ps_batch *batch = to->batch;
    struct ps_events_field field;
    struct ps_events_item item;
    while (ps_events_next_field(cursor, &field)) {
        if (!ps_batch_shared_set(batch, to->names[field.number], field.value, field.value_length, true))
            return PS_EVENTS_NO_MEMORY;
    }
    for (uint32_t row = 0; ps_events_next(cursor, &item); row++) {
        while (ps_events_next_field(cursor, &field)) {
            if (!ps_batch_header_add(batch, &batch->events[row], to->names[field.number], field.value,
                                     field.value_length))
                return PS_EVENTS_NO_MEMORY;
        }
    }
    return PS_EVENTS_OK;
}

enum ps_events_result ps_events_decode(struct ps_batch *batch, char *payload, size_t length)
{
    struct ps_events_cursor rows, headers;
    struct decoding to = {.batch = batch};
    bool any = false;
    if (!ps_events_cursor_init(&rows, payload, length))
        return PS_EVENTS_DAMAGED;
    headers = rows;
    any = rows.shared_count > 0;
    enum ps_events_result result = decode_rows(&to, &rows, &any);
    if (result == PS_EVENTS_OK && any)
        result = decode_names(&to, &rows) ? decode_headers(&to, &headers) : PS_EVENTS_NO_MEMORY;
    free((void *)to.names);
    ps_events_cursor_fini(&rows);
    return result;
}
