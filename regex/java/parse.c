/* Parses Java's grammar of regular expressions (java.util.regex.Pattern, Java 17): alternatives, sequences,
 * groups, flags and quantifiers. In the resulting tree all flags are resolved. Called while translating;
 * pure. */
#include <stdlib.h>
#include <string.h>

#include "regex/java/internal.h"

struct ps_java_node *ps_java_node_make(struct ps_arena *arena, enum ps_java_kind kind, size_t at)
{
    struct ps_java_node *node = ps_arena_alloc(arena, sizeof *node);
    *node = (struct ps_java_node){.kind = kind, .at = (uint32_t)at};
    return node;
}

static struct ps_java_node *make(struct ps_java_parser *parser, enum ps_java_kind kind)
{
    struct ps_java_node *node = ps_java_node_make(parser->arena, kind, parser->cursor);
    node->unix_lines = parser->flags & PS_REGEX_UNIX_LINES;
    return node;
}

static struct ps_java_node *make_class(struct ps_java_parser *parser, const struct ps_java_set *set,
                                       size_t at)
{
    struct ps_java_node *node = ps_java_node_make(parser->arena, PS_JAVA_CLASS, at);
    node->set = set;
    return set == NULL ? NULL : node;
}

static struct ps_java_node *parse_either(struct ps_java_parser *parser);

/* Reads the digits of a repeat count. Returns false if it is too large. */
static bool read_count(struct ps_java_parser *parser, uint32_t *c, uint32_t *count)
{
    uint64_t value = 0;
    for (; *c >= '0' && *c <= '9'; *c = ps_java_read(parser)) {
        value = value * 10 + (*c - '0');
        if (value > INT32_MAX)
            return ps_java_fail(parser, "Illegal repetition range", NULL) != NULL;
    }
    if (value > PS_JAVA_REPEAT_MAX)
        return ps_java_fail(parser, "a repeat of more than 65,535 times is not supported", NULL) != NULL;
    *count = (uint32_t)value;
    return true;
}

/* Reads "{n}", "{n,}" or "{n,m}". The cursor is on the opening brace; afterwards it is on the closing one. */
static bool read_braces(struct ps_java_parser *parser, uint32_t *min, uint32_t *max)
{
    uint32_t c = ps_java_after_next(parser);
    if (c < '0' || c > '9')
        return ps_java_fail(parser, "Illegal repetition", "write [{] for the character") != NULL;
    if (!read_count(parser, &c, min))
        return false;
    *max = *min;
    if (c == ',') {
        c = ps_java_read(parser);
        *max = PS_JAVA_UNBOUNDED;
        if (c != '}' && !read_count(parser, &c, max))
            return false;
    }
    if (c != '}')
        return ps_java_fail(parser, "Unclosed counted closure", "write [{] for the character") != NULL;
    if (*max < *min)
        return ps_java_fail(parser, "Illegal repetition range", NULL) != NULL;
    parser->cursor--;
    return true;
}

/* Reads a quantifier after an atom, if there is one. Returns the atom, or a repeat of it. */
static struct ps_java_node *parse_repeat(struct ps_java_parser *parser, struct ps_java_node *atom,
                                         bool of_group)
{
    uint32_t c = ps_java_peek(parser), min = 0, max = PS_JAVA_UNBOUNDED;
    size_t at = parser->cursor;
    if (c == '?')
        max = 1;
    else if (c == '+')
        min = 1;
    else if (c == '{') {
        if (!read_braces(parser, &min, &max))
            return NULL;
    } else if (c != '*')
        return atom;
    struct ps_java_node *node = ps_java_node_make(parser->arena, PS_JAVA_REPEAT, at);
    c = ps_java_next(parser);
    node->greed = c == '?' ? PS_JAVA_LAZY : c == '+' ? PS_JAVA_POSSESSIVE : PS_JAVA_GREEDY;
    if (c == '?' || c == '+')
        ps_java_next(parser);
    node->min = min;
    node->max = max;
    node->of_group = of_group;
    node->child = atom;
    return node;
}

/* Reads "idmsux-idmsux"; stops before anything that is not a flag. */
static void read_flags(struct ps_java_parser *parser)
{
    static const char letters[] = PS_REGEX_FLAG_LETTERS;
    bool off = false;
    for (uint32_t c = ps_java_peek(parser);; c = ps_java_next(parser)) {
        if (c == '-' && !off) {
            off = true;
            continue;
        }
        if (c == 'c') {
            ps_java_fail(parser, "canonical equivalence is not supported", NULL);
            return;
        }
        const char *letter = c > 0 && c < 0x80 ? strchr(letters, (int)c) : NULL;
        if (letter == NULL)
            return;
        unsigned flags = 1U << (letter - letters);
        if (flags == PS_REGEX_UNICODE_CHARACTER_CLASS)
            flags |= PS_REGEX_UNICODE_CASE;
        parser->flags = off ? parser->flags & ~flags : parser->flags | flags;
    }
}

