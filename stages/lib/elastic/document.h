/* The documents that events become, and the names of their indices. Thread: `build` functions control, the others the sink's worker.
 * Allocates nothing while it writes. */
#pragma once

#include "core/stage.h"
#include "stages/lib/date/java_print.h"
#include "stages/lib/text/escape.h"

/* ---- the time of an event ---- */

struct ps_elastic_time {
    int64_t ms;
    bool
        is_events; /* from the header `timestamp` or `@timestamp`, a number of milliseconds; false: the time of the request */
};

/* TimestampedEvent of Flume: the header `timestamp` if it is not blank, else `@timestamp`. A header that is no number, or is beyond the
 * year 9999, counts as missing. */
struct ps_elastic_time ps_elastic_time_of(const struct ps_batch *batch, const struct ps_event *event,
                                          const struct ps_now *now);

/* ---- names of indices ---- */

#define PS_ELASTIC_NAME_BYTES 256U /* an index has at most 255 */

struct ps_elastic_name {
    const struct ps_escape *by_event,
        *by_now;                      /* with the time of the header `timestamp`, and with the present one */
    const char *constant;             /* NULL: it depends on the event */
    const struct ps_java_print *date; /* follows the name and "-"; NULL: none */
};

/* Compiles a pattern with Flume's escapes. `zone`: of the escapes; NULL: the process's. */
enum ps_status ps_elastic_name_build(struct ps_elastic_name *name, struct ps_arena *arena,
                                     const char *pattern, const char *zone, struct ps_err *err);
/* Returns an upper bound of the name's length in a JSON string. */
size_t ps_elastic_name_bound(const struct ps_elastic_name *name);

/* Buffers of one worker. The owner zeroes them. */
struct ps_elastic_name_cache {
    struct ps_escape_cache by_event, by_now;
};

/* Writes the name. Returns its length: at most PS_ELASTIC_NAME_BYTES; a longer name is cut off, which the server refuses. */
uint32_t ps_elastic_name_put(const struct ps_elastic_name *name, struct ps_elastic_name_cache *cache,
                             const struct ps_batch *batch, const struct ps_event *event,
                             const struct ps_now *now, char to[PS_ELASTIC_NAME_BYTES]);

/* ---- documents ---- */

enum ps_elastic_form {
    PS_ELASTIC_LOGSTASH, /* ElasticSearchLogStashEventSerializer */
    PS_ELASTIC_DYNAMIC,  /* ElasticSearchDynamicSerializer */
    PS_ELASTIC_JSON, /* the body, if it is a JSON object, else a member with the body; and members that are added */
};

struct ps_elastic_field {
    const char *name;
    const struct ps_escape *value;
};

#define PS_ELASTIC_FIELDS_MAX 64U
#define PS_ELASTIC_FIELD_BYTES 1024U /* of a value of fields.NAME */

struct ps_elastic_document {
    enum ps_elastic_form form;
    /* Of the form JSON: */
    const char *body, *time; /* names of members; `time` NULL: none */
    bool all_headers;
    const struct ps_elastic_field *fields;
    size_t field_count;
};

/* Compiles fields.NAME = VALUE, whose values have Flume's escapes. */
enum ps_status ps_elastic_fields_build(struct ps_elastic_document *document, struct ps_arena *arena,
                                       const struct ps_pairs *fields, struct ps_err *err);

/* Returns an upper bound of the document's length. */
size_t ps_elastic_document_bound(const struct ps_elastic_document *document, const struct ps_batch *batch,
                                 const struct ps_event *event);
#define PS_ELASTIC_SECOND_BYTES 20U

/* Buffers of one worker. The owner zeroes them. */
struct ps_elastic_cache {
    struct ps_escape_cache escapes; /* one for all fields */
    bool has_second;                /* `text` is that of `second`: events of a second come together */
    int64_t second;
    char text[PS_ELASTIC_SECOND_BYTES];
};

/* Writes the document in one line, without the line feed. Returns its end. `to` has room for the bound. */
char *ps_elastic_document_put(const struct ps_elastic_document *document, struct ps_elastic_cache *cache,
                              const struct ps_batch *batch, const struct ps_event *event,
                              const struct ps_now *now, char *to);
