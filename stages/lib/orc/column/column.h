/* The columns of an ORC file in the stripe that is being filled: streams, row index, statistics, bloom filters.
 *
 * Thread: the owner's. */
#pragma once

#include "stages/lib/orc/bloom_filter.h"
#include "stages/lib/orc/byte_run.h"
#include "stages/lib/orc/dictionary.h"
#include "stages/lib/orc/integer_run.h"
#include "stages/lib/orc/statistics.h"
#include "stages/lib/orc/value.h"

enum ps_orc_stream_kind { /* the numbers of the stripe's footer */
                          PS_ORC_PRESENT = 0,
                          PS_ORC_DATA = 1,
                          PS_ORC_LENGTH = 2,
                          PS_ORC_DICTIONARY_DATA = 3,
                          PS_ORC_SECONDARY = 5,
                          PS_ORC_ROW_INDEX = 6,
                          PS_ORC_BLOOM_FILTER_UTF8 = 8,
};

/* A row group of one column. */
struct ps_orc_group {
    struct ps_orc_positions present, data; /* where the group begins */
    size_t first_id;                       /* with a dictionary: the group's first value, counted from the
                                            * stripe's first */
    size_t statistics, statistics_length;  /* in `packed_statistics` of the column; bytes */
};

struct ps_orc_column {
    const struct ps_orc_type *type;
    bool has_null;  /* the column has a null in this stripe */
    bool is_direct; /* a string without a dictionary */
    uint32_t dictionary_size;
    struct ps_orc_stream present_stream, data, second, dictionary_data;
    struct ps_orc_bits present;
    struct ps_orc_bits *bits;                   /* of a boolean */
    struct ps_orc_byte_run *bytes;              /* of a tinyint */
    struct ps_orc_integer_run *first_integers;  /* of the data stream, or of the stream of lengths */
    struct ps_orc_integer_run *second_integers; /* of a timestamp's nanoseconds, a decimal's scale */
    struct ps_orc_dictionary dictionary;
    struct ps_orc_buffer ids;    /* with a dictionary: uint32_t of each value of the stripe */
    struct ps_orc_buffer padded; /* the last value of a char */
    struct ps_orc_buffer groups; /* the complete groups (struct ps_orc_group) */
    struct ps_orc_group open;    /* the current group */
    struct ps_orc_buffer packed_statistics, packed_filters;
    struct ps_orc_statistics group, stripe, file;
    struct ps_orc_bloom_filter filter;
};

struct ps_orc_columns {
    struct ps_orc_memory *memory;
    struct ps_orc_compressor *compressor;
    double dictionary_ratio; /* a string gets a dictionary up to this share of distinct values */
    bool is_decided;         /* the columns with a dictionary are chosen */
    uint32_t count;
    struct ps_orc_column *all; /* by number */
};

/* Returns false when there is no memory; the caller closes the columns in either case. The type must live
 * longer. */
bool ps_orc_columns_open(struct ps_orc_columns *columns, const struct ps_orc_type *type, uint64_t seed);
void ps_orc_columns_close(struct ps_orc_columns *columns);

/* Adds a value to a column, and the parts of the value to their columns. */
void ps_orc_column_add(struct ps_orc_columns *columns, const struct ps_orc_type *type,
                       const struct ps_orc_value *value);

/* Returns the length in bytes of the first `*characters` characters of UTF-8, and sets `*characters` to the
 * number found. Thread: any. (string.c) */
uint32_t ps_orc_text_bytes(const char *bytes, uint32_t length, uint32_t *characters);

/* Adds a string, varchar or char (string.c). */
void ps_orc_column_string(struct ps_orc_column *column, const char *bytes, uint32_t length);
/* Decides by the strings of the stripe so far whether a dictionary pays off; other columns are direct from
 * here on. */
void ps_orc_column_decide(struct ps_orc_column *column, double dictionary_ratio);
/* Writes ids and dictionary to their streams. */
void ps_orc_column_end_dictionary(struct ps_orc_column *column);

/* Sets the position of the next value in the streams after PRESENT. */
void ps_orc_column_position(const struct ps_orc_column *column, struct ps_orc_positions *positions);

/* These functions begin a stripe, end a row group (and begin the next one), and end the streams of a stripe
 * (group.c). */
void ps_orc_columns_begin_stripe(struct ps_orc_columns *columns);
void ps_orc_columns_end_group(struct ps_orc_columns *columns);
void ps_orc_columns_end_stripe(struct ps_orc_columns *columns);

/* Writes the column's row index to a stream. */
void ps_orc_column_index(const struct ps_orc_column *column, struct ps_orc_stream *stream);

static inline struct ps_orc_group *ps_orc_column_group(const struct ps_orc_column *column, size_t number)
{
    return (struct ps_orc_group *)(void *)column->groups.data + number;
}

static inline size_t ps_orc_column_groups(const struct ps_orc_column *column)
{
    return column->groups.length / sizeof(struct ps_orc_group);
}
