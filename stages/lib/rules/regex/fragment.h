/* Finds a fragment of an expression: a short part that every match contains, as a cheap check before the
 * expression itself is run. Thread: any; no state.
 *
 * Hyperscan follows `method=\w+ path=\S+ status=5\d` from every `method=` on, which takes 50 to 200 ns per
 * event: longer than PCRE2's compiled code takes for the whole expression. ` status=5` takes a few ns and
 * finds nearly the same events. So, if an expression has an unlimited repeat inside, Hyperscan searches a
 * fragment and PCRE2 checks the events found. */
#pragma once

#include "regex/regex.h"

/* Returns a Java expression (no flags) that is found in every text in which `pattern` (no flags) is found, or
 * NULL when no fragment is worth it. `pattern` must be one that ps_regex_create accepts. The caller frees the
 * text. */
char *ps_regex_fragment(const char *pattern);

/* Like ps_regex_fragment, for a compiled expression, which must be PS_REGEX_FIND. Returns an expression that
 * Hyperscan can run, which the caller destroys; NULL: no fragment is worth it. Thread: control. */
struct ps_regex *ps_regex_fragment_of(const struct ps_regex *regex);
