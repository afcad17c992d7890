/* "Did you mean": finds the known word nearest to a misspelt one. Thread: any. */
#pragma once

#include "core/base.h"

/* The search for a word; nearest by Damerau-Levenshtein distance (optimal string alignment), ignoring case. */
struct ps_nearest {
    const char *written;
    const char *word; /* NULL: no word is near enough */
    unsigned distance;
};

/* Begins with no word. `written` must live as long as `nearest`. */
void ps_nearest_init(struct ps_nearest *nearest, const char *written);
/* Keeps the word if it is nearer than those before it. The word must live as long as `nearest`. */
void ps_nearest_offer(struct ps_nearest *nearest, const char *word);
