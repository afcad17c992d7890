/* Rule files: the language (docs/RULES.md), read into a tree. What rules do to events is in
 * stages/rules/set.h; here nothing knows events.
 *
 * One file, readable by people: comments (# to the end of the line), includes, named rules, tests kept beside
 * them.
 *
 *     include "common.rules"   # relative to the file that includes; read once
 *     mode first               # or all: which matching rules act; at most once, without it first
 *     default c1, c2           # channels of events that no rule routed; none: they are dropped
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
 * Conditions: or < and < not, brackets. `SUBJECT ~ REGEX`, `SUBJECT !~ REGEX` (Java's find), `SUBJECT OP
 * VALUE` with == != < <= > >= (as numbers when both sides are decimal numbers, else as bytes), `SUBJECT in
 * ("a", 5)`, `SUBJECT contains "x"`, `begins "x"`, `ends "x"`, `exists header.x`, `size OP N` (bytes of the
 * body), `true`. SUBJECT: body, header.NAME, header."any name". A comparison with a header that an event does
 * not have is false, `!=` and `!~` too (write `not header.x == "y"`). REGEX: /.../FLAGS or m followed by any
 * of | ! , % @ and closed by the same on its line, FLAGS of i m s x u U d; the delimiter inside is written
 * with a backslash and stands without it in the expression, but for \| which stays. Strings: "..." on one
 * line with \" \\ \n \r \t \xHH \uHHHH; ${group}, ${header.x}, ${body}, ${rule} and $$ where templates are
 * allowed.
 *
 * Actions, in the order written, blanks or a semicolon between: `route C[, C]`, `route optional C[, C]`, `set
 * header.X = TEMPLATE`, `set header.X = TEMPLATE unless exists`, `copy header.X to header.Y`, `remove
 * header.X`, `extract SUBJECT ~ REGEX` (its named groups become headers), `replace REGEX with "..."` (Java's
 * replaceAll on the body; $1 ${name}), `tag word` (added to the header `tags`, comma separated, no repeats),
 * `drop`, `sample 1/N`, `limit N/s|m|h [per SUBJECT] [burst N] [else route C[, C]]` (what is above is
 * dropped, or goes there), `stop` (all: no later rule), `continue` (first: later rules are asked, too). Named
 * groups of the expressions of `when` that matched, but those below an odd number of `not`, become headers
 * before the actions run; a group's name is its header's, and `as prefix "x."` behind the condition puts a
 * prefix before.
 *
 * `rule NAME [priority N] [disabled] {`: higher priorities first, equal ones as they stand (includes in their
 * place). Exactly one `when`. Names are words ([A-Za-z0-9_.-] and letters beyond ASCII) or strings; those of
 * channels and tags that are also words of the language stand in quotes.
 *
 * Thread: control, or a helper's. Everything is the tree's (one arena). */
#pragma once

#include "core/arena.h"
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

/* A file that was read or looked for: what to watch, also when there are errors. */
struct ps_rules_file {
    const char *name;
    uint64_t hash; /* ps_rules_hash of its bytes as they were parsed; 0: it could not be read */
};
/* To see whether a file changed since it was parsed: goes on from `hash`, PS_RULES_HASH to begin with. Never
 * 0. */
#define PS_RULES_HASH UINT64_C(0xcbf29ce484222325)
uint64_t ps_rules_hash(uint64_t hash, const char *bytes, size_t length);

