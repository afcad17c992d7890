/* Escapes of a Java expression: characters, predefined classes, anchors, back-references, properties. Called
 * while translating; pure. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/text/hex.h"
#include "regex/java/internal.h"

#define UNKNOWN_ESCAPE "Illegal/unsupported escape sequence"

static bool is_octal(uint32_t c)
{
    return c >= '0' && c <= '7';
}

static bool read_octal(struct ps_java_parser *parser, uint32_t *character)
{
    uint32_t first = ps_java_read(parser);
    if (!is_octal(first))
        return ps_java_fail(parser, "Illegal octal escape sequence", "write \\0n, \\0nn or \\0mnn") != NULL;
    *character = first - '0';
    for (int digits = 1; digits < 3; digits++) {
        uint32_t c = ps_java_read(parser);
        if (!is_octal(c) || (digits == 2 && first > '3')) {
            parser->cursor--;
            break;
        }
        *character = *character * 8 + (c - '0');
    }
    return true;
}

static bool read_hex(struct ps_java_parser *parser, uint32_t *character)
{
    uint32_t c = ps_java_read(parser);
    int high = ps_hex_digit((int)c), digit;
    if (high >= 0 && (digit = ps_hex_digit((int)ps_java_read(parser))) >= 0) {
        *character = (uint32_t)(high * 16 + digit);
        return true;
    }
    if (c != '{' || ps_hex_digit((int)ps_java_peek(parser)) < 0)
        return ps_java_fail(parser, "Illegal hexadecimal escape sequence", "write \\xhh or \\x{h..h}") !=
               NULL;
    *character = 0;
    while ((digit = ps_hex_digit((int)(c = ps_java_read(parser)))) >= 0) {
        *character = *character * 16 + (uint32_t)digit;
        if (*character > PS_CODE_POINT_MAX)
            return ps_java_fail(parser, "Hexadecimal codepoint is too big", NULL) != NULL;
    }
    if (c != '}')
        return ps_java_fail(parser, "Unclosed hexadecimal escape sequence", NULL) != NULL;
    return true;
}

static bool read_four(struct ps_java_parser *parser, uint32_t *character)
{
    *character = 0;
    for (int i = 0; i < 4; i++) {
        int digit = ps_hex_digit((int)ps_java_read(parser));
        if (digit < 0)
            return ps_java_fail(parser, "Illegal Unicode escape sequence", "write \\uhhhh") != NULL;
        *character = *character * 16 + (uint32_t)digit;
    }
    return true;
}

/* Two escapes in a row may be a surrogate pair. */
static bool read_unicode(struct ps_java_parser *parser, uint32_t *character)
{
    if (!read_four(parser, character))
        return false;
    if (*character < 0xD800 || *character > 0xDBFF)
        return true;
    size_t here = parser->cursor;
    if (ps_java_read(parser) == '\\' && ps_java_read(parser) == 'u') {
        uint32_t low;
        if (!read_four(parser, &low))
            return false;
        if (low >= 0xDC00 && low <= 0xDFFF) {
            *character = 0x10000 + ((*character - 0xD800) << 10) + (low - 0xDC00);
            return true;
        }
    }
    parser->cursor = here;
    return true;
}

static bool read_control(struct ps_java_parser *parser, uint32_t *character)
{
    if (parser->cursor >= parser->length)
        return ps_java_fail(parser, "Illegal control escape sequence", NULL) != NULL;
    *character = ps_java_read(parser) ^ 64;
    return true;
}

