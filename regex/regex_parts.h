/* What regex/regex.c and regex/replacement.c share: a subject is made well-formed once, then searched many
 * times. Thread: worker. */
#pragma once

#include "regex/regex.h"

/* The subject itself, or its repaired copy in the scratch; `*start` becomes an offset in it. */
struct ps_slice ps_regex_well_formed(struct ps_regex_scratch *scratch, const char *subject, size_t length,
                                     size_t *start);

/* As ps_regex_find, for what ps_regex_well_formed returned; `after_empty`: the match before was empty and one
 * character behind `start`. */
bool ps_regex_find_well_formed(const struct ps_regex *regex, struct ps_regex_scratch *scratch,
                               struct ps_slice subject, size_t start, bool after_empty,
                               struct ps_slice *groups, unsigned count);
