/* A fast check whether a line is plain text, so that the parser can skip slower checks. Plain means: every
 * byte is ASCII and none is a control character below 0x0E (NUL, tab, newline, CR, ..). Thread: any; no state. */
#pragma once

#include "core/base.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Returns the number of plain bytes with which the text begins. */
static inline size_t ps_text_plain_length(const char *text, size_t length)
{
    size_t i = 0;
#ifdef __SSE2__
    const __m128i limit =
        _mm_set1_epi8(14); /* compared as signed: bytes from 0x80 up are negative, so they are below 14 */
    for (; i + 16 <= length; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(text + i));
        int others = _mm_movemask_epi8(_mm_cmplt_epi8(bytes, limit));
        if (others != 0)
            return i + (size_t)__builtin_ctz((unsigned)others);
    }
#endif
    while (i < length && (signed char)text[i] >= 14)
        i++;
    return i;
}

static inline bool ps_text_is_plain(const char *text, size_t length)
{
    return ps_text_plain_length(text, length) == length;
}

/* Returns the newline of [from, length), or NULL, and sets *plain to whether the bytes before it are plain. One pass
 * finds both, because a newline is not plain. */
static inline const char *ps_text_find_newline(const char *line, uint32_t from, uint32_t length, bool *plain)
{
    *plain = true;
    if (from >= length)
        return NULL;
    const char *stop = line + from + ps_text_plain_length(line + from, length - from), *end = line + length;
    if (stop == end || *stop == '\n')
        return stop < end ? stop : NULL;
    *plain = false;
    return memchr(stop, '\n', (size_t)(end - stop));
}
