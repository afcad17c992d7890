/* Finds events in the JSON that org.apache.flume.source.http.JSONHandler accepts: an array of {"headers":
 * {..}, "body": ".."}, read as Gson 2.9.1 reads it into a List<JSONEvent>, that is leniently: single quotes
 * and no quotes, `=` and `=>` for a colon, `;` for a comma, comments, numbers and booleans where a text is
 * expected, unknown members skipped, headers as an object or as an array of pairs.
 *
 * The text is UTF-8 and is not changed: the results are offsets. A scan keeps at most PS_JSON_EVENTS_MAX
 * events, but reads the text to its end, because a text with a mistake is refused as a whole. The caller
 * scans again for the rest.
 *
 * Thread: the owner's. Memory is allocated while the largest number of headers grows. */
#pragma once

#include "core/flow/batch.h"

#define PS_JSON_EVENTS_MAX PS_BATCH_EVENTS_MAX
/* no further event is kept once the kept events have this number of headers */
#define PS_JSON_HEADERS_KEPT_MAX 65536U
/* Limits that Gson does not have. */
#define PS_JSON_DEPTH_MAX 512U /* nesting in a member that is skipped; other limits: core/flow/limits.h */

enum ps_json_kind {
    PS_JSON_NULL,    /* null, or missing */
    PS_JSON_PLAIN,   /* the bytes at `at` */
    PS_JSON_ESCAPED, /* the bytes at `at`, which have escapes */
    PS_JSON_TRUE,
    PS_JSON_FALSE,
};

struct ps_json_text {
    uint32_t at, length;
    enum ps_json_kind kind;
};

struct ps_json_header {
    struct ps_json_text name, value;
    uint32_t hash; /* ps_name_hash of the name */
};

/* An entry of the table of an event's headers. */
struct ps_json_place {
    uint32_t stamp, header;
};

struct ps_json_event {
    struct ps_json_text body;
    uint32_t first_header, header_count;
    uint32_t begin_at; /* offset of the event's object */
    uint32_t end_at;   /* offset of the text after the event */
    bool loses; /* it has no body, and other members than "headers", or none: the event gets nothing of it */
};

struct ps_json_scan {
    struct ps_json_event *events;
    struct ps_json_header *headers;
    uint32_t event_count, header_count, header_room;
    uint32_t events_max;          /* limit of kept events; the caller may lower it from PS_JSON_EVENTS_MAX */
    uint64_t total;               /* number of events in the text, after a complete scan */
    uint32_t rest_at;             /* where the events that are not kept begin; 0: all are kept */
    uint16_t status;              /* 200, or the status with which Flume answers a mistake: 400 or 500 */
    const char *reason;           /* static */
    uint32_t mistake_at;          /* where a mistake was found */
    char *name[2];                /* scratch */
    struct ps_header_sizes sizes; /* sizes of the headers of the event being read */
    struct ps_json_place *places; /* hash table of the event's headers, by their names */
    uint32_t stamp;               /* marks the entries of `places` that belong to this event */
};

/* Returns false if there is no memory. Thread: the worker's, in `open`. */
bool ps_json_scan_init(struct ps_json_scan *scan);
void ps_json_scan_fini(struct ps_json_scan *scan);

/* Scans a text from offset `at`: 0, or the rest_at of the previous scan of the same text. Returns whether
 * status is 200. */
bool ps_json_scan(struct ps_json_scan *scan, const char *text, uint32_t length, uint32_t at);
