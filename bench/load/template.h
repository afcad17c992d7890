/* A template as the user wrote it, taken to pieces: text and fields with their settings, every error found.
 * How the pieces are rendered is content's business (content_compile.c).
 *
 * A field is {name}, {name:arguments}. `{` begins a field where a lower-case letter follows it and is text
 * everywhere else (so JSON can be written as it is); `{{` is one brace; `}` outside a field is text. Within
 * arguments a backslash takes the meaning from the character behind it. Set-up only. */
#pragma once

#include "bench/load/distribution.h"
#include "bench/load/lines.h"

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
    PS_TEMPLATE_COVER_END, /* no field: where what a stamp covers ends; content_compile.c puts it in */
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
    PS_TIME_STRFTIME, /* as strftime(3) in the C locale has it */
};

struct ps_time_zone;

struct ps_template_part {
    enum ps_template_kind kind;
    uint32_t offset;  /* where it stands in the template, bytes */
    const char *text; /* TEXT; TIME: for strftime */
    uint32_t length;
    uint32_t width;  /* digits that a number has at least, 0: as many as it needs; HEX: digits */
    uint32_t digits; /* FLOAT: behind the point */
    struct ps_distribution distribution; /* INT, FLOAT, SIZE; WORDS: how many */
    struct ps_alias alias;               /* CHOICE: of `texts` */
    const struct ps_slice *texts;
    enum ps_template_time time;
    const struct ps_time_zone *zone; /* NULL: UTC */
    uint32_t network, host_bits;     /* IP: address and how many bits are drawn */
};

struct ps_template {
    const char *text; /* for messages */
    uint32_t count;
    struct ps_template_part parts[PS_TEMPLATE_PARTS_MAX];
    const struct ps_lines *lines; /* NULL: {line} is an error */
};

/* `template->lines` is set by the caller. `text` must outlive it. */
enum ps_status ps_template_parse(struct ps_template *template, struct ps_arena *arena, const char *text,
                                 struct ps_err *err);

/* The part's number, or -1. */
int ps_template_find(const struct ps_template *template, enum ps_template_kind kind);

/* "template, column 17: " and the rest; always PS_FAIL. Columns count characters (of UTF-8), from 1. */
enum ps_status ps_template_fail(const char *text, uint32_t offset, struct ps_err *err, const char *format,
                                ...) __attribute__((format(printf, 4, 5)));

/* The fields, for --help and the manual; the name is NULL at the end. */
struct ps_template_field {
    const char *name, *arguments, *summary;
    enum ps_template_kind kind;
    /* Reads the arguments into the part; NULL: takes none. On failure arguments->offset says where. */
    enum ps_status (*parse)(struct ps_template_part *part, struct ps_arena *arena, const char *first,
                            struct ps_arguments *arguments, struct ps_err *err);
};
extern const struct ps_template_field ps_template_fields[];
