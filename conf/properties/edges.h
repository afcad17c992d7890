/* Values with typographic quotes, or with blanks that only look like blanks, around them: what a word processor or a web page makes of
 * "x". Thread: control. */
#pragma once

#include "conf/problem.h"

/* Warns, with the plain value as the cure, if `value` (UTF-8) begins or ends with such a character, and returns whether it did.
 * `is_escaped`: the file has it as \u201c, which expressions may mean. */
bool ps_edges_warn(const char *value, bool is_escaped, struct ps_place place, struct ps_problems *problems);

/* Returns what such a character is ("typographic quote"); NULL: it is none. */
const char *ps_edge_noun(unsigned code);

/* Returns whether `value` begins or ends with such a character. */
bool ps_edges_are_odd(const char *value);
