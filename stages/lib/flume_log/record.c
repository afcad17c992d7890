#include "stages/lib/flume_log/record.h"
#include "core/big_endian.h"

#include "stages/lib/varint.h"

#include <string.h>
#include <zlib.h>

/* ---- Protocol Buffers: the wire types of Flume's messages, and the other valid ones ---- */

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct field {
    uint32_t number;
    enum wire wire;
    uint64_t value;
    struct ps_slice bytes;
};

struct cursor {
    const uint8_t *at, *end;
    bool bad;
};

static uint64_t little(const uint8_t *from, unsigned bytes)
{
    uint64_t value = 0;
    while (bytes-- > 0)
        value = value << 8 | from[bytes];
    return value;
}

static uint64_t varint(struct cursor *cursor)
{
    uint64_t value = 0;
    size_t length = ps_varint_get(cursor->at, (size_t)(cursor->end - cursor->at), &value);
    cursor->at += length;
    cursor->bad = cursor->bad || length == 0;
    return value;
}

static struct ps_slice bytes_of(struct cursor *cursor)
{
    uint64_t length = varint(cursor);
    if (cursor->bad || length > (size_t)(cursor->end - cursor->at) || length > UINT32_MAX) {
        cursor->bad = true;
        return (struct ps_slice){0};
    }
    struct ps_slice bytes = {(const char *)cursor->at, (uint32_t)length};
    cursor->at += length;
    return bytes;
}

static uint64_t fixed(struct cursor *cursor, unsigned bytes)
{
    if ((size_t)(cursor->end - cursor->at) < bytes) {
        cursor->bad = true;
        return 0;
    }
    uint64_t value = little(cursor->at, bytes);
    cursor->at += bytes;
    return value;
}

/* Reads the next field. Returns false at the end, and with cursor->bad if the bytes are not a valid message. */
static bool next_field(struct cursor *cursor, struct field *field)
{
    if (cursor->at == cursor->end || cursor->bad)
        return false;
    uint64_t tag = varint(cursor);
    *field = (struct field){.number = (uint32_t)(tag >> 3), .wire = (enum wire)(tag & 7)};
    switch ((unsigned)field->wire) {
    case WIRE_VARINT:
        field->value = varint(cursor);
        break;
    case WIRE_64:
        field->value = fixed(cursor, 8);
        break;
    case WIRE_BYTES:
        field->bytes = bytes_of(cursor);
        break;
    case WIRE_32:
        field->value = fixed(cursor, 4);
        break;
    default:
        cursor->bad = true;
    }
    if (field->number == 0 || tag >> 3 > UINT32_MAX)
        cursor->bad = true;
    return !cursor->bad;
}

static struct cursor cursor_of(struct ps_slice bytes)
{
    const uint8_t *at = (const uint8_t *)bytes.data;
    return (struct cursor){.at = at, .end = at == NULL ? NULL : at + bytes.length};
}

static bool is(const struct field *field, uint32_t number, enum wire wire)
{
    return field->number == number && field->wire == wire;
}

/* ---- records ---- */

/* Flume always writes the three fields of the header in this order, so the header has 23 bytes. */
bool ps_flume_frame_read(const uint8_t *from, struct ps_flume_frame *frame)
{
    const uint8_t *header = from + PS_FLUME_PREFIX_BYTES;
    uint32_t length = ps_big_endian_get_32(from + 1);
    if (from[0] != PS_FLUME_RECORD || header[0] != 23 || header[1] != 0x0d || header[6] != 0x11 ||
        header[15] != 0x19 || length < PS_FLUME_FRAME_BYTES - PS_FLUME_PREFIX_BYTES + 2 || length > INT32_MAX)
        return false;
    uint64_t kind = little(header + 2, 4);
    if (kind < PS_FLUME_PUT || kind > PS_FLUME_COMMIT)
        return false;
    *frame = (struct ps_flume_frame){.kind = (enum ps_flume_kind)kind,
                                     .length = length + PS_FLUME_PREFIX_BYTES,
                                     .transaction = little(header + 7, 8),
                                     .order = little(header + 16, 8)};
    return true;
}

