/* Parses a template into its parts: text and fields with their settings; finds every error. content/compile.c
 * prepares the parts for rendering.
 *
 * A field is {name} or {name:arguments}. `{` begins a field when a lower-case letter follows, and is text
 * everywhere else (so JSON can be written as it is). `{{` is one brace; `}` outside a field is text. Within
 * arguments a backslash removes the special meaning of the next character. Set-up only. */
#pragma once

#include "bench/load/content/distribution.h"
#include "bench/load/content/lines.h"

#define PS_TEMPLATE_BYTES_MAX 65536U
#define PS_TEMPLATE_PARTS_MAX 256U

enum ps_template_kind {
    PS_TEMPLATE_TEXT,
    PS_TEMPLATE_INT,
    PS_TEMPLATE_FLOAT,
    PS_TEMPLATE_CHOICE,
    PS_TEMPLATE_SEQ,
    PS_TEMPLATE_SOURCE,
    PS_TEMPLATE_HOST,
    PS_TEMPLATE_TIME,
    PS_TEMPLATE_UUID,
    PS_TEMPLATE_HEX,
    PS_TEMPLATE_IP,
    PS_TEMPLATE_WORDS,
    PS_TEMPLATE_LINE,
    PS_TEMPLATE_STAMP,
    PS_TEMPLATE_PAD,
    PS_TEMPLATE_SIZE,
    /* Not a field: marks the end of the bytes that a stamp covers; content/place.c inserts it. */
    PS_TEMPLATE_COVER_END,
};

enum ps_template_time {
    PS_TIME_RFC3339,    /* 2026-11-20T09:00:00.123Z */
    PS_TIME_RFC3339_US, /* 2026-11-20T09:00:00.123456Z */
    PS_TIME_RFC3164,    /* Nov 20 09:00:00, the day padded with a blank */
    PS_TIME_CLF,        /* 20/Nov/2026:09:00:00 +0000 */
    PS_TIME_EPOCH_S,
    PS_TIME_EPOCH_MS,
    PS_TIME_EPOCH_US,
    PS_TIME_EPOCH_NS,
    PS_TIME_STRFTIME, /* a format of strftime(3) in the C locale */
};

struct ps_time_zone;

struct ps_template_part {
    enum ps_template_kind kind;
    uint32_t offset;  /* offset in the template, bytes */
    const char *text; /* TEXT; TIME: the strftime format */
    uint32_t length;
    /* Least number of digits, 0: as many as needed; HEX: number of digits. */
    uint32_t width;
    uint32_t digits;                     /* FLOAT: after the decimal point */
    struct ps_distribution distribution; /* INT, FLOAT, SIZE; WORDS: the number of words */
    struct ps_alias alias;               /* CHOICE: draws from `texts` */
    const struct ps_slice *texts;
    enum ps_template_time time;
    const struct ps_time_zone *zone; /* NULL: UTC */
    uint32_t network, host_bits;     /* IP: network address, and how many bits are random */
};

struct ps_template {
    const char *text; /* for messages */
    uint32_t count;
    struct ps_template_part parts[PS_TEMPLATE_PARTS_MAX];
    const struct ps_lines *lines; /* NULL: {line} is an error */
};

/* The caller sets `template->lines`. `text` must outlive the template. */
enum ps_status ps_template_parse(struct ps_template *template, struct ps_arena *arena, const char *text,
                                 struct ps_err *err);

/* Returns the index of the first part of that kind, or -1. */
int ps_template_find(const struct ps_template *template, enum ps_template_kind kind);

/* Sets the error to "template, column 17: " and the rest; always returns PS_FAIL. Columns count characters
 * (of UTF-8), from 1. */
enum ps_status ps_template_fail(const char *text, uint32_t offset, struct ps_err *err, const char *format,
                                ...) __attribute__((format(printf, 4, 5)));

/* The fields, for --help and the manual; the last has name NULL. */
struct ps_template_field {
    const char *name, *arguments, *summary;
    enum ps_template_kind kind;
    /* Reads the arguments into the part; NULL: the field has none. On failure arguments->offset is the
     * place. */
    enum ps_status (*parse)(struct ps_template_part *part, struct ps_arena *arena, const char *first,
                            struct ps_arguments *arguments, struct ps_err *err);
};
extern const struct ps_template_field ps_template_fields[];
