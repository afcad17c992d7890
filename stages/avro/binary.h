/* Avro's binary encoding of a long (Avro 1.11 specification, "Binary Encoding"): zig-zag, seven bits a byte, the
 * low ones first. Lengths, counts, enums and branches of unions are longs too. Thread: any. */
#pragma once

#include "core/base.h"

#define PS_AVRO_LONG_BYTES_MAX 10U

/* Writes at most PS_AVRO_LONG_BYTES_MAX bytes; returns how many. */
static inline size_t ps_avro_put_long(void *to, int64_t number)
{
    uint8_t *out = to;
    uint64_t rest = (uint64_t)number << 1 ^ (uint64_t)(number >> 63);
    size_t length = 0;
    for (; rest >= 0x80; rest >>= 7)
        out[length++] = (uint8_t)(rest | 0x80);
    out[length++] = (uint8_t)rest;
    return length;
}

/* Reads a long at `*at` and moves `*at` behind it. False: the bytes end before it does, or it has more than 10. */
static inline bool ps_avro_get_long(const uint8_t **at, const uint8_t *end, int64_t *number)
{
    uint64_t bits = 0;
    for (unsigned shift = 0; shift < 64 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        bits |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *number = (int64_t)(bits >> 1 ^ (0 - (bits & 1)));
            return true;
        }
    }
    return false;
}
