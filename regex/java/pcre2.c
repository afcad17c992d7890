/* Prints an expression's tree for PCRE2. The output does not depend on PCRE2's options: line terminators, the words of
 * \b and case-insensitive letters are written out with Java's meaning. Called while translating; pure. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regex/java/internal.h"

void ps_java_text_put(struct ps_java_text *text, const char *format, ...)
{
    for (;;) {
        va_list arguments;
        va_start(arguments, format);
        size_t room = text->room - text->length;
        int length =
            vsnprintf(text->data == NULL ? NULL : text->data + text->length, room, format, arguments);
        va_end(arguments);
        PS_ASSERT(length >= 0);
        if ((size_t)length < room) {
            text->length += (size_t)length;
            return;
        }
        text->room = 2 * text->room + (size_t)length + 64;
        text->data = ps_must_realloc(text->data, text->room, "the text of an expression");
    }
}

/* ---- sets ---- */

static bool is_plain(uint32_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static void put_character(struct ps_java_text *text, uint32_t c)
{
    ps_java_text_put(text, is_plain(c) ? "%c" : "\\x{%x}", c);
}

/* Prints a range without surrogates, which no text has and PCRE2 refuses. */
static void put_range(struct ps_java_text *text, struct ps_java_range range)
{
    if (range.first < 0xD800 && range.last > 0xDFFF) {
        put_range(text, (struct ps_java_range){range.first, 0xD7FF});
        range.first = 0xE000;
    }
    if (range.first >= 0xD800 && range.first <= 0xDFFF)
        range.first = 0xE000;
    if (range.last >= 0xD800 && range.last <= 0xDFFF)
        range.last = 0xD7FF;
    if (range.first > range.last)
        return;
    put_character(text, range.first);
    if (range.last > range.first + 1)
        ps_java_text_put(text, "-");
    if (range.last > range.first)
        put_character(text, range.last);
}

static void put_flat(struct ps_java_text *text, struct ps_arena *arena, const struct ps_java_set *set)
{
    bool properties = set->properties[0] != '\0';
    if (!properties && set->range_count == 1 && set->ranges[0].first == set->ranges[0].last &&
        set->ranges[0].first - 0xD800 > 0x7FF) {
        put_character(text, set->ranges[0].first);
        return;
    }
    const struct ps_java_set *shown = set;
    if (!properties && set->range_count > 0 && set->ranges[0].first == 0 &&
        set->ranges[set->range_count - 1].last == PS_CODE_POINT_MAX) {
        shown = ps_java_set_not(arena, set); /* shorter, and PCRE2 optimizes it better */
        if (shown->range_count == 0) {
            ps_java_text_put(text, "(?s:.)");
            return;
        }
    }
    size_t before = text->length;
    ps_java_text_put(text, "[%s", shown != set ? "^" : "");
    size_t opened = text->length;
    for (size_t i = 0; i < shown->range_count; i++)
        put_range(text, shown->ranges[i]);
    ps_java_text_put(text, "%s", shown->properties);
    if (text->length == opened) { /* only surrogates, or nothing at all */
        text->length = before;
        ps_java_text_put(text, shown != set ? "(?s:.)" : "(?!)");
        return;
    }
    ps_java_text_put(text, "]");
}

/* Prints a set as an expression for exactly one character. */
static void put_set(struct ps_java_text *text, struct ps_arena *arena, const struct ps_java_set *set)
{
    switch (set->kind) {
    case PS_JAVA_FLAT:
        put_flat(text, arena, set);
        break;
    case PS_JAVA_NOT:
        ps_java_text_put(text, "(?:(?!");
        put_set(text, arena, set->left);
        ps_java_text_put(text, ")(?s:.))");
        break;
    case PS_JAVA_AND:
        ps_java_text_put(text, "(?:(?=");
        put_set(text, arena, set->left);
        ps_java_text_put(text, ")");
        put_set(text, arena, set->right);
        ps_java_text_put(text, ")");
        break;
    case PS_JAVA_OR:
        ps_java_text_put(text, "(?:");
        put_set(text, arena, set->left);
        ps_java_text_put(text, "|");
        put_set(text, arena, set->right);
        ps_java_text_put(text, ")");
        break;
    }
}

/* ---- anchors ---- */

/* Maximum number of combining marks after a letter that \b takes into account. */
#define MARKS_MAX 4

/* Prints \b or \B. Without (?U), in Java up to 18, a word is letters, digits, "_" and the marks that follow a letter or
 * digit. */
static void put_boundary(struct ps_java_text *text, const struct ps_java_node *node)
{
    if (node->unicode) {
        static const char word[] = "[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200c}\\x{200d}]";
        ps_java_text_put(
            text, node->negative ? "(?:(?<=%s)(?=%s)|(?<!%s)(?!%s))" : "(?:(?<=%s)(?!%s)|(?<!%s)(?=%s))",
            word, word, word, word);
        return;
    }
    /* Tests what is before the position: `with` matches after "_", or after a letter or digit and its marks;
     * `without` matches everywhere else. */
    char with[256] = "(?<=[_\\p{L}\\p{Nd}])", without[256] = "(?<![_\\p{L}\\p{Nd}])";
    size_t with_used = strlen(with), without_used = strlen(without);
    for (int marks = 1; marks <= MARKS_MAX; marks++) {
        with_used += (size_t)snprintf(with + with_used, sizeof with - with_used,
                                      "|(?<=[\\p{L}\\p{Nd}]\\p{Mn}{%d})", marks);
        without_used += (size_t)snprintf(without + without_used, sizeof without - without_used,
                                         "(?<![\\p{L}\\p{Nd}]\\p{Mn}{%d})", marks);
    }
    if (node->word_right && !node->negative) { /* the two most frequent cases */
        ps_java_text_put(text, "%s", without);
        return;
    }
    if (node->word_left && !node->negative) {
        ps_java_text_put(text, "(?![_\\p{L}\\p{Nd}]|(?<!_)\\p{Mn})");
        return;
    }
    /* Tests what is after the position: a word character; or a mark, which continues the word of a letter before it, so
     * that there is a boundary before a mark only after "_"; or a character that is not part of a word. */
    ps_java_text_put(text, "(?%s(?=[_\\p{L}\\p{Nd}])%s|(?=\\p{Mn})(?<=_)|(?![_\\p{L}\\p{Nd}\\p{Mn}])(?:%s))",
                     node->negative ? "!" : ":", without, with);
}

static void put_anchor(struct ps_java_text *text, const struct ps_java_node *node)
{
    bool lines = node->unix_lines;
    const char *pattern = "";
    switch (node->kind) {
    case PS_JAVA_LINE_BEGIN: /* never at the end of the text */
        pattern = lines ? "(?:(?!\\z)(?:\\A|(?<=\\n)))"
                        : "(?:(?!\\z)(?:\\A|(?<=[\\n\\x{85}\\x{2028}\\x{2029}])|(?<=\\r)(?!\\n)))";
        break;
    case PS_JAVA_LAST_END: /* also before the last terminator, but not between \r and \n */
        pattern = lines ? "(?=\\n?\\z)" : "(?=(?:\\r\\n?|(?<!\\r)\\n|[\\x{85}\\x{2028}\\x{2029}])?\\z)";
        break;
    case PS_JAVA_LINE_END:
        pattern = lines ? "(?=\\n|\\z)" : "(?=[\\r\\x{85}\\x{2028}\\x{2029}]|(?<!\\r)\\n|\\z)";
        break;
    case PS_JAVA_END:
        pattern = "\\z";
        break;
    default:
        break;
    }
    ps_java_text_put(text, "%s", pattern);
}

/* ---- the tree ---- */

struct printer {
    struct ps_java_text *text;
    struct ps_arena *arena;
    unsigned group_count;
    bool last_match;
    bool anchored;
    bool guarded;
};

/* PCRE2's JIT (10.42) has an optimization for repeats near the beginning ("early fail"), which loses matches and finds
 * wrong ones when the repeat can be reached in more than one way. PCRE2 does not apply the optimization after an
 * assertion, so an assertion is printed before the first item that is not a plain sequence of classes, their repeats,
 * and groups around them. Up to that point the optimization is correct, and thirty times as fast ("([a-z]+)=(a|b)" in a
 * long line). */
static bool is_straight(const struct ps_java_node *node)
{
    switch (node->kind) {
    case PS_JAVA_EMPTY:
    case PS_JAVA_CONCAT: /* its children are tested one by one */
        return true;
    case PS_JAVA_CLASS:
        return node->set->kind == PS_JAVA_FLAT;
    case PS_JAVA_GROUP:
        return node->child->kind != PS_JAVA_EITHER;
    case PS_JAVA_REPEAT:
        return node->greed != PS_JAVA_POSSESSIVE && node->child->kind == PS_JAVA_CLASS &&
               node->child->set->kind == PS_JAVA_FLAT;
    default:
        return false;
    }
}

static void guard(struct printer *printer, const struct ps_java_node *node)
{
    if (printer->guarded || is_straight(node))
        return;
    printer->guarded = true;
    ps_java_text_put(printer->text, "(?=)");
}

static void put_node(struct printer *printer, const struct ps_java_node *node);

static void put_children(struct printer *printer, const struct ps_java_node *node, const char *between)
{
    for (const struct ps_java_node *child = node->child; child != NULL; child = child->next) {
        put_node(printer, child);
        if (child->next != NULL)
            ps_java_text_put(printer->text, "%s", between);
    }
}

static void put_wrapped(struct printer *printer, const char *open, const struct ps_java_node *node)
{
    ps_java_text_put(printer->text, "%s", open);
    if (node->kind == PS_JAVA_EITHER)
        put_children(printer, node, "|");
    else
        put_node(printer, node);
    ps_java_text_put(printer->text, ")");
}

static void put_repeat(struct printer *printer, const struct ps_java_node *node)
{
    const struct ps_java_node *child = node->child;
    bool possessive = node->greed == PS_JAVA_POSSESSIVE;
    /* Java does not backtrack into a round of a possessive repeat, nor into a round of a repeat that it calls
     * deterministic. */
    if (child->kind == PS_JAVA_CLASS)
        put_node(printer, child);
    else if (possessive || (ps_java_has(child, PS_JAVA_LINE_BREAK) && ps_java_deterministic(child)))
        put_wrapped(printer, "(?>", child);
    else if (child->kind == PS_JAVA_GROUP)
        put_node(printer, child);
    else
        put_wrapped(printer, "(?:", child);
    if (node->max == PS_JAVA_UNBOUNDED && node->min <= 1)
        ps_java_text_put(printer->text, node->min == 0 ? "*" : "+");
    else if (node->max == PS_JAVA_UNBOUNDED)
        ps_java_text_put(printer->text, "{%u,}", node->min);
    else if (node->min == 0 && node->max == 1)
        ps_java_text_put(printer->text, "?");
    else if (node->min == node->max)
        ps_java_text_put(printer->text, "{%u}", node->min);
    else
        ps_java_text_put(printer->text, "{%u,%u}", node->min, node->max);
    ps_java_text_put(printer->text, "%s", possessive ? "+" : node->greed == PS_JAVA_LAZY ? "?" : "");
}

static void put_look(struct printer *printer, const struct ps_java_node *node)
{
    const struct ps_java_node *content = node->child;
    if (node->behind) {
        const char *reason;
        content = ps_java_behind(printer->arena, node, &reason);
        PS_ASSERT(content != NULL); /* the parser has checked this */
    }
    put_wrapped(printer,
                node->behind     ? node->negative ? "(?<!" : "(?<="
                : node->negative ? "(?!"
                                 : "(?=",
                content);
}

static void put_node(struct printer *printer, const struct ps_java_node *node)
{
    struct ps_java_text *text = printer->text;
    guard(printer, node);
    switch (node->kind) {
    case PS_JAVA_EMPTY:
        break;
    case PS_JAVA_CLASS:
        put_set(text, printer->arena, node->set);
        break;
    case PS_JAVA_CONCAT:
        put_children(printer, node, "");
        break;
    case PS_JAVA_EITHER:
        put_wrapped(printer, "(?:", node);
        break;
    case PS_JAVA_REPEAT:
        put_repeat(printer, node);
        break;
    case PS_JAVA_GROUP:
        put_wrapped(printer, "(", node->child);
        break;
    case PS_JAVA_ATOMIC:
        put_wrapped(printer, "(?>", node->child);
        break;
    case PS_JAVA_LOOK:
        put_look(printer, node);
        break;
    case PS_JAVA_REFERENCE:
        if (node->number > printer->group_count)
            ps_java_text_put(text, "(?!)");
        else /* PCRE2 also folds letters beyond ASCII: see ps_java_fold */
            ps_java_text_put(text, node->folds ? "(?i:\\g{%u})" : "\\g{%u}", node->number);
        break;
    case PS_JAVA_BEGIN:
        ps_java_text_put(text, printer->anchored ? "\\A(?=)" : "\\A");
        break;
    case PS_JAVA_LAST_MATCH:
        ps_java_text_put(text, printer->last_match ? "\\G" : "(?!)");
        break;
    case PS_JAVA_BOUNDARY:
        put_boundary(text, node);
        break;
    case PS_JAVA_LINE_BREAK:
        ps_java_text_put(text, "(?:\\r\\n|[\\n-\\r\\x{85}\\x{2028}\\x{2029}])");
        break;
    case PS_JAVA_GRAPHEME:
        ps_java_text_put(text, "\\X");
        break;
    default:
        put_anchor(text, node);
    }
}

/* Returns whether the node can match only at the beginning of the text; PCRE2 also detects such nodes. */
static bool is_anchored(const struct ps_java_node *node)
{
    if (node->kind == PS_JAVA_EITHER) {
        for (const struct ps_java_node *child = node->child; child != NULL; child = child->next)
            if (!is_anchored(child))
                return false;
        return true;
    }
    if (node->kind == PS_JAVA_CONCAT || node->kind == PS_JAVA_GROUP)
        return is_anchored(node->child);
    return node->kind == PS_JAVA_BEGIN;
}

void ps_java_print_pcre2(struct ps_java_text *text, struct ps_arena *arena, const struct ps_java_node *root,
                         unsigned group_count, bool last_match)
{
    struct printer printer = {
        .text = text, .arena = arena, .group_count = group_count, .last_match = last_match};
    /* If the expression is anchored, "\\A" is printed with an assertion of its own. */
    printer.anchored = printer.guarded = is_anchored(root);
    ps_java_text_put(text, "%s", ""); /* allocates the text, also for an empty expression */
    if (root->kind != PS_JAVA_EITHER) {
        put_node(&printer, root);
        return;
    }
    ps_java_text_put(text, "%s", printer.anchored ? "" : "(?=)(?:");
    printer.guarded = true;
    put_children(&printer, root, "|");
    ps_java_text_put(text, "%s", printer.anchored ? "" : ")");
}
