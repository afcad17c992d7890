/* Queries on an expression's tree that both printers use. Called while translating; pure. */
#include "regex/java/internal.h"

bool ps_java_nullable(const struct ps_java_node *node)
{
    const struct ps_java_node *child = node->child;
    switch (node->kind) {
    case PS_JAVA_EMPTY:
        return true;
    case PS_JAVA_CONCAT:
        while (child != NULL && ps_java_nullable(child))
            child = child->next;
        return child == NULL;
    case PS_JAVA_EITHER:
        while (child != NULL && !ps_java_nullable(child))
            child = child->next;
        return child != NULL;
    case PS_JAVA_REPEAT:
        return node->min == 0 || ps_java_nullable(child);
    case PS_JAVA_GROUP:
    case PS_JAVA_ATOMIC:
        return ps_java_nullable(child);
    default:
        return false;
    }
}

bool ps_java_deterministic(const struct ps_java_node *node)
{
    switch (node->kind) {
    case PS_JAVA_EITHER:
    case PS_JAVA_GRAPHEME:
        return false;
    case PS_JAVA_REPEAT:
        /* A repeat of a nondeterministic group is nondeterministic; "?" is always nondeterministic. */
        if (node->min != node->max || (node->max == 1 && node->min == 0))
            return false;
        return ps_java_deterministic(node->child);
    case PS_JAVA_CONCAT:
        for (const struct ps_java_node *child = node->child; child != NULL; child = child->next)
            if (!ps_java_deterministic(child))
                return false;
        return true;
    case PS_JAVA_GROUP:
    case PS_JAVA_ATOMIC:
        return ps_java_deterministic(node->child);
    default:
        return true;
    }
}

bool ps_java_has(const struct ps_java_node *node, enum ps_java_kind kind)
{
    for (const struct ps_java_node *child = node->child; child != NULL; child = child->next)
        if (ps_java_has(child, kind))
            return true;
    return node->kind == kind;
}

/* Returns whether the node may match an ASCII letter, or under (?u) anything beyond ASCII. */
static bool has_letters(const struct ps_java_node *node, bool unicode)
{
    if (node->kind == PS_JAVA_CLASS)
        return (node->set->ascii[1] & UINT64_C(0x07FFFFFE07FFFFFE)) != 0 || (unicode && node->set->high_some);
    if (node->kind == PS_JAVA_REFERENCE || node->kind == PS_JAVA_GRAPHEME)
        return true;
    for (const struct ps_java_node *child = node->child; child != NULL; child = child->next)
        if (has_letters(child, unicode))
            return true;
    return false;
}

void ps_java_fold(struct ps_java_node *root, const struct ps_java_node *const *groups, unsigned group_count)
{
    for (struct ps_java_node *child = root->child; child != NULL; child = child->next)
        ps_java_fold(child, groups, group_count);
    if (root->kind == PS_JAVA_REFERENCE)
        root->folds =
            root->caseless && root->number <= group_count && has_letters(groups[root->number], root->unicode);
}
