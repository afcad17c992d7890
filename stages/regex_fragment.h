/* A cheap question to ask before an expression is run: a short part of it that every match contains. Thread:
 * any; pure.
 *
 * Hyperscan follows `method=(\w+) path=(\S+) status=(5\d+)` through the whole text, for a hundred nanoseconds
 * or more, although PCRE2 will go over the same text again to take the groups. `status=5\d` costs it a few,
 * and finds nearly the same events. */
#pragma once

#include "regex/regex.h"

/* A Java expression (no flags) that is found in every text in which `pattern` (no flags) is found; malloc'ed.
 * NULL: there is none worth it, ask `pattern` itself. `pattern` must be one that ps_regex_create takes. */
char *ps_regex_fragment(const char *pattern);

/* The same as an expression that Hyperscan can run, to be destroyed; NULL as above. `regex` is found
 * (PS_REGEX_FIND). Thread: control. */
struct ps_regex *ps_regex_fragment_of(const struct ps_regex *regex);
