#include "stages/lib/orc/hash.h"

#include <endian.h>
#include <string.h>

#define FIRST UINT64_C(0x87c37b91114253d5)
#define SECOND UINT64_C(0x4cf5ad432745937f)

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static uint64_t mix(uint64_t block)
{
    return rotate(block * FIRST, 31) * SECOND;
}

uint64_t ps_orc_murmur(const void *bytes, size_t length, uint64_t seed)
{
    const uint8_t *at = bytes;
    uint64_t hash = seed;
    for (size_t left = length; left > 0;) {
        size_t part = left < 8 ? left : 8;
        uint64_t block = 0;
        memcpy(&block, at, part);
        hash ^= mix(le64toh(block));
        if (part == 8)
            hash = rotate(hash, 27) * 5 + 0x52dce729;
        at += part;
        left -= part;
    }
    hash ^= length;
    hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
    hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return hash ^ hash >> 33;
}

/* Shifts as Java's >> does, which keeps the sign. */
static uint64_t shift_right(uint64_t value, unsigned bits)
{
    return (uint64_t)((int64_t)value >> bits);
}

uint64_t ps_orc_wang(int64_t value)
{
    uint64_t key = (uint64_t)value;
    key = ~key + (key << 21);
    key ^= shift_right(key, 24);
    key += (key << 3) + (key << 8);
    key ^= shift_right(key, 14);
    key += (key << 2) + (key << 4);
    key ^= shift_right(key, 28);
    return key + (key << 31);
}
