/* The bloom filter of one row group of one column: BLOOM_FILTER_UTF8 (ORC v1 specification, "Bloom Filter Index").
 *
 * Thread: the owner's. */
#pragma once

#include "stages/lib/orc/buffer.h"

struct ps_orc_bloom_filter {
    uint32_t bit_count; /* a multiple of 64 */
    uint32_t hash_count;
    uint8_t *bits; /* NULL: the column has no filter */
};

/* Makes a filter for this number of values and share of false positives (orc.bloom.filter.fpp). Returns false
 * when there is no memory. */
bool ps_orc_bloom_filter_open(struct ps_orc_bloom_filter *filter, uint32_t values, double false_positives);
void ps_orc_bloom_filter_close(struct ps_orc_bloom_filter *filter);

void ps_orc_bloom_filter_add_bytes(struct ps_orc_bloom_filter *filter, const void *bytes, size_t length);
void ps_orc_bloom_filter_add_integer(struct ps_orc_bloom_filter *filter, int64_t value);
/* Floats as doubles. */
void ps_orc_bloom_filter_add_double(struct ps_orc_bloom_filter *filter, double value);

/* Appends the filter as an entry of a BloomFilterIndex, and empties it. */
void ps_orc_bloom_filter_end(struct ps_orc_bloom_filter *filter, struct ps_orc_buffer *index);
