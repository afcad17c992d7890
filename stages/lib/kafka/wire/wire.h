/* Kafka's primitive types on the wire (Kafka protocol guide, "Protocol Primitive Types"): big-endian integers, and
 * strings and arrays in the form of the version, which may be a flexible one (KIP-482). Pure functions; any thread. */
#pragma once

#include <endian.h>
#include <string.h>

#include "core/base.h"
#include "core/big_endian.h"

/* ---- writing: the caller has made room ---- */

static inline char *ps_wire_put_int8(char *at, int8_t value)
{
    *at = (char)value;
    return at + 1;
}

static inline char *ps_wire_put_int16(char *at, int16_t value)
{
    ps_big_endian_put_16(at, (uint16_t)value);
    return at + sizeof value;
}

static inline char *ps_wire_put_int32(char *at, int32_t value)
{
    ps_big_endian_put_32(at, (uint32_t)value);
    return at + sizeof value;
}

static inline char *ps_wire_put_int64(char *at, int64_t value)
{
    ps_big_endian_put_64(at, (uint64_t)value);
    return at + sizeof value;
}

static inline char *ps_wire_put_bytes(char *at, const void *bytes, size_t length)
{
    if (length > 0)
        memcpy(at, bytes, length);
    return at + length;
}

/* Writes a string of at most 32,767 bytes. */
static inline char *ps_wire_put_string(char *at, const char *text, size_t length)
{
    at = ps_wire_put_int16(at, (int16_t)length);
    return ps_wire_put_bytes(at, text, length);
}

/* Maximum number of bytes of a zigzag varint: 64 bits in groups of seven. */
#define PS_WIRE_VARINT_BYTES 10U

static inline uint64_t ps_wire_zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

/* Returns the length of a zigzag varint. Compares before it divides, because most numbers have one or two bytes
 * and a division would cost as much as the copy of a short value. */
static inline unsigned ps_wire_varint_bytes(int64_t value)
{
    uint64_t left = ps_wire_zigzag(value);
    if (PS_LIKELY(left < 0x4000))
        return left < 0x80 ? 1 : 2;
    return ((unsigned)(63 - __builtin_clzll(left)) / 7) + 1;
}

static inline char *ps_wire_put_varint(char *at, int64_t value)
{
    uint64_t left = ps_wire_zigzag(value);
    if (PS_LIKELY(left >= 0x80 && left < 0x4000)) {
        uint16_t two = htole16((uint16_t)((left & 0x7f) | 0x80 | left >> 7 << 8));
        memcpy(at, &two, sizeof two);
        return at + sizeof two;
    }
    for (; left >= 0x80; left >>= 7)
        *at++ = (char)(left | 0x80);
    *at++ = (char)left;
    return at;
}

/* ---- flexible versions (KIP-482) ---- */

static inline char *ps_wire_put_uvarint(char *at, uint32_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (char)(value | 0x80);
    *at++ = (char)value;
    return at;
}

/* Write a string (NULL: a null one), the number of an array's elements or of bytes, and the end of a structure, in the form of
 * the request's version. */
static inline char *ps_wire_put_text(char *at, const char *text, size_t length, bool flexible)
{
    if (text == NULL)
        return flexible ? ps_wire_put_uvarint(at, 0) : ps_wire_put_int16(at, -1);
    if (!flexible)
        return ps_wire_put_string(at, text, length);
    at = ps_wire_put_uvarint(at, (uint32_t)length + 1);
    return ps_wire_put_bytes(at, text, length);
}

static inline char *ps_wire_put_count(char *at, uint32_t count, bool flexible)
{
    return flexible ? ps_wire_put_uvarint(at, count + 1) : ps_wire_put_int32(at, (int32_t)count);
}

static inline char *ps_wire_put_tags(char *at, bool flexible)
{
    return flexible ? ps_wire_put_uvarint(at, 0) : at;
}

/* ---- reading: bounded; after a read beyond the end all values are zero ---- */

struct ps_wire_in {
    const char *at, *end;
    bool failed; /* bytes were missing, or a length was impossible */
    bool
        flexible; /* the answer's version is a flexible one: lengths are compact, and structures end with tags */
};