static bool headers_are_whole(struct ps_slice event)
{
    struct cursor cursor = cursor_of(event);
    struct field field, part;
    bool body = false;
    while (next_field(&cursor, &field)) {
        body = body || is(&field, 2, WIRE_BYTES);
        if (!is(&field, 1, WIRE_BYTES))
            continue;
        struct cursor header = cursor_of(field.bytes);
        bool name = false;
        while (next_field(&header, &part))
            name = name || is(&part, 1, WIRE_BYTES);
        if (header.bad || !name)
            return false;
    }
    return body && !cursor.bad;
}

static const char *put_read(struct ps_slice body, struct ps_flume_record *record)
{
    struct cursor cursor = cursor_of(body);
    struct field field;
    bool has_sum = false, has_event = false;
    uint64_t sum = 0;
    while (next_field(&cursor, &field)) {
        if (is(&field, 1, WIRE_BYTES)) {
            record->event = field.bytes;
            has_event = true;
        } else if (is(&field, 2, WIRE_64)) {
            sum = field.value;
            has_sum = true;
        }
    }
    if (cursor.bad || !has_event || !headers_are_whole(record->event))
        return "its event cannot be parsed";
    struct ps_slice text = ps_flume_event_body(record);
    if (has_sum && crc32(0, (const unsigned char *)text.data, text.length) != sum)
        return "the body of its event has a wrong checksum";
    return NULL;
}

static const char *take_read(struct ps_slice body, struct ps_flume_record *record)
{
    struct cursor cursor = cursor_of(body);
    struct field field;
    uint32_t log = 0, offset = 0;
    bool has_offset = false;
    while (next_field(&cursor, &field)) {
        if (is(&field, 1, WIRE_32))
            log = (uint32_t)field.value;
        else if (is(&field, 2, WIRE_32)) {
            offset = (uint32_t)field.value;
            has_offset = true;
        }
    }
    record->pointer = ps_flume_pointer(log, offset);
    return cursor.bad || log == 0 || !has_offset ? "it does not say which event was taken" : NULL;
}

static const char *commit_read(struct ps_slice body, struct ps_flume_record *record)
{
    struct cursor cursor = cursor_of(body);
    struct field field;
    uint64_t kind = 0;
    while (next_field(&cursor, &field))
        if (is(&field, 1, WIRE_32))
            kind = field.value;
    if (cursor.bad || (kind != PS_FLUME_PUT && kind != PS_FLUME_TAKE))
        return "it does not say whether puts or takes are committed";
    record->committed = (enum ps_flume_kind)kind;
    return NULL;
}

const char *ps_flume_record_read(const uint8_t *from, size_t length, struct ps_flume_record *record)
{
    *record = (struct ps_flume_record){0};
    if (length < PS_FLUME_FRAME_BYTES || !ps_flume_frame_read(from, &record->frame) ||
        record->frame.length != length)
        return "its head is not the head of a record";
    struct cursor cursor = {.at = from + PS_FLUME_FRAME_BYTES, .end = from + length};
    struct ps_slice body = bytes_of(&cursor);
    struct ps_slice footer = bytes_of(&cursor);
    if (cursor.bad || cursor.at != cursor.end || footer.length != 0)
        return "its parts are not as long as the record";
    record->framed = true;
    switch (record->frame.kind) {
    case PS_FLUME_PUT:
        return put_read(body, record);
    case PS_FLUME_TAKE:
        return take_read(body, record);
    case PS_FLUME_COMMIT:
        return commit_read(body, record);
    case PS_FLUME_ROLLBACK:
        return body.length > 0 ? "it is not a rollback" : NULL;
    }
    return NULL;
}

/* ---- events ---- */

void ps_flume_event_begin(struct ps_flume_event_reader *reader, const struct ps_flume_record *record)
{
    struct cursor cursor = cursor_of(record->event);
    *reader = (struct ps_flume_event_reader){.at = cursor.at, .end = cursor.end};
}

