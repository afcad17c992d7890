/* Rule files: the language (docs/RULES.md), parsed into a tree. stages/lib/rules/set.h applies rules to events;
 * this component knows nothing about events.
 *
 * A rules file holds comments (# to the end of the line), includes, named rules, and tests of these rules.
 *
 *     include "common.rules"   # relative to the including file; each file is read once
 *     mode first               # or all: which matching rules act; at most once; the default is first
 *     default c1, c2           # channels of events that no rule routed; without it they are dropped
 *
 *     rule health-checks {
 *         when body ~ /GET \/healthz / and not header.env == "test"
 *         drop
 *     }
 *     rule server-errors priority 10 {
 *         when body ~ m|" (?<status>5\d\d) | and (header.host ~ /^web/i or exists header."x forwarded")
 *         set header.topic = "errors-${status}"
 *         route c-errors, c-audit
 *     }
 *     rule debug { when body ~ /\bDEBUG\b/  sample 1/100 }
 *
 *     test "an error goes to both" {
 *         body "GET / \" 503 "
 *         header.host = "web1"
 *         expect rules server-errors
 *         expect route c-errors, c-audit
 *         expect header.topic == "errors-503"
 *     }
 *
 * Conditions, `or` binding less than `and`, and `and` less than `not`, with parentheses:
 *
 *     SUBJECT ~ REGEX, SUBJECT !~ REGEX    Java's find
 *     SUBJECT OP VALUE                     OP: == != < <= > >=; compares numbers when both sides are decimal
 *                                          numbers, else bytes
 *     SUBJECT in ("a", 5)
 *     SUBJECT contains "x", SUBJECT begins "x", SUBJECT ends "x"
 *     exists header.x
 *     size OP N                            bytes of the body
 *     true
 *
 * SUBJECT is body, header.NAME or header."any name". A comparison with a header that the event does not have
 * is false, also with `!=` and `!~` (write `not header.x == "y"`).
 *
 * REGEX is /.../FLAGS, or m followed by one of | ! , % @ and closed by the same character on the same line.
 * FLAGS are any of i m s x u U d. The delimiter is written with a backslash inside; the expression gets it
 * without the backslash, except for \|, which stays.
 *
 * Strings are "..." on one line, with \" \\ \n \r \t \xHH \uHHHH. Templates may also use ${group},
 * ${header.x}, ${body}, ${rule} and $$.
 *
 * Actions run in the order written, separated by blanks or a semicolon:
 *
 *     route C[, C]
 *     route optional C[, C]
 *     set header.X = TEMPLATE [unless exists]
 *     copy header.X to header.Y
 *     remove header.X
 *     extract SUBJECT ~ REGEX              its named groups become headers
 *     replace REGEX with "..."             Java's replaceAll on the body; $1 ${name}
 *     tag word                             added to the header `tags`: comma separated, no repeats
 *     drop [deadletter]                    written to the source's penstock.deadletter first
 *     sample 1/N
 *     limit N/s|m|h [per SUBJECT] [burst N] [else route C[, C]]
 *                                          events above the limit are dropped, or routed to C
 *     stop                                 mode all: no later rule acts
 *     continue                             mode first: later rules are also tried
 *
 * The named groups of the matching expressions of `when` become headers before the actions run, except for
 * expressions under an odd number of `not`. The header has the group's name, preceded by the prefix if `as
 * prefix "x."` follows the condition.
 *
 * `rule NAME [priority N] [disabled] {`: rules with a higher priority come first, then the order of the files
 * (includes in their place). Each rule has exactly one `when`. Names are words ([A-Za-z0-9_.-] and letters
 * beyond ASCII) or strings; names of channels and tags that are also keywords must be in quotes.
 *
 * Thread: control, or a helper's. Owns: the tree owns everything (one arena). */
#pragma once

#include "core/arena.h"
#include "core/fnv.h"
#include "regex/regex.h"

struct ps_rules_place {
    const char *file;
    int line, column; /* from 1; columns in characters; line 0: the file as a whole */
};

enum ps_rules_severity { PS_RULES_ERROR, PS_RULES_WARNING, PS_RULES_NOTE };

struct ps_rules_problem {
    enum ps_rules_severity severity;
    struct ps_rules_place place;
    const char *what, *cure; /* cure may be NULL */
};

/* A file that was read or looked for, to be watched for changes; filled in even when there are errors. */
struct ps_rules_file {
    const char *name;
    uint64_t hash; /* ps_rules_hash of the bytes that were parsed; 0: could not be read */
};
/* Detects whether a file changed since it was parsed. Continues from `hash`; the first call passes
 * PS_RULES_HASH. Never returns 0. */
