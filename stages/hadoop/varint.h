/* Numbers of seven bits in each byte, the lowest first: protocol buffers' tags, lengths and numbers. */
#pragma once

#include "core/base.h"

#define PS_VARINT_BYTES_MAX 10U

/* Returns how many bytes it took. */
static inline size_t ps_varint_put(uint8_t *to, uint64_t value)
{
    size_t at = 0;
    for (; value >= 0x80; value >>= 7)
        to[at++] = (uint8_t)(value | 0x80);
    to[at++] = (uint8_t)value;
    return at;
}

static inline size_t ps_varint_bytes(uint64_t value)
{
    size_t count = 1;
    for (; value >= 0x80; value >>= 7)
        count++;
    return count;
}

/* Returns how many bytes it took; 0: it does not end within `available` bytes, or is none. */
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
