/* Converts an expression's tree to one over bytes that matches at least wherever Java finds a match:
 * regex/java/java.h has the rules. Called while translating; pure. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text/utf8.h"
#include "regex/java/bytes.h"

#define HYPERSCAN_LENGTH_MAX 15000U /* Hyperscan accepts at most 16,000 */
#define HYPERSCAN_REPEAT_MAX 32000U
#define NODES_MAX 100000U
#define FEW 8U /* at most so many characters beyond ASCII are written out one by one */

struct converter {
    struct ps_arena *arena;
    const struct ps_java_node *const *groups; /* by number, for back-references */
    unsigned group_count;
    unsigned references; /* nesting depth of references */
    size_t made;
};

/* The surroundings of a node. */
struct context {
    bool leading, trailing; /* nothing has to match before the node, or after it */
    bool bare;              /* a group's content, copied in place of a back-reference: neighbours unknown */
};

static struct ps_bytes_node *make(struct converter *converter, enum ps_bytes_kind kind,
                                  const struct ps_java_node *like)
{
    struct ps_bytes_node *node = ps_arena_alloc(converter->arena, sizeof *node);
    *node = (struct ps_bytes_node){.kind = kind, .at = like->at};
    converter->made++;
    return node;
}

static struct ps_bytes_node *lost(struct ps_bytes_node *node, enum ps_regex_exactness loss, const char *why)
{
    if (loss > node->loss) {
        node->loss = loss;
        node->why = why;
    }
    return node;
}

static struct ps_bytes_node *left_out(struct converter *converter, const struct ps_java_node *node,
                                      const char *why)
{
    return lost(make(converter, PS_BYTES_EMPTY, node), PS_REGEX_CONFIRM, why);
}

/* ---- characters ---- */

static void encode(uint32_t c, char *out)
{
    out[ps_utf8_put(out, c)] = '\0';
}

/* Collects code points beyond ASCII, without surrogates. Returns their number, or FEW + 1 if there are more
 * than FEW. */
static unsigned count_high(const struct ps_java_set *set, uint32_t *out)
{
    unsigned count = 0;
    if (set->kind != PS_JAVA_FLAT || set->properties[0] != '\0')
        return FEW + 1;
    for (size_t i = 0; i < set->range_count; i++) {
        uint32_t first = set->ranges[i].first < 0x80 ? 0x80 : set->ranges[i].first;
        for (uint32_t c = first; c <= set->ranges[i].last; c++) {
            if (c >= 0xD800 && c <= 0xDFFF) {
                c = 0xDFFF;
                continue;
            }
            if (count == FEW)
                return FEW + 1;
            out[count++] = c;
        }
    }
    return count;
}

static struct ps_bytes_node *character(struct converter *converter, const struct ps_java_node *like,
                                       const struct ps_java_set *set)
{
    struct ps_bytes_node *node = make(converter, PS_BYTES_CHARACTER, like);
    uint32_t high[FEW];
    memcpy(node->ascii, set->ascii, sizeof node->ascii);
    bool has_ascii = set->ascii[0] != 0 || set->ascii[1] != 0;
    if (!set->high_some)
        return has_ascii ? node : make(converter, PS_BYTES_NEVER, like);
    unsigned count = set->replacement ? FEW + 1 : count_high(set, high);
    if (count > FEW) {
        node->high = true;
        node->high_all = set->high_all;
        node->replacement = set->replacement;
        return node;
    }
    struct ps_bytes_node *either = make(converter, PS_BYTES_EITHER, like), **link = &either->child;
    if (has_ascii) {
        *link = node;
        link = &node->next;
    }
    for (unsigned i = 0; i < count; i++) {
        struct ps_bytes_node *text = make(converter, PS_BYTES_TEXT, like);
        encode(high[i], text->text);
        *link = text;
        link = &text->next;
    }
    if (either->child == NULL)
        return make(converter, PS_BYTES_NEVER, like);
    return either->child->next == NULL ? either->child : either;
}

/* ---- the tree ---- */

static struct ps_bytes_node *convert(struct converter *converter, const struct ps_java_node *node,
                                     struct context context);

/* The rounds of a repeat are adjacent to each other, so only a repeat of at most one round has the context's
 * neighbours. */
