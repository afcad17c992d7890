/* Variable-length integers: seven bits in each byte, the lowest bits first, and the last byte is below 0x80. Protocol buffers, Avro
 * and Thrift's compact protocol (both with zig-zag), and Flume's file channel use them. Thread: any. */
#pragma once

#include "core/base.h"

#define PS_VARINT_BYTES_MAX 10U

/* Writes at most PS_VARINT_BYTES_MAX bytes. Returns how many. */
static inline size_t ps_varint_put(uint8_t *to, uint64_t value)
{
    size_t length = 0;
    for (; value >= 0x80; value >>= 7)
        to[length++] = (uint8_t)(value | 0x80);
    to[length++] = (uint8_t)value;
    return length;
}

/* Returns the number of bytes that ps_varint_put writes for this value. */
static inline size_t ps_varint_length(uint64_t value)
{
    size_t length = 1;
    for (; value >= 0x80; value >>= 7)
        length++;
    return length;
}

/* Returns the length of the number in bytes; 0: it does not end within `available` bytes, or within
 * PS_VARINT_BYTES_MAX. */
static inline size_t ps_varint_get(const uint8_t *bytes, size_t available, uint64_t *value)
{
    uint64_t made = 0;
    for (size_t at = 0; at < available && at < PS_VARINT_BYTES_MAX; at++) {
        made |= (uint64_t)(bytes[at] & 0x7f) << (7 * at);
        if (bytes[at] < 0x80) {
            *value = made;
            return at + 1;
        }
    }
    return 0;
}

/* Finds bytes that follow their length. Returns the number of bytes of both, and sets *head to those of the length;
 * 0 if they are not complete. */
static inline size_t ps_varint_get_delimited(const uint8_t *bytes, size_t available, size_t *head)
{
    uint64_t length;
    *head = ps_varint_get(bytes, available, &length);
    return *head == 0 || length > available - *head ? 0 : *head + (size_t)length;
}

/* Convert between zig-zag, in which numbers near 0 of both signs are short, and signed numbers. */
static inline uint64_t ps_zigzag(int64_t number)
{
    return (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
}

static inline int64_t ps_unzigzag(uint64_t bits)
{
    return (int64_t)(bits >> 1 ^ (0 - (bits & 1)));
}
