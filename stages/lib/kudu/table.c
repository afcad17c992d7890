/* Reads what a master says of a table. */
#include "stages/lib/kudu/table.h"

#include <string.h>

#define DIMENSIONS_MAX 64U
#define RANGES_MAX 4096U

enum { SCHEMA_COLUMN = 1 };
enum {
    COLUMN_ID = 1,
    COLUMN_NAME = 2,
    COLUMN_TYPE = 3,
    COLUMN_KEY = 4,
    COLUMN_NULLABLE = 5,
    COLUMN_READ_DEFAULT = 6,
    COLUMN_WRITE_DEFAULT = 7,
    COLUMN_ATTRIBUTES = 11,
    COLUMN_COMMENT = 12,
    COLUMN_AUTOMATIC = 14
};
enum { ATTRIBUTE_PRECISION = 1, ATTRIBUTE_SCALE = 2, ATTRIBUTE_LENGTH = 3 };
enum { PARTITION_HASH = 1, PARTITION_RANGE = 2, PARTITION_CUSTOM = 5 };
enum {
    HASH_COLUMN = 1,
    HASH_BUCKETS = 2,
    HASH_SEED = 3,
    RANGE_COLUMN = 1,
    IDENTIFIER_ID = 1,
    IDENTIFIER_NAME = 2
};
enum { CUSTOM_BOUNDS = 1, CUSTOM_HASH = 2, OPERATIONS_ROWS = 2, OPERATIONS_INDIRECT = 3 };
enum { LOWER_BOUND = 6, UPPER_BOUND = 7 };

static const struct {
    const char *name;
    uint8_t size;
} types[] = {
    [PS_KUDU_INT8] = {"INT8", 1},           [PS_KUDU_INT16] = {"INT16", 2},
    [PS_KUDU_INT32] = {"INT32", 4},         [PS_KUDU_INT64] = {"INT64", 8},
    [PS_KUDU_STRING] = {"STRING", 16},      [PS_KUDU_BOOL] = {"BOOL", 1},
    [PS_KUDU_FLOAT] = {"FLOAT", 4},         [PS_KUDU_DOUBLE] = {"DOUBLE", 8},
    [PS_KUDU_BINARY] = {"BINARY", 16},      [PS_KUDU_UNIXTIME_MICROS] = {"UNIXTIME_MICROS", 8},
    [PS_KUDU_DECIMAL32] = {"DECIMAL", 4},   [PS_KUDU_DECIMAL64] = {"DECIMAL", 8},
    [PS_KUDU_DECIMAL128] = {"DECIMAL", 16}, [PS_KUDU_VARCHAR] = {"VARCHAR", 16},
    [PS_KUDU_DATE] = {"DATE", 4},
};

const char *ps_kudu_type_name(unsigned type)
{
    return type < PS_COUNT_OF(types) && types[type].name != NULL ? types[type].name : "of an unknown type";
}

/* ---- columns ---- */

static uint32_t count_of(struct ps_protobuf_reader reader, uint32_t field)
{
    uint32_t count = 0;
    while (ps_protobuf_next(&reader))
        count += ps_protobuf_is_bytes(&reader, field) && count < UINT32_MAX;
    return count;
}

static bool parse_attributes(struct ps_protobuf_reader reader, struct ps_kudu_column *column)
{
    while (ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_number(&reader, ATTRIBUTE_PRECISION))
            column->precision = (unsigned)reader.number;
        else if (ps_protobuf_is_number(&reader, ATTRIBUTE_SCALE))
            column->scale = (unsigned)reader.number;
        else if (ps_protobuf_is_number(&reader, ATTRIBUTE_LENGTH))
            column->length = (unsigned)reader.number;
    }
    return !reader.invalid;
}

static void take_number(struct ps_kudu_column *column, uint32_t field, uint64_t number)
{
    switch (field) {
    case COLUMN_ID:
        column->id = (uint32_t)number;
        break;
    case COLUMN_TYPE:
        column->type = number < PS_COUNT_OF(types) ? (uint8_t)number : 0;
        break;
    case COLUMN_KEY:
        column->is_key = number != 0;
        break;
    case COLUMN_NULLABLE:
        column->is_nullable = number != 0;
        break;
    case COLUMN_AUTOMATIC:
        column->is_automatic = number != 0;
        break;
    default:
        break;
    }
}

/* Writes do not have a column's id, and need not have its defaults and comment. */
static bool is_of_writes(uint32_t field)
{
    return field != COLUMN_ID && field != COLUMN_READ_DEFAULT && field != COLUMN_WRITE_DEFAULT &&
           field != COLUMN_COMMENT;
}

