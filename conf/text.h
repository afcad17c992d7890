/* Java's small text operations, as Flume uses them on keys and values: trim, split. Thread: the control
 * thread. Results live in the arena. */
#pragma once

#include "core/arena.h"
#include "core/option.h"

/* Like String.trim: removes everything up to and including U+0020 at both ends. */
const char *ps_text_trim(struct ps_arena *arena, const char *text);

/* Like String.split("\\s+") on a trimmed text: splits at blank, tab, newline, vertical tab, form feed and
 * carriage return. Returns at most PS_TEXT_LIST_MAX items. */
struct ps_texts ps_text_split_blanks(struct ps_arena *arena, const char *text);

/* Splits at commas; drops blanks around items, and empty items. */
struct ps_texts ps_text_split_commas(struct ps_arena *arena, const char *text);

/* Like StringTokenizer(text, " "): splits at blanks, not at tabs. */
struct ps_texts ps_text_split_spaces(struct ps_arena *arena, const char *text);

#define PS_TEXT_LIST_MAX 4096

bool ps_text_begins(const char *text, const char *prefix);
/* Returns the value of the last pair with this key, or NULL: a later -D option overrides an earlier one. */
const char *ps_pairs_get_last(const struct ps_pairs *pairs, const char *key);
bool ps_texts_have(const struct ps_texts *texts, const char *item);

/* Appends the text, which is not copied. */
void ps_texts_add(struct ps_arena *arena, struct ps_texts *texts, const char *text);

/* Appends the pair. Copies of the list that were made before keep what they have. */
void ps_pairs_add(struct ps_arena *arena, struct ps_pairs *pairs, struct ps_pair pair);

/* Returns the texts without repeats; the first of equal texts stays. */
struct ps_texts ps_texts_unique(struct ps_arena *arena, struct ps_texts texts);

/* Returns "a, b, c". */
const char *ps_texts_join(struct ps_arena *arena, const struct ps_texts *texts);
