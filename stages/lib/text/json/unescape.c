/* Decodes the escapes in a JSON text. Thread: any. */
#include "core/text/hex.h"
#include "core/text/utf8.h"
#include "stages/lib/text/json/text.h"

#include <string.h>

static uint32_t hex4(const char *at)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++) {
        value = value << 4 | (uint32_t)ps_hex_digit(at[i]);
    }
    return value;
}

/* "\uXXXX", and the second half of a pair if it follows. */
static const char *unicode(const char *at, const char *end, const char *lone, char **out)
{
    uint32_t code = hex4(at + 2);
    at += 6;
    if (code < 0xD800 || code > 0xDFFF) {
        *out += ps_utf8_put(*out, code);
        return at;
    }
    if (code < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
        uint32_t second = hex4(at + 2);
        if (second >= 0xDC00 && second <= 0xDFFF) {
            *out += ps_utf8_put(*out, 0x10000 + ((code - 0xD800) << 10) + (second - 0xDC00));
            return at + 6;
        }
    }
    size_t length = strlen(lone);
    memcpy(*out, lone, length);
    *out += length;
    return at;
}

uint32_t ps_json_unescape(const char *text, uint32_t length, const char *lone, char *out)
{
    static const char letters[] = "tbnrf", meant[] = "\t\b\n\r\f";
    const char *at = text, *end = text + length;
    char *begin = out;
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((escape != NULL ? escape : end) - at);
        memmove(out, at, plain);
        out += plain;
        if (escape == NULL)
            break;
        at = escape;
        const char *letter = memchr(letters, at[1], sizeof letters - 1);
        if (at[1] == 'u') {
            at = unicode(at, end, lone, &out);
        } else {
            *out++ = letter != NULL ? meant[letter - letters] : at[1];
            at += 2;
        }
    }
    return (uint32_t)(out - begin);
}
