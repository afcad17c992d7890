/* The partition key of a row. */
#include "core/big_endian.h"
#include "stages/lib/kudu/table.h"

#include <string.h>

uint64_t ps_kudu_hash(const void *bytes, size_t length, uint64_t seed)
{
    const uint64_t prime = UINT64_C(0xc6a4a7935bd1e995);
    const unsigned shift = 47;
    const uint8_t *at = bytes, *end = at + length / 8 * 8;
    uint64_t hash = seed ^ length * prime;
    for (; at < end; at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        word = le64toh(word) * prime;
        word = (word ^ word >> shift) * prime;
        hash = (hash ^ word) * prime;
    }
    size_t rest = length % 8;
    for (size_t i = rest; i > 0; i--)
        hash ^= (uint64_t)at[i - 1] << (8 * (i - 1));
    if (rest > 0)
        hash *= prime;
    hash = (hash ^ hash >> shift) * prime;
    return hash ^ hash >> shift;
}

static void put_number(struct ps_byte_buffer *to, __int128 number, unsigned size)
{
    unsigned __int128 bits = (unsigned __int128)number ^ (unsigned __int128)1 << (8 * size - 1);
    for (unsigned i = size; i > 0; i--)
        to->data[to->length++] = (char)(uint8_t)(bits >> (8 * (i - 1)));
}

static void put_bytes(struct ps_byte_buffer *to, const char *bytes, uint32_t length, bool is_last)
{
    if (is_last || memchr(bytes, 0, length) == NULL) {
        ps_byte_buffer_put(to, bytes, length);
    } else {
        for (uint32_t i = 0; i < length; i++) {
            to->data[to->length++] = bytes[i];
            if (bytes[i] == 0)
                to->data[to->length++] = 1;
        }
    }
    if (!is_last)
        ps_byte_buffer_put(to, "\0", 2);
}

/* Appends the columns of a dimension or of the range. A column that is not set has its least value. */
static bool put_columns(struct ps_byte_buffer *to, const struct ps_kudu_table *table,
                        const struct ps_kudu_columns *columns, const struct ps_kudu_cell *cells)
{
    size_t most = 0;
    for (uint32_t i = 0; i < columns->count; i++)
        most += 16 + 2 * (size_t)cells[columns->items[i]].length + 2;
    if (!ps_byte_buffer_reserve(to, most))
        return false;
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct ps_kudu_column *column = &table->columns[columns->items[i]];
        const struct ps_kudu_cell *cell = &cells[columns->items[i]];
        if (column->is_bytes)
            put_bytes(to, cell->length > 0 ? cell->bytes : "", cell->length, i + 1 == columns->count);
        else if (column->size > 0)
            put_number(
                to, cell->is_set ? cell->number : (__int128)((unsigned __int128)1 << (8 * column->size - 1)),
                column->size);
    }
    return true;
}

static int compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t least = a_length < b_length ? a_length : b_length;
    int order = least > 0 ? memcmp(a, b, least) : 0;
    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

static const struct ps_kudu_dimensions *dimensions_of(const struct ps_kudu_table *table, const char *range,
                                                      size_t length)
{
    for (uint32_t i = 0; i < table->custom_count; i++) {
        const struct ps_kudu_custom_range *custom = &table->custom[i];
        if (compare(custom->start, custom->start_length, range, length) <= 0 &&
            (custom->end_length == 0 || compare(range, length, custom->end, custom->end_length) < 0))
            return &custom->dimensions;
    }
    return &table->dimensions;
}

bool ps_kudu_put_key(struct ps_byte_buffer *to, const struct ps_kudu_table *table,
                     const struct ps_kudu_cell *cells)
{
    size_t begin = to->length;
    const struct ps_kudu_dimensions *dimensions = &table->dimensions;
    if (table->custom_count > 0) {
        if (!put_columns(to, table, &table->range, cells))
            return false;
        dimensions = dimensions_of(table, to->data + begin, to->length - begin);
        to->length = begin;
    }
    for (uint32_t i = 0; i < dimensions->count; i++) {
        const struct ps_kudu_dimension *dimension = &dimensions->items[i];
        size_t at = to->length;
        if (!put_columns(to, table, &dimension->columns, cells) || !ps_byte_buffer_reserve(to, 4))
            return false;
        uint64_t hash = ps_kudu_hash(to->data + at, to->length - at, dimension->seed);
        to->length = at;
        ps_big_endian_put_32(to->data + at, (uint32_t)(hash % dimension->buckets));
        to->length += 4;
    }
    return put_columns(to, table, &table->range, cells);
}
