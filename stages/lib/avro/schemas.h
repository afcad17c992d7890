/* The Avro schemas that a sink's events name in their headers, by text or by URL, each read once. Files and
 * web servers are read by a helper thread, other URLs by the owner's reader (a file system). A schema that
 * cannot be read is tried again every 5 s, or 2 s if an event chose it, while somebody asks for it. The SCHEMAS_MAX (1,000) most recently used schemas are kept.
 *
 * A schema that an event chose and that cannot be read is the event's matter (BAD, decision 161): at once where the URL, or what it
 * leads to, is at fault; after PS_AVRO_SCHEMA_TRIES where a server gave no answer, and after one try when another URL was given up
 * for that and none was read since. One that the configuration chose is waited for (LATER): the beginning and the end of that are
 * logged, and each try is a failure of the sink (ps_port_troubled).
 *
 * Thread: the sink's worker. Never waits. */
#pragma once

#include "core/stage.h"

#define PS_AVRO_SCHEMA_BYTES_MAX (16U * 1024U * 1024U)
#define PS_AVRO_SCHEMA_TRIES 4U /* 2 s apart */

struct ps_avro_schemas;
struct ps_avro_named_schema;

enum ps_avro_schema_state {
    PS_AVRO_SCHEMA_READ,  /* its text was read, and is a schema */
    PS_AVRO_SCHEMA_LATER, /* reading is under way, or will be tried again; or there is no memory */
    PS_AVRO_SCHEMA_BAD,   /* a literal that is not a schema, or a URL where none can be read */
};

/* Returns NULL when there is no memory. `port` (wake_fd, component) must live as long as the result. */
struct ps_avro_schemas *ps_avro_schemas_create(struct ps_port *port);
/* NULL is allowed. */
void ps_avro_schemas_destroy(struct ps_avro_schemas *schemas);

/* Reads URLs whose scheme is not file, http or https: `read` begins to read and returns; at most one answer
 * for each URL comes through ps_avro_schemas_answer, before `destroy`. `read` returns false with the reason
 * when it cannot read the URL. */
struct ps_avro_schema_reader {
    bool (*read)(void *argument, const char *url, struct ps_avro_named_schema *schema, struct ps_err *reason);
    void *argument;
};
void ps_avro_schemas_set_reader(struct ps_avro_schemas *schemas, const struct ps_avro_schema_reader *reader);
/* Answers `read` with the text of the URL. `text` NULL: reading failed, `reason` says why, and `is_final` whether another try would
 * not help. */
void ps_avro_schemas_answer(struct ps_avro_named_schema *schema, const char *text, size_t length,
                            const char *reason, bool is_final);

/* Returns the schema of this name, which is a URL or the JSON text itself, held until ps_avro_schema_release.
 * NULL when there is no memory or all places are in use. */
struct ps_avro_named_schema *ps_avro_schemas_hold(struct ps_avro_schemas *schemas, bool url,
                                                  const struct ps_slice *name);
void ps_avro_schema_release(struct ps_avro_named_schema *schema); /* NULL is allowed */

bool ps_avro_schema_is_named(const struct ps_avro_named_schema *schema, bool url,
                             const struct ps_slice *name);

/* Returns the schema's state, and begins to read it when that is due. Sets `reason` for LATER (may be empty)
 * and BAD. `configured`: the configuration chose the schema, not an event; a URL is never BAD then. */
enum ps_avro_schema_state ps_avro_schema_look(struct ps_avro_named_schema *schema, bool configured,
                                              struct ps_err *reason);

/* Returns the text of a schema that was READ; valid while the schema is held. */
struct ps_slice ps_avro_schema_text(const struct ps_avro_named_schema *schema);