static struct ps_java_node *capture(struct ps_java_parser *parser, char *name)
{
    struct ps_java_node *node = make(parser, PS_JAVA_GROUP);
    node->number = ++parser->group_count;
    if (node->number >= parser->names_room) {
        parser->names_room = 2 * parser->names_room + 16;
        parser->names =
            ps_must_realloc(parser->names, parser->names_room * sizeof *parser->names, "names of groups");
    }
    parser->names[node->number] = name;
    return node;
}

static struct ps_java_node *look(struct ps_java_parser *parser, bool behind, bool negative)
{
    struct ps_java_node *node = make(parser, PS_JAVA_LOOK);
    node->behind = behind;
    node->negative = negative;
    return node;
}

/* Reads the rest of "(?<": a look-behind or a name. */
static struct ps_java_node *open_angle(struct ps_java_parser *parser)
{
    uint32_t c = ps_java_read(parser);
    if (c == '=' || c == '!')
        return look(parser, true, c == '!');
    char *name = ps_java_group_name(parser, c);
    if (name == NULL)
        return NULL;
    if (ps_java_group_of_name(parser, name) != 0)
        return ps_java_fail(
            parser, ps_arena_format(parser->arena, "Named capturing group <%s> is already defined", name),
            NULL);
    return capture(parser, name);
}

/* Reads the prefix between "(" and the content. Returns the group's node, or EMPTY if it does not capture.
 * Sets `*only_flags` if the group is already closed. Returns NULL on failure. */
static struct ps_java_node *open_group(struct ps_java_parser *parser, bool *only_flags)
{
    *only_flags = false;
    if (ps_java_next(parser) != '?')
        return capture(parser, NULL);
    uint32_t c = ps_java_after_next(parser);
    switch (c) {
    case ':':
        return make(parser, PS_JAVA_EMPTY);
    case '=':
    case '!':
        return look(parser, false, c == '!');
    case '>':
        return make(parser, PS_JAVA_ATOMIC);
    case '<':
        return open_angle(parser);
    case '$':
    case '@':
        return ps_java_fail(parser, "Unknown group type", NULL);
    default:
        parser->cursor--;
        read_flags(parser);
        c = parser->failed ? ':' : ps_java_read(parser);
        *only_flags = c == ')';
        if (c != ':' && c != ')')
            return ps_java_fail(parser, "Unknown inline modifier", "Java's flags are i, d, m, s, u, x and U");
        return make(parser, PS_JAVA_EMPTY);
    }
}

/* Checks a look-behind: Java requires a maximum length, PCRE2 a form it accepts. */
static bool check_behind(struct ps_java_parser *parser, const struct ps_java_node *node)
{
    const char *reason = NULL;
    if (node->kind != PS_JAVA_LOOK || !node->behind)
        return true;
    if (ps_java_behind(parser->arena, node, &reason) != NULL)
        return true;
    return ps_java_fail(parser, reason, NULL) != NULL;
}

/* Parses "(...)" with its quantifier. Returns EMPTY for flags alone. */
static struct ps_java_node *parse_group(struct ps_java_parser *parser)
{
    bool only_flags;
    unsigned flags = parser->flags;
    size_t at = parser->cursor;
    if (++parser->depth > PS_JAVA_DEPTH_MAX)
        return ps_java_fail(parser, "the groups are nested too deeply", NULL);
    struct ps_java_node *node = open_group(parser, &only_flags);
    if (node == NULL || parser->failed)
        return NULL;
    node->at = (uint32_t)at;
    if (only_flags) {
        parser->depth--;
        return node;
    }
    struct ps_java_node *content = parse_either(parser);
    if (content == NULL)
        return NULL;
    if (node->kind == PS_JAVA_EMPTY)
        node = content;
    else
        node->child = content;
    if (!check_behind(parser, node))
        return NULL;
    if (ps_java_read(parser) != ')')
        return ps_java_fail(parser, "Unclosed group", "write [(] for the character");
    parser->flags = flags;
    parser->depth--;
    return parse_repeat(parser, node, node->kind != PS_JAVA_LOOK);
}

