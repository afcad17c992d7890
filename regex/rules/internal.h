/* Shared by the files of the rules parser; nothing else includes this. Each load runs on one thread.
 *
 *   rules/load.c       files, includes, and how they are combined
 *   rules/parse.c      the statements of a file, and recovery after errors
 *   rules/condition.c, rules/action.c, rules/template.c, rules/cases.c (test blocks)
 *                      the parts of a rule
 *   rules/pattern.c    expressions, each created once
 *   rules/check.c      checks that need all rules */
#pragma once

#include "regex/rules/rules.h"
#include "regex/rules/lexer.h"
#include "regex/rules/names.h"
#include "regex/rules/text.h"

#define RULES_NAME_BYTES_MAX 256U /* of rules, tests, channels, headers and tags */
#define RULES_FILES_MAX 10000U

/* Appends a zeroed item to a list in an arena, and returns it. */
#define RULES_PUSH(arena, items, count)                                                                      \
    ((items) = ps_arena_grow((arena), (items), (count), sizeof *(items)), &(items)[(count)++])

struct rules_disposable {
    struct ps_regex *regex;
    struct ps_regex_replacement *replacement;
};

/* A tree and what must be freed with it. */
struct rules_owned {
    struct ps_rules rules; /* must be first: users hold a pointer to this */
    struct rules_disposable *disposables;
    size_t disposable_count;
};

struct rules_open_file {
    const char *path;
    uint64_t device, inode;        /* 0, 0: unknown */
    struct ps_rules_place include; /* where it was included; line 0: the main file */
    bool open;                     /* being read now */
};

struct rules_loader {
    struct rules_owned *owned;
    struct ps_arena *arena; /* owned by the tree */
    struct ps_rules_problems *problems;
    uint64_t bytes; /* bytes read so far */
    struct rules_open_file *seen;
    size_t seen_count;
    struct ps_rule *all; /* in the order of the files */
    size_t all_count;
    bool rules_full;
    struct rules_names rule_names, test_names; /* map to indexes in `all` and in rules.tests */
    struct rules_names regexes, patterns, files;
    struct ps_regex **regex_list; /* indexed by the numbers in `regexes` */
    size_t regex_count;
    bool *pattern_live; /* by pattern number: whether a rule that is not disabled uses it */
    size_t pattern_live_count;
    struct ps_rules_place mode_place, default_place; /* line 0: not given */
    struct ps_rules_expected *expected;
    size_t expected_count;
};

/* A rule that a test names; looked up after all files are read. */
struct ps_rules_expected {
    const char *rule;
    struct ps_rules_place place;
};

/* A group that a template of the current rule names. */
struct rules_group_use {
    const char *name;
    struct ps_rules_place place;
};

struct rules_parser {
    struct rules_loader *loader;
    struct ps_arena *arena;
    struct rules_lexer lexer;
    struct rules_token token;
    const char *token_end; /* where the token before it ended, in the source */
    unsigned depth;        /* depth of includes */
    bool panic;            /* an error was reported; skip to the next statement */
    /* state of the rule being read */
    struct ps_rule *rule;
    const struct ps_regex **group_sources; /* expressions whose named groups can be set */
    size_t group_source_count;
    struct rules_group_use *uses;
    size_t use_count;
    unsigned nesting, negations;
};

/* ---- rules/load.c ---- */
/* Parses the file `name`, which is relative to the file of `place`. */
void ps_rules_include(struct rules_loader *loader, const char *name, struct ps_rules_place place,
                      unsigned depth);

/* ---- rules/parse.c ---- */
void ps_rules_parse_text(struct rules_loader *loader, const char *file, const char *text, size_t length,
                         unsigned depth);
void ps_rules_advance(struct rules_parser *parser);
/* Reads the next token, an expression. */
void ps_rules_advance_regex(struct rules_parser *parser);
/* Reports a syntax error, unless one was just reported, and starts recovery. */
void ps_rules_syntax_error(struct rules_parser *parser, struct ps_rules_place place, const char *cure,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same for the current token: "expected X, found Y". */
void ps_rules_expected(struct rules_parser *parser, const char *what, const char *cure);
/* Returns "did you mean `x`?" about the token and the nearest of these words (NULL ends them), or NULL. */
const char *ps_rules_nearest(struct rules_parser *parser, const char *const *words);
bool ps_rules_take(struct rules_parser *parser, enum rules_token_kind kind, const char *what);
bool ps_rules_take_word(struct rules_parser *parser, const char *word);
bool ps_rules_at_word(const struct rules_parser *parser, const char *word);
/* Returns the current word, terminated, in the arena. */
const char *ps_rules_word(struct rules_parser *parser);
/* Reads and checks a name, which is a word or a string. `reserved`: keywords that begin a statement are
 * refused. Returns NULL after reporting an error. */
const char *ps_rules_take_name(struct rules_parser *parser, const char *what, bool reserved);
/* Reads `header.NAME`. Returns NULL after reporting an error. */
const char *ps_rules_take_header(struct rules_parser *parser);
bool ps_rules_at_header(const struct rules_parser *parser);
/* Reads `body` or a header. */
bool ps_rules_take_subject(struct rules_parser *parser, struct ps_rules_subject *subject);
/* Reads "c1, c2". */
bool ps_rules_take_channels(struct rules_parser *parser, struct ps_rules_channel **channels, size_t *count);
/* Returns whether another statement of the block follows. Reads the closing brace; reports a missing one. */
bool ps_rules_block_has_more(struct rules_parser *parser, const char *kind, const char *name,
                             struct ps_rules_place place);
/* Skips from the statement that began at `from` to the next one of the block, or to its end. */
void ps_rules_recover(struct rules_parser *parser, bool in_rule, struct ps_rules_place from);

/* ---- rules/condition.c, rules/action.c, rules/template.c, rules/cases.c ---- */
struct ps_condition *ps_rules_take_condition(struct rules_parser *parser);
extern const char *const ps_rules_action_words[];
void ps_rules_take_action(struct rules_parser *parser);
/* Parses a template from a string token. Returns false after reporting an error. */
bool ps_rules_template(struct rules_parser *parser, const struct rules_token *token,
                       struct ps_rules_template *template);
void ps_rules_take_test(struct rules_parser *parser);

/* ---- rules/pattern.c ---- */
/* Returns the expression of a REGEX token; equal expressions are created once. Returns NULL after reporting an error.
 * Owns: the loader owns it. */
struct ps_regex *ps_rules_regex(struct rules_parser *parser, const struct rules_token *token);
bool ps_rules_pattern_number(struct rules_parser *parser, struct ps_rules_subject subject,
                             const struct rules_token *token, uint32_t *number);
/* From here on in the rule, the expression's named groups can be set. */
void ps_rules_group_source_add(struct rules_parser *parser, const struct ps_regex *regex);
/* Moves the patterns that only disabled rules use behind all other patterns. */
void ps_rules_live_patterns_first(struct rules_loader *loader);

/* ---- rules/check.c ---- */
/* Checks a rule after it was read: groups that its templates name, actions without effect. */
void ps_rules_check_rule(struct rules_parser *parser);
/* Checks that need all rules; called after all files are read. */
void ps_rules_check_all(struct rules_loader *loader);
