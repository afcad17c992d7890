/* Parses JSON as Jackson 1.9 does with its default settings. */
#include "core/text/utf8.h"
#include "stages/lib/hive/json_internal.h"
#include "stages/lib/text/json/text.h"

#include <stdarg.h>
#include <string.h>

bool ps_hive_json_wrong(struct ps_hive_json_text *text, const char *format, ...)
{
    char reason[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    ps_err_set(text->err, "JSON, byte %zu%s%s: %s", (size_t)(text->at - text->begin),
               text->column != NULL ? ", column " : "", text->column != NULL ? text->column : "", reason);
    return false;
}

char ps_hive_json_peek(struct ps_hive_json_text *text)
{
    while (text->at < text->end &&
           (*text->at == ' ' || *text->at == '\t' || *text->at == '\n' || *text->at == '\r'))
        text->at++;
    return text->at < text->end ? *text->at : '\0';
}

bool ps_hive_json_take(struct ps_hive_json_text *text, char wanted)
{
    if (ps_hive_json_peek(text) != wanted || text->at == text->end)
        return false;
    text->at++;
    return true;
}

static bool unexpected(struct ps_hive_json_text *text, const char *wanted)
{
    unsigned char byte = text->at < text->end ? (unsigned char)*text->at : 0;
    if (text->at == text->end)
        return ps_hive_json_wrong(text, "the text ends where %s is expected", wanted);
    if (byte > ' ' && byte < 0x7f)
        return ps_hive_json_wrong(text, "'%c' where %s is expected", byte, wanted);
    return ps_hive_json_wrong(text, "byte 0x%02x where %s is expected", byte, wanted);
}

bool ps_hive_json_next(struct ps_hive_json_text *text, char end, uint32_t *count, bool *well)
{
    *well = true;
    if (*count == 0 && ps_hive_json_take(text, end))
        return false;
    if (*count > 0) {
        if (ps_hive_json_take(text, end))
            return false;
        if (!ps_hive_json_take(text, ',')) {
            *well = unexpected(text, end == '}' ? "',' or '}'" : "',' or ']'");
            return false;
        }
    }
    ++*count;
    return true;
}

/* ---- strings ---- */

static bool check_escape(struct ps_hive_json_text *text, const char *at)
{
    text->at = at;
    if (at + 1 < text->end && at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL)
        return true;
    if (at + 1 == text->end || at[1] != 'u')
        return ps_hive_json_wrong(text, "an unknown escape");
    for (unsigned i = 2; i < 6; i++)
        if (at + i >= text->end || at[i] == '\0' || strchr("0123456789abcdefABCDEF", at[i]) == NULL)
            return ps_hive_json_wrong(text, "\\u needs four hexadecimal digits");
    return true;
}

/* Finds and takes the end of a string whose opening quote was taken. */
static bool scan_string(struct ps_hive_json_text *text, struct ps_slice *content, bool *has_escapes)
{
    const char *from = text->at, *at = from;
    bool is_ascii = true;
    *has_escapes = false;
    for (; at < text->end && *at != '"'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte < ' ') {
            text->at = at;
            return ps_hive_json_wrong(text, "a control character in a string");
        }
        is_ascii = is_ascii && byte < 0x80;
        if (byte == '\\') {
            if (!check_escape(text, at))
                return false;
            *has_escapes = true;
            at += at[1] == 'u' ? 5 : 1;
        }
    }
    text->at = at;
    if (at == text->end)
        return ps_hive_json_wrong(text, "a string without an end");
    *content = (struct ps_slice){from, (uint32_t)(at - from)};
    if (!is_ascii && ps_utf8_valid_length(from, content->length) < content->length)
        return ps_hive_json_wrong(text, "a string that is not UTF-8");
    text->at++;
    return true;
}

/* Reads a string. Half of a surrogate pair becomes a question mark, as in Java. */
static bool read_string(struct ps_hive_json_text *text, struct ps_slice *content)
{
    bool has_escapes;
    if (!scan_string(text, content, &has_escapes))
        return false;
    if (!has_escapes)
        return true;
    char *plain = ps_hive_row_memory_take(text->memory, content->length);
    if (plain == NULL)
        return ps_hive_json_wrong(text, "no memory");
    content->length = ps_json_unescape(content->data, content->length, "?", plain);
    content->data = plain;
    return true;
}

