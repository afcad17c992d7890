/* A cheap question to ask before an expression is run: a short part of it that every match contains. Thread:
 * any; pure.
 *
 * Hyperscan follows `method=\w+ path=\S+ status=5\d` from every `method=` on, for 50 to 200 ns an event: more
 * than PCRE2's compiled code takes for the whole expression. ` status=5` costs it a few, and finds nearly the
 * same events. So where something repeats without end inside an expression, Hyperscan looks for a part of it,
 * and PCRE2 at the events found. */
#pragma once

#include "regex/regex.h"

/* A Java expression (no flags) that is found in every text in which `pattern` (no flags) is found; malloc'ed.
 * NULL: there is none worth it, ask `pattern` itself. `pattern` must be one that ps_regex_create takes. */
char *ps_regex_fragment(const char *pattern);

/* The same as an expression that Hyperscan can run, to be destroyed; NULL as above. `regex` is found
 * (PS_REGEX_FIND). Thread: control. */
struct ps_regex *ps_regex_fragment_of(const struct ps_regex *regex);
