/* An expression over bytes: the intermediate form between Java's tree and Hyperscan's syntax
 * (regex/java/java.h has the requirements). Each node records what the translation loses there; parts that
 * are cut off lose nothing. Thread: the one that translates. */
#pragma once

#include "regex/java/internal.h"

enum ps_bytes_kind {
    PS_BYTES_EMPTY, /* the empty text; with a loss it stands for a part that is not tested, and is never cut off */
    PS_BYTES_NEVER,
    PS_BYTES_CHARACTER, /* one character of `ascii`, or, if `high`, bytes 0x80 and above */
    PS_BYTES_TEXT,      /* the bytes of one character beyond ASCII */
    PS_BYTES_CONCAT,
    PS_BYTES_EITHER,
    PS_BYTES_REPEAT,
    PS_BYTES_BEGIN,
    PS_BYTES_END,
    PS_BYTES_LINE_END, /* like END, and also before \n */
    PS_BYTES_LINE_BEGIN,
    PS_BYTES_BOUNDARY,
};

struct ps_bytes_node {
    enum ps_bytes_kind kind;
    struct ps_bytes_node *child, *next;
    uint64_t ascii[2];
    bool high, high_all, replacement;
    bool edge;   /* CHARACTER at an end of the expression: one byte of it is enough */
    bool atomic; /* Java does not backtrack into it: inexact over bytes, unless nothing follows */
    char text[5];
    uint32_t min, max;
    enum ps_regex_exactness loss;
    const char *why;
    uint32_t at;
};

/* Cuts off the parts at either end that need not match. Raises `*loss` to the loss of the cut. Returns the rest of the
 * expression, or EMPTY when nothing is left. */
struct ps_bytes_node *ps_bytes_trim(struct ps_arena *arena, struct ps_bytes_node *root,
                                    enum ps_regex_exactness *loss);

/* Returns whether the node is one class with + or *, which is printed as one class of bytes. */
bool ps_bytes_is_run(const struct ps_bytes_node *node);

/* Counts the states with bounded repeats expanded (regex/java/cost.c). It is an estimate; it saturates. */
uint64_t ps_bytes_states(const struct ps_bytes_node *root);
/* Makes an expression with more than PS_REGEX_STATES_LOOSENED states smaller: large repeats lose their upper bound, and
 * then also match more. Returns false if that does not help. */
bool ps_bytes_loosen(struct ps_bytes_node *root);

/* Returns the expression's fragment, or NULL if none is worth it (regex/java/fragment.c). */
const struct ps_bytes_node *ps_bytes_fragment(struct ps_arena *arena, struct ps_bytes_node *root);

/* The properties of the whole expression. */
struct ps_bytes_summary {
    enum ps_regex_exactness loss;
    const char *why; /* NULL: none */
    uint32_t at;
    bool repair, newline, anchored;
    bool begins_newline; /* a match may begin with a newline */
    bool never;          /* the expression can never match */
    bool matches_empty;  /* the expression matches the empty text, so a match means nothing */
};
void ps_bytes_summarize(struct ps_arena *arena, const struct ps_bytes_node *root,
                        struct ps_bytes_summary *summary);
void ps_bytes_print(struct ps_java_text *text, const struct ps_bytes_node *root);
