/* Reads fields of delimited text for all types of columns, as org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe of Hive 4 does without
 * escapes. The separators of arrays, maps and structs depend on the level. Binaries are Base64; a text that is not
 * Base64 is used as it is. Plain values: field.h.
 *
 *   array<array<int>>  1 ^C 2 ^B 3       map<string,int>  a ^C 1 ^B b ^C 2       struct<x:int,y:string>  1 ^B text
 *
 * "\N" is null; an empty text is an empty array, an empty map, or a struct whose first field is empty. Of equal keys
 * in a map the first one counts; pairs with a null key are left out; a pair without a separator after the key has a
 * null value. Thread: the owner's. */
#pragma once

#include "stages/lib/hive/row_memory.h"
#include "stages/lib/orc/type.h"

#define PS_HIVE_SEPARATORS 8U /* number of levels: one of fields, then those inside a field */

struct ps_hive_nested {
    char separators[PS_HIVE_SEPARATORS];
    struct ps_hive_row_memory memory;
    uint64_t seed;
};

/* Returns a table's parameter that is one character or its number ("44"), as LazyUtils.getByte reads it; returns
 * `usual` if the parameter is not set (length 0). */
char ps_hive_separator(struct ps_slice text, char usual);
/* Sets the separators of all levels: field.delim, collection.delim, mapkey.delim, by default ^A, ^B and ^C, then ^D to ^H. */
void ps_hive_separators(char separators[PS_HIVE_SEPARATORS], struct ps_slice field,
                        struct ps_slice collection, struct ps_slice map_key);

/* `collection`, `map_key`: the table's parameters collection.delim and mapkey.delim, a character or its number
 * ("44"); length 0: not set, ^B and ^C. The separators of further levels are ^D to ^H. */
void ps_hive_nested_open(struct ps_hive_nested *nested, struct ps_slice collection, struct ps_slice map_key);
void ps_hive_nested_close(struct ps_hive_nested *nested);

/* Checks whether a column of this type has a text. Returns PS_FAIL with the reason if the type has more levels than
 * there are separators, or a map whose keys are not plain values. */
enum ps_status ps_hive_nested_check(const struct ps_orc_type *type, struct ps_err *err);

/* Begins a row: frees the values of the previous one. */
void ps_hive_nested_begin(struct ps_hive_nested *nested);
/* Reads a column's field. The value points into the text and into `nested`. If there is no memory the value is
 * null, and nested->memory.failed is set until the next row begins. */
struct ps_orc_value ps_hive_nested_read(struct ps_hive_nested *nested, const struct ps_orc_type *type,
                                        const char *text, uint32_t length);
