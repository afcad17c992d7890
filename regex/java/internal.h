/* Shared by the files of the Java translation: sets of characters, the tree of an expression, the parser's
 * state, and printing. Everything lives in the arena of one translation. Thread: the one that translates. */
#pragma once

#include "core/arena.h"
#include "regex/java/java.h"

/* ---- sets of code points (regex/java/set.c) ---- */

struct ps_java_range {
    uint32_t first, last;
};

#define PS_CODE_POINT_MAX 0x10FFFFU
#define PS_CODE_POINT_REPLACEMENT 0xFFFDU

/* An immutable set of code points. A flat set is a list of ranges and of PCRE2's properties. Set operations
 * are computed for flat sets without properties; otherwise the operation is kept as an expression. */
struct ps_java_set {
    enum { PS_JAVA_FLAT, PS_JAVA_NOT, PS_JAVA_AND, PS_JAVA_OR } kind;
    const struct ps_java_range *ranges; /* sorted, disjoint, not touching */
    size_t range_count;
    const char *properties; /* as PCRE2 takes them between brackets: "\p{Lu}\p{Ll}"; "": none */
    const struct ps_java_set *left, *right;
    uint64_t ascii[2];
    bool high_some;   /* may contain code points beyond ASCII */
    bool high_all;    /* contains all code points beyond ASCII */
    bool replacement; /* contains U+FFFD */
};

/* The ranges may overlap and come in any order. */
const struct ps_java_set *ps_java_set_make(struct ps_arena *arena, const struct ps_java_range *ranges,
                                           size_t range_count, const char *properties);
const struct ps_java_set *ps_java_set_one(struct ps_arena *arena, uint32_t code_point);
const struct ps_java_set *ps_java_set_not(struct ps_arena *arena, const struct ps_java_set *set);
const struct ps_java_set *ps_java_set_or(struct ps_arena *arena, const struct ps_java_set *left,
                                         const struct ps_java_set *right);
const struct ps_java_set *ps_java_set_and(struct ps_arena *arena, const struct ps_java_set *left,
                                          const struct ps_java_set *right);

/* Returns whether PCRE2 knows a property, as "\p{sc:Latin}". */
bool ps_java_set_is_property(const char *property);

/* ---- case-insensitive letters (regex/java/case.c) ---- */

/* Returns the set of characters that match a character, or a range of characters, under these PS_REGEX_ flags. */
const struct ps_java_set *ps_java_case_one(struct ps_arena *arena, uint32_t code_point, unsigned flags);
const struct ps_java_set *ps_java_case_range(struct ps_arena *arena, uint32_t first, uint32_t last,
                                             unsigned flags);

/* ---- named properties, \p{...} (regex/java/property.c, java/blocks.c) ---- */

/* Returns NULL if Java has no property of that name. */
const struct ps_java_set *ps_java_property(struct ps_arena *arena, const char *name, unsigned flags);
/* Returns the class of a letter. (?U) changes 'd', 's' and 'w', but not 'h' and 'v'. */
const struct ps_java_set *ps_java_property_letter(struct ps_arena *arena, uint32_t letter, unsigned flags);
bool ps_java_block(const char *name, struct ps_java_range *range);

/* ---- the tree ---- */

enum ps_java_kind {
    PS_JAVA_EMPTY,
    PS_JAVA_CLASS,     /* one character of `set` */
    PS_JAVA_CONCAT,    /* children in sequence */
    PS_JAVA_EITHER,    /* the first child that matches */
    PS_JAVA_REPEAT,    /* child min .. max times */
    PS_JAVA_GROUP,     /* child, captured as `number` */
    PS_JAVA_ATOMIC,    /* (?>child) */
    PS_JAVA_LOOK,      /* look-around: `behind`, `negative` */
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
    uint32_t at; /* position in the pattern, for messages */
    struct ps_java_node *child, *next;
    const struct ps_java_set *set;
    uint32_t min, max;
    enum { PS_JAVA_GREEDY, PS_JAVA_LAZY, PS_JAVA_POSSESSIVE } greed;
    bool of_group; /* the repeated item is in parentheses: Java repeats those in another way */
    bool behind, negative;
    bool caseless, unicode;     /* REFERENCE; BOUNDARY under (?U) */
    bool folds;                 /* REFERENCE: the text that it may match has letters, whose case is ignored */
    bool word_left, word_right; /* BOUNDARY: there is certainly an ASCII word character on that side */
    bool unix_lines;            /* LINE_BEGIN, LAST_END, LINE_END: under (?d) */
    unsigned number;
};

