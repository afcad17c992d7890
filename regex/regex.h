/* One regular expression with Java's semantics, with captures and replacement: the translation
 * (regex/java/java.h) compiled by PCRE2's JIT. To find which expressions of a set match, use
 * regex/matcher/matcher.h.
 *
 * Subjects are any bytes. They are read as UTF-8 the way Java decodes them: each malformed sequence counts as
 * U+FFFD (core/text/utf8.h). Groups of a malformed subject point into the scratch's repaired copy. An expression
 * is const and shared. A scratch belongs to one thread and works with any expression. A match that takes more than
 * a fixed number of steps, or for which there is no memory, is given up: it counts as no match and increments a
 * counter. So no input can block a worker. The time of all matches of a batch has a limit, too
 * (regex/budget.h). Matching allocates only to repair a malformed subject longer than any before, and as much as
 * PCRE2's interpreter needs for a subject above 64 KiB or an expensive match. */
#pragma once

#include "regex/java/java.h"

/* Groups that are returned, group 0 included. An expression may have more. */
#define PS_REGEX_GROUPS_MAX 100U

struct ps_regex;
struct ps_regex_scratch;

enum ps_regex_how {
    PS_REGEX_FIND,  /* Java's find(): anywhere */
    PS_REGEX_WHOLE, /* Java's matches(): the whole subject */
};

/* Returns NULL on error; `err` has the reason and the position. Thread: control. */
struct ps_regex *ps_regex_create(const char *pattern, unsigned flags, enum ps_regex_how how,
                                 struct ps_err *err);
void ps_regex_destroy(struct ps_regex *regex);
const struct ps_java_regex *ps_regex_java(const struct ps_regex *regex);
const char *ps_regex_text(const struct ps_regex *regex); /* as the user wrote it */
unsigned ps_regex_flags_of(const struct ps_regex *regex);
unsigned ps_regex_group_count(const struct ps_regex *regex);                   /* without group 0 */
int ps_regex_group_number(const struct ps_regex *regex, const char *name);     /* -1: no such group */
const char *ps_regex_group_name(const struct ps_regex *regex, unsigned group); /* NULL: it has no name */

/* Called at set-up. The process ends when memory runs out. */
struct ps_regex_scratch *ps_regex_scratch_create(void);
void ps_regex_scratch_destroy(struct ps_regex_scratch *scratch);
/* Matches given up since the scratch was created. */
uint64_t ps_regex_scratch_given_up(const struct ps_regex_scratch *scratch);

/* Makes all matches of this scratch count against a limit for a batch; NULL, as at the beginning: there is none.
 * The budget must outlive the scratch. */
struct ps_regex_budget;
void ps_regex_scratch_limit(struct ps_regex_scratch *scratch, struct ps_regex_budget *budget);

/* Finds the first match from `start` on and fills groups 0 .. count - 1. `data` is NULL for groups that did
 * not take part or that the expression does not have. With `count` 0 it only tests for a match. */
bool ps_regex_find(const struct ps_regex *regex, struct ps_regex_scratch *scratch, const char *subject,
                   size_t length, size_t start, struct ps_slice *groups, unsigned count);

/* A replacement text of Java's Matcher.replaceAll: "$1", "${name}", "\" before any character. Const,
 * shared. */
struct ps_regex_replacement;
struct ps_regex_replacement *ps_regex_replacement_create(const struct ps_regex *regex, const char *text,
                                                         struct ps_err *err);
void ps_regex_replacement_destroy(struct ps_regex_replacement *replacement);

/* Does Java's replaceAll into `out`. `*count` (may be NULL) receives the number of replacements. Returns the
 * length, or SIZE_MAX when `room` is too small (the caller tries again with more). */
size_t ps_regex_replace_all(const struct ps_regex *regex, struct ps_regex_scratch *scratch,
                            const struct ps_regex_replacement *replacement, const char *subject,
                            size_t length, char *out, size_t room, uint32_t *count);
