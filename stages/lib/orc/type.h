/* The type of a column, as Hive writes it: "struct<id:bigint,name:varchar(20),tags:array<string>>". Union
 * types and "timestamp with local time zone" are not supported.
 *
 * Thread: any; const after it is made. */
#pragma once

#include "core/status.h"

#define PS_ORC_DECIMAL_DIGITS_MAX 38U

enum ps_orc_kind { /* the numbers of the file's Type */
                   PS_ORC_BOOLEAN = 0,
                   PS_ORC_TINYINT = 1,
                   PS_ORC_SMALLINT = 2,
                   PS_ORC_INT = 3,
                   PS_ORC_BIGINT = 4,
                   PS_ORC_FLOAT = 5,
                   PS_ORC_DOUBLE = 6,
                   PS_ORC_STRING = 7,
                   PS_ORC_BINARY = 8,
                   PS_ORC_TIMESTAMP = 9,
                   PS_ORC_ARRAY = 10,
                   PS_ORC_MAP = 11,
                   PS_ORC_STRUCT = 12,
                   PS_ORC_DECIMAL = 14,
                   PS_ORC_DATE = 15,
                   PS_ORC_VARCHAR = 16,
                   PS_ORC_CHAR = 17,
};

struct ps_orc_type {
    enum ps_orc_kind kind;
    uint32_t id; /* of the column: 0 for the whole type; its parts follow in the order of the text */
    uint32_t maximum_length;       /* varchar, char: characters */
    uint32_t precision, scale;     /* decimal */
    uint32_t child_count;          /* array: 1; map: 2; struct: its fields */
    struct ps_orc_type **children; /* array: item; map: key, value */
    char **names;                  /* of a struct's fields */
};

/* Parses a type of at most 4096 columns and 32 levels. Returns NULL and the reason on errors. Owns: the
 * caller calls ps_orc_type_destroy. */
struct ps_orc_type *ps_orc_type_parse(const char *text, struct ps_err *err);
void ps_orc_type_destroy(struct ps_orc_type *type); /* NULL is allowed */

/* Returns the number of columns of the type with all its parts. */
uint32_t ps_orc_type_columns(const struct ps_orc_type *type);

/* Finds the column of this name in a struct, "a.b" for a field of a field; case does not matter. Returns NULL
 * if there is none. */
const struct ps_orc_type *ps_orc_type_find(const struct ps_orc_type *type, const char *name, size_t length);
