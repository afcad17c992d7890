/* What the files of the Java translation share: sets of characters, the tree of an expression, the parser's
 * state, text being printed. Everything lives in the arena of one translation. Thread: the one that
 * translates. */
#pragma once

#include "core/arena.h"
#include "regex/java/java.h"

/* ---- sets of code points (regex/java/set.c) ---- */

struct ps_java_range {
    uint32_t first, last;
};

#define PS_CODE_POINT_MAX 0x10FFFFU
#define PS_CODE_POINT_REPLACEMENT 0xFFFDU

/* A predicate over code points, immutable. Flat ones are a list of ranges and of PCRE2's properties; those
 * without properties are computed with, others are kept as an expression. */
struct ps_java_set {
    enum { PS_JAVA_FLAT, PS_JAVA_NOT, PS_JAVA_AND, PS_JAVA_OR } kind;
    const struct ps_java_range *ranges; /* sorted, disjoint, not touching */
    size_t range_count;
    const char *properties; /* "\p{Lu}\p{Ll}": what PCRE2 has between brackets; "": none */
    const struct ps_java_set *left, *right;
    uint64_t ascii[2];
    bool high_some;   /* may have something beyond ASCII */
    bool high_all;    /* has everything beyond ASCII */
    bool replacement; /* has U+FFFD */
};

/* Ranges may overlap and stand in any order. */
const struct ps_java_set *ps_java_set_make(struct ps_arena *arena, const struct ps_java_range *ranges,
                                           size_t range_count, const char *properties);
const struct ps_java_set *ps_java_set_one(struct ps_arena *arena, uint32_t code_point);
const struct ps_java_set *ps_java_set_not(struct ps_arena *arena, const struct ps_java_set *set);
const struct ps_java_set *ps_java_set_or(struct ps_arena *arena, const struct ps_java_set *left,
                                         const struct ps_java_set *right);
const struct ps_java_set *ps_java_set_and(struct ps_arena *arena, const struct ps_java_set *left,
                                          const struct ps_java_set *right);

/* ---- letters without regard to case (regex/java/case.c) ---- */

/* What matches a character, or a range of them, under these PS_REGEX_ flags. */
const struct ps_java_set *ps_java_case_one(struct ps_arena *arena, uint32_t code_point, unsigned flags);
const struct ps_java_set *ps_java_case_range(struct ps_arena *arena, uint32_t first, uint32_t last,
                                             unsigned flags);

/* ---- properties by name: what stands in \p{...} (regex/java/property.c, java/blocks.c, java/scripts.c) ----
 */

/* NULL: Java has none of that name. */
const struct ps_java_set *ps_java_property(struct ps_arena *arena, const char *name, unsigned flags);
/* The classes that (?U) changes: 'd', 's', 'w'; and 'h', 'v', which it does not. */
const struct ps_java_set *ps_java_property_letter(struct ps_arena *arena, uint32_t letter, unsigned flags);
bool ps_java_block(const char *name, struct ps_java_range *range);
const char *ps_java_script(const char *name); /* four letters; NULL: no such script */

/* ---- the tree ---- */

enum ps_java_kind {
    PS_JAVA_EMPTY,
    PS_JAVA_CLASS,     /* one character of `set` */
    PS_JAVA_CONCAT,    /* children in turn */
    PS_JAVA_EITHER,    /* the first child that does */
    PS_JAVA_REPEAT,    /* child min .. max times */
    PS_JAVA_GROUP,     /* child, captured as `number` */
    PS_JAVA_ATOMIC,    /* (?>child) */
    PS_JAVA_LOOK,      /* around: `behind`, `negative` */
    PS_JAVA_REFERENCE, /* to group `number` */
    PS_JAVA_BEGIN,     /* \A, and ^ without MULTILINE */
    PS_JAVA_LINE_BEGIN,
    PS_JAVA_LAST_END, /* \Z, and $ without MULTILINE */
    PS_JAVA_LINE_END,
    PS_JAVA_END,        /* \z */
    PS_JAVA_LAST_MATCH, /* \G */
    PS_JAVA_BOUNDARY,   /* \b; `negative`: \B */
    PS_JAVA_LINE_BREAK, /* \R */
    PS_JAVA_GRAPHEME,   /* \X */
};

#define PS_JAVA_UNBOUNDED UINT32_MAX

struct ps_java_node {
    enum ps_java_kind kind;
    uint32_t at; /* where in the pattern, for people */
    struct ps_java_node *child, *next;
    const struct ps_java_set *set;
    uint32_t min, max;
    enum { PS_JAVA_GREEDY, PS_JAVA_LAZY, PS_JAVA_POSSESSIVE } greed;
    bool of_group; /* what is repeated stands in parentheses: Java repeats it in another way then */
    bool behind, negative;
    bool caseless, unicode;     /* REFERENCE; BOUNDARY under (?U) */
    bool folds;                 /* REFERENCE: case makes a difference to what it may match */
    bool word_left, word_right; /* BOUNDARY: an ASCII word character surely stands there */
    bool unix_lines;            /* LINE_BEGIN, LAST_END, LINE_END: under (?d) */
    unsigned number;
};