/* Parses an escape that names a character. Returns false if it is another escape, or on failure. */
static bool read_character(struct ps_java_parser *parser, uint32_t c, uint32_t *character)
{
    switch (c) {
    case '0':
        return read_octal(parser, character);
    case 'x':
        return read_hex(parser, character);
    case 'u':
        return read_unicode(parser, character);
    case 'c':
        return read_control(parser, character);
    case 'N':
        return ps_java_fail(parser, "names of characters are not supported", "write \\x{h..h}") != NULL;
    case 'a':
        *character = '\a';
        return true;
    case 'e':
        *character = 0x1B;
        return true;
    case 'f':
        *character = '\f';
        return true;
    case 'n':
        *character = '\n';
        return true;
    case 'r':
        *character = '\r';
        return true;
    case 't':
        *character = '\t';
        return true;
    default:
        *character = c;
        return !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '1' && c <= '9');
    }
}

/* Reads the number of a group: takes a further digit only if a group with the longer number exists. */
static struct ps_java_node *read_reference(struct ps_java_parser *parser, uint32_t first)
{
    struct ps_java_node *node = ps_java_node_make(parser->arena, PS_JAVA_REFERENCE, parser->cursor - 2);
    node->number = first - '0';
    for (;;) {
        uint32_t c = ps_java_peek(parser);
        if (c < '0' || c > '9' || node->number * 10 + (c - '0') > parser->group_count)
            break;
        node->number = node->number * 10 + (c - '0');
        ps_java_read(parser);
    }
    return node;
}

char *ps_java_group_name(struct ps_java_parser *parser, uint32_t first)
{
    size_t begin = parser->cursor - 1, length = 0;
    uint32_t c = first;
    if (c >= 0x80 || !isalpha((int)c))
        return ps_java_fail(parser, "capturing group name does not start with a Latin letter", NULL);
    char *name = ps_arena_alloc(parser->arena, parser->length - begin + 2);
    while (c < 0x80 && isalnum((int)c)) {
        name[length++] = (char)c;
        c = ps_java_read(parser);
    }
    if (c != '>')
        return ps_java_fail(parser, "named capturing group is missing trailing '>'",
                            "a name is letters and digits, a letter first");
    name[length] = '\0';
    return name;
}

unsigned ps_java_group_of_name(const struct ps_java_parser *parser, const char *name)
{
    for (unsigned i = 1; i <= parser->group_count; i++)
        if (parser->names[i] != NULL && strcmp(parser->names[i], name) == 0)
            return i;
    return 0;
}

static struct ps_java_node *read_named_reference(struct ps_java_parser *parser)
{
    size_t at = parser->cursor - 2;
    if (ps_java_read(parser) != '<')
        return ps_java_fail(parser, "\\k is not followed by '<' for named capturing group", NULL);
    char *name = ps_java_group_name(parser, ps_java_read(parser));
    if (name == NULL)
        return NULL;
    unsigned number = ps_java_group_of_name(parser, name);
    if (number == 0)
        return ps_java_fail(
            parser, ps_arena_format(parser->arena, "named capturing group <%s> does not exist", name), NULL);
    struct ps_java_node *node = ps_java_node_make(parser->arena, PS_JAVA_REFERENCE, at);
    node->number = number;
    return node;
}

static struct ps_java_node *read_boundary(struct ps_java_parser *parser)
{
    struct ps_java_node *node = ps_java_node_make(parser->arena, PS_JAVA_BOUNDARY, parser->cursor - 2);
    if (ps_java_peek(parser) == '{' && ps_java_at(parser, parser->cursor + 1) == 'g' &&
        ps_java_at(parser, parser->cursor + 2) == '}')
        return ps_java_fail(parser, "\\b{g}, the boundary of grapheme clusters, is not supported", NULL);
    node->unicode = parser->flags & PS_REGEX_UNICODE_CHARACTER_CLASS;
    return node;
}

/* Parses an escape that is neither a character nor a class, outside of classes. Returns NULL if it is not
 * one, or on failure. */