static struct ps_bytes_node *convert_repeat(struct converter *converter, const struct ps_java_node *node,
                                            struct context context)
{
    struct context inside = {.bare = context.bare};
    if (node->max <= 1)
        inside = context;
    if (node->max == 0)
        return make(converter, PS_BYTES_EMPTY, node);
    struct ps_bytes_node *child = convert(converter, node->child, inside);
    struct ps_bytes_node *repeat = make(converter, PS_BYTES_REPEAT, node);
    if (child->kind == PS_BYTES_NEVER)
        return make(converter, node->min == 0 ? PS_BYTES_EMPTY : PS_BYTES_NEVER, node);
    repeat->child = child;
    repeat->min = node->min;
    repeat->max = node->max;
    repeat->atomic = node->greed == PS_JAVA_POSSESSIVE;
    if (repeat->min > HYPERSCAN_REPEAT_MAX) {
        repeat->min = HYPERSCAN_REPEAT_MAX;
        lost(repeat, PS_REGEX_CONFIRM, "a repeat of more than 32,000 times");
    }
    if (repeat->max > HYPERSCAN_REPEAT_MAX && repeat->max != PS_JAVA_UNBOUNDED) {
        repeat->max = PS_JAVA_UNBOUNDED;
        lost(repeat, PS_REGEX_CONFIRM, "a repeat of more than 32,000 times");
    }
    return repeat;
}

/* Returns for each child whether everything after the child can match the empty text. */
static const bool *look_right(struct converter *converter, const struct ps_java_node *node, bool trailing)
{
    size_t count = 0;
    for (const struct ps_java_node *child = node->child; child != NULL; child = child->next)
        count++;
    bool *all = ps_arena_alloc(converter->arena, count + 1);
    const struct ps_java_node **children = ps_arena_alloc(converter->arena, (count + 1) * sizeof *children);
    count = 0;
    for (const struct ps_java_node *child = node->child; child != NULL; child = child->next)
        children[count++] = child;
    for (size_t i = count; i-- > 0;) {
        all[i] = trailing;
        trailing &= ps_java_nullable(children[i]);
    }
    return all;
}

static struct ps_bytes_node *convert_concat(struct converter *converter, const struct ps_java_node *node,
                                            struct context context)
{
    struct ps_bytes_node *concat = make(converter, PS_BYTES_CONCAT, node), **link = &concat->child;
    const bool *trailing = look_right(converter, node, context.trailing);
    for (const struct ps_java_node *child = node->child; child != NULL; child = child->next) {
        context.trailing = *trailing++;
        struct ps_bytes_node *made = convert(converter, child, context);
        if (made->kind == PS_BYTES_NEVER)
            return made;
        *link = made;
        link = &made->next;
        context.leading &= ps_java_nullable(child);
    }
    return concat;
}

static struct ps_bytes_node *convert_either(struct converter *converter, const struct ps_java_node *node,
                                            struct context context)
{
    struct ps_bytes_node *either = make(converter, PS_BYTES_EITHER, node), **link = &either->child;
    for (const struct ps_java_node *child = node->child; child != NULL; child = child->next) {
        struct ps_bytes_node *made = convert(converter, child, context);
        if (made->kind == PS_BYTES_NEVER)
            continue;
        *link = made;
        link = &made->next;
    }
    return either->child != NULL ? either : make(converter, PS_BYTES_NEVER, node);
}

/* A look-ahead at the end and a look-behind at the beginning are treated as ordinary text, because only
 * whether there is a match counts, not where it ends. */
static struct ps_bytes_node *convert_look(struct converter *converter, const struct ps_java_node *node,
                                          struct context context)
{
    if (!node->negative && !context.bare && (node->behind ? context.leading : context.trailing)) {
        struct ps_bytes_node *made = convert(converter, node->child, context);
        struct ps_bytes_node *apart = make(converter, PS_BYTES_CONCAT, node);
        apart->child = made; /* the node before it is not its neighbour */
        return made->kind == PS_BYTES_NEVER ? made : apart;
    }
    return left_out(converter, node, node->behind ? "look-behind" : "look-ahead");
}

static struct ps_bytes_node *anything(struct converter *converter, const struct ps_java_node *node)
{
    struct ps_bytes_node *any = make(converter, PS_BYTES_CHARACTER, node),
                         *repeat = make(converter, PS_BYTES_REPEAT, node);
    any->ascii[0] = any->ascii[1] = UINT64_MAX;
    any->high = any->high_all = any->replacement = true;
    repeat->child = any;
    repeat->max = PS_JAVA_UNBOUNDED;
    return repeat;
}

/* Adds the other case of letters, for a caseless back-reference. PCRE2 accepts more than Java there, and some
 * cases of ASCII letters are beyond ASCII. */
