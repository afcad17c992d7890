/* The Avro schemas that a sink's events name in their headers, by text or by URL, each read once. Files and web servers are read by
 * a helper thread, other URLs by the owner's reader (a file system). What cannot be read is tried again every 5 s, and logged when it
 * begins and ends. It keeps SCHEMAS_MAX (1,000) schemas, the ones that were used last.
 *
 * Thread: the sink's worker. Never waits. */
#pragma once

#include "core/stage.h"

#define PS_AVRO_SCHEMA_BYTES_MAX (16U * 1024U * 1024U)

struct ps_avro_schemas;
struct ps_avro_named_schema;

enum ps_avro_schema_state {
    PS_AVRO_SCHEMA_READ,  /* its text is there, and is a schema */
    PS_AVRO_SCHEMA_LATER, /* it is being read, or will be tried again */
    PS_AVRO_SCHEMA_BAD,   /* a literal that is no schema */
};

/* NULL: no memory. `port` (wake_fd, component) must live as long. */
struct ps_avro_schemas *ps_avro_schemas_create(struct ps_port *port);
/* NULL is allowed. */
void ps_avro_schemas_destroy(struct ps_avro_schemas *schemas);

/* Reads URLs whose scheme is not file, http or https: `read` begins it and returns; at most one answer for each comes through
 * ps_avro_schemas_answer, before `destroy`. Returns false: it cannot be read there, for this reason. */
struct ps_avro_schema_reader {
    bool (*read)(void *argument, const char *url, struct ps_avro_named_schema *schema, struct ps_err *reason);
    void *argument;
};
void ps_avro_schemas_set_reader(struct ps_avro_schemas *schemas, const struct ps_avro_schema_reader *reader);
/* `text` NULL: it cannot be read, for this reason. */
void ps_avro_schemas_answer(struct ps_avro_named_schema *schema, const char *text, size_t length,
                            const char *reason);

/* The schema of this name: a URL, or the JSON text itself. NULL: no memory, or all places are in use. Held until
 * ps_avro_schema_release. */
struct ps_avro_named_schema *ps_avro_schemas_hold(struct ps_avro_schemas *schemas, bool url,
                                                  const struct ps_slice *name);
void ps_avro_schema_release(struct ps_avro_named_schema *schema); /* NULL is allowed */

bool ps_avro_schema_is_named(const struct ps_avro_named_schema *schema, bool url,
                             const struct ps_slice *name);

/* Looks, and begins to read it if it is time to. `reason` of LATER (may be empty) and BAD. */
enum ps_avro_schema_state ps_avro_schema_look(struct ps_avro_named_schema *schema, struct ps_err *reason);

/* The text of a schema that was READ; valid while it is held. */
struct ps_slice ps_avro_schema_text(const struct ps_avro_named_schema *schema);
