/* Reads Avro schemas as far as needed to find where a datum ends and where its body is (Avro 1.11
 * specification, "Schema Declaration", "Binary Encoding"). Thread: the far end's. */
#pragma once

#include "core/status.h"

struct ps_far_schema;

/* Returns NULL for an invalid schema, with the cause in `err`. Owns: ps_far_schema_destroy. */
struct ps_far_schema *ps_far_schema_create(const char *json, size_t length, struct ps_err *err);
void ps_far_schema_destroy(struct ps_far_schema *schema);

struct ps_far_data {
    const char *at, *end; /* data of the schema, one datum after another */
    uint64_t steps_left;  /* limits the work that a few bytes can cause */
};

/* Reads one datum. `*record` is its field `body` of bytes or string (or a union with one of them) if the
 * schema is a record with such a field; the bytes themselves if the schema is bytes or string; otherwise the
 * whole datum. Returns false when the bytes do not match the schema. */
bool ps_far_schema_next(const struct ps_far_schema *schema, struct ps_far_data *data, const char **record,
                        size_t *length);
/* Decodes Avro's long at data->at. Returns false when it does not end or has more than 64 bits. */
bool ps_far_avro_long(struct ps_far_data *data, int64_t *number);
