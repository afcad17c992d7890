/* The hash functions of ORC's bloom filters (ORC v1 specification, "Bloom Filter Index"). */
#pragma once

#include "core/base.h"

#define PS_ORC_MURMUR_SEED UINT64_C(104729) /* the seed that readers use */

/* Murmur3 in the 64-bit variant of org.apache.orc.util.Murmur3: the upper half of the 128-bit variant, in
 * blocks of 8 bytes. */
uint64_t ps_orc_murmur(const void *bytes, size_t length, uint64_t seed);

/* Thomas Wang's hash of a 64-bit integer. */
uint64_t ps_orc_wang(int64_t value);
