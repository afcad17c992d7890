#include "stages/lib/hive/bucket.h"

#include <endian.h>
#include <math.h>
#include <string.h>

#define SEED 104729U /* seed of Hive's Murmur3 */
#define FIRST 0xcc9e2d51U
#define SECOND 0x1b873593U

static uint32_t rotate(uint32_t value, unsigned bits)
{
    return value << bits | value >> (32 - bits);
}

/* Returns the 32-bit Murmur3 hash like org.apache.hive.common.util.Murmur3.hash32, which sign-extends the bytes of the last, incomplete block. */
static uint32_t murmur(const void *bytes, uint32_t length)
{
    const int8_t *at = bytes;
    uint32_t hash = SEED, left = length, last = 0;
    for (; left >= 4; left -= 4, at += 4) {
        uint32_t block;
        memcpy(&block, at, sizeof(block));
        hash ^= rotate(le32toh(block) * FIRST, 15) * SECOND;
        hash = rotate(hash, 13) * 5 + 0xe6546b64U;
    }
    for (uint32_t i = left; i-- > 0;)
        last ^= (uint32_t)at[i] << 8 * i;
    if (left > 0)
        hash ^= rotate(last * FIRST, 15) * SECOND;
    hash ^= length;
    hash = (hash ^ hash >> 16) * 0x85ebca6bU;
    hash = (hash ^ hash >> 13) * 0xc2b2ae35U;
    return hash ^ hash >> 16;
}

/* Returns the length of a text that is hashed: a char without blanks at its end; a varchar or char not longer than its type allows. */
static uint32_t text_length(const struct ps_orc_type *type, const struct ps_orc_value *value)
{
    uint32_t length = 0, characters = 0;
    if (type->kind == PS_ORC_STRING)
        return value->length;
    for (; length < value->length; length++)
        if (((unsigned char)value->bytes[length] & 0xc0) != 0x80 && characters++ == type->maximum_length)
            break;
    while (type->kind == PS_ORC_CHAR && length > 0 && value->bytes[length - 1] == ' ')
        length--;
    return length;
}

/* Multiplies the hash by 31 and adds the next byte, sign-extended, for each byte. */
static uint32_t java_text(const char *bytes, uint32_t length, uint32_t hash)
{
    for (uint32_t i = 0; i < length; i++) {
        int32_t byte = (int8_t)bytes[i];
        hash = 31 * hash + (uint32_t)byte;
    }
    return hash;
}

static uint64_t double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return isnan(value) ? UINT64_C(0x7ff8000000000000) : bits;
}

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return isnan(value) ? 0x7fc00000U : bits;
}

static uint32_t fold(uint64_t value)
{
    return (uint32_t)(value >> 32 ^ value);
}

static uint32_t java_hash(const struct ps_orc_type *type, const struct ps_orc_value *value)
{
    switch (type->kind) {
    case PS_ORC_BIGINT:
        return fold((uint64_t)value->integer);
    case PS_ORC_FLOAT:
        return float_bits((float)value->real);
    case PS_ORC_DOUBLE:
        return fold(double_bits(value->real));
    case PS_ORC_STRING:
        return java_text(value->bytes, value->length, 0);
    case PS_ORC_VARCHAR:
    case PS_ORC_CHAR:
        return java_text(value->bytes, text_length(type, value), 1);
    default:
        return (uint32_t)value->integer;
    }
}

static uint32_t murmur_int(uint32_t value)
{
    value = htobe32(value);
    return murmur(&value, sizeof(value));
}

static uint32_t murmur_long(uint64_t value)
{
    value = htobe64(value);
    return murmur(&value, sizeof(value));
}

static uint32_t murmur_hash(const struct ps_orc_type *type, const struct ps_orc_value *value)
{
    uint16_t small = htobe16((uint16_t)value->integer);
    switch (type->kind) {
    case PS_ORC_BOOLEAN:
    case PS_ORC_TINYINT:
        return (uint32_t)value->integer;
    case PS_ORC_SMALLINT:
        return murmur(&small, sizeof(small));
    case PS_ORC_BIGINT:
        return murmur_long((uint64_t)value->integer);
    /* Hive converts the bits as a number to a float or double, and hashes that. */
    case PS_ORC_FLOAT:
        return murmur_int(float_bits((float)(int32_t)float_bits((float)value->real)));
    case PS_ORC_DOUBLE:
        return murmur_long(double_bits((double)(int64_t)double_bits(value->real)));
    case PS_ORC_STRING:
    case PS_ORC_VARCHAR:
    case PS_ORC_CHAR:
        return murmur(value->bytes, text_length(type, value));
    default:
        return murmur_int((uint32_t)value->integer);
    }
}

bool ps_hive_bucket_knows(const struct ps_orc_type *type)
{
    switch (type->kind) {
    case PS_ORC_BOOLEAN:
    case PS_ORC_TINYINT:
    case PS_ORC_SMALLINT:
    case PS_ORC_INT:
    case PS_ORC_BIGINT:
    case PS_ORC_FLOAT:
    case PS_ORC_DOUBLE:
    case PS_ORC_STRING:
    case PS_ORC_VARCHAR:
    case PS_ORC_CHAR:
    case PS_ORC_DATE:
        return true;
    default:
        return false;
    }
}

int32_t ps_hive_bucket_hash(enum ps_hive_bucketing bucketing, const struct ps_orc_type *type,
                            const struct ps_orc_value *value)
{
    PS_ASSERT(ps_hive_bucket_knows(type));
    if (value->null)
        return 0;
    return (int32_t)(bucketing == PS_HIVE_BUCKETING_MURMUR ? murmur_hash(type, value)
                                                           : java_hash(type, value));
}

uint32_t ps_hive_bucket(enum ps_hive_bucketing bucketing, const struct ps_orc_type *row_type,
                        const struct ps_orc_value *row, const uint32_t *fields, uint32_t field_count,
                        uint32_t bucket_count)
{
    uint32_t hash = 0;
    for (uint32_t i = 0; i < field_count; i++) {
        bool is_missing = fields[i] >= row->item_count;
        hash = hash * 31;
        if (!is_missing)
            hash += (uint32_t)ps_hive_bucket_hash(bucketing, row_type->children[fields[i]],
                                                  &row->items[fields[i]]);
    }
    return (hash & INT32_MAX) % bucket_count;
}