struct ps_java_node *ps_java_node_make(struct ps_arena *arena, enum ps_java_kind kind, size_t at);
/* Matches the empty text wherever it is asked, whatever stands around. */
bool ps_java_nullable(const struct ps_java_node *node);
/* Java's idea of "deterministic": such groups are repeated without coming back into a round. */
bool ps_java_deterministic(const struct ps_java_node *node);

/* ---- parsing (regex/java/parse.c, java/read.c, java/escape.c, java/class.c) ---- */

#define PS_JAVA_DEPTH_MAX 200U
#define PS_JAVA_REPEAT_MAX 65535U

struct ps_java_parser {
    struct ps_arena *arena;
    const char *pattern;
    struct ps_err *err;
    uint32_t *text; /* code points, quotations spelt out, two zeros at the end */
    size_t length, cursor;
    unsigned flags;
    unsigned group_count; /* groups opened so far */
    char **names;         /* [0 .. group_count] */
    unsigned names_room;
    unsigned depth;
    bool failed;
};

/* The reader: as Java's, so that what (?x) skips, and where an error is said to be, come out alike. */
bool ps_java_reader_open(struct ps_java_parser *parser);
uint32_t ps_java_at(const struct ps_java_parser *parser, size_t index);
uint32_t ps_java_peek(struct ps_java_parser *parser);
uint32_t ps_java_read(struct ps_java_parser *parser);
uint32_t ps_java_next(struct ps_java_parser *parser);       /* one on, then peek */
uint32_t ps_java_next_raw(struct ps_java_parser *parser);   /* the same, white space counts */
uint32_t ps_java_after_next(struct ps_java_parser *parser); /* two on; the character between */

/* Sets `failed`; `cure` may be NULL. Returns NULL. */
void *ps_java_fail(struct ps_java_parser *parser, const char *reason, const char *cure);

/* The whole expression; NULL: failed. */
struct ps_java_node *ps_java_parse(struct ps_java_parser *parser);

/* What an escape is: a character, or a set, or (outside of classes only) a node. */
struct ps_java_escape {
    uint32_t character; /* when `set` and `node` are NULL */
    const struct ps_java_set *set;
    struct ps_java_node *node;
};
/* The cursor is on the backslash. False: failed. */
bool ps_java_escape(struct ps_java_parser *parser, bool in_class, bool in_range,
                    struct ps_java_escape *escape);
/* \p{..}, \P{..}, \pL; the cursor is on the p. NULL: failed. */
const struct ps_java_set *ps_java_family(struct ps_java_parser *parser);
/* [...]; the cursor is on the bracket. NULL: failed. */
const struct ps_java_set *ps_java_class(struct ps_java_parser *parser);
/* The name of a group up to ">", whose first character was just read; NULL: failed. */
char *ps_java_group_name(struct ps_java_parser *parser, uint32_t first);
unsigned ps_java_group_of_name(const struct ps_java_parser *parser, const char *name); /* 0: none */

/* ---- printing ---- */

struct ps_java_text {
    char *data; /* malloc'ed, terminated */
    size_t length, room;
};
void ps_java_text_put(struct ps_java_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* regex/java/pcre2.c; `last_match` false: \G matches nowhere. */
void ps_java_print_pcre2(struct ps_java_text *text, struct ps_arena *arena, const struct ps_java_node *root,
                         unsigned group_count, bool last_match);
/* Sets `word_left` and `word_right` of boundaries (regex/java/word.c). */
void ps_java_mark_words(struct ps_arena *arena, struct ps_java_node *root);
/* Sets `folds` of back-references. `groups`: by number. */
void ps_java_fold(struct ps_java_node *root, const struct ps_java_node *const *groups, unsigned group_count);
/* Is there one of that kind? */
bool ps_java_has(const struct ps_java_node *node, enum ps_java_kind kind);

/* regex/java/behind.c: a look-behind's content in a form that PCRE2 takes: NULL with `*reason` when there is
 * none. Alternatives in `child`, `next`. */
struct ps_java_node *ps_java_behind(struct ps_arena *arena, const struct ps_java_node *look,
                                    const char **reason);

/* regex/java/hyperscan.c: fills in what struct ps_java_regex says for Hyperscan. */
void ps_java_print_hyperscan(struct ps_java_regex *regex, struct ps_arena *arena,
                             const struct ps_java_node *root, const struct ps_java_node *const *groups);
