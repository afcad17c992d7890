#include "stages/lib/orc/column/column.h"

#include "stages/lib/orc/decimal.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define EPOCH_2015 INT64_C(1420070400) /* timestamps count from there */

static bool is_string(const struct ps_orc_column *column)
{
    return column->type->kind == PS_ORC_STRING || column->type->kind == PS_ORC_VARCHAR ||
           column->type->kind == PS_ORC_CHAR;
}

static struct ps_orc_integer_run *open_integers(struct ps_orc_stream *stream, bool is_signed)
{
    struct ps_orc_integer_run *run = malloc(sizeof(*run));
    if (run != NULL) {
        run->stream = stream;
        run->is_signed = is_signed;
        run->count = 0;
    }
    return run;
}

/* Allocates the buffers of the column's kind. Returns false when there is no memory. */
static bool open_encoders(struct ps_orc_column *column)
{
    switch (column->type->kind) {
    case PS_ORC_BOOLEAN:
        column->bits = calloc(1, sizeof(*column->bits));
        if (column->bits != NULL)
            column->bits->bytes.stream = &column->data;
        return column->bits != NULL;
    case PS_ORC_TINYINT:
        column->bytes = calloc(1, sizeof(*column->bytes));
        if (column->bytes != NULL)
            column->bytes->stream = &column->data;
        return column->bytes != NULL;
    case PS_ORC_SMALLINT:
    case PS_ORC_INT:
    case PS_ORC_BIGINT:
    case PS_ORC_DATE:
        return (column->first_integers = open_integers(&column->data, true)) != NULL;
    case PS_ORC_TIMESTAMP:
        column->second_integers = open_integers(&column->second, false);
        return (column->first_integers = open_integers(&column->data, true)) != NULL &&
               column->second_integers != NULL;
    case PS_ORC_DECIMAL:
        return (column->second_integers = open_integers(&column->second, true)) != NULL;
    case PS_ORC_STRING:
    case PS_ORC_VARCHAR:
    case PS_ORC_CHAR:
    case PS_ORC_BINARY:
        return (column->first_integers = open_integers(&column->second, false)) != NULL;
    case PS_ORC_ARRAY:
    case PS_ORC_MAP:
        return (column->first_integers = open_integers(&column->data, false)) != NULL;
    case PS_ORC_FLOAT:
    case PS_ORC_DOUBLE:
    case PS_ORC_STRUCT:
        break;
    }
    return true;
}

static bool open_column(struct ps_orc_columns *columns, const struct ps_orc_type *type, uint64_t seed)
{
    struct ps_orc_column *column = &columns->all[type->id];
    struct ps_orc_memory *memory = columns->memory;
    column->type = type;
    ps_orc_stream_open(&column->present_stream, columns->compressor, memory);
    ps_orc_stream_open(&column->data, columns->compressor, memory);
    ps_orc_stream_open(&column->second, columns->compressor, memory);
    ps_orc_stream_open(&column->dictionary_data, columns->compressor, memory);
    column->present.bytes.stream = &column->present_stream;
    ps_orc_dictionary_open(&column->dictionary, memory, seed);
    column->ids.memory = column->padded.memory = column->groups.memory = memory;
    column->packed_statistics.memory = column->packed_filters.memory = memory;
    ps_orc_statistics_open(&column->group, memory);
    ps_orc_statistics_open(&column->stripe, memory);
    ps_orc_statistics_open(&column->file, memory);
    column->is_direct = !is_string(column) || columns->dictionary_ratio <= 0;
    bool done = open_encoders(column);
    for (uint32_t i = 0; i < type->child_count; i++)
        done = open_column(columns, type->children[i], seed) && done;
    return done;
}

bool ps_orc_columns_open(struct ps_orc_columns *columns, const struct ps_orc_type *type, uint64_t seed)
{
    columns->count = ps_orc_type_columns(type);
    columns->all = calloc(columns->count, sizeof(*columns->all));
    if (columns->all == NULL)
        columns->count = 0;
    return columns->all != NULL && open_column(columns, type, seed);
}

