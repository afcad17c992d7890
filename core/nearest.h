/* "did you mean": the nearest of some words to what was written. Thread: any; pure. */
#pragma once

#include "core/base.h"

/* The nearest of some words to what was written: Damerau-Levenshtein (optimal string alignment) without
 * regard to case. */
struct ps_nearest {
    const char *written;
    const char *word; /* NULL: none is near enough */
    unsigned distance;
};

void ps_nearest_init(struct ps_nearest *nearest, const char *written);
void ps_nearest_offer(struct ps_nearest *nearest, const char *word);
