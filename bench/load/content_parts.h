/* A compiled template: what content_compile.c makes and content_render.c carries out.
 *
 * Fields whose width never changes are gathered, with the text between them, into runs: the run's skeleton is
 * copied in one go and the fields are written over it in place. What changes with the second or the source
 * only is written into the writer's own copy of the skeletons, once a second, not once an event. */
#pragma once

#include "bench/load/content.h"
#include "bench/load/template.h"
#include "bench/load/words.h"

/* Text is copied in pieces that may reach over the end of what is wanted; so much room is kept behind. */
#define PS_CONTENT_SLACK 64U
#define PS_CONTENT_SIZE_MAX (UINT32_C(16) << 20)
#define PS_STRFTIME_TEXT_MAX 128U
#define PS_HOST_BYTES 11U /* host-000042 */

enum ps_content_op_kind {
    PS_OP_RUN, /* copies `length` bytes of skeleton from `offset`; the fixed fields behind it refer to it */
    /* fixed: written `offset` bytes into the run */
    PS_OP_FIXED_INT,
    PS_OP_FIXED_SEQ,
    PS_OP_FIXED_CHOICE,
    PS_OP_SUBSECOND,
    PS_OP_UUID,
    PS_OP_HEX,
    PS_OP_STAMP,
    PS_OP_COVER_END,
    /* as long as they are */
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
    uint32_t offset; /* RUN: in the skeleton; fixed: in the run; STRFTIME: which of the clock's texts */
    uint32_t
        length; /* RUN: bytes; fixed: digits or bytes; PAD: bytes that follow it, UINT32_MAX: they vary */
    bool blank; /* PAD: begins with a blank */
    uint64_t keys[2]; /* of its random numbers */
    const struct ps_template_part *part;
};

/* Text that changes with the second (TIME) or the source (SOURCE, HOST) and stands in the skeleton. */
struct ps_content_patch {
    uint32_t offset; /* in the skeleton; STRFTIME: which text */
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

    const struct ps_distribution *size; /* NULL: one size, or as it comes */
    uint64_t size_keys[2];
    uint32_t body_bytes;         /* one size: the event without its framing; 0: as it comes */
    uint64_t need_min, need_max; /* bytes that the fields need, without padding and framing */
    uint32_t event_max;          /* framing included */
    double event_mean;
};

struct ps_content_writer {
    const struct ps_content *content;
    uint64_t second_ns; /* start of the second that the texts are for */
    uint32_t source;    /* that the texts are for; UINT32_MAX: none yet */
    unsigned prefix;    /* digits of the last octet count */
    uint64_t seeds[2];  /* of the source */
    char *skeleton;     /* with the second's and the source's texts in it */
    char *scratch;      /* for an event that may not fit */
    uint32_t *strftime_lengths;
    char (*strftime_texts)[PS_STRFTIME_TEXT_MAX];
};

/* Compiles content->template in three steps. `what` is what messages call it; `size_bytes` 0: as it comes. */
enum ps_status ps_content_compile(struct ps_content *content, uint32_t size_bytes, const char *what,
                                  struct ps_err *err);
/* Stamp, what it covers, and padding take their places among the parts. */
enum ps_status ps_content_place(struct ps_content *content, uint32_t size_bytes, const char *what,
                                struct ps_err *err);
/* Works out sizes and checks the one asked for. */
enum ps_status ps_content_sizes_set(struct ps_content *content, uint32_t size_bytes, const char *what,
                                    struct ps_err *err);

/* Bytes that a part takes, at least and at most. */
void ps_content_part_width(const struct ps_content *content, const struct ps_template_part *part,
                           uint32_t *min, uint32_t *max);

/* How wide a time is, without those of strftime. */
uint32_t ps_content_clock_width(const struct ps_template_part *part);
/* Digits that change within the second, and where they stand. */
uint32_t ps_content_clock_subsecond(const struct ps_template_part *part, uint32_t *offset);
/* Writes the texts of the second into the writer. */
void ps_content_clock_set(struct ps_content_writer *writer, uint64_t second);
/* The shortest and longest text a strftime format makes; false: none, or above PS_STRFTIME_TEXT_MAX. */
bool ps_content_strftime_bounds(const struct ps_template_part *part, uint32_t *min, uint32_t *max);

/* The largest body that fits into `size` bytes with its framing; 0: none. */
uint32_t ps_content_body(enum ps_framing framing, uint32_t size);
/* What framing adds to a body. */
uint32_t ps_content_framing(enum ps_framing framing, uint64_t body);
