/* Makes the text of events from a format or a template, which is compiled once; rendering patches fields into
 * place.
 *
 * An event depends only on (seed, source, sequence, due time), not on the thread that renders it or on when.
 * A run can therefore be repeated byte for byte (with the same start time). */
#pragma once

#include "core/status.h"

enum ps_framing {
    PS_FRAMING_NONE,    /* nothing added: Kafka, HTTP, Avro, datagrams */
    PS_FRAMING_NEWLINE, /* a newline after each event: TCP, files */
    /* RFC 6587 3.4.1: "123 " before each event, nothing after it. */
    PS_FRAMING_OCTET_COUNTED,
};

struct ps_content_config {
    /* rfc3164, rfc5424, combined, json, keyvalue or fixed; NULL with one of the next two. */
    const char *format;
    const char *template; /* text with {fields}; docs/LOAD.md */
    const char *lines;    /* a file whose lines are sent in turn, from the first again after the last */
    /* Wanted size of an event, framing included; 0: the natural size. A template may declare a distribution
     * of sizes instead. */
    uint32_t size_bytes;
    /* True: each event gets a stamp (bench/support/stamp.h). */
    bool stamp;
    uint32_t run; /* for the stamp */
    uint64_t seed;
    enum ps_framing framing;
};

struct ps_content;

/* Compiles a content. Errors name the mistake and its place in the template ("column 17: there is no field
 * {hots}; did you mean {host}?"). Owns: the caller destroys it after its writers. Thread: any; the content is
 * constant afterwards. */
enum ps_status ps_content_create(struct ps_content **content, const struct ps_content_config *config,
                                 struct ps_err *err);
void ps_content_destroy(struct ps_content *content);

/* Returns the size of the largest possible event, framing included. */
uint32_t ps_content_event_bytes_max(const struct ps_content *content);
/* Returns the mean size of an event in bytes, framing included, from a sample of 1,000 events. */
double ps_content_event_bytes_mean(const struct ps_content *content);

/* All formats with one line each for --help; the last has the name NULL. The fields of a template are in
 * ps_template_fields (bench/load/content/template.h). */
struct ps_content_format {
    const char *name, *summary;
    const char *template; /* used without a size */
    /* Templates used when a size is given: the first one that fits is taken; NULL after the last. */
    const char *sized[3];
};
extern const struct ps_content_format ps_content_formats[];

struct ps_content_writer;

/* Creates the caches of one thread (rendered times, scratch). Returns NULL when there is no memory. */
struct ps_content_writer *ps_content_writer_create(const struct ps_content *content);
void ps_content_writer_destroy(struct ps_content_writer *writer);

struct ps_content_order {
    uint32_t source;         /* for the stamp and for the fields that depend on the source */
    uint64_t first_sequence; /* sequence number of the first event; each later event has the next number */
    /* The event with this number gets the stamp's `last` mark; UINT64_MAX: not known yet. */
    uint64_t last_sequence;
    const uint64_t *due_wall_ns;
    uint32_t count;
};

/* Renders events one after another into `to`; ends[i] is the offset after event i. Returns how many fit (at
 * least one when room >= ps_content_event_bytes_max). No allocation. */
uint32_t ps_content_render(struct ps_content_writer *writer, const struct ps_content_order *order, char *to,
                           size_t room, uint32_t *ends);