/* At most 100 are kept, errors before others; `count`, `errors` and `warnings` go on. */
#define PS_RULES_PROBLEMS_MAX 100U
struct ps_rules_problems {
    struct ps_arena *arena; /* their texts; the caller's */
    struct ps_rules_problem items[PS_RULES_PROBLEMS_MAX];
    size_t count, errors, warnings;
    struct ps_rules_file *files; /* by ps_rules_load, in the arena; each once, the first one first */
    size_t file_count;
};
static inline size_t ps_rules_problems_kept(const struct ps_rules_problems *problems)
{
    return problems->count < PS_RULES_PROBLEMS_MAX ? problems->count : PS_RULES_PROBLEMS_MAX;
}
void ps_rules_problem_add(struct ps_rules_problems *problems, enum ps_rules_severity severity,
                          struct ps_rules_place place, const char *cure, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* "file:12:7: error: what; cure" into the arena. */
const char *ps_rules_problem_text(struct ps_arena *arena, const struct ps_rules_problem *problem);

/* ---- the tree ---- */

struct ps_rules_subject {
    const char *header; /* NULL: the body */
};

/* A decimal number as conditions know it: -?digits[.digits], at most 15 significant digits, so that a double
 * holds it exactly enough to compare. Anything else is compared as bytes. */
bool ps_rules_number(const char *text, size_t length, double *number);

/* An expression over a subject; equal ones (subject, text, flags) are one. */
struct ps_rules_pattern {
    struct ps_rules_subject subject;
    struct ps_regex *regex;
    struct ps_rules_place place; /* of the first use */
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
    uint32_t pattern; /* MATCH: number into ps_rules.patterns */
    enum ps_condition_operator op;
    struct ps_rules_subject subject;
    struct ps_rules_value *values; /* one, or those of IN; SIZE: one number */
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
    const char *text; /* TEXT: bytes; GROUP: its name; HEADER: its name */
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
    PS_ACTION_DROP,
    PS_ACTION_SAMPLE, /* one_in */
    PS_ACTION_LIMIT,  /* per_second, burst, subject/per_key, channels: where the rest goes */
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
    struct ps_rules_channel *channels;
    size_t channel_count;
    bool optional, unless_exists, per_key;
    const char *header;              /* SET, COPY (to), REMOVE */
    const char *from;                /* COPY */
    struct ps_rules_template text;   /* SET; TAG: one piece of text */
    struct ps_rules_subject subject; /* EXTRACT, LIMIT per */
    struct ps_regex *regex;          /* EXTRACT, REPLACE */
    struct ps_regex_replacement *replacement;
    uint64_t one_in;          /* SAMPLE */
    double per_second, burst; /* LIMIT; burst: at least 1, per_second's when not given */
};

struct ps_rule {
    const char *name;
    struct ps_rules_place place;
    int64_t priority;
    bool disabled;
    const char *prefix; /* of headers made of named groups; "" */
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
    const char **expect_rules; /* exactly these act, in this order; `expect rules none` is an empty list */
    size_t expect_rule_count;
    const char **expect_routes; /* exactly these channels, in any order */
    size_t expect_route_count;
    struct ps_rules_header_value *expect_headers; /* these, and others may be there */
    size_t expect_header_count;
    const char **expect_no_headers; /* `expect no header.x` */
    size_t expect_no_header_count;
    struct ps_slice expect_body;
};

enum ps_rules_mode { PS_RULES_FIRST, PS_RULES_ALL };

struct ps_rules {
    struct ps_arena *arena;
    enum ps_rules_mode mode;
    struct ps_rule *rules; /* in the order they are asked: priority, then place */
    size_t rule_count;     /* without disabled ones */
    struct ps_rule *disabled;
    size_t disabled_count;
    struct ps_rules_pattern *patterns; /* those that only disabled rules use stand behind the others ... */
    uint32_t pattern_count;            /* ... and are not counted: there is no need to compile them */
    uint32_t pattern_count_all;
    struct ps_rules_channel *defaults;
    size_t default_count;
    struct ps_rules_test *tests;
    size_t test_count;
    const char **files; /* read, the first one first: what to watch */
    size_t file_count;
};

#define PS_RULES_MAX 100000U
#define PS_RULES_FILE_BYTES_MAX (UINT64_C(64) << 20)
#define PS_RULES_INCLUDE_DEPTH_MAX 16U
#define PS_RULES_NESTING_MAX 64U

/* Reads `path` and what it includes. NULL: there are errors among the problems. A file that is empty, or ends
 * in the middle of a rule, is an error: half-written files must not become rules. */
struct ps_rules *ps_rules_load(const char *path, struct ps_rules_problems *problems);
/* The same from a text in memory, under that name; includes are read from files. */
struct ps_rules *ps_rules_parse(const char *name, const char *text, size_t length,
                                struct ps_rules_problems *problems);
void ps_rules_destroy(struct ps_rules *rules);

/* Whether it holds for every event, as far as can be seen without one: `true`, `body ~ /^/`, `x or true`. */
bool ps_condition_is_always(const struct ps_rules *rules, const struct ps_condition *condition);
