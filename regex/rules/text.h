/* Small text operations of the rules language: escapes, numbers. Thread: any; pure. */
#pragma once

#include "regex/rules/rules.h"

/* One escape that begins at `at` (a backslash) of a text that ends at `end`: `*taken` bytes of it become
 * `*made` bytes at `out` (at most as many). NULL, or what to advise when it is none; then `*taken` says how
 * far to go on. */
const char *ps_rules_text_unescape(const char *at, const char *end, size_t *taken, char *out, size_t *made);

/* Decimal digits only, no sign: true when it is a number up to `max`. */
bool ps_rules_text_count(const char *text, size_t length, uint64_t max, uint64_t *number);

/* Where UTF-8 or the absence of NUL ends; NULL when the text is fine. `*nul` tells which. */
const char *ps_rules_text_bad_byte(const char *text, size_t length, bool *nul);
