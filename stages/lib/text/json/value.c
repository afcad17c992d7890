#include "stages/lib/text/json/value.h"

#include <string.h>

#include "core/text/utf8.h"
#include "stages/lib/text/json/text.h"

#define CHUNK_BYTES 64U    /* below 256 */
#define REPAIRED_GROWTH 3U /* a malformed byte becomes at most three bytes */

/* ---- strings ---- */

/* Returns 1 for a byte that may become several. */
static inline unsigned char is_special(unsigned char byte)
{
    return (unsigned char)((byte < 0x20) | (byte == 0x7F) | (byte == '"') | (byte == '\\'));
}

size_t ps_json_string_bound(const char *text, size_t length)
{
    if (ps_json_plain_length(text, length) == length)
        return length;
    if (ps_utf8_valid_length(text, length) != length)
        return (PS_JSON_TEXT_GROWTH + REPAIRED_GROWTH) * length;
    size_t specials = 0, i = 0;
    for (; length - i >= CHUNK_BYTES; i += CHUNK_BYTES) {
        unsigned char count = 0; /* in a loop of a fixed length, which the compiler vectorizes */
        for (size_t k = 0; k < CHUNK_BYTES; k++)
            count = (unsigned char)(count + is_special((unsigned char)text[i + k]));
        specials += count;
    }
    for (; i < length; i++)
        specials += is_special((unsigned char)text[i]);
    return length + specials * (PS_JSON_TEXT_GROWTH - 1);
}

char *ps_json_string_put(char *to, const char *text, size_t length)
{
    size_t plain = ps_json_plain_length(text, length);
    if (plain > 0)
        memcpy(to, text, plain);
    if (plain == length)
        return to + length;
    if (ps_utf8_valid_length(text, length) == length)
        return to + plain + ps_json_text(text + plain, length - plain, to + plain);
    /* The repaired text lies behind what it can become, so that neither is written over the other. */
    char *repaired = to + PS_JSON_TEXT_GROWTH * length;
    return to + ps_json_text(repaired, ps_utf8_repair(text, length, repaired), to);
}

/* ---- values ---- */

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r'))
        at++;
    return at;
}

/* These functions return the end of the value that begins at `at`; NULL: it is malformed. */
static const char *string_end(const char *at, const char *end)
{
    for (at++; at < end && *at != '"';) {
        uint32_t code;
        if ((unsigned char)*at < 0x20)
            return NULL;
        if (*at != '\\')
            at++;
        else if (!ps_json_escape_take(&at, end, &code))
            return NULL;
    }
    return at < end ? at + 1 : NULL;
}

static const char *digits_end(const char *at, const char *end)
{
    const char *start = at;
    while (at < end && *at >= '0' && *at <= '9')
        at++;
    return at > start ? at : NULL;
}

static const char *number_end(const char *at, const char *end)
{
    at += at < end && *at == '-';
    const char *start = at;
    at = digits_end(at, end);
    if (at == NULL || (*start == '0' && at > start + 1))
        return NULL;
    if (at < end && *at == '.' && (at = digits_end(at + 1, end)) == NULL)
        return NULL;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        at = digits_end(at, end);
    }
    return at;
}

static const char *scalar_end(const char *at, const char *end)
{
    static const char *const words[] = {"true", "false", "null"};
    if (at < end && *at == '"')
        return string_end(at, end);
    for (size_t i = 0; i < PS_COUNT_OF(words); i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(end - at) >= length && memcmp(at, words[i], length) == 0)
            return at + length;
    }
    return number_end(at, end);
}

/* Takes the name of a member and its colon. */
static const char *name_end(const char *at, const char *end)
{
    at = skip_blanks(at, end);
    if (at == end || *at != '"' || (at = string_end(at, end)) == NULL)
        return NULL;
    at = skip_blanks(at, end);
    return at < end && *at == ':' ? at + 1 : NULL;
}

/* Closes the containers that end here. Returns the place of the next value; sets *depth to 0 when the whole value has ended. */
static const char *containers_end(const char *at, const char *end, const char *open, unsigned *depth)
{
    while (*depth > 0) {
        char last = open[*depth - 1] == '{' ? '}' : ']';
        at = skip_blanks(at, end);
        if (at < end && *at == ',')
            return last == '}' ? name_end(at + 1, end) : at + 1;
        if (at == end || *at != last)
            return NULL;
        at++;
        --*depth;
    }
    return at;
}

static const char *value_end(const char *at, const char *end)
{
    char open[PS_JSON_VALUE_DEPTH_MAX];
    unsigned depth = 0;
    do {
        at = skip_blanks(at, end);
        if (at < end && (*at == '{' || *at == '[')) {
            if (depth == PS_JSON_VALUE_DEPTH_MAX)
                return NULL;
            open[depth++] = *at;
            const char *next = skip_blanks(at + 1, end);
            if (next == end || *next != (*at == '{' ? '}' : ']')) {
                at = *at == '{' ? name_end(at + 1, end) : at + 1;
                if (at == NULL)
                    return NULL;
                continue;
            }
            at = next;
        } else if ((at = scalar_end(at, end)) == NULL) {
            return NULL;
        }
        at = containers_end(at, end, open, &depth);
    } while (at != NULL && depth > 0);
    return at;
}

bool ps_json_is_value(const char *text, size_t length)
{
    if (length == 0 || ps_utf8_valid_length(text, length) != length)
        return false;
    const char *end = text + length, *at = value_end(text, end);
    return at != NULL && skip_blanks(at, end) == end;
}

bool ps_json_is_object(const char *text, size_t length, struct ps_slice *inside)
{
    if (length == 0)
        return false;
    const char *end = text + length, *at = skip_blanks(text, end);
    if (at == end || *at != '{' || !ps_json_is_value(text, length))
        return false;
    at = skip_blanks(at + 1, end);
    while (end[-1] != '}')
        end--;
    end--;
    while (end > at && strchr(" \t\r\n", end[-1]) != NULL)
        end--;
    *inside = (struct ps_slice){.data = at, .length = (uint32_t)(end - at)};
    return true;
}

bool ps_json_object_has(struct ps_slice inside, const char *name, size_t length)
{
    const char *at = inside.data, *end = at + inside.length;
    while (at != NULL && at < end) {
        const char *first = skip_blanks(at, end), *value = name_end(first, end);
        if (value == NULL)
            return false;
        if ((size_t)(value - first) > length + 2 && first[length + 1] == '"' &&
            memcmp(first + 1, name, length) == 0)
            return true;
        at = value_end(value, end);
        at = at != NULL ? skip_blanks(at, end) : NULL;
        at = at != NULL && at < end ? at + 1 : NULL; /* the comma */
    }
    return false;
}
