/* The numbers of keys of the types INT and SIZE: what they may look like, and what to write in place of a text that is none.
 * Used by bind.c alone. bind.h declares what others use (ps_parse_int, ps_parse_size). Thread: control, or the helper of a start or
 * reload. */
#pragma once

#include "core/arena.h"
#include "core/option.h"

/* Reads the value of a key; the key's range is the caller's to compare. Returns false if the text is no number of this key,
 * or one of more than 64 bits. */
bool ps_number_read(struct ps_arena *arena, const struct ps_option *option, const char *text, int64_t *value);

/* Returns whether the text is a whole number, of any length. */
bool ps_number_is_digits(const char *text);

/* Returns how to write a value of this key. */
const char *ps_number_cure(struct ps_arena *arena, const struct ps_option *option);