/* Parses a literal character or an escape. Returns EMPTY before a brace, where Java repeats nothing. */
static struct ps_java_node *parse_atom(struct ps_java_parser *parser, uint32_t c)
{
    size_t at = parser->cursor;
    if (c == '{')
        return make(parser, PS_JAVA_EMPTY);
    struct ps_java_escape escape = {.character = c};
    if (c == '\\') {
        uint32_t second = ps_java_next_raw(parser);
        if (second == 'p' || second == 'P')
            return make_class(parser, ps_java_family(parser), at);
        parser->cursor--;
        if (!ps_java_escape(parser, false, false, &escape))
            return NULL;
        if (escape.node != NULL)
            return escape.node;
    } else {
        ps_java_next(parser);
    }
    if (escape.set == NULL)
        escape.set = ps_java_case_one(parser->arena, escape.character, parser->flags);
    return make_class(parser, escape.set, at);
}

static struct ps_java_node *parse_dot(struct ps_java_parser *parser)
{
    static const struct ps_java_range ends[] = {{'\n', '\n'}, {'\r', '\r'}, {0x85, 0x85}, {0x2028, 0x2029}};
    size_t count = parser->flags & PS_REGEX_DOTALL       ? 0
                   : parser->flags & PS_REGEX_UNIX_LINES ? 1
                                                         : PS_COUNT_OF(ends);
    size_t at = parser->cursor;
    ps_java_next(parser);
    return make_class(parser,
                      ps_java_set_not(parser->arena, ps_java_set_make(parser->arena, ends, count, "")), at);
}

/* Parses one item of a sequence, without its quantifier. Returns NULL on failure. */
static struct ps_java_node *parse_one(struct ps_java_parser *parser, uint32_t c)
{
    size_t at = parser->cursor;
    struct ps_java_node *node;
    bool lines = parser->flags & PS_REGEX_MULTILINE;
    switch (c) {
    case '[':
        return make_class(parser, ps_java_class(parser), at);
    case '.':
        return parse_dot(parser);
    case '^':
        node = make(parser, lines ? PS_JAVA_LINE_BEGIN : PS_JAVA_BEGIN);
        ps_java_next(parser);
        return node;
    case '$':
        node = make(parser, lines ? PS_JAVA_LINE_END : PS_JAVA_LAST_END);
        ps_java_next(parser);
        return node;
    case '?':
    case '*':
    case '+':
        ps_java_next(parser);
        return ps_java_fail(
            parser, ps_arena_format(parser->arena, "Dangling meta character '%c'", (int)c),
            c == '*' ? "it has nothing to repeat; write .* for any text, or [*] for the character"
                     : ps_arena_format(parser->arena,
                                       "it has nothing to repeat; write [%c] for the character", (int)c));
    default:
        return parse_atom(parser, c);
    }
}

static struct ps_java_node *parse_sequence(struct ps_java_parser *parser)
{
    struct ps_java_node *sequence = make(parser, PS_JAVA_CONCAT), **link = &sequence->child;
    for (;;) {
        uint32_t c = ps_java_peek(parser);
        if (c == '|' || c == ')' || (c == 0 && parser->cursor >= parser->length))
            break;
        struct ps_java_node *node;
        if (c == '(') {
            node = parse_group(parser);
        } else {
            node = parse_one(parser, c);
            if (node != NULL)
                node = parse_repeat(parser, node, false);
        }
        if (node == NULL || parser->failed)
            return NULL;
        if (node->kind == PS_JAVA_EMPTY)
            continue;
        *link = node;
        link = &node->next;
    }
    if (sequence->child != NULL && sequence->child->next == NULL)
        return sequence->child;
    if (sequence->child == NULL)
        sequence->kind = PS_JAVA_EMPTY;
    return sequence;
}

static struct ps_java_node *parse_either(struct ps_java_parser *parser)
{
    struct ps_java_node *first = parse_sequence(parser);
    if (first == NULL || ps_java_peek(parser) != '|')
        return first;
    struct ps_java_node *either = make(parser, PS_JAVA_EITHER);
    either->child = first;
    while (ps_java_peek(parser) == '|') {
        ps_java_next(parser);
        first->next = parse_sequence(parser);
        first = first->next;
        if (first == NULL)
            return NULL;
    }
    return either;
}

struct ps_java_node *ps_java_parse(struct ps_java_parser *parser)
{
    if (parser->flags & PS_REGEX_UNICODE_CHARACTER_CLASS)
        parser->flags |= PS_REGEX_UNICODE_CASE;
    if (!ps_java_reader_open(parser))
        return NULL;
    struct ps_java_node *root = parse_either(parser);
    if (root == NULL || parser->failed)
        return NULL;
    if (parser->cursor == parser->length)
        return root;
    if (ps_java_peek(parser) == ')')
        return ps_java_fail(parser, "Unmatched closing ')'", "write [)] for the character");
    return ps_java_fail(parser, "Unescaped trailing backslash", "write \\\\ for the character");
}