struct ps_java_node *ps_java_node_make(struct ps_arena *arena, enum ps_java_kind kind, size_t at);
/* Returns whether the node matches the empty text at every position, regardless of context. */
bool ps_java_nullable(const struct ps_java_node *node);
/* Returns whether the node is "deterministic" in Java's sense: Java repeats such groups without backtracking into a
 * round. */
bool ps_java_deterministic(const struct ps_java_node *node);

/* ---- parsing (regex/java/parse.c, java/read.c, java/escape.c, java/class.c) ---- */

#define PS_JAVA_DEPTH_MAX 200U
#define PS_JAVA_REPEAT_MAX 65535U

struct ps_java_parser {
    struct ps_arena *arena;
    const char *pattern;
    struct ps_err *err;
    uint32_t *text; /* code points, quotations resolved, two zeros at the end */
    size_t length, cursor;
    unsigned flags;
    unsigned group_count; /* groups opened so far */
    char **names;         /* [0 .. group_count] */
    unsigned names_room;
    unsigned depth;
    bool failed;
};

/* The reader follows Java's, so that (?x) skips the same characters and errors have the same offsets. */
bool ps_java_reader_open(struct ps_java_parser *parser);
uint32_t ps_java_at(const struct ps_java_parser *parser, size_t index);
uint32_t ps_java_peek(struct ps_java_parser *parser);
uint32_t ps_java_read(struct ps_java_parser *parser);
uint32_t ps_java_next(struct ps_java_parser *parser);       /* moves by one, then peeks */
uint32_t ps_java_next_raw(struct ps_java_parser *parser);   /* the same, without skipping white space */
uint32_t ps_java_after_next(struct ps_java_parser *parser); /* moves by two; returns the character between */

/* Reports an error and sets `failed`. `cure` may be NULL; it is a line of its own. A cure that tells the user how to write a character uses
 * brackets ("[(]") where it can: a properties file needs a second backslash, a rules file does not. Returns NULL. */
void *ps_java_fail(struct ps_java_parser *parser, const char *reason, const char *cure);

/* Parses the whole expression. Returns NULL on failure. */
struct ps_java_node *ps_java_parse(struct ps_java_parser *parser);

/* The result of an escape: a character, a set, or (only outside of classes) a node. */
struct ps_java_escape {
    uint32_t character; /* if `set` and `node` are NULL */
    const struct ps_java_set *set;
    struct ps_java_node *node;
};
/* Parses an escape; the cursor is on the backslash. Returns false on failure. */
bool ps_java_escape(struct ps_java_parser *parser, bool in_class, bool in_range,
                    struct ps_java_escape *escape);
/* Parses \p{..}, \P{..} or \pL; the cursor is on the p. Returns NULL on failure. */
const struct ps_java_set *ps_java_family(struct ps_java_parser *parser);
/* Parses [...]; the cursor is on the bracket. Returns NULL on failure. */
const struct ps_java_set *ps_java_class(struct ps_java_parser *parser);
/* Reads the name of a group up to ">"; its first character was already read. Returns NULL on failure. */
char *ps_java_group_name(struct ps_java_parser *parser, uint32_t first);
unsigned ps_java_group_of_name(const struct ps_java_parser *parser, const char *name); /* 0: no such group */

/* ---- printing ---- */

struct ps_java_text {
    char *data; /* malloc'ed, terminated */
    size_t length, room;
};
void ps_java_text_put(struct ps_java_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* In regex/java/pcre2.c. With `last_match` false, \G matches nowhere. */
void ps_java_print_pcre2(struct ps_java_text *text, struct ps_arena *arena, const struct ps_java_node *root,
                         unsigned group_count, bool last_match);
/* Sets `word_left` and `word_right` of boundaries (regex/java/word.c). */
void ps_java_mark_words(struct ps_arena *arena, struct ps_java_node *root);
/* Sets `folds` of back-references. `groups` is indexed by group number. */
void ps_java_fold(struct ps_java_node *root, const struct ps_java_node *const *groups, unsigned group_count);
/* Returns whether the tree has a node of that kind. */
bool ps_java_has(const struct ps_java_node *node, enum ps_java_kind kind);

/* In regex/java/lookbehind.c: converts a look-behind's content into a form that PCRE2 accepts, with alternatives
 * in `child`, `next`. Returns NULL with `*reason` set if that is not possible. */
struct ps_java_node *ps_java_behind(struct ps_arena *arena, const struct ps_java_node *look,
                                    const char **reason);

/* In regex/java/hyperscan.c: fills in the members of struct ps_java_regex for Hyperscan. */
void ps_java_print_hyperscan(struct ps_java_regex *regex, struct ps_arena *arena,
                             const struct ps_java_node *root, const struct ps_java_node *const *groups);