bool ps_hive_json_name(struct ps_hive_json_text *text, struct ps_slice *name)
{
    if (!ps_hive_json_take(text, '"'))
        return unexpected(text, "a name in quotes");
    return read_string(text, name) && (ps_hive_json_take(text, ':') || unexpected(text, "':'"));
}

/* ---- numbers and words ---- */

static bool is_digit(const struct ps_hive_json_text *text)
{
    return text->at < text->end && *text->at >= '0' && *text->at <= '9';
}

static bool take_digits(struct ps_hive_json_text *text)
{
    if (!is_digit(text))
        return unexpected(text, "a digit");
    while (is_digit(text))
        text->at++;
    return true;
}

static bool take_now(struct ps_hive_json_text *text, const char *letters)
{
    if (text->at == text->end || *text->at == '\0' || strchr(letters, *text->at) == NULL)
        return false;
    text->at++;
    return true;
}

static bool read_number(struct ps_hive_json_text *text, struct ps_hive_json_scalar *scalar)
{
    const char *from = text->at;
    scalar->kind = PS_HIVE_JSON_INTEGER;
    (void)take_now(text, "-");
    if (take_now(text, "0")) {
        if (is_digit(text))
            return ps_hive_json_wrong(text, "a number that begins with zero");
    } else if (!take_digits(text)) {
        return false;
    }
    if (take_now(text, ".")) {
        scalar->kind = PS_HIVE_JSON_REAL;
        if (!take_digits(text))
            return false;
    }
    if (take_now(text, "eE")) {
        scalar->kind = PS_HIVE_JSON_REAL;
        (void)take_now(text, "+-");
        if (!take_digits(text))
            return false;
    }
    scalar->text = (struct ps_slice){from, (uint32_t)(text->at - from)};
    return true;
}

static bool read_word(struct ps_hive_json_text *text, const char *word, struct ps_hive_json_scalar *scalar,
                      enum ps_hive_json_kind kind)
{
    uint32_t length = (uint32_t)strlen(word);
    if (text->end - text->at < (ptrdiff_t)length || memcmp(text->at, word, length) != 0)
        return ps_hive_json_wrong(text, "an unknown word");
    *scalar = (struct ps_hive_json_scalar){.kind = kind, .text = {text->at, length}};
    text->at += length;
    return true;
}

bool ps_hive_json_scalar_read(struct ps_hive_json_text *text, struct ps_hive_json_scalar *scalar)
{
    char first = ps_hive_json_peek(text);
    switch (first) {
    case '"':
        text->at++;
        scalar->kind = PS_HIVE_JSON_STRING;
        return read_string(text, &scalar->text);
    case 't':
        return read_word(text, "true", scalar, PS_HIVE_JSON_TRUE);
    case 'f':
        return read_word(text, "false", scalar, PS_HIVE_JSON_FALSE);
    case 'n':
        return read_word(text, "null", scalar, PS_HIVE_JSON_NULL);
    default:
        return first == '-' || is_digit(text) ? read_number(text, scalar) : unexpected(text, "a value");
    }
}

bool ps_hive_json_skip(struct ps_hive_json_text *text, unsigned depth)
{
    struct ps_hive_json_scalar scalar;
    struct ps_slice name;
    bool escaped, well = true;
    uint32_t count = 0;
    char first = ps_hive_json_peek(text);
    if (first == '"') {
        text->at++;
        return scan_string(text, &name, &escaped);
    }
    if (first != '{' && first != '[')
        return ps_hive_json_scalar_read(text, &scalar);
    if (depth == PS_HIVE_JSON_DEPTH_MAX)
        return ps_hive_json_wrong(text, "more than %u levels", PS_HIVE_JSON_DEPTH_MAX);
    text->at++;
    while (ps_hive_json_next(text, first == '{' ? '}' : ']', &count, &well)) {
        if (first == '{' && !ps_hive_json_name(text, &name))
            return false;
        if (!ps_hive_json_skip(text, depth + 1))
            return false;
    }
    return well;
}
