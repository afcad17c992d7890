/* See rules/text.h. */
#include "regex/rules/text.h"

#include <ctype.h>
#include <string.h>

#include "core/text/hex.h"
#include "core/text/utf8.h"

/* Parses `count` hexadecimal digits at `at`. Returns -1 if they are not there. */
static int32_t hex(const char *at, const char *end, int count)
{
    int32_t number = 0;
    if (end - at < count)
        return -1;
    for (int i = 0; i < count; i++) {
        int digit = ps_hex_digit(at[i]);
        if (digit < 0)
            return -1;
        number = number * 16 + digit;
    }
    return number;
}

/* Parses \uHHHH, or a surrogate pair of two of them. */
static const char *unescape_unicode(const char *at, const char *end, size_t *taken, char *out, size_t *made)
{
    int32_t first = hex(at + 2, end, 4);
    if (first < 0)
        return "\\u takes four hexadecimal digits, \\u00e9";
    *taken = 6;
    uint32_t code = (uint32_t)first;
    if (first >= 0xd800 && first < 0xe000) {
        int32_t second = end - at >= 12 && at[6] == '\\' && at[7] == 'u' ? hex(at + 8, end, 4) : -1;
        if (first >= 0xdc00 || second < 0xdc00 || second >= 0xe000)
            return "half of a surrogate pair is not a character; write both halves, or the character itself";
        *taken = 12;
        code = 0x10000 + (((uint32_t)first & 0x3ff) << 10) + ((uint32_t)second & 0x3ff);
    }
    *made = ps_utf8_put(out, code);
    return NULL;
}

const char *ps_rules_text_unescape(const char *at, const char *end, size_t *taken, char *out, size_t *made)
{
    static const char plain[] = "\"\\nrt", means[] = "\"\\\n\r\t";
    *taken = 1;
    *made = 0;
    char c = at + 1 < end ? at[1] : '\0';
    const char *found = c != '\0' ? strchr(plain, c) : NULL;
    if (found != NULL) {
        *taken = 2;
        *made = 1;
        *out = means[found - plain];
        return NULL;
    }
    if (c == 'u')
        return unescape_unicode(at, end, taken, out, made);
    if (c == 'x') {
        int32_t byte = hex(at + 2, end, 2);
        if (byte < 0)
            return "\\x takes two hexadecimal digits, \\x0a";
        *taken = 4;
        *made = 1;
        *out = (char)byte;
        return NULL;
    }
    return "write \\\\ for a backslash";
}

bool ps_rules_text_count(const char *text, size_t length, uint64_t max, uint64_t *number)
{
    uint64_t value = 0;
    if (length == 0 || length > 18)
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *number = value;
    return value <= max;
}

bool ps_rules_number(const char *text, size_t length, double *number)
{
    static const double powers[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    size_t at = length > 0 && text[0] == '-' ? 1 : 0;
    uint64_t value = 0;
    size_t digits = 0, seen = 0, behind = 0;
    bool point = false;
    for (; at < length; at++) {
        if (text[at] == '.' && !point && seen > 0) {
            point = true;
            continue;
        }
        if (text[at] < '0' || text[at] > '9')
            return false;
        seen++;
        behind += point;
        digits += digits > 0 || text[at] != '0';
        if (digits > 15 || behind > 15)
            return false;
        value = value * 10 + (uint64_t)(text[at] - '0');
    }
    if (seen == 0 || (point && behind == 0))
        return false;
    double result = (double)value / powers[behind]; /* both operands are exact: rounded once */
    *number = text[0] == '-' ? -result : result;
    return true;
}

const char *ps_rules_text_bad_byte(const char *text, size_t length, bool *nul)
{
    size_t valid = ps_utf8_valid_length(text, length);
    const char *zero = memchr(text, '\0', valid);
    *nul = zero != NULL;
    if (zero != NULL)
        return zero;
    return valid < length ? text + valid : NULL;
}
