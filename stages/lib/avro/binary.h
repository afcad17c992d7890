/* Avro's binary encoding of a long (Avro 1.11 specification, "Binary Encoding"): zig-zag, seven bits a byte, the low ones
 * first. Lengths, counts, enums and branches of unions are also longs. Thread: any. */
#pragma once

#include "stages/lib/varint.h"

#define PS_AVRO_LONG_BYTES_MAX PS_VARINT_BYTES_MAX

/* Writes at most PS_AVRO_LONG_BYTES_MAX bytes; returns how many. */
static inline size_t ps_avro_put_long(void *to, int64_t number)
{
    return ps_varint_put(to, ps_zigzag(number));
}

/* Reads a long at `*at` and moves `*at` past it. Returns false when the bytes end inside it, or it has more
 * than 10 bytes. */
static inline bool ps_avro_get_long(const uint8_t **at, const uint8_t *end, int64_t *number)
{
    uint64_t bits;
    size_t length = ps_varint_get(*at, (size_t)(end - *at), &bits);
    if (length == 0)
        return false;
    *at += length;
    *number = ps_unzigzag(bits);
    return true;
}