/* Reads a column, and writes what requests have of it to `*to`. */
static bool parse_column(struct ps_protobuf_reader reader, struct ps_arena *arena,
                         struct ps_kudu_column *column, uint8_t **to)
{
    bool good = true;
    *column = (struct ps_kudu_column){.name = ""};
    while (good && ps_protobuf_next(&reader)) {
        if (is_of_writes(reader.field))
            *to = reader.is_bytes ? ps_protobuf_put_bytes(*to, reader.field, reader.bytes, reader.length)
                                  : ps_protobuf_put_number(*to, reader.field, reader.number);
        if (ps_protobuf_is_bytes(&reader, COLUMN_NAME)) {
            column->name = ps_arena_copy(arena, (const char *)reader.bytes, reader.length);
            column->name_length = (uint32_t)reader.length;
        } else if (ps_protobuf_is_bytes(&reader, COLUMN_ATTRIBUTES)) {
            good = parse_attributes(ps_protobuf_inner(&reader), column);
        } else if (ps_protobuf_is_bytes(&reader, COLUMN_WRITE_DEFAULT)) {
            column->has_default = true;
        } else if (!reader.is_bytes) {
            take_number(column, reader.field, reader.number);
        }
    }
    column->size = types[column->type].size;
    column->is_bytes = column->size == 16 && column->type != PS_KUDU_DECIMAL128;
    return good && !reader.invalid;
}

static bool parse_columns(struct ps_kudu_table *table, struct ps_protobuf_reader reader)
{
    size_t room = 2 * (size_t)(reader.end - reader.at); /* a number of fixed length may become longer */
    struct ps_kudu_column *columns =
        ps_arena_alloc(table->arena, table->count * sizeof(struct ps_kudu_column));
    uint8_t *schema = ps_arena_alloc(table->arena, room + 1), *at = schema;
    uint8_t *one = ps_arena_alloc(table->arena, room + 1);
    for (uint32_t i = 0; ps_protobuf_next(&reader);) {
        if (!ps_protobuf_is_bytes(&reader, SCHEMA_COLUMN))
            continue;
        uint8_t *to = one;
        if (!parse_column(ps_protobuf_inner(&reader), table->arena, &columns[i], &to))
            return false;
        table->has_nullable |= columns[i++].is_nullable;
        at = ps_protobuf_put_bytes(at, SCHEMA_COLUMN, one, (size_t)(to - one));
    }
    table->columns = columns;
    table->schema = schema;
    table->schema_length = (size_t)(at - schema);
    return !reader.invalid;
}

int ps_kudu_table_find(const struct ps_kudu_table *table, const char *name, size_t length)
{
    for (uint32_t i = 0; i < table->count; i++)
        if (table->columns[i].name_length == length && memcmp(table->columns[i].name, name, length) == 0)
            return (int)i;
    return -1;
}

/* ---- partitions ---- */

/* Returns the number of the column that a ColumnIdentifierPB names; -1: there is none. */
static int parse_identifier(const struct ps_kudu_table *table, struct ps_protobuf_reader reader)
{
    int found = -1;
    while (ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_bytes(&reader, IDENTIFIER_NAME))
            found = ps_kudu_table_find(table, (const char *)reader.bytes, reader.length);
        for (uint32_t i = 0; ps_protobuf_is_number(&reader, IDENTIFIER_ID) && i < table->count; i++)
            if (table->columns[i].id == reader.number)
                found = (int)i;
    }
    return found;
}

/* Reads a message of column identifiers, whose field they are. */
static bool parse_identifiers(const struct ps_kudu_table *table, struct ps_protobuf_reader reader,
                              uint32_t field, struct ps_kudu_columns *columns)
{
    uint32_t room = count_of(reader, field), count = 0;
    if (room > table->count)
        return false;
    uint32_t *items = ps_arena_alloc(table->arena, ((size_t)room + 1) * sizeof(uint32_t));
    while (ps_protobuf_next(&reader)) {
        if (!ps_protobuf_is_bytes(&reader, field))
            continue;
        int column = parse_identifier(table, ps_protobuf_inner(&reader));
        if (column < 0)
            return false;
        items[count++] = (uint32_t)column;
    }
    *columns = (struct ps_kudu_columns){items, count};
    return !reader.invalid;
}

