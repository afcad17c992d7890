/* Avro schemas, as far as it takes to find where a datum ends and where its body is (Avro 1.11 specification,
 * "Schema Declaration", "Binary Encoding"). Thread: the far end's. */
#pragma once

#include "core/status.h"

struct ps_far_schema;

/* NULL and a line in `err` for what is no schema. Owns: ps_far_schema_destroy. */
struct ps_far_schema *ps_far_schema_create(const char *json, size_t length, struct ps_err *err);
void ps_far_schema_destroy(struct ps_far_schema *schema);

struct ps_far_data {
    const char *at, *end; /* data of the schema, one behind the other */
    uint64_t steps_left;  /* bounds the work that few bytes can ask for */
};

/* Walks over one datum. The record in it: a field `body` of bytes or a string (or a union with one of them)
 * where the schema is a record that has one, the bytes themselves where it is bytes or a string, else the
 * whole datum. False: the bytes are no datum of the schema. */
bool ps_far_schema_next(const struct ps_far_schema *schema, struct ps_far_data *data, const char **record,
                        size_t *length);
/* Avro's long at data->at. False: it does not end, or has more than 64 bits. */
bool ps_far_avro_long(struct ps_far_data *data, int64_t *number);
