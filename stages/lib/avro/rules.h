/* What Java's Schema.Parser (Avro 1.11, as Flume has it) asks of a schema beyond what one needs to read data: valid names of types, fields,
 * symbols and aliases, no name twice, unions without unions and without two of one type, and defaults of the field's type. Java opens
 * no container whose schema breaks most of these, and Flume writes none whose schema breaks any.
 *
 * Internal to schema.c, which parses the JSON and calls this on any thread; who reads the fields of a datum sees the types. All return false with the reason. */
#pragma once

#include "stages/lib/avro/schema.h"

#include <jansson.h>
#include <string.h>

/* ---- the types of a schema, which schema.c makes ---- */

enum ps_avro_type {
    PS_AVRO_NULL,
    PS_AVRO_BOOLEAN,
    PS_AVRO_INT,
    PS_AVRO_LONG,
    PS_AVRO_FLOAT,
    PS_AVRO_DOUBLE,
    PS_AVRO_BYTES,
    PS_AVRO_STRING,
    PS_AVRO_PRIMITIVES,
    PS_AVRO_RECORD = PS_AVRO_PRIMITIVES,
    PS_AVRO_ENUM,
    PS_AVRO_FIXED,
    PS_AVRO_ARRAY,
    PS_AVRO_MAP,
    PS_AVRO_TYPE_NAMES,
    PS_AVRO_UNION = PS_AVRO_TYPE_NAMES
};

struct ps_avro_node {
    enum ps_avro_type type;
    /* the node's parts in `parts`; `count` of an enum: number of symbols, of a fixed: of bytes */
    uint32_t first, count;
    char *name; /* full name of a named type */
    bool is_body;
    const json_t *fields; /* of a record that is parsed completely; valid until the schema is made */
};

struct ps_avro_schema {
    struct ps_avro_node *nodes;
    uint32_t node_count, node_room;
    uint32_t *parts; /* numbers of nodes */
    uint32_t part_count, part_room;
    uint64_t fingerprint;
};

/* As ps_avro_schema_skip, for a datum of one of the types: the number of a node. In schema.c. */
bool ps_avro_schema_skip_type(const struct ps_avro_schema *schema, uint32_t type, const uint8_t **at,
                              const uint8_t *end);

/* Returns false after setting the reason for which the JSON is not a schema. `name`: what is wrong; NULL: nothing has a name. */
static inline bool ps_avro_schema_is_wrong(struct ps_err *err, const char *what, const char *name)
{
    (void)ps_err_set(err, "the schema is wrong: %s%s%.200s", what, name != NULL ? " " : "",
                     name != NULL ? name : "");
    return false;
}

/* Returns the text of a JSON string without a NUL; NULL for all other JSON. No name has a NUL. */
static inline const char *ps_avro_text(const json_t *json)
{
    const char *text = json_string_value(json);
    return text != NULL && strlen(text) == json_string_length(json) ? text : NULL;
}

/* ---- the rules ---- */

struct ps_avro_rules {
    const struct ps_avro_schema *schema; /* as far as it is parsed */
    struct ps_err *err;
    struct ps_regex *letters; /* names that are not ASCII; NULL: none was met */
    struct ps_regex_scratch *scratch;
    uint32_t steps;
};

void ps_avro_rules_fini(struct ps_avro_rules *rules);

/* Adds the name to the names, which must not have it. */
bool ps_avro_rules_once(struct ps_avro_rules *rules, json_t *names, const char *name, const char *what);
/* Checks name and aliases of a record, an enum or a fixed. */
bool ps_avro_rules_type(struct ps_avro_rules *rules, const json_t *json);
/* Checks a field, whose type is parsed: name, aliases and default. Adds the name to the names. */
bool ps_avro_rules_field(struct ps_avro_rules *rules, const json_t *field, uint32_t type, json_t *names);
/* Checks symbols and default of an enum. */
bool ps_avro_rules_symbols(struct ps_avro_rules *rules, const json_t *json);