static bool parse_dimension(const struct ps_kudu_table *table, struct ps_protobuf_reader reader,
                            struct ps_kudu_dimension *dimension)
{
    *dimension = (struct ps_kudu_dimension){.buckets = 0};
    if (!parse_identifiers(table, reader, HASH_COLUMN, &dimension->columns))
        return false;
    while (ps_protobuf_next(&reader)) {
        if (ps_protobuf_is_number(&reader, HASH_BUCKETS))
            dimension->buckets = (uint32_t)reader.number;
        else if (ps_protobuf_is_number(&reader, HASH_SEED))
            dimension->seed = (uint32_t)reader.number;
    }
    return !reader.invalid && dimension->buckets > 0;
}

static bool parse_dimensions(const struct ps_kudu_table *table, struct ps_protobuf_reader reader,
                             uint32_t field, struct ps_kudu_dimensions *dimensions)
{
    uint32_t room = count_of(reader, field), count = 0;
    if (room > DIMENSIONS_MAX)
        return false;
    struct ps_kudu_dimension *items =
        ps_arena_alloc(table->arena, ((size_t)room + 1) * sizeof(struct ps_kudu_dimension));
    while (ps_protobuf_next(&reader))
        if (ps_protobuf_is_bytes(&reader, field) &&
            !parse_dimension(table, ps_protobuf_inner(&reader), &items[count++]))
            return false;
    *dimensions = (struct ps_kudu_dimensions){items, count};
    return !reader.invalid;
}

/* ---- ranges with hash dimensions of their own ---- */

/* A bound: a row of a RowOperationsPB. */
struct bound {
    struct ps_slice rows, indirect; /* what is left of the rows */
};

static bool take(struct ps_slice *from, size_t length, const char **bytes)
{
    if (from->length < length)
        return false;
    *bytes = from->data;
    from->data += length;
    from->length -= (uint32_t)length;
    return true;
}

static __int128 number_of(const char *bytes, size_t size)
{
    unsigned __int128 number = 0;
    for (size_t i = size; i > 0; i--)
        number = number << 8 | (uint8_t)bytes[i - 1];
    if (size < 16 && (number >> (8 * size - 1) & 1) != 0)
        number |= ~(unsigned __int128)0 << (8 * size);
    return (__int128)number;
}

static bool take_cell(struct bound *bound, const struct ps_kudu_column *column, struct ps_kudu_cell *cell)
{
    const char *bytes;
    if (column->size == 0 || !take(&bound->rows, column->size, &bytes))
        return false;
    if (!column->is_bytes) {
        cell->number = number_of(bytes, column->size);
        return true;
    }
    uint64_t at = (uint64_t)number_of(bytes, 8), length = (uint64_t)number_of(bytes + 8, 8);
    if (at > bound->indirect.length || length > bound->indirect.length - at)
        return false;
    cell->bytes = bound->indirect.data + at;
    cell->length = (uint32_t)length;
    return true;
}

/* Reads one bound and makes its range key; without a column it has none. */
static bool take_bound(const struct ps_kudu_table *table, struct bound *bound, uint8_t type,
                       struct ps_kudu_cell *cells, struct ps_byte_buffer *key)
{
    const char *is, *set, *null = NULL;
    size_t bits = (table->count + 7) / 8;
    bool any = false;
    if (!take(&bound->rows, 1, &is) || (uint8_t)*is != type || !take(&bound->rows, bits, &set) ||
        (table->has_nullable && !take(&bound->rows, bits, &null)))
        return false;
    memset(cells, 0, table->count * sizeof *cells);
    for (uint32_t i = 0; i < table->count; i++) {
        bool is_set = ((uint8_t)set[i / 8] >> (i % 8) & 1) != 0;
        bool is_null = null != NULL && ((uint8_t)null[i / 8] >> (i % 8) & 1) != 0;
        cells[i].is_set = is_set;
        any |= is_set;
        if (is_set && !is_null && !take_cell(bound, &table->columns[i], &cells[i]))
            return false;
    }
    struct ps_kudu_table range_alone = *table;
    range_alone.dimensions.count = 0;
    range_alone.custom_count = 0;
    return !any || ps_kudu_put_key(key, &range_alone, cells);
}

static bool parse_bounds(const struct ps_kudu_table *table, struct ps_protobuf_reader reader,
                         struct ps_kudu_cell *cells, struct ps_kudu_custom_range *range)
{
    struct bound bound = {.rows = {.length = 0}};
    struct ps_byte_buffer key = {.data = NULL};
    while (ps_protobuf_next(&reader)) {
        struct ps_slice bytes = {(const char *)reader.bytes, (uint32_t)reader.length};
        if (ps_protobuf_is_bytes(&reader, OPERATIONS_ROWS))
            bound.rows = bytes;
        else if (ps_protobuf_is_bytes(&reader, OPERATIONS_INDIRECT))
            bound.indirect = bytes;
    }
    bool good = !reader.invalid && take_bound(table, &bound, LOWER_BOUND, cells, &key);
    range->start_length = key.length;
    good = good && take_bound(table, &bound, UPPER_BOUND, cells, &key);
    range->end_length = key.length - range->start_length;
    range->start = ps_arena_copy(table->arena, key.length > 0 ? key.data : "", key.length);
    range->end = range->start + range->start_length;
    ps_byte_buffer_clear(&key, 0);
    return good;
}

