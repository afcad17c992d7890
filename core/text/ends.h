/* The end of a text. Thread: any. */
#pragma once

#include "core/base.h"

#include <string.h>

/* Returns whether the text ends with `end`, or is equal to `end`. */
static inline bool ps_text_ends(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && memcmp(text + length - end_length, end, end_length) == 0;
}