static void close_column(struct ps_orc_column *column)
{
    ps_orc_stream_close(&column->present_stream);
    ps_orc_stream_close(&column->data);
    ps_orc_stream_close(&column->second);
    ps_orc_stream_close(&column->dictionary_data);
    free(column->bits);
    free(column->bytes);
    free(column->first_integers);
    free(column->second_integers);
    ps_orc_dictionary_close(&column->dictionary);
    ps_orc_buffer_free(&column->ids);
    ps_orc_buffer_free(&column->padded);
    ps_orc_buffer_free(&column->groups);
    ps_orc_buffer_free(&column->packed_statistics);
    ps_orc_buffer_free(&column->packed_filters);
    ps_orc_statistics_close(&column->group);
    ps_orc_statistics_close(&column->stripe);
    ps_orc_statistics_close(&column->file);
    ps_orc_bloom_filter_close(&column->filter);
}

void ps_orc_columns_close(struct ps_orc_columns *columns)
{
    for (uint32_t i = 0; i < columns->count; i++)
        close_column(&columns->all[i]);
    free(columns->all);
    columns->all = NULL;
    columns->count = 0;
}

static void add_integer(struct ps_orc_column *column, int64_t value)
{
    if (column->bits != NULL)
        ps_orc_bit_add(column->bits, value != 0);
    else if (column->bytes != NULL)
        ps_orc_byte_add(column->bytes, (uint8_t)value);
    else
        ps_orc_integer_add(column->first_integers, value);
    ps_orc_statistics_integer(&column->group, column->bits != NULL ? value != 0 : value);
    if (column->filter.bits != NULL)
        ps_orc_bloom_filter_add_integer(&column->filter, value);
}

static void add_real(struct ps_orc_column *column, double value)
{
    uint64_t wide;
    uint32_t narrow;
    float small = (float)value;
    if (column->type->kind == PS_ORC_FLOAT) {
        memcpy(&narrow, &small, sizeof(narrow));
        narrow = htole32(narrow);
        ps_orc_stream_write(&column->data, &narrow, sizeof(narrow));
        value = (double)small;
    } else {
        memcpy(&wide, &value, sizeof(wide));
        wide = htole64(wide);
        ps_orc_stream_write(&column->data, &wide, sizeof(wide));
    }
    ps_orc_statistics_real(&column->group, value);
    if (column->filter.bits != NULL)
        ps_orc_bloom_filter_add_double(&column->filter, value);
}

/* Encodes nanoseconds without trailing zeroes. If at least two were removed, the last three bits are their
 * number minus one. */
static int64_t packed_nanoseconds(uint32_t nanoseconds)
{
    if (nanoseconds == 0)
        return 0;
    if (nanoseconds % 100 != 0)
        return (int64_t)nanoseconds << 3;
    nanoseconds /= 100;
    unsigned zeroes = 1;
    for (; nanoseconds % 10 == 0 && zeroes < 7; zeroes++)
        nanoseconds /= 10;
    return (int64_t)nanoseconds << 3 | zeroes;
}

static void add_timestamp(struct ps_orc_column *column, int64_t seconds, uint32_t nanoseconds)
{
    int64_t milliseconds = seconds * 1000 + nanoseconds / 1000000;
    /* Java rounds towards zero if there are milliseconds, and readers undo that, except in the last second
     * before 1970, which has no encoding of its own (ORC-763). */
    int64_t rounded = seconds < 0 && nanoseconds > 999999 ? seconds + 1 : seconds;
    ps_orc_integer_add(column->first_integers, rounded - EPOCH_2015);
    ps_orc_integer_add(column->second_integers, packed_nanoseconds(nanoseconds));
    ps_orc_statistics_integer(&column->group, milliseconds);
    if (column->filter.bits != NULL)
        ps_orc_bloom_filter_add_integer(&column->filter, milliseconds);
}

static void add_decimal(struct ps_orc_column *column, __int128 value)
{
    unsigned __int128 rest = (unsigned __int128)value << 1 ^ (unsigned __int128)(value >> 127);
    for (; rest >= 0x80; rest >>= 7)
        ps_orc_stream_byte(&column->data, (uint8_t)(rest | 0x80));
    ps_orc_stream_byte(&column->data, (uint8_t)rest);
    ps_orc_integer_add(column->second_integers, column->type->scale);
    ps_orc_statistics_decimal(&column->group, value);
    if (column->filter.bits != NULL) {
        char text[PS_ORC_DECIMAL_TEXT_BYTES];
        size_t length = ps_orc_decimal_text(value, column->type->scale, text);
        ps_orc_bloom_filter_add_bytes(&column->filter, text, length);
    }
}

