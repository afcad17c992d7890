/* PCRE2 behind one door: compiled patterns, matches with groups, Java's replacement texts. For expressions
 * that need captures; what only asks "does it match" goes to Hyperscan.
 *
 * Subjects and patterns are UTF-8; subjects must be well-formed (not checked again here). A pattern is const
 * and shared; a scratch is one thread's. A match that takes more than a bound on its steps counts as none, so
 * that no input can hold a worker up. Nothing is allocated while matching. */
#pragma once

#include "core/status.h"

#define PS_PCRE2_GROUPS_MAX 64

struct ps_pcre2;
struct ps_pcre2_scratch;

enum ps_pcre2_how {
    PS_PCRE2_FIND,  /* Java's find(): anywhere */
    PS_PCRE2_WHOLE, /* Java's matches(): the whole subject */
};

/* NULL: `err` says where the expression is wrong. `.` stops at Java's line terminators. Thread: control. */
struct ps_pcre2 *ps_pcre2_create(const char *pattern, enum ps_pcre2_how how, struct ps_err *err);
void ps_pcre2_destroy(struct ps_pcre2 *regex);
/* Groups of the expression, without group 0. */
unsigned ps_pcre2_group_count(const struct ps_pcre2 *regex);

/* NULL: no memory. Set-up time. */
struct ps_pcre2_scratch *ps_pcre2_scratch_create(const struct ps_pcre2 *regex);
void ps_pcre2_scratch_destroy(struct ps_pcre2_scratch *scratch);

/* Groups 0 .. count - 1 of the first match from `start` on; data NULL for those that took no part. False: no
 * match, or given up. */
bool ps_pcre2_match(const struct ps_pcre2 *regex, struct ps_pcre2_scratch *scratch, const char *subject,
                    size_t length, size_t start, struct ps_slice *groups, unsigned count);

/* A replacement text of Java's Matcher.replaceAll: "$1", "${name}", "\" before any character. */
struct ps_pcre2_replacement;
struct ps_pcre2_replacement *ps_pcre2_replacement_create(const struct ps_pcre2 *regex, const char *text,
                                                         struct ps_err *err);
void ps_pcre2_replacement_destroy(struct ps_pcre2_replacement *replacement);

/* replaceAll into `out`. Returns the length, SIZE_MAX when `room` is too small. */
size_t ps_pcre2_replace_all(const struct ps_pcre2 *regex, struct ps_pcre2_scratch *scratch,
                            const struct ps_pcre2_replacement *replacement, const char *subject,
                            size_t length, char *out, size_t room);
