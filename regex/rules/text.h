/* Small text operations of the rules language: escapes and numbers. Thread: any; pure. */
#pragma once

#include "regex/rules/rules.h"

/* Parses one escape that begins at `at` (a backslash) in a text that ends at `end`. `*taken` source bytes become
 * `*made` bytes at `out` (never more than `*taken`). Returns NULL on success. If the text is not an escape, returns
 * advice for the user, and `*taken` is the number of bytes to skip. */
const char *ps_rules_text_unescape(const char *at, const char *end, size_t *taken, char *out, size_t *made);

/* Parses decimal digits without a sign. Returns true for a number up to `max`. */
bool ps_rules_text_count(const char *text, size_t length, uint64_t max, uint64_t *number);

/* Returns the first byte that is NUL or not UTF-8, or NULL when the text is fine. `*nul` tells which. */
const char *ps_rules_text_bad_byte(const char *text, size_t length, bool *nul);
