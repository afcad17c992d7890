#include "stages/lib/text/json/cursor.h"

#include "core/text/utf8.h"
#include "stages/lib/text/json/text.h"

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

/* Decodes the escape at the cursor to `to`, and returns the end of the written bytes. NULL: the text is not an
 * escape, or is half of a pair that is followed by a \uXXXX other than the second half. */
static char *escape_take(struct ps_json_cursor *cursor, char *to)
{
    uint32_t code;
    if (!ps_json_escape_take(&cursor->at, cursor->end, &code))
        return NULL;
    if (code >= 0xD800 && code < 0xDC00 && cursor->end - cursor->at >= 2 && memcmp(cursor->at, "\\u", 2) == 0)
        return NULL;
    return to + ps_utf8_put(to, ps_json_is_half(code) ? 0xFFFD : code);
}

/* Decoding does not lengthen a string, so there is room. */
bool ps_json_string_take(struct ps_json_cursor *cursor)
{
    char *to = cursor->string;
    if (!ps_json_accept(cursor, '"'))
        return false;
    while (cursor->at < cursor->end && *cursor->at != '"') {
        if (*cursor->at != '\\')
            *to++ = *cursor->at++;
        else if ((to = escape_take(cursor, to)) == NULL)
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
