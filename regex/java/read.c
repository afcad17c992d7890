/* Reads a Java expression: code points, with quotations \Q..\E resolved. Skips white space and comments of
 * (?x) exactly where Java does. Called while translating; pure. */
#include <string.h>

#include "core/text/utf8.h"
#include "regex/java/internal.h"
#include "core/quantity.h"

uint32_t ps_java_at(const struct ps_java_parser *parser, size_t index)
{
    return index < parser->length ? parser->text[index] : 0;
}

static bool is_space(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_line_end(const struct ps_java_parser *parser, uint32_t c)
{
    if (parser->flags & PS_REGEX_UNIX_LINES)
        return c == '\n';
    return c == '\n' || c == '\r' || c == 0x85 || (c | 1) == 0x2029;
}

/* Leaves the cursor on the first character that is not skipped. */
static void skip_comments(struct ps_java_parser *parser)
{
    if (!(parser->flags & PS_REGEX_COMMENTS))
        return;
    for (;;) {
        uint32_t c = ps_java_at(parser, parser->cursor);
        if (is_space(c)) {
            parser->cursor++;
        } else if (c == '#') {
            while (parser->cursor < parser->length &&
                   !is_line_end(parser, ps_java_at(parser, parser->cursor)))
                parser->cursor++;
        } else {
            return;
        }
    }
}

uint32_t ps_java_peek(struct ps_java_parser *parser)
{
    skip_comments(parser);
    return ps_java_at(parser, parser->cursor);
}

uint32_t ps_java_read(struct ps_java_parser *parser)
{
    skip_comments(parser);
    return ps_java_at(parser, parser->cursor++);
}

uint32_t ps_java_next(struct ps_java_parser *parser)
{
    parser->cursor++;
    return ps_java_peek(parser);
}

uint32_t ps_java_next_raw(struct ps_java_parser *parser)
{
    return ps_java_at(parser, ++parser->cursor);
}

uint32_t ps_java_after_next(struct ps_java_parser *parser)
{
    parser->cursor += 2;
    return ps_java_at(parser, parser->cursor - 1);
}

/* Returns ": X in a properties file", where X is the first word of the cure that has a backslash, with each backslash
 * doubled, as Java's properties need it. Returns "" if no word has a backslash. */
static const char *in_properties(struct ps_arena *arena, const char *cure)
{
    const char *word = strchr(cure, '\\');
    if (word == NULL)
        return "";
    size_t length = strcspn(word, " ,"), to = 0;
    char *doubled = ps_arena_alloc(arena, 2 * length + 1);
    for (size_t i = 0; i < length; i++) {
        if (word[i] == '\\')
            doubled[to++] = '\\';
        doubled[to++] = word[i];
    }
    return ps_arena_format(arena, ": %s in a properties file", doubled);
}

void *ps_java_fail(struct ps_java_parser *parser, const char *reason, const char *cure)
{
    if (!parser->failed)
        ps_err_set(parser->err, "\"%s\" is not a valid expression: %s at offset %lld", parser->pattern,
                   reason, (long long)parser->cursor - 1);
    if (!parser->failed && cure != NULL)
        ps_err_append(parser->err, "%s%s", cure, in_properties(parser->arena, cure));
    parser->failed = true;
    return NULL;
}

static size_t decode(const char *text, size_t length, uint32_t *out)
{
    size_t count = 0;
    for (size_t i = 0; i < length; count++)
        i += ps_utf8_get(text + i, length - i, &out[count]);
    return count;
}

static bool is_letter(uint32_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

/* Copies the text from the first \Q on, with a backslash before characters that may have a special meaning.
 * `in` must end with two zeros. */
static size_t quotations_resolve(const uint32_t *in, size_t from, size_t length, uint32_t *out)
{
    size_t used = from;
    bool quoted = true, begins = true;
    for (size_t i = from + 2; i < length;) {
        uint32_t c = in[i++];
        if (c >= 0x80 || is_letter(c)) {
            out[used++] = c;
        } else if (c >= '0' && c <= '9') {
            if (begins) { /* elsewhere the character might continue an escape before it */
                out[used++] = '\\';
                out[used++] = 'x';
                out[used++] = '3';
            }
            out[used++] = c;
        } else if (c != '\\') {
            if (quoted)
                out[used++] = '\\';
            out[used++] = c;
        } else if (quoted && in[i] == 'E') {
            i++;
            quoted = false;
        } else if (quoted) {
            out[used++] = '\\';
            out[used++] = '\\';
        } else if (in[i] == 'Q') {
            i++;
            quoted = begins = true;
            continue;
        } else {
            out[used++] = c;
            if (i < length)
                out[used++] = in[i++];
        }
        begins = false;
    }
    return used;
}

bool ps_java_reader_open(struct ps_java_parser *parser)
{
    size_t length = strlen(parser->pattern);
    if (length > PS_REGEX_PATTERN_BYTES_MAX) {
        ps_err_set(parser->err, "the expression is longer than %s",
                   ps_quantity_print_bytes(PS_REGEX_PATTERN_BYTES_MAX).text);
        return false;
    }
    const char *bytes = parser->pattern;
    if (ps_utf8_valid_length(bytes, length) < length) {
        char *repaired = ps_arena_alloc(parser->arena, 3 * length + 1);
        length = ps_utf8_repair(bytes, length, repaired);
        bytes = repaired;
    }
    uint32_t *text = ps_arena_alloc(parser->arena, (length + 2) * sizeof *text);
    size_t count = decode(bytes, length, text), quote = 0;
    text[count] = text[count + 1] = 0;
    while (quote + 1 < count && !(text[quote] == '\\' && text[quote + 1] == 'Q'))
        quote += text[quote] == '\\' ? 2 : 1;
    if (quote + 1 < count) {
        uint32_t *spelt = ps_arena_alloc(parser->arena, (quote + 2 + 3 * (count - quote)) * sizeof *spelt);
        memcpy(spelt, text, quote * sizeof *spelt);
        count = quotations_resolve(text, quote, count, spelt);
        text = spelt;
    }
    parser->text = text;
    parser->length = count;
    return true;
}
