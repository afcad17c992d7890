/* Character classes of a Java expression: [abc], ranges, nested classes, unions, && intersections, including
 * Java's behaviour in unusual cases. Called while translating; pure. */
#include <string.h>

#include "regex/java/internal.h"

/* The content of a class so far. Java keeps single Latin-1 characters separate ("bits") and adds them to the
 * rest at the end or at &&, which affects what && applies to. Plain ranges are collected and sorted once. */
struct builder {
    struct ps_java_range *bits, *ranges;
    size_t bits_count, bits_room, range_count, range_room;
    const struct ps_java_set *rest; /* everything but plain ranges; or NULL */
    const struct ps_java_set *last; /* the last item read; NULL: a bit */
    bool has_bits, has_some;
};

static void append(struct ps_arena *arena, struct ps_java_range **ranges, size_t *count, size_t *room,
                   struct ps_java_range range)
{
    if (*count == *room) {
        size_t bigger = *room == 0 ? 16 : 2 * *room;
        struct ps_java_range *grown = ps_arena_alloc(arena, bigger * sizeof *grown);
        if (*count > 0)
            memcpy(grown, *ranges, *count * sizeof *grown);
        *ranges = grown;
        *room = bigger;
    }
    (*ranges)[(*count)++] = range;
}

/* Adds `set` to the class. */
static void add(struct ps_arena *arena, struct builder *builder, const struct ps_java_set *set)
{
    builder->has_some = true;
    if (set->kind == PS_JAVA_FLAT && set->properties[0] == '\0') {
        for (size_t i = 0; i < set->range_count; i++)
            append(arena, &builder->ranges, &builder->range_count, &builder->range_room, set->ranges[i]);
    } else {
        builder->rest = builder->rest == NULL ? set : ps_java_set_or(arena, builder->rest, set);
    }
}

static void add_bits(struct ps_arena *arena, struct builder *builder)
{
    add(arena, builder, ps_java_set_make(arena, builder->bits, builder->bits_count, ""));
}

static const struct ps_java_set *all(struct ps_arena *arena, const struct builder *builder)
{
    const struct ps_java_set *set = ps_java_set_make(arena, builder->ranges, builder->range_count, "");
    if (builder->rest == NULL)
        return set;
    return builder->range_count == 0 ? builder->rest : ps_java_set_or(arena, set, builder->rest);
}

static void replace(struct ps_arena *arena, struct builder *builder, const struct ps_java_set *set)
{
    builder->range_count = 0;
    builder->rest = NULL;
    add(arena, builder, set);
}

/* Adds a literal character: as a bit, unless its other cases are beyond Latin-1. */
static void add_one(struct ps_java_parser *parser, struct builder *builder, uint32_t c)
{
    const struct ps_java_set *set = ps_java_case_one(parser->arena, c, parser->flags);
    bool wide = (parser->flags & PS_REGEX_CASE_INSENSITIVE) && (parser->flags & PS_REGEX_UNICODE_CASE) &&
                (c == 0xFF || c == 0xB5 || c == 'I' || c == 'i' || c == 'S' || c == 's' || c == 'K' ||
                 c == 'k' || c == 0xC5 || c == 0xE5);
    if (c < 256 && !wide) {
        for (size_t i = 0; i < set->range_count; i++)
            append(parser->arena, &builder->bits, &builder->bits_count, &builder->bits_room, set->ranges[i]);
        builder->has_bits = true;
        builder->last = NULL;
    } else {
        add(parser->arena, builder, set);
        builder->last = set;
    }
}

/* Reads a character, a range or an escape. Returns false on failure. */
static bool read_range(struct ps_java_parser *parser, struct builder *builder)
{
    struct ps_java_escape escape = {.character = ps_java_peek(parser)};
    if (escape.character == '\\') {
        uint32_t c = ps_java_next_raw(parser);
        if (c == 'p' || c == 'P') {
            escape.set = ps_java_family(parser);
            if (escape.set == NULL)
                return false;
        } else {
            bool in_range = ps_java_at(parser, parser->cursor + 1) == '-';
            parser->cursor--;
            if (!ps_java_escape(parser, true, in_range, &escape))
                return false;
        }
        if (escape.set != NULL) {
            add(parser->arena, builder, escape.set);
            builder->last = escape.set;
            return true;
        }
    } else {
        ps_java_next(parser);
    }
    uint32_t first = escape.character, end = 0;
    if (ps_java_peek(parser) == '-')
        end = ps_java_at(parser, parser->cursor + 1);
    else
        end = ']';
    if (end == '[' || end == ']') {
        add_one(parser, builder, first);
        return true;
    }
    ps_java_next(parser);
    escape = (struct ps_java_escape){.character = ps_java_peek(parser)};
    if (escape.character == '\\') {
        if (!ps_java_escape(parser, true, true, &escape))
            return false;
    } else {
        ps_java_next(parser);
    }
    if (escape.set != NULL || escape.character < first)
        return ps_java_fail(parser, "Illegal character range", /* 0: the end of the expression */
                            escape.set == NULL && escape.character == 0 ? "end the class with ]"
                                                                        : "write \\- for a hyphen") != NULL;
    builder->last = ps_java_case_range(parser->arena, first, escape.character, parser->flags);
    add(parser->arena, builder, builder->last);
    return true;
}

