/* An expression over bytes, on its way from Java's tree to Hyperscan's syntax (regex/java/java.h says what must
 * hold). Each node knows what it loses; what is cut off loses nothing. Thread: the one that translates. */
#pragma once

#include "regex/java/parts.h"

enum ps_bytes_kind {
    PS_BYTES_EMPTY, /* with a loss: something that is not asked here; never cut off */
    PS_BYTES_NEVER,
    PS_BYTES_CHARACTER, /* one character: `ascii`, and bytes 0x80.. if `high` */
    PS_BYTES_TEXT,      /* the bytes of one character beyond ASCII */
    PS_BYTES_CONCAT,
    PS_BYTES_EITHER,
    PS_BYTES_REPEAT,
    PS_BYTES_BEGIN,
    PS_BYTES_END,
    PS_BYTES_LINE_END, /* as END, before \n, too */
    PS_BYTES_LINE_BEGIN,
    PS_BYTES_BOUNDARY,
};

struct ps_bytes_node {
    enum ps_bytes_kind kind;
    struct ps_bytes_node *child, *next;
    uint64_t ascii[2];
    bool high, high_all, replacement;
    bool edge;   /* CHARACTER at an end of the expression: a byte of it is enough */
    bool atomic; /* Java does not come back into it: a loss, unless nothing follows */
    char text[5];
    uint32_t min, max;
    enum ps_regex_exactness loss;
    const char *why;
    uint32_t at;
};

/* Cuts off what need not be there. `*loss` grows by what that loses. Returns the expression, EMPTY when
 * nothing is left. */
struct ps_bytes_node *ps_bytes_trim(struct ps_arena *arena, struct ps_bytes_node *root,
                                    enum ps_regex_exactness *loss);

/* Matches the empty text anywhere. */
bool ps_bytes_nullable(const struct ps_bytes_node *node);

/* One class, once or more, or any number of times: printed as one class of bytes. */
bool ps_bytes_is_run(const struct ps_bytes_node *node);

/* What the whole comes to, and its text. */
struct ps_bytes_summary {
    enum ps_regex_exactness loss;
    const char *why; /* NULL: nothing to say */
    uint32_t at;
    bool repair, newline, anchored;
    bool never; /* it cannot match */
    bool idle;  /* it matches the empty text, so that it says nothing */
};
void ps_bytes_sum_up(struct ps_arena *arena, const struct ps_bytes_node *root,
                     struct ps_bytes_summary *summary);
void ps_bytes_print(struct ps_java_text *text, const struct ps_bytes_node *root);
