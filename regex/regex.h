/* One regular expression as Java means it, with captures and replacement: the translation (regex/java/java.h)
 * compiled by PCRE2's JIT. What only asks "which of these match" goes to regex/matcher/matcher.h first.
 *
 * Subjects are any bytes, read as UTF-8 the way Java decodes them: malformed sequences count as U+FFFD each
 * (core/utf8.h); groups of such a subject point into the scratch's repaired copy. An expression is const and
 * shared; a scratch is one thread's and serves any expression. A match that takes more than a bound on its
 * steps is given up, counts as none and is counted, so that no input can hold a worker up. Nothing is
 * allocated while matching, but for the repair of a malformed subject longer than any before, and what
 * PCRE2's interpreter needs for a subject above 4 KiB. */
#pragma once

#include "regex/java/java.h"

#define PS_REGEX_GROUPS_MAX                                                                                  \
    100U /* groups that are handed out, group 0 included; an expression may have more */

struct ps_regex;
struct ps_regex_scratch;

enum ps_regex_how {
    PS_REGEX_FIND,  /* Java's find(): anywhere */
    PS_REGEX_WHOLE, /* Java's matches(): the whole subject */
};

/* NULL: `err` says where and why. Thread: control. */
struct ps_regex *ps_regex_create(const char *pattern, unsigned flags, enum ps_regex_how how,
                                 struct ps_err *err);
void ps_regex_destroy(struct ps_regex *regex);
const struct ps_java_regex *ps_regex_java(const struct ps_regex *regex);
const char *ps_regex_text(const struct ps_regex *regex); /* as the user wrote it */
unsigned ps_regex_flags_of(const struct ps_regex *regex);
unsigned ps_regex_group_count(const struct ps_regex *regex);                   /* without group 0 */
int ps_regex_group_number(const struct ps_regex *regex, const char *name);     /* -1: no such group */
const char *ps_regex_group_name(const struct ps_regex *regex, unsigned group); /* NULL: has none */

/* Set-up time; ends the process when there is no memory. */
struct ps_regex_scratch *ps_regex_scratch_create(void);
void ps_regex_scratch_destroy(struct ps_regex_scratch *scratch);
/* Matches given up since the scratch was made. */
uint64_t ps_regex_scratch_given_up(const struct ps_regex_scratch *scratch);

/* Groups 0 .. count - 1 of the first match from `start` on; data NULL for those that took no part, or that
 * the expression does not have. `count` 0: only whether there is one. */
bool ps_regex_find(const struct ps_regex *regex, struct ps_regex_scratch *scratch, const char *subject,
                   size_t length, size_t start, struct ps_slice *groups, unsigned count);

/* A replacement text of Java's Matcher.replaceAll: "$1", "${name}", "\" before any character. Const, shared.
 */
struct ps_regex_replacement;
struct ps_regex_replacement *ps_regex_replacement_create(const struct ps_regex *regex, const char *text,
                                                         struct ps_err *err);
void ps_regex_replacement_destroy(struct ps_regex_replacement *replacement);

/* replaceAll into `out`; `*count` (or NULL) says how many were replaced. Returns the length, SIZE_MAX when
 * `room` is too small (try again with more). */
size_t ps_regex_replace_all(const struct ps_regex *regex, struct ps_regex_scratch *scratch,
                            const struct ps_regex_replacement *replacement, const char *subject,
                            size_t length, char *out, size_t room, uint32_t *count);
