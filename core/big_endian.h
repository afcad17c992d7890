/* Big-endian numbers (the first byte is the highest one), as in protocols and in Java's files. The bytes need no
 * alignment. Thread: any. */
#pragma once

#include "core/base.h"

#include <endian.h>
#include <string.h>

static inline uint16_t ps_big_endian_get_16(const void *from)
{
    uint16_t bytes;
    memcpy(&bytes, from, sizeof bytes);
    return be16toh(bytes);
}

static inline uint32_t ps_big_endian_get_32(const void *from)
{
    uint32_t bytes;
    memcpy(&bytes, from, sizeof bytes);
    return be32toh(bytes);
}

static inline uint64_t ps_big_endian_get_64(const void *from)
{
    uint64_t bytes;
    memcpy(&bytes, from, sizeof bytes);
    return be64toh(bytes);
}

static inline void ps_big_endian_put_16(void *to, uint16_t number)
{
    number = htobe16(number);
    memcpy(to, &number, sizeof number);
}

static inline void ps_big_endian_put_32(void *to, uint32_t number)
{
    number = htobe32(number);
    memcpy(to, &number, sizeof number);
}

static inline void ps_big_endian_put_64(void *to, uint64_t number)
{
    number = htobe64(number);
    memcpy(to, &number, sizeof number);
}
