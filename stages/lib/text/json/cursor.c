#include "stages/lib/text/json/cursor.h"

#include "core/text/hex.h"
#include "core/text/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_BYTES 24U

int ps_json_peek(struct ps_json_cursor *cursor)
{
    while (cursor->at < cursor->end && strchr(" \t\r\n", *cursor->at) != NULL && *cursor->at != '\0')
        cursor->at++;
    return cursor->at < cursor->end ? (unsigned char)*cursor->at : -1;
}

bool ps_json_accept(struct ps_json_cursor *cursor, char character)
{
    if (ps_json_peek(cursor) != character)
        return false;
    cursor->at++;
    return true;
}

static bool hex4(struct ps_json_cursor *cursor, uint32_t *value)
{
    *value = 0;
    if (cursor->end - cursor->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int digit = ps_hex_digit(*cursor->at++);
        if (digit < 0)
            return false;
        *value = *value * 16 + (uint32_t)digit;
    }
    return true;
}

/* Takes \uXXXX, and the second half of a surrogate pair. */
static char *unicode_take(struct ps_json_cursor *cursor, char *to)
{
    uint32_t code, low;
    if (!hex4(cursor, &code))
        return NULL;
    if (code >= 0xD800 && code < 0xDC00 && cursor->end - cursor->at >= 6 && cursor->at[0] == '\\' &&
        cursor->at[1] == 'u') {
        cursor->at += 2;
        if (!hex4(cursor, &low) || low < 0xDC00 || low > 0xDFFF)
            return NULL;
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    return to + ps_utf8_put(to, code >= 0xD800 && code < 0xE000 ? 0xFFFD : code);
}

/* Decoding does not lengthen a string, so there is room. */
bool ps_json_string_take(struct ps_json_cursor *cursor)
{
    static const char from[] = "\"\\/bfnrt", to_what[] = "\"\\/\b\f\n\r\t";
    char *to = cursor->string;
    if (!ps_json_accept(cursor, '"'))
        return false;
    while (cursor->at < cursor->end && *cursor->at != '"') {
        char character = *cursor->at++;
        if (character != '\\') {
            *to++ = character;
            continue;
        }
        if (cursor->at == cursor->end)
            return false;
        character = *cursor->at++;
        const char *place = character != '\0' ? strchr(from, character) : NULL;
        if (character == 'u')
            to = unicode_take(cursor, to);
        else if (place != NULL)
            *to++ = to_what[place - from];
        else
            return false;
        if (to == NULL)
            return false;
    }
    *to = '\0';
    return cursor->at++ < cursor->end;
}

static bool number_of(const char *digits, int64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoll(digits, &end, 10);
    return end != digits && *end == '\0' && errno == 0;
}

bool ps_json_number_take(struct ps_json_cursor *cursor, int64_t *value)
{
    char digits[DIGITS_BYTES];
    size_t length = 0;
    if (ps_json_peek(cursor) < 0)
        return false;
    while (cursor->at < cursor->end && length < sizeof digits - 1 &&
           strchr("-0123456789", *cursor->at) != NULL && *cursor->at != '\0')
        digits[length++] = *cursor->at++;
    digits[length] = '\0';
    return number_of(digits, value);
}

bool ps_json_quoted_number_take(struct ps_json_cursor *cursor, int64_t *value)
{
    if (ps_json_peek(cursor) != '"')
        return ps_json_number_take(cursor, value);
    return ps_json_string_take(cursor) && strlen(cursor->string) < DIGITS_BYTES &&
           number_of(cursor->string, value);
}

static bool skip(struct ps_json_cursor *cursor, unsigned depth)
{
    int first = ps_json_peek(cursor);
    if (first == '"')
        return ps_json_string_take(cursor);
    if (first != '{' && first != '[') {
        const char *start = cursor->at;
        while (cursor->at < cursor->end && strchr(",]} \t\r\n", *cursor->at) == NULL)
            cursor->at++;
        return cursor->at > start;
    }
    cursor->at++;
    char last = first == '{' ? '}' : ']';
    if (depth == PS_JSON_DEPTH_MAX)
        return false;
    if (ps_json_accept(cursor, last))
        return true;
    do {
        if (first == '{' && (!ps_json_string_take(cursor) || !ps_json_accept(cursor, ':')))
            return false;
        if (!skip(cursor, depth + 1))
            return false;
    } while (ps_json_accept(cursor, ','));
    return ps_json_accept(cursor, last);
}

bool ps_json_skip(struct ps_json_cursor *cursor)
{
    return skip(cursor, 0);
}
