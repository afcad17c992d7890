/* Decodes the escapes in a JSON text. Thread: any. */
#include "core/text/hex.h"
#include "core/text/utf8.h"
#include "stages/lib/text/json/text.h"

#include <string.h>

static bool unit(const char *at, const char *end, uint32_t *value)
{
    *value = 0;
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return false;
    for (unsigned i = 2; i < 6; i++) {
        int digit = ps_hex_digit(at[i]);
        if (digit < 0)
            return false;
        *value = *value << 4 | (uint32_t)digit;
    }
    return true;
}

bool ps_json_escape_take(const char **at, const char *end, uint32_t *code)
{
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    const char *letter = end - *at < 2 ? NULL : memchr(letters, (*at)[1], sizeof letters - 1);
    uint32_t low;
    if (letter != NULL) {
        *code = (unsigned char)meant[letter - letters];
        *at += 2;
        return true;
    }
    if (!unit(*at, end, code))
        return false;
    *at += 6;
    if (*code >= 0xD800 && *code < 0xDC00 && unit(*at, end, &low) && low >= 0xDC00 && low <= 0xDFFF) {
        *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
        *at += 6;
    }
    return true;
}

uint32_t ps_json_unescape(const char *text, uint32_t length, const char *lone, char *out)
{
    const char *at = text, *end = text + length;
    char *begin = out;
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t)(end - at));
        size_t plain = (size_t)((escape != NULL ? escape : end) - at);
        uint32_t code;
        memmove(out, at, plain);
        out += plain;
        if (escape == NULL)
            break;
        at = escape;
        if (!ps_json_escape_take(&at, end, &code)) { /* not an escape of JSON: the character itself */
            *out++ = at[1];
            at += 2;
        } else if (ps_json_is_half(code)) {
            out = stpcpy(out, lone);
        } else {
            out += ps_utf8_put(out, code);
        }
    }
    return (uint32_t)(out - begin);
}