static inline const char *ps_wire_take(struct ps_wire_in *in, size_t length)
{
    if (in->failed || length > (size_t)(in->end - in->at)) {
        in->failed = true;
        return NULL;
    }
    const char *at = in->at;
    in->at += length;
    return at;
}

static inline int8_t ps_wire_get_int8(struct ps_wire_in *in)
{
    const char *at = ps_wire_take(in, 1);
    return at != NULL ? (int8_t)*at : 0;
}

static inline int16_t ps_wire_get_int16(struct ps_wire_in *in)
{
    const char *at = ps_wire_take(in, sizeof(int16_t));
    return at != NULL ? (int16_t)ps_big_endian_get_16(at) : 0;
}

static inline int32_t ps_wire_get_int32(struct ps_wire_in *in)
{
    const char *at = ps_wire_take(in, sizeof(int32_t));
    return at != NULL ? (int32_t)ps_big_endian_get_32(at) : 0;
}

static inline int64_t ps_wire_get_int64(struct ps_wire_in *in)
{
    const char *at = ps_wire_take(in, sizeof(int64_t));
    return at != NULL ? (int64_t)ps_big_endian_get_64(at) : 0;
}

/* Reads an unsigned varint of at most 32 bits. */
static inline uint32_t ps_wire_get_uvarint(struct ps_wire_in *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        const char *at = ps_wire_take(in, 1);
        if (at == NULL)
            return 0;
        value |= (uint64_t)(*at & 0x7f) << shift;
        if ((*at & 0x80) == 0 && value <= UINT32_MAX)
            return (uint32_t)value;
    }
    in->failed = true;
    return 0;
}

static inline const char *ps_wire_get_compact_string(struct ps_wire_in *in, uint32_t *length)
{
    uint32_t bytes = ps_wire_get_uvarint(in);
    *length = bytes > 0 ? bytes - 1 : 0;
    return bytes == 0 ? NULL : ps_wire_take(in, *length);
}

static inline uint32_t ps_wire_get_compact_count(struct ps_wire_in *in, size_t element_bytes)
{
    uint32_t count = ps_wire_get_uvarint(in);
    if (count > 0 && count - 1 > (size_t)(in->end - in->at) / element_bytes)
        in->failed = true;
    return in->failed || count == 0 ? 0 : count - 1;
}

/* Returns a string, which is not terminated; NULL with length 0 if the string is null or missing. */
static inline const char *ps_wire_get_string(struct ps_wire_in *in, uint32_t *length)
{
    if (in->flexible)
        return ps_wire_get_compact_string(in, length);
    int16_t bytes = ps_wire_get_int16(in);
    *length = bytes > 0 ? (uint32_t)bytes : 0;
    if (bytes < -1)
        in->failed = true;
    return bytes < 0 ? NULL : ps_wire_take(in, *length);
}

/* Reads and returns the number of elements of an array, each of at least `element_bytes`; 0 for a null array. */
static inline uint32_t ps_wire_get_count(struct ps_wire_in *in, size_t element_bytes)
{
    if (in->flexible)
        return ps_wire_get_compact_count(in, element_bytes);
    int32_t count = ps_wire_get_int32(in);
    if (count < -1 || (count > 0 && (size_t)count > (size_t)(in->end - in->at) / element_bytes))
        in->failed = true;
    return in->failed || count < 0 ? 0 : (uint32_t)count;
}

static inline void ps_wire_skip_tags(struct ps_wire_in *in)
{
    uint32_t count = ps_wire_get_uvarint(in);
    for (uint32_t i = 0; i < count && !in->failed; i++) {
        (void)ps_wire_get_uvarint(in); /* number of the tag */
        (void)ps_wire_take(in, ps_wire_get_uvarint(in));
    }
}

/* Reads the end of a structure, in the form of the answer's version. */
static inline void ps_wire_end_fields(struct ps_wire_in *in)
{
    if (in->flexible)
        ps_wire_skip_tags(in);
}