static bool parse_custom(struct ps_kudu_table *table, struct ps_protobuf_reader reader)
{
    uint32_t room = count_of(reader, PARTITION_CUSTOM), count = 0;
    if (room > RANGES_MAX)
        return false;
    struct ps_kudu_custom_range *ranges =
        ps_arena_alloc(table->arena, ((size_t)room + 1) * sizeof(struct ps_kudu_custom_range));
    struct ps_kudu_cell *cells =
        room > 0 ? ps_arena_alloc(table->arena, table->count * sizeof(struct ps_kudu_cell)) : NULL;
    while (ps_protobuf_next(&reader)) {
        if (!ps_protobuf_is_bytes(&reader, PARTITION_CUSTOM))
            continue;
        struct ps_protobuf_reader inner = ps_protobuf_inner(&reader), bounds = ps_protobuf_read("", 0);
        struct ps_kudu_custom_range *range = &ranges[count];
        *range = (struct ps_kudu_custom_range){.start = ""};
        if (!parse_dimensions(table, inner, CUSTOM_HASH, &range->dimensions))
            return false;
        while (ps_protobuf_next(&inner))
            if (ps_protobuf_is_bytes(&inner, CUSTOM_BOUNDS))
                bounds = ps_protobuf_inner(&inner);
        if (!parse_bounds(table, bounds, cells, range))
            return false;
        count++;
    }
    table->custom = ranges;
    table->custom_count = count;
    return !reader.invalid;
}

/* Without a range, the columns of the key are it. */
static bool parse_partition(struct ps_kudu_table *table, struct ps_protobuf_reader reader)
{
    struct ps_protobuf_reader all = reader;
    bool has_range = false, good = parse_dimensions(table, all, PARTITION_HASH, &table->dimensions);
    while (good && ps_protobuf_next(&reader)) {
        if (!ps_protobuf_is_bytes(&reader, PARTITION_RANGE))
            continue;
        has_range = true;
        good = parse_identifiers(table, ps_protobuf_inner(&reader), RANGE_COLUMN, &table->range);
    }
    if (good && !has_range) {
        uint32_t *items = ps_arena_alloc(table->arena, ((size_t)table->count + 1) * sizeof(uint32_t));
        for (uint32_t i = 0; i < table->count; i++)
            if (table->columns[i].is_key && !table->columns[i].is_automatic)
                items[table->range.count++] = i;
        table->range.items = items;
    }
    return good && !reader.invalid && parse_custom(table, all);
}

/* ---- the table ---- */

struct ps_kudu_table *ps_kudu_table_parse(struct ps_protobuf_reader schema,
                                          struct ps_protobuf_reader partition, const uint8_t *id,
                                          size_t id_length, const char **reason)
{
    uint32_t count = count_of(schema, SCHEMA_COLUMN);
    *reason = "the master's answer has no table of up to 4,096 columns";
    if (count == 0 || count > PS_KUDU_COLUMNS_MAX)
        return NULL;
    struct ps_arena *arena = ps_arena_create();
    struct ps_kudu_table *table = ps_arena_alloc(arena, sizeof(struct ps_kudu_table));
    *table = (struct ps_kudu_table){.arena = arena, .users = 1, .count = count};
    table->id = ps_arena_copy(arena, (const char *)id, id_length);
    table->id_length = id_length;
    table->partition = ps_kudu_hash(partition.at, (size_t)(partition.end - partition.at), 0);
    *reason = "the master's answer has no columns or partitions of Kudu's";
    if (parse_columns(table, schema) && parse_partition(table, partition))
        return table;
    ps_arena_destroy(arena);
    return NULL;
}

void ps_kudu_table_release(struct ps_kudu_table *table)
{
    if (table != NULL && --table->users == 0)
        ps_arena_destroy(table->arena);
}

bool ps_kudu_table_is_same(const struct ps_kudu_table *table, const struct ps_kudu_table *other)
{
    return table->id_length == other->id_length && memcmp(table->id, other->id, table->id_length) == 0 &&
           table->schema_length == other->schema_length && table->partition == other->partition &&
           memcmp(table->schema, other->schema, table->schema_length) == 0;
}
