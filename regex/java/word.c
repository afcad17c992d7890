/* Finds where a \b certainly has an ASCII word character next to it. Only at such a \b can Hyperscan's \b be used, and
 * PCRE2 needs to test one side only. Called while translating; pure. */
#include "regex/java/internal.h"

enum edge { EDGE_NONE, EDGE_WORD, EDGE_OTHER }; /* EDGE_NONE: zero-width, look further */

static bool is_word(const struct ps_java_set *set)
{
    /* 0-9; A-Z, _, a-z */
    return !set->high_some && (set->ascii[0] & ~UINT64_C(0x03FF000000000000)) == 0 &&
           (set->ascii[1] & ~UINT64_C(0x07FFFFFE87FFFFFE)) == 0;
}

static enum edge edge_of(const struct ps_java_node *node, bool right)
{
    enum edge edge = EDGE_NONE;
    switch (node->kind) {
    case PS_JAVA_CLASS:
        return is_word(node->set) ? EDGE_WORD : EDGE_OTHER;
    case PS_JAVA_CONCAT: /* the first child with an edge from the left, the last one from the right */
        for (const struct ps_java_node *child = node->child; child != NULL; child = child->next) {
            enum edge of_child = edge_of(child, right);
            if (of_child != EDGE_NONE)
                edge = of_child;
            if (edge != EDGE_NONE && !right)
                break;
        }
        return edge;
    case PS_JAVA_EITHER:
        edge = edge_of(node->child, right);
        for (const struct ps_java_node *child = node->child; child != NULL; child = child->next)
            if (edge_of(child, right) != edge)
                return EDGE_OTHER;
        return edge;
    case PS_JAVA_REPEAT:
        edge = edge_of(node->child, right);
        return node->min == 0 && edge == EDGE_WORD ? EDGE_OTHER : edge;
    case PS_JAVA_GROUP:
    case PS_JAVA_ATOMIC:
        return edge_of(node->child, right);
    case PS_JAVA_REFERENCE:
    case PS_JAVA_LINE_BREAK:
    case PS_JAVA_GRAPHEME:
        return EDGE_OTHER;
    default:
        return EDGE_NONE;
    }
}

static void mark(struct ps_arena *arena, struct ps_java_node *node, bool left, bool right);

static void mark_concat(struct ps_arena *arena, struct ps_java_node *node, bool left, bool right)
{
    size_t count = 0;
    for (struct ps_java_node *child = node->child; child != NULL; child = child->next)
        count++;
    struct ps_java_node **children = ps_arena_alloc(arena, (count + 1) * sizeof(struct ps_java_node *));
    bool *rights = ps_arena_alloc(arena, count + 1);
    count = 0;
    for (struct ps_java_node *child = node->child; child != NULL; child = child->next)
        children[count++] = child;
    for (size_t i = count; i-- > 0;) {
        rights[i] = right;
        enum edge edge = edge_of(children[i], false);
        if (edge != EDGE_NONE)
            right = edge == EDGE_WORD;
    }
    for (size_t i = 0; i < count; i++) {
        mark(arena, children[i], left, rights[i]);
        enum edge edge = edge_of(children[i], true);
        if (edge != EDGE_NONE)
            left = edge == EDGE_WORD;
    }
}

static void mark(struct ps_arena *arena, struct ps_java_node *node, bool left, bool right)
{
    switch (node->kind) {
    case PS_JAVA_BOUNDARY:
        node->word_left = left;
        node->word_right = right;
        return;
    case PS_JAVA_CONCAT:
        mark_concat(arena, node, left, right);
        return;
    case PS_JAVA_REPEAT: /* rounds are adjacent to each other */
        left &= node->max <= 1;
        right &= node->max <= 1 && node->greed != PS_JAVA_POSSESSIVE;
        break;
    case PS_JAVA_ATOMIC: /* the choice in the group is made before the following expression is tested */
        right = false;
        break;
    case PS_JAVA_LOOK: /* a look-ahead has only its left neighbour; a look-behind only its right one */
        left &= !node->behind;
        right &= node->behind;
        break;
    default:
        break;
    }
    for (struct ps_java_node *child = node->child; child != NULL; child = child->next)
        mark(arena, child, left, right);
}

void ps_java_mark_words(struct ps_arena *arena, struct ps_java_node *root)
{
    mark(arena, root, false, false);
}