static void add_binary(struct ps_orc_column *column, const char *bytes, uint32_t length)
{
    ps_orc_stream_write(&column->data, bytes, length);
    ps_orc_integer_add(column->first_integers, length);
    ps_orc_statistics_length(&column->group, length);
    if (column->filter.bits != NULL)
        ps_orc_bloom_filter_add_bytes(&column->filter, bytes, length);
}

static void add_items(struct ps_orc_columns *columns, const struct ps_orc_type *type,
                      const struct ps_orc_value *value)
{
    static const struct ps_orc_value null = {.null = true};
    struct ps_orc_column *column = &columns->all[type->id];
    ps_orc_statistics_length(&column->group, 0);
    if (type->kind == PS_ORC_STRUCT) {
        for (uint32_t i = 0; i < type->child_count; i++)
            ps_orc_column_add(columns, type->children[i], i < value->item_count ? &value->items[i] : &null);
        return;
    }
    uint32_t parts = value->item_count / type->child_count;
    ps_orc_integer_add(column->first_integers, parts);
    for (uint32_t i = 0; i < parts * type->child_count; i++)
        ps_orc_column_add(columns, type->children[i % type->child_count], &value->items[i]);
}

void ps_orc_column_add(struct ps_orc_columns *columns, const struct ps_orc_type *type,
                       const struct ps_orc_value *value)
{
    struct ps_orc_column *column = &columns->all[type->id];
    ps_orc_bit_add(&column->present, !value->null);
    if (value->null) {
        column->has_null = column->group.has_null = true;
        return;
    }
    switch (type->kind) {
    case PS_ORC_BOOLEAN:
    case PS_ORC_TINYINT:
    case PS_ORC_SMALLINT:
    case PS_ORC_INT:
    case PS_ORC_BIGINT:
    case PS_ORC_DATE:
        add_integer(column, value->integer);
        break;
    case PS_ORC_FLOAT:
    case PS_ORC_DOUBLE:
        add_real(column, value->real);
        break;
    case PS_ORC_STRING:
    case PS_ORC_VARCHAR:
    case PS_ORC_CHAR:
        ps_orc_column_string(column, value->bytes, value->length);
        break;
    case PS_ORC_BINARY:
        add_binary(column, value->bytes, value->length);
        break;
    case PS_ORC_TIMESTAMP:
        add_timestamp(column, value->seconds, value->nanoseconds);
        break;
    case PS_ORC_DECIMAL:
        add_decimal(column, value->decimal);
        break;
    case PS_ORC_ARRAY:
    case PS_ORC_MAP:
    case PS_ORC_STRUCT:
        add_items(columns, type, value);
        break;
    }
}

void ps_orc_column_position(const struct ps_orc_column *column, struct ps_orc_positions *positions)
{
    switch (column->type->kind) {
    case PS_ORC_BOOLEAN:
        ps_orc_bits_position(column->bits, positions);
        break;
    case PS_ORC_TINYINT:
        ps_orc_byte_position(column->bytes, positions);
        break;
    case PS_ORC_FLOAT:
    case PS_ORC_DOUBLE:
        ps_orc_stream_position(&column->data, positions);
        break;
    case PS_ORC_DECIMAL:
        ps_orc_stream_position(&column->data, positions);
        ps_orc_integer_position(column->second_integers, positions);
        break;
    case PS_ORC_STRING:
    case PS_ORC_VARCHAR:
    case PS_ORC_CHAR:
    case PS_ORC_BINARY:
        ps_orc_stream_position(&column->data, positions);
        ps_orc_integer_position(column->first_integers, positions);
        break;
    case PS_ORC_TIMESTAMP:
        ps_orc_integer_position(column->first_integers, positions);
        ps_orc_integer_position(column->second_integers, positions);
        break;
    case PS_ORC_SMALLINT:
    case PS_ORC_INT:
    case PS_ORC_BIGINT:
    case PS_ORC_DATE:
    case PS_ORC_ARRAY:
    case PS_ORC_MAP:
        ps_orc_integer_position(column->first_integers, positions);
        break;
    case PS_ORC_STRUCT:
        break;
    }
}
