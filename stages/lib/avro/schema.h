/* An Avro schema (Avro 1.11 specification): finds the end of a datum, and the schema's fingerprint. The JSON of
 * a schema is untrusted, so its size and depth are bounded, and so is the depth of a datum. Thread: any; const
 * after it is made. */
#pragma once

#include "core/status.h"

struct ps_avro_schema;

/* Reads a schema in JSON. Returns NULL and the reason on errors. Ends the process if there is no memory. */
struct ps_avro_schema *ps_avro_schema_create(const char *json, size_t length, struct ps_err *err);
/* Returns whether Java's Schema.Parser takes the text (rules.h): a schema that is to be written into a container. Sets `*length` to the end
 * of the schema: Java reads no text behind it. Reading data asks for less: what ps_avro_schema_create takes. */
bool ps_avro_schema_check(const char *json, size_t *length, struct ps_err *err);
/* Writes blanks over what Java takes for comments, which other readers of a container do not know. */
void ps_avro_schema_blank_comments(char *text, size_t length);
void ps_avro_schema_destroy(struct ps_avro_schema *schema); /* NULL is allowed */

/* Returns the CRC-64-AVRO of its parsing canonical form, as
 * org.apache.avro.SchemaNormalization.parsingFingerprint64. */
uint64_t ps_avro_schema_fingerprint(const struct ps_avro_schema *schema);

/* Moves *at past the datum that begins there. Returns false when the bytes are not a datum of the schema,
 * or end inside it. */
bool ps_avro_schema_skip(const struct ps_avro_schema *schema, const uint8_t **at, const uint8_t *end);
/* The same, and sets *body to the datum's text if the schema is bytes, a string, a union with one of them that the datum has, or a
 * record whose field `body` is such; otherwise to the whole datum. */
bool ps_avro_schema_body(const struct ps_avro_schema *schema, const uint8_t **at, const uint8_t *end,
                         struct ps_slice *body);
