/* "Did you mean": finds the word nearest to what was written. Thread: any. */
#pragma once

#include "core/base.h"

/* By Damerau-Levenshtein distance (optimal string alignment); case does not matter. */
struct ps_nearest {
    const char *written;
    const char *word; /* NULL: none is near enough */
    unsigned distance;
};

void ps_nearest_init(struct ps_nearest *nearest, const char *written);
void ps_nearest_offer(struct ps_nearest *nearest, const char *word);
