#include "stages/lib/text/json/text.h"

#include <string.h>

#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

/* Tells whether one of eight bytes needs an escape: below 0x20, a quote or a backslash. Bytes of 0x80 and
 * above do not. (Hacker's Delight: a byte of x is 0 where (x - ONES) & ~x has its high bit set.) */
static bool has_special(uint64_t eight)
{
    uint64_t quote = eight ^ (ONES * '"'), backslash = eight ^ (ONES * '\\');
    uint64_t found = (eight - ONES * 0x20) & ~eight;
    found |= (quote - ONES) & ~quote;
    found |= (backslash - ONES) & ~backslash;
    return (found & HIGHS) != 0;
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

size_t ps_json_text(const char *text, size_t length, char *to)
{
    const char *begin = to, *end = text + length;
    while (text < end) {
        uint64_t eight;
        while (end - text >= (ptrdiff_t)sizeof eight) {
            memcpy(&eight, text, sizeof eight);
            if (has_special(eight))
                break;
            memcpy(to, &eight, sizeof eight);
            text += sizeof eight;
            to += sizeof eight;
        }
        for (unsigned i = 0; i < sizeof eight && text < end; i++, text++) {
            unsigned char byte = (unsigned char)*text;
            if (byte < 0x20 || byte == '"' || byte == '\\')
                to = escape(to, byte);
            else
                *to++ = (char)byte;
        }
    }
    return (size_t)(to - begin);
}
