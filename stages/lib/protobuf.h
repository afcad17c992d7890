/* Protocol buffers on the hot path: writes and reads fields in place, without the allocations of protobuf-c. Messages that are rare are
 * packed and unpacked by protobuf-c (stages/lib/hadoop/proto).
 *
 * Source: protobuf.dev, "Encoding". Thread: any; no state. */
#pragma once

#include "core/base.h"
#include "stages/lib/varint.h"

#include <string.h>

/* ---- writing: `to` has room for what the functions named ..._length return ---- */

static inline size_t ps_protobuf_number_length(uint32_t field, uint64_t value)
{
    return ps_varint_length((uint64_t)field << 3) + ps_varint_length(value);
}

/* Returns the length of a field of `length` bytes (bytes, a text or a message), with its head. */
static inline size_t ps_protobuf_bytes_length(uint32_t field, size_t length)
{
    return ps_varint_length((uint64_t)field << 3) + ps_varint_length(length) + length;
}

static inline uint8_t *ps_protobuf_put_number(uint8_t *to, uint32_t field, uint64_t value)
{
    to += ps_varint_put(to, (uint64_t)field << 3);
    return to + ps_varint_put(to, value);
}

/* Writes the head of a field of `length` bytes, which follow. */
static inline uint8_t *ps_protobuf_put_head(uint8_t *to, uint32_t field, size_t length)
{
    to += ps_varint_put(to, (uint64_t)field << 3 | 2);
    return to + ps_varint_put(to, length);
}

static inline uint8_t *ps_protobuf_put_bytes(uint8_t *to, uint32_t field, const void *bytes, size_t length)
{
    to = ps_protobuf_put_head(to, field, length);
    if (length > 0)
        memcpy(to, bytes, length);
    return to + length;
}

/* ---- reading ---- */

struct ps_protobuf_reader {
    const uint8_t *at, *end;
    bool invalid; /* the bytes are no message */
    /* The field that ps_protobuf_next found: a number, or bytes. */
    uint32_t field;
    bool is_bytes;
    uint64_t number;
    const uint8_t *bytes;
    size_t length;
};

static inline struct ps_protobuf_reader ps_protobuf_read(const void *bytes, size_t length)
{
    return (struct ps_protobuf_reader){.at = bytes, .end = (const uint8_t *)bytes + length};
}

/* Finds the next field. Returns false at the end, or when the message is `invalid`. */
bool ps_protobuf_next(struct ps_protobuf_reader *reader);

/* Returns whether the field that was found is this one, and has bytes. */
static inline bool ps_protobuf_is_bytes(const struct ps_protobuf_reader *reader, uint32_t field)
{
    return reader->is_bytes && reader->field == field;
}

/* Returns whether the field that was found is this one, and has a number. */
static inline bool ps_protobuf_is_number(const struct ps_protobuf_reader *reader, uint32_t field)
{
    return !reader->is_bytes && reader->field == field;
}

/* Returns a reader of the message in the field that was found. */
static inline struct ps_protobuf_reader ps_protobuf_inner(const struct ps_protobuf_reader *reader)
{
    return ps_protobuf_read(reader->bytes, reader->length);
}
