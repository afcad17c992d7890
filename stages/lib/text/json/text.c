#include "stages/lib/text/json/text.h"

#include <endian.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* Returns the high bit of the bytes among eight that need an escape: below 0x20, a quote or a backslash; those of 0x80 and above do not.
 * The bits above the first one may be wrong. (Hacker's Delight: a byte of x is 0 where (x - ONES) & ~x has its high bit set.) */
static uint64_t specials(uint64_t eight)
{
    uint64_t quote = eight ^ (ONES * '"'), backslash = eight ^ (ONES * '\\');
    uint64_t found = (eight - ONES * 0x20) & ~eight;
    found |= (quote - ONES) & ~quote;
    found |= (backslash - ONES) & ~backslash;
    return le64toh(found & HIGHS);
}

static char *escape(char *to, unsigned char byte)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[0x20] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    *to++ = '\\';
    if (byte == '"' || byte == '\\') {
        *to++ = (char)byte;
    } else if (letters[byte] != 0) {
        *to++ = letters[byte];
    } else {
        memcpy(to, "u00", 3);
        to[3] = hex[byte >> 4];
        to[4] = hex[byte & 15];
        to += 5;
    }
    return to;
}

/* Copies up to the first byte that needs an escape. Returns the number of bytes. */
static size_t copy_plain(char *to, const char *text, size_t length)
{
    size_t i = 0;
    uint64_t eight, found;
#ifdef __SSE2__
    for (; length - i >= 16; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(text + i));
        __m128i special = _mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes),
                                       _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                                                    _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
        int mask = _mm_movemask_epi8(special);
        _mm_storeu_si128((__m128i *)(void *)(to + i), bytes);
        if (mask != 0)
            return i + (size_t)__builtin_ctz((unsigned)mask);
    }
#endif
    for (; length - i >= sizeof eight; i += sizeof eight) {
        memcpy(&eight, text + i, sizeof eight);
        memcpy(to + i, &eight, sizeof eight);
        if ((found = specials(eight)) != 0)
            return i + (size_t)__builtin_ctzll(found) / 8;
    }
    for (; i < length && (unsigned char)text[i] >= 0x20 && text[i] != '"' && text[i] != '\\'; i++)
        to[i] = text[i];
    return i;
}

size_t ps_json_plain_length(const char *text, size_t length)
{
    size_t i = 0;
#ifdef __SSE2__
    const __m128i limit = _mm_set1_epi8(0x20); /* compared as signed: bytes from 0x80 up are below it */
    for (; length - i >= 16; i += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(text + i));
        __m128i others = _mm_or_si128(
            _mm_or_si128(_mm_cmplt_epi8(bytes, limit), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7F))),
            _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')),
                         _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
        int mask = _mm_movemask_epi8(others);
        if (mask != 0)
            return i + (size_t)__builtin_ctz((unsigned)mask);
    }
#endif
    while (i < length && (signed char)text[i] >= 0x20 && text[i] != 0x7F && text[i] != '"' && text[i] != '\\')
        i++;
    return i;
}

size_t ps_json_text(const char *text, size_t length, char *to)
{
    const char *begin = to, *end = text + length;
    while (text < end) {
        size_t copied = copy_plain(to, text, (size_t)(end - text));
        text += copied;
        to += copied;
        if (text < end)
            to = escape(to, (unsigned char)*text++);
    }
    return (size_t)(to - begin);
}
