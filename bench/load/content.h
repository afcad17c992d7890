/* What events look like: a format or a template, compiled once, rendered by patching fields into place.
 *
 * What an event says depends only on (seed, source, sequence, due time): it does not matter which thread
 * renders it or when, and a run can be repeated byte for byte (with the same start time). */
#pragma once

#include "core/status.h"

enum ps_framing {
    PS_FRAMING_NONE,          /* the event alone: Kafka, HTTP, Avro, datagrams */
    PS_FRAMING_NEWLINE,       /* followed by a newline: TCP, files */
    PS_FRAMING_OCTET_COUNTED, /* RFC 6587 3.4.1: "123 " before it, nothing after it */
};

struct ps_content_config {
    const char *format; /* rfc3164, rfc5424, combined, json, keyvalue, fixed; NULL with one of the next two */
    const char *template; /* text with {fields}; docs/LOAD.md */
    const char *lines;    /* a file whose lines are sent in turn */
    uint32_t size_bytes;  /* wanted size of an event, framing included; 0: as it comes. A template may declare
                             a  distribution of sizes instead */
    bool stamp;           /* put a stamp in (bench/support/stamp.h) where the format allows it */
    uint32_t run;         /* for the stamp */
    uint64_t seed;
    enum ps_framing framing;
};

struct ps_content;

/* Names what is wrong and where in the template ("column 17: there is no field {hots}; did you mean
 * {host}?"). Owns: the caller destroys it after its writers. Thread: any; const from then on. */
enum ps_status ps_content_create(struct ps_content **content, const struct ps_content_config *config,
                                 struct ps_err *err);
void ps_content_destroy(struct ps_content *content);

/* The largest event it can make, framing included. */
uint32_t ps_content_event_bytes_max(const struct ps_content *content);
/* Of a sample of a thousand events: bytes an event, framing included. */
double ps_content_event_bytes_mean(const struct ps_content *content);

/* The formats' names and one line each, NULL at the end: for --help. The fields of a template are
 * ps_template_fields (bench/load/template.h). */
struct ps_content_format {
    const char *name, *summary;
    const char *template; /* without a size */
    const char *sized[3]; /* with one: the first that fits is taken; NULL where there are fewer */
};
extern const struct ps_content_format ps_content_formats[];

struct ps_content_writer;

/* One thread's caches (rendered times, scratch). NULL: no memory. */
struct ps_content_writer *ps_content_writer_create(const struct ps_content *content);
void ps_content_writer_destroy(struct ps_content_writer *writer);

struct ps_content_order {
    uint32_t source;         /* for the stamp and for what differs between sources */
    uint64_t first_sequence; /* of the first event; the others follow */
    uint64_t last_sequence;  /* this event gets the stamp's `last` mark; UINT64_MAX: not known yet */
    const uint64_t *due_wall_ns;
    uint32_t count;
};

/* Renders events one behind the other into `to`; ends[i] is the offset behind event i. Returns how many fit
 * (at least one when room >= ps_content_event_bytes_max). No allocation. */
uint32_t ps_content_render(struct ps_content_writer *writer, const struct ps_content_order *order, char *to,
                           size_t room, uint32_t *ends);
