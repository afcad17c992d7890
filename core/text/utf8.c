#include "core/text/utf8.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

static bool is_tail(uint8_t byte)
{
    return (byte & 0xC0) == 0x80;
}

/* Returns whether the second byte of a three-byte form is wrong for the first (the third byte reveals surrogates). */
static bool is_bad3(uint8_t first, uint8_t second)
{
    return (first == 0xE0 && (second & 0xE0) == 0x80) || !is_tail(second);
}

static bool is_bad4(uint8_t first, uint8_t second)
{
    return first > 0xF4 || (first == 0xF0 && second < 0x90) || (first == 0xF4 && (second & 0xF0) != 0x80) ||
           !is_tail(second);
}

size_t ps_utf8_sequence(const char *text, size_t left, size_t *malformed)
{
    const uint8_t *p = (const uint8_t *)text;
    uint8_t first = p[0];
    if (first < 0x80)
        return 1;
    *malformed = 1;
    if (first >= 0xC2 && first <= 0xDF)
        return left >= 2 && is_tail(p[1]) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        if (left < 2 || is_bad3(first, p[1]))
            return 0;
        *malformed = 2;
        if (left < 3 || !is_tail(p[2]))
            return 0;
        *malformed = 3;
        return first == 0xED && p[1] >= 0xA0 ? 0 : 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        if (left < 2 || is_bad4(first, p[1]))
            return 0;
        *malformed = 2;
        if (left < 3 || !is_tail(p[2]))
            return 0;
        *malformed = 3;
        return left >= 4 && is_tail(p[3]) ? 4 : 0;
    }
    return 0;
}

static const uint8_t *skip_ascii(const uint8_t *p, const uint8_t *end)
{
    uint64_t word;
#ifdef __SSE2__
    while (end - p >= 64) {
        const __m128i *at = (const __m128i *)(const void *)p;
        __m128i some = _mm_or_si128(_mm_or_si128(_mm_loadu_si128(at), _mm_loadu_si128(at + 1)),
                                    _mm_or_si128(_mm_loadu_si128(at + 2), _mm_loadu_si128(at + 3)));
        if (_mm_movemask_epi8(some) != 0)
            break;
        p += 64;
    }
#endif
    while (end - p >= 8) {
        memcpy(&word, p, 8);
        if (word & UINT64_C(0x8080808080808080))
            break;
        p += 8;
    }
    while (p < end && *p < 0x80)
        p++;
    return p;
}

bool ps_utf8_is_ascii(const char *text, size_t length)
{
    const uint8_t *p = (const uint8_t *)text;
    return length == 0 || skip_ascii(p, p + length) == p + length;
}

size_t ps_utf8_valid_length(const char *text, size_t length)
{
    if (length == 0) /* text may be NULL */
        return 0;
    const uint8_t *start = (const uint8_t *)text, *p = start, *end = start + length;
    size_t skip;
    while ((p = skip_ascii(p, end)) < end) {
        size_t good = ps_utf8_sequence((const char *)p, (size_t)(end - p), &skip);
        if (good == 0)
            break;
        p += good;
    }
    return (size_t)(p - start);
}

size_t ps_utf8_repair(const char *text, size_t length, char *out)
{
    if (length == 0)
        return 0;
    const uint8_t *p = (const uint8_t *)text, *end = p + length;
    char *to = out;
    size_t skip;
    while (p < end) {
        const uint8_t *stop = skip_ascii(p, end);
        memcpy(to, p, (size_t)(stop - p));
        to += stop - p;
        p = stop;
        if (p == end)
            break;
        size_t good = ps_utf8_sequence((const char *)p, (size_t)(end - p), &skip);
        if (good > 0) {
            memcpy(to, p, good);
            to += good;
            p += good;
        } else {
            memcpy(to, "\xEF\xBF\xBD", 3);
            to += 3;
            p += skip;
        }
    }
    return (size_t)(to - out);
}

size_t ps_utf8_char_count(const char *text, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)text[i];
        count += !is_tail(byte);
        count += byte >= 0xF0; /* a code point of four bytes is two chars in Java, a pair of surrogates */
    }
    return count;
}

bool ps_utf8_has_terminator(const char *text, size_t length)
{
    const uint8_t *p = (const uint8_t *)text;
    for (size_t i = 0; i + 1 < length; i++) {
        if (p[i] == 0xC2 && p[i + 1] == 0x85)
            return true;
        if (p[i] == 0xE2 && i + 2 < length && p[i + 1] == 0x80 && (p[i + 2] & 0xFE) == 0xA8)
            return true;
    }
    return false;
}

size_t ps_utf8_get(const char *text, size_t length, uint32_t *code)
{
    const uint8_t *p = (const uint8_t *)text;
    size_t skip, bytes = ps_utf8_sequence(text, length, &skip);
    *code = bytes == 1 ? p[0] : bytes > 1 ? p[0] & (0xFFU >> (bytes + 1)) : 0;
    for (size_t i = 1; i < bytes; i++)
        *code = *code << 6 | (p[i] & 0x3FU);
    return bytes;
}

size_t ps_utf8_put(char *to, uint32_t code)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, code >>= 6)
        to[i] = (char)(0x80 | (code & 0x3f));
    to[0] = (char)(0xf00U >> length | code);
    return length;
}
