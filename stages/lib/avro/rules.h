/* What Java's Schema.Parser (Avro 1.11, as Flume has it) asks of a schema beyond what one needs to read data: valid names of types, fields,
 * symbols and aliases, no name twice, unions without unions and without two of one type, and defaults of the field's type. Java opens
 * no container whose schema breaks most of these, and Flume writes none whose schema breaks any.
 *
 * Internal to schema.c, which reads the JSON and calls this on any thread. */
#pragma once

#include "core/base.h"
#include "core/status.h"

#include <jansson.h>

/* Returns false with the reason when Java refuses the schema. The schema has passed ps_avro_schema_create, which bounds its depth. */
bool ps_avro_rules_check(const json_t *root, struct ps_err *err);
