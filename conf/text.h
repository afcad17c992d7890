/* Java's small text operations, as Flume uses them on keys and values: trim, split. Thread: the control
 * thread. Results live in the arena. */
#pragma once

#include "core/arena.h"
#include "core/option.h"

/* String.trim: everything up to and including U+0020 at both ends. */
const char *ps_text_trim(struct ps_arena *arena, const char *text);

/* String.split("\\s+") of a trimmed text: blank, tab, newline, vertical tab, form feed, carriage return. At
 * most `PS_TEXT_LIST_MAX` items. */
struct ps_texts ps_text_split_blanks(struct ps_arena *arena, const char *text);

/* Separated by commas; blanks around items and empty items dropped. */
struct ps_texts ps_text_split_commas(struct ps_arena *arena, const char *text);

/* StringTokenizer(text, " "): the blank alone separates, a tab does not. */
struct ps_texts ps_text_split_spaces(struct ps_arena *arena, const char *text);

#define PS_TEXT_LIST_MAX 4096

bool ps_text_begins(const char *text, const char *prefix);
bool ps_texts_have(const struct ps_texts *texts, const char *item);

/* Without repeats, first ones kept. */
struct ps_texts ps_texts_unique(struct ps_arena *arena, struct ps_texts texts);

/* "a, b, c" */
const char *ps_texts_join(struct ps_arena *arena, const struct ps_texts *texts);
