#include "stages/lib/orc/bloom_filter.h"

#include "stages/lib/orc/hash.h"
#include "stages/lib/orc/message.h"
#include "stages/lib/orc/proto/orc.pb-c.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_FIELD 1U /* BloomFilterIndex.bloomFilter */

bool ps_orc_bloom_filter_open(struct ps_orc_bloom_filter *filter, uint32_t values, double false_positives)
{
    double count = values == 0 ? 1 : values;
    uint32_t bits = (uint32_t)(-count * log(false_positives) / (M_LN2 * M_LN2));
    filter->bit_count = bits + (64 - bits % 64);
    filter->hash_count = (uint32_t)round(filter->bit_count / count * M_LN2);
    if (filter->hash_count == 0)
        filter->hash_count = 1;
    filter->bits = calloc(1, filter->bit_count / 8);
    return filter->bits != NULL;
}

void ps_orc_bloom_filter_close(struct ps_orc_bloom_filter *filter)
{
    free(filter->bits);
    filter->bits = NULL;
}

static void add_hash(struct ps_orc_bloom_filter *filter, uint64_t hash)
{
    uint32_t low = (uint32_t)hash, high = (uint32_t)(hash >> 32);
    for (uint32_t i = 1; i <= filter->hash_count; i++) {
        uint32_t combined = low + i * high;
        if (combined > INT32_MAX)
            combined = ~combined;
        uint32_t bit = combined % filter->bit_count;
        filter->bits[bit / 8] = (uint8_t)(filter->bits[bit / 8] | 1U << bit % 8);
    }
}

void ps_orc_bloom_filter_add_bytes(struct ps_orc_bloom_filter *filter, const void *bytes, size_t length)
{
    add_hash(filter, ps_orc_murmur(bytes, length, PS_ORC_MURMUR_SEED));
}

void ps_orc_bloom_filter_add_integer(struct ps_orc_bloom_filter *filter, int64_t value)
{
    add_hash(filter, ps_orc_wang(value));
}

void ps_orc_bloom_filter_add_double(struct ps_orc_bloom_filter *filter, double value)
{
    int64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    if (isnan(value))
        bits = INT64_C(0x7ff8000000000000); /* Double.doubleToLongBits */
    ps_orc_bloom_filter_add_integer(filter, bits);
}

void ps_orc_bloom_filter_end(struct ps_orc_bloom_filter *filter, struct ps_orc_buffer *index)
{
    PsOrc__BloomFilter message;
    ps_orc__bloom_filter__init(&message);
    message.has_number_of_hash_functions = true;
    message.number_of_hash_functions = filter->hash_count;
    message.has_utf8_bitset = true;
    message.utf8_bitset = (ProtobufCBinaryData){.len = filter->bit_count / 8, .data = filter->bits};
    ps_orc_message_field(index, ENTRY_FIELD, &message.base);
    memset(filter->bits, 0, filter->bit_count / 8);
}
