/* A compiled template: compile.c makes it, render.c executes it.
 *
 * Fields of constant width and the text between them are gathered into runs: the run's skeleton is copied in
 * one piece and the fields are written over it in place. Text that changes only with the second or the
 * source is written into the writer's own copy of the skeletons once a second, not once an event. */
#pragma once

#include "bench/load/content/content.h"
#include "bench/load/content/template.h"
#include "bench/load/content/words.h"

/* Text is copied in pieces that may reach past the end of the text; buffers have this much room after it. */
#define PS_CONTENT_SLACK 64U
#define PS_CONTENT_SIZE_MAX (UINT32_C(16) << 20)
#define PS_STRFTIME_TEXT_MAX 128U
#define PS_HOST_BYTES 11U /* host-000042 */

enum ps_content_op_kind {
    /* Copies `length` bytes of skeleton from `offset`; the fixed fields after it refer to it. */
    PS_OP_RUN,
    /* Fixed width: written `offset` bytes into the run. */
    PS_OP_FIXED_INT,
    PS_OP_FIXED_SEQ,
    PS_OP_FIXED_CHOICE,
    PS_OP_SUBSECOND,
    PS_OP_UUID,
    PS_OP_HEX,
    PS_OP_STAMP,
    PS_OP_COVER_END,
    /* Variable width. */
    PS_OP_INT,
    PS_OP_FLOAT,
    PS_OP_SEQ,
    PS_OP_SOURCE,
    PS_OP_CHOICE,
    PS_OP_STRFTIME,
    PS_OP_IP,
    PS_OP_WORDS,
    PS_OP_LINE,
    PS_OP_PAD,
};

struct ps_content_op {
    enum ps_content_op_kind kind;
    /* RUN: offset in the skeleton; fixed fields: offset in the run; STRFTIME: index of the clock's text. */
    uint32_t offset;
    uint32_t
        /* RUN: bytes; fixed: digits or bytes; PAD: bytes after the padding, UINT32_MAX when they vary. */
        length;
    bool blank;       /* PAD: begins with a blank */
    uint64_t keys[2]; /* for the random numbers of this part */
    const struct ps_template_part *part;
};

/* Text in the skeleton that changes with the second (TIME) or the source (SOURCE, HOST). */
struct ps_content_patch {
    uint32_t offset; /* in the skeleton; STRFTIME: index of the text */
    const struct ps_template_part *part;
};

#define PS_CONTENT_OPS_MAX (2 * PS_TEMPLATE_PARTS_MAX + 8)

struct ps_content {
    struct ps_arena *arena;
    struct ps_lines lines;
    struct ps_template template;
    struct ps_words words;
    bool stamp;
    enum ps_framing framing;
    uint32_t run;
    uint64_t seed;

    uint32_t op_count, clock_count, source_count, strftime_count;
    struct ps_content_op ops[PS_CONTENT_OPS_MAX];
    struct ps_content_patch clock[PS_TEMPLATE_PARTS_MAX], source[PS_TEMPLATE_PARTS_MAX];
    uint32_t strftime_min[PS_TEMPLATE_PARTS_MAX], strftime_max[PS_TEMPLATE_PARTS_MAX]; /* bytes */
    char *skeleton;
    uint32_t skeleton_length;

    const struct ps_distribution *size; /* NULL: one size, or the natural size */
    uint64_t size_keys[2];
    /* The fixed size of an event without its framing; 0: the natural size. */
    uint32_t body_bytes;
    uint64_t need_min, need_max; /* bytes that the fields need, without padding and framing */
    uint32_t event_max;          /* framing included */
    double event_mean;
};

struct ps_content_writer {
    const struct ps_content *content;
    uint64_t second_ns; /* start of the second that the texts show */
    uint32_t source;    /* source that the texts show; UINT32_MAX: none yet */
    unsigned prefix;    /* digits of the previous octet count */
    uint64_t seeds[2];  /* of the source */
    char *skeleton;     /* contains the times of the present second, and the source */
    char *scratch;      /* for an event that may not fit */
    uint32_t *strftime_lengths;
    char (*strftime_texts)[PS_STRFTIME_TEXT_MAX];
};

/* Compiles content->template in three steps. `what` is its name in messages; `size_bytes` 0: the natural
 * size. */
enum ps_status ps_content_compile(struct ps_content *content, uint32_t size_bytes, const char *what,
                                  struct ps_err *err);
/* Inserts into the parts the stamp, a marker where the bytes that the stamp covers end, and the padding. */
enum ps_status ps_content_place(struct ps_content *content, uint32_t size_bytes, const char *what,
                                struct ps_err *err);
/* Computes the sizes of events and checks the size asked for. */
enum ps_status ps_content_sizes_set(struct ps_content *content, uint32_t size_bytes, const char *what,
                                    struct ps_err *err);

/* Computes the minimum and maximum number of bytes that a part takes. */
void ps_content_part_width(const struct ps_content *content, const struct ps_template_part *part,
                           uint32_t *min, uint32_t *max);

/* Returns the width of a time, for all formats but strftime. */
uint32_t ps_content_clock_width(const struct ps_template_part *part);
/* Returns the number of digits that change within the second; `*offset` is where they begin, in bytes. */
uint32_t ps_content_clock_subsecond(const struct ps_template_part *part, uint32_t *offset);
/* Writes each time of the template as it is in `second` (seconds since 1970): into the writer's skeleton, or into the
 * texts of its strftime formats. */
void ps_content_clock_set(struct ps_content_writer *writer, uint64_t second);
/* Finds the shortest and longest text that a strftime format makes. Returns false when a text is empty, or has
 * PS_STRFTIME_TEXT_MAX bytes or more. */
bool ps_content_strftime_bounds(const struct ps_template_part *part, uint32_t *min, uint32_t *max);

/* Returns the length of the largest body that fits into `size` bytes with its framing; 0 when none fits. */
uint32_t ps_content_body(enum ps_framing framing, uint32_t size);
/* Returns how many bytes framing adds to a body. */
uint32_t ps_content_framing(enum ps_framing framing, uint64_t body);