static void fold(struct ps_bytes_node *node)
{
    if (node->kind == PS_BYTES_CHARACTER) {
        uint64_t upper = node->ascii[1] & 0x07FFFFFE, lower = node->ascii[1] & UINT64_C(0x07FFFFFE00000000);
        node->ascii[1] |= upper << 32 | lower >> 32;
        node->high = node->replacement = true;
    } else if (node->kind == PS_BYTES_TEXT) {
        node->kind = PS_BYTES_CHARACTER;
        node->ascii[0] = node->ascii[1] = UINT64_MAX;
        node->high = true;
    }
    for (struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
        fold(child);
}

static struct ps_bytes_node *convert_reference(struct converter *converter, const struct ps_java_node *node)
{
    if (node->number > converter->group_count)
        return make(converter, PS_BYTES_NEVER, node);
    struct ps_bytes_node *made, *concat = make(converter, PS_BYTES_CONCAT, node);
    if (converter->references < 2) {
        converter->references++;
        made = convert(converter, converter->groups[node->number]->child, (struct context){.bare = true});
        converter->references--;
        if (node->folds)
            fold(made);
    } else {
        made = anything(converter, node);
    }
    if (made->kind == PS_BYTES_NEVER)
        return made;
    concat->child = made;
    return lost(concat, PS_REGEX_CONFIRM, "back-reference");
}

static struct ps_bytes_node *convert_boundary(struct converter *converter, const struct ps_java_node *node,
                                              struct context context)
{
    if (node->negative || context.bare || (!node->word_left && !node->word_right))
        return left_out(converter, node, node->negative ? "\\B" : "\\b with no ASCII letter next to it");
    return lost(make(converter, PS_BYTES_BOUNDARY, node), PS_REGEX_PLAIN, "\\b");
}

static struct ps_bytes_node *convert_anchor(struct converter *converter, const struct ps_java_node *node,
                                            struct context context)
{
    enum ps_bytes_kind kind = PS_BYTES_END;
    bool begin = node->kind == PS_JAVA_BEGIN || node->kind == PS_JAVA_LAST_MATCH;
    if (begin || node->kind == PS_JAVA_LINE_BEGIN)
        kind = begin || node->unix_lines ? PS_BYTES_BEGIN : PS_BYTES_LINE_BEGIN;
    else if (node->kind != PS_JAVA_END && !node->unix_lines)
        kind = PS_BYTES_LINE_END;
    bool first = kind == PS_BYTES_BEGIN || kind == PS_BYTES_LINE_BEGIN;
    if (context.bare || !(first ? context.leading : context.trailing))
        return left_out(converter, node,
                        first ? "^ that is not the first part" : "$ that is not the last part");
    struct ps_bytes_node *made = make(converter, kind, node);
    return lost(made, PS_REGEX_PLAIN, first ? "^" : "$");
}

static struct ps_bytes_node *convert_grapheme(struct converter *converter, const struct ps_java_node *node)
{
    struct ps_bytes_node *repeat = anything(converter, node);
    repeat->min = 1;
    return lost(repeat, PS_REGEX_CONFIRM, "\\X");
}

static struct ps_bytes_node *convert_line_break(struct converter *converter, const struct ps_java_node *node)
{
    static const struct ps_java_range ends[] = {{0x0A, 0x0D}, {0x85, 0x85}, {0x2028, 0x2029}};
    struct ps_bytes_node *repeat = make(converter, PS_BYTES_REPEAT, node);
    repeat->child =
        character(converter, node, ps_java_set_make(converter->arena, ends, PS_COUNT_OF(ends), ""));
    repeat->min = 1;
    repeat->max = 2;
    return lost(repeat, PS_REGEX_CONFIRM, "\\R");
}

static struct ps_bytes_node *convert(struct converter *converter, const struct ps_java_node *node,
                                     struct context context)
{
    if (converter->made > NODES_MAX)
        return anything(converter, node);
    switch (node->kind) {
    case PS_JAVA_EMPTY:
        return make(converter, PS_BYTES_EMPTY, node);
    case PS_JAVA_CLASS:
        return character(converter, node, node->set);
    case PS_JAVA_CONCAT:
        return convert_concat(converter, node, context);
    case PS_JAVA_EITHER:
        return convert_either(converter, node, context);
    case PS_JAVA_REPEAT:
        return convert_repeat(converter, node, context);
    case PS_JAVA_GROUP:
        return convert(converter, node->child, context);
    case PS_JAVA_ATOMIC: {
        struct ps_bytes_node *concat = make(converter, PS_BYTES_CONCAT, node);
        concat->child = convert(converter, node->child, context);
        concat->atomic = true;
        return concat->child->kind == PS_BYTES_NEVER ? concat->child : concat;
    }
    case PS_JAVA_LOOK:
        return convert_look(converter, node, context);
    case PS_JAVA_REFERENCE:
        return convert_reference(converter, node);
    case PS_JAVA_BOUNDARY:
        return convert_boundary(converter, node, context);
    case PS_JAVA_LINE_BREAK:
        return convert_line_break(converter, node);
    case PS_JAVA_GRAPHEME:
        return convert_grapheme(converter, node);
    default:
        return convert_anchor(converter, node, context);
    }
}

/* ---- the whole expression ---- */

/* Returns whether Java finds a match in every subject: at the beginning (^x*), at the end (x*$), or
 * anywhere. */
static bool always(const struct ps_java_node *root)
{
    if (ps_java_nullable(root))
        return true;
    if (root->kind == PS_JAVA_BEGIN || root->kind == PS_JAVA_LAST_MATCH || root->kind == PS_JAVA_END ||
        root->kind == PS_JAVA_LAST_END || root->kind == PS_JAVA_LINE_END)
        return true;
    if (root->kind == PS_JAVA_EITHER) {
        for (const struct ps_java_node *child = root->child; child != NULL; child = child->next)
            if (always(child))
                return true;
        return false;
    }
    if (root->kind == PS_JAVA_GROUP)
        return always(root->child);
    if (root->kind != PS_JAVA_CONCAT)
        return false;
    bool begins = false, ends = false;
    for (const struct ps_java_node *child = root->child; child != NULL; child = child->next) {
        if (ps_java_nullable(child))
            continue;
        bool begin = child->kind == PS_JAVA_BEGIN || child->kind == PS_JAVA_LAST_MATCH;
        bool end =
            child->kind == PS_JAVA_END || child->kind == PS_JAVA_LAST_END || child->kind == PS_JAVA_LINE_END;
        if ((!begin && !end) || (begin && (child != root->child || ends)) || (end && begins))
            return false;
        begins |= begin;
        ends |= end;
    }
    return true;
}

static void refuse(struct ps_java_regex *regex, const char *why)
{
    regex->exactness = PS_REGEX_NONE;
    snprintf(regex->why, sizeof regex->why, "%s", why);
}

void ps_java_print_hyperscan(struct ps_java_regex *regex, struct ps_arena *arena,
                             const struct ps_java_node *root, const struct ps_java_node *const *groups)
{
    struct converter converter = {.arena = arena, .groups = groups, .group_count = regex->group_count};
    struct context context = {.leading = true, .trailing = true};
    enum ps_regex_exactness trimmed = PS_REGEX_EXACT;
    struct ps_bytes_summary summary;
    if (always(root)) {
        regex->exactness = PS_REGEX_ALWAYS;
        return;
    }
    struct ps_bytes_node *bytes = convert(&converter, root, context);
    if (converter.made > NODES_MAX) {
        refuse(regex, "it is too long for Hyperscan");
        return;
    }
    bytes = ps_bytes_trim(arena, bytes, &trimmed);
    ps_bytes_summarize(arena, bytes, &summary);
    if (summary.never || summary.matches_empty) {
        refuse(regex, summary.never ? "it can never match" : "all of it is optional");
        if (summary.matches_empty && summary.why != NULL)
            snprintf(regex->why, sizeof regex->why, "all of it but %s at %u is optional", summary.why,
                     summary.at);
        return;
    }
    struct ps_java_text text = {.data = NULL}, fragment_text = {.data = NULL};
    const struct ps_bytes_node *fragment = ps_bytes_fragment(arena, bytes);
    if (fragment != NULL)
        ps_bytes_print(&fragment_text, fragment);
    regex->fragment = fragment_text.data;
    uint64_t states = ps_bytes_states(bytes);
    if (!ps_bytes_loosen(bytes)) {
        regex->states = states;
        refuse(regex, "it is too large for Hyperscan");
        return;
    }
    ps_bytes_print(&text, bytes);
    if (text.length > HYPERSCAN_LENGTH_MAX) {
        free(text.data);
        refuse(regex, "it is too long for Hyperscan");
        return;
    }
    regex->hyperscan = text.data;
    regex->states = states;
    regex->states_loosened = ps_bytes_states(bytes);
    regex->exactness = summary.loss > trimmed ? summary.loss : trimmed;
    regex->repair = summary.repair;
    regex->crosses_newline = summary.newline;
    regex->begins_newline = summary.begins_newline;
    regex->anchored = summary.anchored;
    if (regex->states > PS_REGEX_STATES_LOOSENED && regex->exactness < PS_REGEX_CONFIRM) {
        regex->exactness = PS_REGEX_CONFIRM;
        snprintf(regex->why, sizeof regex->why, PS_REGEX_TOO_LARGE);
    } else if (summary.why != NULL && summary.loss == regex->exactness)
        snprintf(regex->why, sizeof regex->why, "%s at %u", summary.why, summary.at);
    else if (regex->exactness != PS_REGEX_EXACT)
        snprintf(regex->why, sizeof regex->why, "%s",
                 regex->exactness == PS_REGEX_PLAIN ? ". stops at a line end"
                                                    : "a possessive repeat or an atomic group comes first");
}