bool ps_flume_event_header(struct ps_flume_event_reader *reader, struct ps_flume_header *header)
{
    struct cursor cursor = {.at = reader->at, .end = reader->end};
    struct field field, part;
    bool found = false;
    while (!found && next_field(&cursor, &field)) {
        if (!is(&field, 1, WIRE_BYTES))
            continue;
        struct cursor parts = cursor_of(field.bytes);
        *header = (struct ps_flume_header){.value.data = ""}; /* Flume reads an absent value as "" */
        while (next_field(&parts, &part)) {
            if (is(&part, 1, WIRE_BYTES))
                header->name = part.bytes;
            else if (is(&part, 2, WIRE_BYTES))
                header->value = part.bytes;
        }
        found = true;
    }
    reader->at = cursor.at;
    return found;
}

struct ps_slice ps_flume_event_body(const struct ps_flume_record *record)
{
    struct cursor cursor = cursor_of(record->event);
    struct ps_slice body = {.data = ""};
    struct field field;
    while (next_field(&cursor, &field))
        if (is(&field, 2, WIRE_BYTES))
            body = field.bytes;
    return body;
}

/* ---- meta files: one message after its length ---- */

static bool message_of(const uint8_t *from, size_t length, struct cursor *message)
{
    struct cursor file = {.at = from, .end = from + length};
    *message = cursor_of(bytes_of(&file));
    return !file.bad;
}

static void encryption_read(struct ps_slice bytes, struct ps_flume_meta *meta)
{
    struct cursor cursor = cursor_of(bytes);
    struct field field;
    meta->encrypted = true;
    while (next_field(&cursor, &field)) {
        if (is(&field, 1, WIRE_BYTES))
            meta->cipher = field.bytes;
        else if (is(&field, 2, WIRE_BYTES))
            meta->key_alias = field.bytes;
        else if (is(&field, 3, WIRE_BYTES))
            meta->parameters = field.bytes;
    }
}

bool ps_flume_meta_read(const uint8_t *from, size_t length, struct ps_flume_meta *meta)
{
    struct cursor cursor;
    struct field field;
    *meta = (struct ps_flume_meta){0};
    if (!message_of(from, length, &cursor))
        return false;
    while (next_field(&cursor, &field)) {
        if (is(&field, 1, WIRE_32))
            meta->version = (uint32_t)field.value;
        else if (is(&field, 2, WIRE_32))
            meta->log = (uint32_t)field.value;
        else if (is(&field, 5, WIRE_BYTES))
            encryption_read(field.bytes, meta);
    }
    return !cursor.bad && meta->version != 0 && meta->log != 0;
}

bool ps_flume_checkpoint_meta_read(const uint8_t *from, size_t length, struct ps_flume_checkpoint_meta *meta)
{
    struct cursor cursor;
    struct field field;
    unsigned seen = 0;
    *meta = (struct ps_flume_checkpoint_meta){0};
    if (!message_of(from, length, &cursor))
        return false;
    meta->logs = cursor.at;
    meta->end = cursor.end;
    while (next_field(&cursor, &field)) {
        if (is(&field, 1, WIRE_32))
            meta->version = (uint32_t)field.value;
        else if (is(&field, 2, WIRE_64))
            meta->order = field.value;
        else if (is(&field, 3, WIRE_32))
            meta->queue_size = (uint32_t)field.value;
        else if (is(&field, 4, WIRE_32))
            meta->queue_head = (uint32_t)field.value;
        else
            continue;
        seen |= 1U << field.number;
    }
    return !cursor.bad && seen == 0x1e;
}

bool ps_flume_checkpoint_log(struct ps_flume_checkpoint_meta *meta, uint32_t *log, uint32_t *count)
{
    struct cursor cursor = {.at = meta->logs, .end = meta->end};
    struct field field, part;
    bool found = false;
    while (!found && next_field(&cursor, &field)) {
        if (!is(&field, 5, WIRE_BYTES))
            continue;
        struct cursor parts = cursor_of(field.bytes);
        *log = *count = 0;
        while (next_field(&parts, &part)) {
            if (is(&part, 1, WIRE_32))
                *log = (uint32_t)part.value;
            else if (is(&part, 2, WIRE_32))
                *count = (uint32_t)part.value;
        }
        found = true;
    }
    meta->logs = cursor.at;
    return found;
}
