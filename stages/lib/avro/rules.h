/* What Java's Schema.Parser (Avro 1.11, as Flume has it) asks of a schema beyond what one needs to read data: valid names of types, fields,
 * symbols and aliases, no name twice, unions without unions and without two of one type, and defaults of the field's type. Java opens
 * no container whose schema breaks most of these, and Flume writes none whose schema breaks any.
 *
 * Internal to schema.c, which reads the JSON and calls this on any thread. */
#pragma once

#include "core/base.h"
#include "core/status.h"

#include <jansson.h>

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

extern const char *const ps_avro_type_names[PS_AVRO_TYPE_NAMES];
/* Returns the type of this name in a schema; PS_AVRO_TYPE_NAMES: the name of a type that the schema defines. */
enum ps_avro_type ps_avro_type_find(const char *name);

/* Returns false with the reason when Java refuses the schema. The schema has passed ps_avro_schema_create, which bounds its depth. */
bool ps_avro_rules_check(const json_t *root, struct ps_err *err);
