/* A table of Kudu as its master describes it: columns, and how rows are spread over tablets; and the partition key of a row, by which its
 * tablet is found.
 *
 *   partition key  the bucket of each hash dimension in four bytes, then the encoded columns of the range
 *   a bucket       MurmurHash2 of the encoded columns of its dimension, modulo the number of buckets
 *   a column       a number big-endian, its sign flipped; bytes as they are at the end, else with 0 as 0 1 and closed by 0 0
 *
 * Source: Kudu's common.proto and master.proto, its PartitionSchema, KeyEncoder and HashUtil. Thread: the worker of the client. */
#pragma once

#include "core/arena.h"
#include "stages/lib/byte_buffer.h"
#include "stages/lib/protobuf.h"

#define PS_KUDU_COLUMNS_MAX 4096U

/* DataType. */
enum ps_kudu_type {
    PS_KUDU_INT8 = 1,
    PS_KUDU_INT16 = 3,
    PS_KUDU_INT32 = 5,
    PS_KUDU_INT64 = 7,
    PS_KUDU_STRING = 8,
    PS_KUDU_BOOL = 9,
    PS_KUDU_FLOAT = 10,
    PS_KUDU_DOUBLE = 11,
    PS_KUDU_BINARY = 12,
    PS_KUDU_UNIXTIME_MICROS = 13,
    PS_KUDU_DECIMAL32 = 15,
    PS_KUDU_DECIMAL64 = 16,
    PS_KUDU_DECIMAL128 = 17,
    PS_KUDU_VARCHAR = 19,
    PS_KUDU_DATE = 20
};

struct ps_kudu_column {
    const char *name;
    uint32_t name_length;
    uint32_t id;
    uint8_t type, size; /* bytes in a row; of bytes: 16, an offset and a length */
    bool is_bytes, is_key, is_nullable, has_default, is_automatic;
    unsigned precision, scale; /* decimal */
    unsigned length;           /* varchar: its limit in characters */
};

/* Columns by their numbers. */
struct ps_kudu_columns {
    const uint32_t *items;
    uint32_t count;
};

struct ps_kudu_dimension {
    struct ps_kudu_columns columns;
    uint32_t buckets, seed;
};

struct ps_kudu_dimensions {
    const struct ps_kudu_dimension *items;
    uint32_t count;
};

/* A range with hash dimensions of its own: keys from `start` on, before `end` (of length 0: there is none). */
struct ps_kudu_custom_range {
    const char *start, *end;
    size_t start_length, end_length;
    struct ps_kudu_dimensions dimensions;
};

struct ps_kudu_table {
    struct ps_arena *arena; /* of all that follows */
    unsigned users;         /* the client and each batch of its rows */
    const char *id;
    size_t id_length;
    const struct ps_kudu_column *columns;
    uint32_t count;
    bool has_nullable;
    struct ps_kudu_columns range;
    struct ps_kudu_dimensions dimensions;
    const struct ps_kudu_custom_range *custom;
    uint32_t custom_count;
    uint64_t partition;    /* a hash of how it is spread */
    const uint8_t *schema; /* SchemaPB as writes have it */
    size_t schema_length;
};

/* Reads the parts of a GetTableSchemaResponsePB. Returns NULL with the reason, static. */
struct ps_kudu_table *ps_kudu_table_parse(struct ps_protobuf_reader schema,
                                          struct ps_protobuf_reader partition, const uint8_t *id,
                                          size_t id_length, const char **reason);
void ps_kudu_table_release(struct ps_kudu_table *table); /* NULL is allowed */
/* Returns the number of the column; -1: there is none. */
int ps_kudu_table_find(const struct ps_kudu_table *table, const char *name, size_t length);
/* Returns whether rows for one fit the other, too. */
bool ps_kudu_table_is_same(const struct ps_kudu_table *table, const struct ps_kudu_table *other);
const char *ps_kudu_type_name(unsigned type);

/* The value of a column in a row. */
struct ps_kudu_cell {
    bool is_set, is_null;
    uint32_t length;
    const char *bytes; /* of a column of bytes */
    __int128 number;   /* of a number; floating point numbers by their bits */
};

/* Appends the partition key of a row, of which `cells` are the columns. Returns false if there is no memory. */
bool ps_kudu_put_key(struct ps_byte_buffer *to, const struct ps_kudu_table *table,
                     const struct ps_kudu_cell *cells);
/* MurmurHash64A. */
uint64_t ps_kudu_hash(const void *bytes, size_t length, uint64_t seed);