static struct ps_java_node *read_node(struct ps_java_parser *parser, uint32_t c)
{
    static const struct {
        char letter;
        enum ps_java_kind kind;
    } anchors[] = {{'A', PS_JAVA_BEGIN},    {'G', PS_JAVA_LAST_MATCH}, {'R', PS_JAVA_LINE_BREAK},
                   {'X', PS_JAVA_GRAPHEME}, {'Z', PS_JAVA_LAST_END},   {'z', PS_JAVA_END}};
    struct ps_java_node *node = NULL;
    if (c >= '1' && c <= '9') {
        node = read_reference(parser, c);
    } else if (c == 'k') {
        node = read_named_reference(parser);
    } else if (c == 'b') {
        node = read_boundary(parser);
    } else if (c == 'B') {
        node = ps_java_node_make(parser->arena, PS_JAVA_BOUNDARY, parser->cursor - 2);
        node->negative = true;
        node->unicode = parser->flags & PS_REGEX_UNICODE_CHARACTER_CLASS;
    }
    for (size_t i = 0; node == NULL && i < PS_COUNT_OF(anchors); i++)
        if (c == (uint32_t)anchors[i].letter)
            node = ps_java_node_make(parser->arena, anchors[i].kind, parser->cursor - 2);
    if (node != NULL) {
        node->caseless = parser->flags & PS_REGEX_CASE_INSENSITIVE;
        node->unix_lines = parser->flags & PS_REGEX_UNIX_LINES;
        if (node->kind == PS_JAVA_REFERENCE)
            node->unicode = parser->flags & PS_REGEX_UNICODE_CASE;
    }
    return node;
}

bool ps_java_escape(struct ps_java_parser *parser, bool in_class, bool in_range,
                    struct ps_java_escape *escape)
{
    uint32_t c = ps_java_after_next(parser);
    *escape = (struct ps_java_escape){0};
    if (c == 'v' && in_range) { /* as before Java 8, because a range needs a character */
        escape->character = 0x0B;
        return true;
    }
    if (c != 0 && c < 0x80 && strchr("dhsvwDHSVW", (int)c) != NULL) {
        escape->set = ps_java_property_letter(parser->arena, c | 0x20, parser->flags);
        if (c < 'a')
            escape->set = ps_java_set_not(parser->arena, escape->set);
        return true;
    }
    if (!in_class && (escape->node = read_node(parser, c)) != NULL)
        return true;
    if (!parser->failed && read_character(parser, c, &escape->character))
        return true;
    ps_java_fail(parser, UNKNOWN_ESCAPE, c == 'E' ? "\\E has no \\Q before it" : NULL);
    return false;
}

const struct ps_java_set *ps_java_family(struct ps_java_parser *parser)
{
    bool negative = ps_java_at(parser, parser->cursor) == 'P';
    uint32_t c = ps_java_next(parser);
    char *name;
    if (c != '{') { /* one letter */
        name = ps_arena_alloc(parser->arena, 2);
        name[0] = c < 0x80 ? (char)c : '?';
        ps_java_read(parser);
    } else {
        ps_java_next(parser);
        size_t begin = parser->cursor;
        while (parser->cursor < parser->length && ps_java_read(parser) != '}')
            ;
        if (ps_java_at(parser, parser->cursor - 1) != '}' || parser->cursor <= begin) {
            parser->cursor = parser->length + 1;
            return ps_java_fail(parser, "Unclosed character family", NULL);
        }
        if (parser->cursor - 1 == begin)
            return ps_java_fail(parser, "Empty character family", NULL);
        size_t length = parser->cursor - 1 - begin;
        name = ps_arena_alloc(parser->arena, length + 1);
        for (size_t i = 0; i < length; i++) {
            uint32_t letter = parser->text[begin + i];
            name[i] = letter < 0x80 && letter != 0 ? (char)letter : '?';
        }
    }
    const struct ps_java_set *set = ps_java_property(parser->arena, name, parser->flags);
    if (set == NULL)
        return ps_java_fail(
            parser, ps_arena_format(parser->arena, "Unknown character property name {%.80s}", name), NULL);
    return negative ? ps_java_set_not(parser->arena, set) : set;
}
