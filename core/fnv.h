/* FNV-1a (Fowler, Noll, Vo), 32 and 64 bits: a hash without a key, for tables of names that come from the configuration, and
 * for fingerprints. Some of its values are on disk. Each function continues a hash; PS_FNV32 and PS_FNV64 begin one.
 * Thread: any. */
#pragma once

#include "core/base.h"

#define PS_FNV32 UINT32_C(2166136261)
#define PS_FNV64 UINT64_C(14695981039346656037)

static inline uint32_t ps_fnv32(uint32_t hash, const void *bytes, size_t length)
{
    for (const unsigned char *at = bytes, *end = at + length; at < end; at++)
        hash = (hash ^ *at) * UINT32_C(16777619);
    return hash;
}

static inline uint64_t ps_fnv64(uint64_t hash, const void *bytes, size_t length)
{
    for (const unsigned char *at = bytes, *end = at + length; at < end; at++)
        hash = (hash ^ *at) * UINT64_C(1099511628211);
    return hash;
}
