/* What the files of the rules parser share; nobody else includes this. One load is one thread's.
 *
 * rules_load: files and what they add up to. rules_parse: the statements of a file and how to go on after a
 * mistake. rules_condition, rules_action, rules_template, rules_cases (test blocks): the parts of a rule.
 * rules_pattern: expressions, each made once. rules_check: what can only be said when all is read. */
#pragma once

#include "regex/rules/rules.h"
#include "regex/rules/lexer.h"
#include "regex/rules/names.h"
#include "regex/rules/text.h"

#define RULES_NAME_BYTES_MAX 256U /* of rules, tests, channels, headers, tags */
#define RULES_FILES_MAX 10000U

/* A list in an arena that doubles: a new, zeroed item at its end. Old copies stay in the arena. */
void *ps_rules_grow(struct ps_arena *arena, void *items, size_t count, size_t item_bytes);
#define RULES_PUSH(arena, items, count)                                                                      \
    ((items) = ps_rules_grow((arena), (items), (count), sizeof *(items)), &(items)[(count)++])

struct rules_disposable {
    struct ps_regex *regex;
    struct ps_regex_replacement *replacement;
};

/* A tree, and what must be freed with it. */
struct rules_owned {
    struct ps_rules rules; /* first: what users have is this */
    struct rules_disposable *disposables;
    size_t disposable_count;
};

struct rules_open_file {
    const char *path;
    uint64_t device, inode;        /* 0, 0: not known */
    struct ps_rules_place include; /* where it was included; line 0: the first one */
    bool open;                     /* being read */
};

struct rules_loader {
    struct rules_owned *owned;
    struct ps_arena *arena; /* the tree's */
    struct ps_rules_problems *problems;
    uint64_t bytes; /* read so far */
    struct rules_open_file *seen;
    size_t seen_count;
    struct ps_rule *all; /* as they stand in the files */
    size_t all_count;
    bool rules_full;
    struct rules_names rule_names, test_names; /* to numbers in `all` and in rules.tests */
    struct rules_names regexes, patterns, files;
    struct ps_regex **regex_list; /* by number in `regexes` */
    size_t regex_count;
    bool *pattern_live; /* by number: used by a rule that is not disabled */
    size_t pattern_live_count;
    struct ps_rules_place mode_place, default_place; /* line 0: not given */
    struct ps_rules_expected *expected;
    size_t expected_count;
};

/* A rule that a test names: looked up when all is read. */
struct ps_rules_expected {
    const char *rule;
    struct ps_rules_place place;
};

/* What a rule's templates may name, gathered while it is read. */
struct rules_group_use {
    const char *name;
    struct ps_rules_place place;
};

struct rules_parser {
    struct rules_loader *loader;
    struct ps_arena *arena;
    struct rules_lexer lexer;
    struct rules_token token;
    unsigned depth; /* includes */
    bool panic;     /* a mistake was reported; look for where to go on */
    /* of the rule being read */
    struct ps_rule *rule;
    const struct ps_regex **givers; /* expressions whose groups can be set */
    size_t giver_count;
    struct rules_group_use *uses;
    size_t use_count;
    unsigned nesting, negations;
};

/* ---- rules/problem.c ---- */
/* "file:12" */
const char *ps_rules_place_text(struct ps_arena *arena, struct ps_rules_place place);
void ps_rules_problems_sort(struct ps_rules_problems *problems);

/* ---- rules/load.c ---- */
/* Parses the file named at `place`, relative to the file that place is in. */
void ps_rules_include(struct rules_loader *loader, const char *name, struct ps_rules_place place,
                      unsigned depth);

/* ---- rules/parse.c ---- */
void ps_rules_parse_text(struct rules_loader *loader, const char *file, const char *text, size_t length,
                         unsigned depth);
void ps_rules_advance(struct rules_parser *parser);
/* The token that is current was the last before an expression: reads that. */
void ps_rules_advance_regex(struct rules_parser *parser);
/* A mistake in the syntax: reported unless one was just reported, and what follows is skipped. */
void ps_rules_wrong(struct rules_parser *parser, struct ps_rules_place place, const char *cure,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The same for the current token: "expected X, found Y". */
void ps_rules_expected(struct rules_parser *parser, const char *what, const char *cure);
bool ps_rules_take(struct rules_parser *parser, enum rules_token_kind kind, const char *what);
bool ps_rules_take_word(struct rules_parser *parser, const char *word);
bool ps_rules_at_word(const struct rules_parser *parser, const char *word);
/* The current word, terminated, in the arena. */
const char *ps_rules_word(struct rules_parser *parser);
/* A name: a word or a string, checked. `reserved`: words that begin a statement are refused. NULL: reported.
 */
const char *ps_rules_take_name(struct rules_parser *parser, const char *what, bool reserved);
/* `header.NAME`; NULL: reported. */
const char *ps_rules_take_header(struct rules_parser *parser);
bool ps_rules_at_header(const struct rules_parser *parser);
/* `body` or a header. */
bool ps_rules_take_subject(struct rules_parser *parser, struct ps_rules_subject *subject);
/* "c1, c2" */
bool ps_rules_take_channels(struct rules_parser *parser, struct ps_rules_channel **channels, size_t *count);
/* Whether a statement of the block follows; its brace is taken, a missing one reported. */
bool ps_rules_block_goes_on(struct rules_parser *parser, const char *kind, const char *name,
                            struct ps_rules_place place);
/* From the statement that began at `from` to the next one of the block, or its end. */
void ps_rules_recover(struct rules_parser *parser, bool in_rule, struct ps_rules_place from);
extern const char *const ps_rules_file_words[]; /* what begins a statement of a file */

/* ---- rules/condition.c, rules/action.c, rules/template.c, rules/cases.c ---- */
struct ps_condition *ps_rules_take_condition(struct rules_parser *parser);
extern const char *const ps_rules_action_words[];
void ps_rules_take_action(struct rules_parser *parser);
/* A template out of a string token; false: reported. */
bool ps_rules_template(struct rules_parser *parser, const struct rules_token *token,
                       struct ps_rules_template *template);
void ps_rules_take_test(struct rules_parser *parser);

/* ---- rules/pattern.c ---- */
/* The expression of a REGEX token, made once for equal ones. NULL: reported. The loader's. */
struct ps_regex *ps_rules_regex(struct rules_parser *parser, const struct rules_token *token);
bool ps_rules_pattern_number(struct rules_parser *parser, struct ps_rules_subject subject,
                             const struct rules_token *token, uint32_t *number);
/* Its named groups can be set from here on in the rule. */
void ps_rules_giver_add(struct rules_parser *parser, const struct ps_regex *regex);
/* Puts the patterns that only disabled rules use behind the others. */
void ps_rules_patterns_settle(struct rules_loader *loader);

/* ---- rules/check.c ---- */
/* A rule has been read: groups that templates name, actions that come to nothing. */
void ps_rules_check_rule(struct rules_parser *parser);
/* Everything has been read. */
void ps_rules_check_all(struct rules_loader *loader);