static const struct ps_java_set *read_class(struct ps_java_parser *parser, bool consume);

/* Reads the right side of &&, up to the bracket or the next &&; the cursor is on its first character. Returns
 * false on failure. `*right` is NULL if the side is empty. */
static bool read_right(struct ps_java_parser *parser, const struct ps_java_set **right)
{
    *right = NULL;
    uint32_t c = ps_java_peek(parser);
    while (c != ']' && c != '&') {
        bool nested = c == '[';
        if (!nested)
            parser->cursor--;
        const struct ps_java_set *set = read_class(parser, nested);
        if (set == NULL)
            return false;
        *right = *right == NULL ? set : ps_java_set_or(parser->arena, *right, set);
        c = ps_java_peek(parser);
    }
    return true;
}

/* Handles &&; the cursor is after it. Returns false on failure. */
static bool intersect(struct ps_java_parser *parser, struct builder *builder)
{
    const struct ps_java_set *right;
    if (!read_right(parser, &right))
        return false;
    if (builder->has_bits) {
        bool only_bits = !builder->has_some;
        add_bits(parser->arena, builder);
        if (only_bits)
            builder->last = all(parser->arena, builder);
        builder->has_bits = false;
    }
    if (right != NULL)
        builder->last = right;
    if (!builder->has_some) {
        if (right == NULL)
            return ps_java_fail(parser, "Bad class syntax", "write \\& for the character") != NULL;
        add(parser->arena, builder, right);
        return true;
    }
    if (builder->last == NULL)
        return ps_java_fail(parser, "Bad intersection syntax", "write \\& for the character") != NULL;
    replace(parser->arena, builder,
            ps_java_set_and(parser->arena, all(parser->arena, builder), builder->last));
    return true;
}

static const struct ps_java_set *finish(struct ps_java_parser *parser, struct builder *builder, bool consume,
                                        bool negative)
{
    if (consume)
        ps_java_next(parser);
    if (builder->has_bits)
        add_bits(parser->arena, builder);
    parser->depth--;
    const struct ps_java_set *set = all(parser->arena, builder);
    return negative ? ps_java_set_not(parser->arena, set) : set;
}

/* Reads a class; the cursor is on the character before the first member. `consume`: also reads the closing
 * bracket. The right side of && ends at the bracket of the enclosing class, which must not be consumed. */
static const struct ps_java_set *read_class(struct ps_java_parser *parser, bool consume)
{
    struct builder builder = {0};
    bool negative = false;
    if (++parser->depth > PS_JAVA_DEPTH_MAX)
        return ps_java_fail(parser, "the classes are nested too deeply", NULL);
    uint32_t c = ps_java_next(parser);
    if (c == '^' && ps_java_at(parser, parser->cursor - 1) == '[') {
        c = ps_java_next(parser);
        negative = true;
    }
    for (;; c = ps_java_peek(parser)) {
        if (c == '[') {
            const struct ps_java_set *nested = read_class(parser, true);
            if (nested == NULL)
                return NULL;
            add(parser->arena, &builder, nested);
            builder.last = nested;
            continue;
        }
        if (c == '&') {
            if (ps_java_next(parser) == '&') {
                ps_java_next(parser);
                if (!intersect(parser, &builder))
                    return NULL;
                continue;
            }
            parser->cursor--;
        }
        if (c == 0 && parser->cursor >= parser->length)
            return ps_java_fail(parser, "Unclosed character class", "write \\[ for the character");
        if (c == ']' && (builder.has_some || builder.has_bits))
            return finish(parser, &builder, consume, negative);
        if (!read_range(parser, &builder))
            return NULL;
    }
}

const struct ps_java_set *ps_java_class(struct ps_java_parser *parser)
{
    return read_class(parser, true);
}
