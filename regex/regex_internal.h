/* Shared by regex/regex.c and regex/replacement.c: a subject is made well-formed once, then searched many
 * times. Thread: worker. */
#pragma once

#include "regex/regex.h"

/* Returns the subject itself, or its repaired copy in the scratch. `*start` becomes an offset into the
 * result. `data` is NULL when there is no memory for the copy: the caller counts the match as given up
 * (ps_regex_give_up). */
struct ps_slice ps_regex_well_formed(struct ps_regex_scratch *scratch, const char *subject, size_t length,
                                     size_t *start);

void ps_regex_give_up(struct ps_regex_scratch *scratch);

/* Like ps_regex_find, on the result of ps_regex_well_formed. `after_empty` means that the previous match was
 * empty and lies one character before `start`. */
bool ps_regex_find_well_formed(const struct ps_regex *regex, struct ps_regex_scratch *scratch,
                               struct ps_slice subject, size_t start, bool after_empty,
                               struct ps_slice *groups, unsigned count);
