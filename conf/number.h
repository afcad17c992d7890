/* The numbers of keys of the types INT and SIZE: how they are written, and what to write in place of a text that is not a number. Only
 * bind.c uses this file; bind.h declares ps_parse_int and ps_parse_size for others. Thread: control, or the helper of a start or reload. */
#pragma once

#include "core/arena.h"
#include "core/option.h"

/* Reads the value of a key. The caller compares it with the key's range. Returns false if the text is not a number that this key may have,
 * or if the number needs more than 64 bits. */
bool ps_number_read(struct ps_arena *arena, const struct ps_option *option, const char *text, int64_t *value);

/* Returns whether the text is a whole number, of any length. */
bool ps_number_is_digits(const char *text);

/* Returns how to write a value of this key. */
const char *ps_number_cure(struct ps_arena *arena, const struct ps_option *option);