#define PS_RULES_HASH PS_FNV64
uint64_t ps_rules_hash(uint64_t hash, const char *bytes, size_t length);

struct ps_rules_channel;

/* At most 100 are kept, errors before others; `count`, `errors` and `warnings` count all. */
#define PS_RULES_PROBLEMS_MAX 100U
struct ps_rules_problems {
    struct ps_arena *arena; /* for their texts; owned by the caller */
    struct ps_rules_problem items[PS_RULES_PROBLEMS_MAX];
    size_t count, errors, warnings;
    bool
        passing; /* an error is due to a lack of memory, descriptors or processes: the same files may be usable later */
    /* filled by ps_rules_load, in the arena; each file once, the main file first */
    struct ps_rules_file *files;
    size_t file_count;
    /* With `keep_routes`: every channel that a route names, in the arena, even when the load fails. So code that knows
     * the channels can report missing channels together with the errors of the text (ps_rules_set_check_routes). */
    bool keep_routes;
    struct ps_rules_channel *routes;
    size_t route_count;
};
static inline size_t ps_rules_problems_kept(const struct ps_rules_problems *problems)
{
    return problems->count < PS_RULES_PROBLEMS_MAX ? problems->count : PS_RULES_PROBLEMS_MAX;
}
/* Sorts by file, line and column; ps_rules_load has sorted its own. */
void ps_rules_problems_sort(struct ps_rules_problems *problems);
void ps_rules_problem_add(struct ps_rules_problems *problems, enum ps_rules_severity severity,
                          struct ps_rules_place place, const char *cure, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* Returns the place as "file:12", in the arena. */
const char *ps_rules_place_text(struct ps_arena *arena, struct ps_rules_place place);
/* Returns "file:12:7: error: what; cure", in the arena. */
const char *ps_rules_problem_text(struct ps_arena *arena, const struct ps_rules_problem *problem);

/* ---- the tree ---- */

struct ps_rules_subject {
    const char *header; /* NULL: the body */
};

/* Parses a decimal number of a condition: -?digits[.digits] with at most 15 significant digits, which a
 * double represents precisely enough to compare. Anything else is compared as bytes. */
bool ps_rules_number(const char *text, size_t length, double *number);

/* An expression applied to a subject. Uses with the same subject, text and flags share one pattern. */
struct ps_rules_pattern {
    struct ps_rules_subject subject;
    struct ps_regex *regex;
    struct ps_rules_place place; /* place of the first use */
};

enum ps_condition_kind {
    PS_CONDITION_TRUE,
    PS_CONDITION_AND, /* left, right */
    PS_CONDITION_OR,
    PS_CONDITION_NOT,     /* left */
    PS_CONDITION_MATCH,   /* pattern; `!~` of a header: AND of EXISTS and NOT; of the body: NOT */
    PS_CONDITION_COMPARE, /* subject, operator, values */
    PS_CONDITION_EXISTS,  /* subject */
    PS_CONDITION_SIZE,    /* operator, number */
};
enum ps_condition_operator {
    PS_OPERATOR_EQUAL,
    PS_OPERATOR_UNEQUAL,
    PS_OPERATOR_LESS,
    PS_OPERATOR_LESS_EQUAL,
    PS_OPERATOR_MORE,
    PS_OPERATOR_MORE_EQUAL,
    PS_OPERATOR_IN,
    PS_OPERATOR_CONTAINS,
    PS_OPERATOR_BEGINS,
    PS_OPERATOR_ENDS,
};

struct ps_rules_value {
    struct ps_slice text;
    bool is_number;
    double number;
};

struct ps_condition {
    enum ps_condition_kind kind;
    struct ps_rules_place place;
    struct ps_condition *left, *right;
    uint32_t pattern; /* MATCH: index into ps_rules.patterns */
    enum ps_condition_operator op;
    struct ps_rules_subject subject;
    struct ps_rules_value *values; /* one; IN: any number; SIZE: one number */
    size_t value_count;
};

enum ps_rules_template_kind {
    PS_RULES_TEMPLATE_TEXT,
    PS_RULES_TEMPLATE_GROUP,
    PS_RULES_TEMPLATE_HEADER,
    PS_RULES_TEMPLATE_BODY
};
struct ps_rules_template_piece {
    enum ps_rules_template_kind kind;
    const char *text; /* TEXT: bytes; GROUP, HEADER: the name */
    uint32_t length;
};
struct ps_rules_template {
    struct ps_rules_template_piece *pieces;
    size_t count;
};

enum ps_action_kind {
    PS_ACTION_ROUTE, /* channels; optional */
    PS_ACTION_SET,   /* header, template; unless_exists */
    PS_ACTION_COPY,  /* from, header */
    PS_ACTION_REMOVE,
    PS_ACTION_EXTRACT, /* subject, regex */
    PS_ACTION_REPLACE, /* regex, replacement */
    PS_ACTION_TAG,     /* text */
    PS_ACTION_DROP,    /* deadletter */
    PS_ACTION_SAMPLE,  /* one_in */
    PS_ACTION_LIMIT,   /* per_second, burst, subject/per_key; channels: for events above the limit */
    PS_ACTION_STOP,
    PS_ACTION_CONTINUE,
};

struct ps_rules_channel {
    const char *name;
    struct ps_rules_place place;
};

struct ps_action {
    enum ps_action_kind kind;
    struct ps_rules_place place;
    const char *source; /* as written in the file */
    struct ps_rules_channel *channels;
    size_t channel_count;
    bool optional, unless_exists, per_key, deadletter;
    const char *header;              /* SET, COPY (to), REMOVE */
    const char *from;                /* COPY */
    struct ps_rules_template text;   /* SET; TAG: one piece of text */
    struct ps_rules_subject subject; /* EXTRACT, LIMIT per */
    struct ps_regex *regex;          /* EXTRACT, REPLACE */
    struct ps_regex_replacement *replacement;
    uint64_t one_in;          /* SAMPLE */
    double per_second, burst; /* LIMIT; burst: at least 1; the default is per_second */
};

struct ps_rule {
    const char *name;
    struct ps_rules_place place;
    int64_t priority;
    bool disabled;
    const char *prefix; /* of the headers made from named groups; the default is "" */
    struct ps_condition *when;
    struct ps_action *actions;
    size_t action_count;
};

struct ps_rules_header_value {
    const char *name;
    struct ps_slice value;
};

/* One `test` block. */
struct ps_rules_test {
    const char *name;
    struct ps_rules_place place;
    struct ps_slice body;
    struct ps_rules_header_value *headers; /* given */
    size_t header_count;
    bool expect_drop;
    bool expect_rules_set, expect_route_set, expect_body_set;
    const char **expect_rules; /* exactly these rules act, in this order; empty: `expect rules none` */
    size_t expect_rule_count;
    const char **expect_routes; /* exactly these channels, in any order */
    size_t expect_route_count;
    struct ps_rules_header_value *expect_headers; /* the event must have these headers; it may have others */
    size_t expect_header_count;
    const char **expect_no_headers; /* `expect no header.x` */
    size_t expect_no_header_count;
    struct ps_slice expect_body;
};

enum ps_rules_mode { PS_RULES_FIRST, PS_RULES_ALL };

struct ps_rules {
    struct ps_arena *arena;
    enum ps_rules_mode mode;
    struct ps_rule *rules; /* in the order they are tried: by priority, then place */
    size_t rule_count;     /* not counting disabled ones */
    struct ps_rule *disabled;
    size_t disabled_count;
    /* Patterns that only disabled rules use come after the others and are not counted by pattern_count: they
     * need not be compiled. */
    struct ps_rules_pattern *patterns;
    uint32_t pattern_count;
    uint32_t pattern_count_all;
    struct ps_rules_channel *defaults;
    size_t default_count;
    struct ps_rules_test *tests;
    size_t test_count;
    const char **files; /* files that were read, the main file first: to be watched */
    size_t file_count;
};

#define PS_RULES_MAX 100000U
#define PS_RULES_FILE_BYTES_MAX (UINT64_C(64) << 20)
#define PS_RULES_INCLUDE_DEPTH_MAX 16U
#define PS_RULES_NESTING_MAX 64U

/* Reads `path` and its includes. Returns NULL if the problems have errors. An empty file, or one that ends in
 * the middle of a rule, is an error, so that a half-written file is never used. */
struct ps_rules *ps_rules_load(const char *path, struct ps_rules_problems *problems);
/* The same for a text in memory, reported under `name`; includes are read from files. */
struct ps_rules *ps_rules_parse(const char *name, const char *text, size_t length,
                                struct ps_rules_problems *problems);
void ps_rules_destroy(struct ps_rules *rules);

/* Returns whether the condition provably holds for every event: `true`, `body ~ /^/`, `x or true`. */
bool ps_condition_is_always(const struct ps_rules *rules, const struct ps_condition *condition);
