/* Cuts off those parts at the ends of an expression over bytes that need not match, because whether there is a match
 * counts, not where it begins and ends. Called while translating; pure. */
#include "regex/java/bytes.h"

/* Returns whether the node matches the empty text anywhere. */
static bool is_nullable(const struct ps_bytes_node *node)
{
    const struct ps_bytes_node *child = node->child;
    switch (node->kind) {
    case PS_BYTES_EMPTY:
        return node->loss == PS_REGEX_EXACT;
    case PS_BYTES_CONCAT:
        while (child != NULL && is_nullable(child))
            child = child->next;
        return child == NULL && node->loss == PS_REGEX_EXACT;
    case PS_BYTES_EITHER:
        while (child != NULL && !is_nullable(child))
            child = child->next;
        return child != NULL;
    case PS_BYTES_REPEAT:
        return node->min == 0 || is_nullable(child);
    default:
        return false;
    }
}

struct trimmer {
    struct ps_arena *arena;
    enum ps_regex_exactness *loss;
    bool end; /* trims the end; else the beginning */
};

static void lower_exactness(struct trimmer *trimmer, enum ps_regex_exactness loss)
{
    if (loss > *trimmer->loss)
        *trimmer->loss = loss;
}

static bool has_atomic(const struct ps_bytes_node *node)
{
    for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
        if (has_atomic(child))
            return true;
    return node->atomic;
}

/* Returns whether the node is a repeat that matches any part of a plain subject. One that stands for something else, as for \X, matches
 * more than that. */
static bool is_dots(const struct ps_bytes_node *node)
{
    const struct ps_bytes_node *child = node->child;
    return node->kind == PS_BYTES_REPEAT && node->max == PS_JAVA_UNBOUNDED && !node->atomic &&
           node->loss == PS_REGEX_EXACT && child->kind == PS_BYTES_CHARACTER && child->high &&
           child->ascii[1] == UINT64_MAX &&
           (child->ascii[0] | UINT64_C(0x2400)) == UINT64_MAX; /* all except \n and \r */
}

static struct ps_bytes_node *trim(struct trimmer *trimmer, struct ps_bytes_node *node);

static bool is_outer_anchor(const struct trimmer *trimmer, const struct ps_bytes_node *node)
{
    if (trimmer->end)
        return node->kind == PS_BYTES_END || node->kind == PS_BYTES_LINE_END;
    return node->kind == PS_BYTES_BEGIN || node->kind == PS_BYTES_LINE_BEGIN;
}

/* Trims one end of a sequence; `step` leads inwards. Removed children become NULL. */
static void trim_children(struct trimmer *trimmer, struct ps_bytes_node **children, size_t count)
{
    size_t at = trimmer->end ? count - 1 : 0, step = trimmer->end ? SIZE_MAX : 1;
    for (; at < count; at += step) {
        struct ps_bytes_node *child = children[at];
        if (child->kind == PS_BYTES_EMPTY) {
            if (child->loss == PS_REGEX_EXACT)
                children[at] = NULL;
            continue;
        }
        if (is_outer_anchor(trimmer, child)) {
            /* "^.*x" becomes "x" in subjects where a dot matches everything. */
            if (count > 2 && at + step < count && is_dots(children[at + step])) {
                children[at] = NULL;
                lower_exactness(trimmer, PS_REGEX_PLAIN);
                continue;
            }
            return;
        }
        if (!is_nullable(child)) {
            children[at] = trim(trimmer, child);
            return;
        }
        if (!trimmer->end && has_atomic(child))
            lower_exactness(trimmer, PS_REGEX_CONFIRM);
        children[at] = NULL;
    }
}

static struct ps_bytes_node *trim_concat(struct trimmer *trimmer, struct ps_bytes_node *node)
{
    size_t count = 0, kept = 0;
    for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
        count++;
    if (count == 0)
        return node;
    struct ps_bytes_node **children = ps_arena_alloc(trimmer->arena, count * sizeof(struct ps_bytes_node *));
    for (struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
        children[kept++] = child;
    trim_children(trimmer, children, count);
    struct ps_bytes_node **link = &node->child;
    for (size_t i = 0; i < count; i++)
        if (children[i] != NULL) {
            *link = children[i];
            link = &children[i]->next;
        }
    *link = NULL;
    return node;
}

/* Trims a node at the outer end of the expression. */
static struct ps_bytes_node *trim(struct trimmer *trimmer, struct ps_bytes_node *node)
{
    if (node->atomic && !trimmer->end && node->kind == PS_BYTES_REPEAT)
        lower_exactness(trimmer, PS_REGEX_CONFIRM);
    if (trimmer->end &&
        (node->kind != PS_BYTES_REPEAT || node->min <= 1 || node->child->kind == PS_BYTES_CHARACTER))
        /* Except for rounds of a group: Java does not backtrack into earlier rounds. */
        node->atomic = false;
    switch (node->kind) {
    case PS_BYTES_CHARACTER:
        node->edge = true;
        return node;
    case PS_BYTES_CONCAT:
        return trim_concat(trimmer, node);
    case PS_BYTES_EITHER: {
        struct ps_bytes_node **link = &node->child;
        for (struct ps_bytes_node *child = node->child, *next; child != NULL; child = next) {
            next = child->next;
            child->next = NULL;
            *link = trim(trimmer, child);
            link = &(*link)->next;
        }
        return node;
    }
    case PS_BYTES_REPEAT:
        node->max = node->min;
        if (node->min != 1)
            return node;
        node->child->next = NULL;
        return trim(trimmer, node->child);
    default:
        return node;
    }
}

static bool are_disjoint(const struct ps_bytes_node *a, const struct ps_bytes_node *b)
{
    return (a->ascii[0] & b->ascii[0]) == 0 && (a->ascii[1] & b->ascii[1]) == 0 && !(a->high && b->high);
}

/* Clears `atomic` where backtracking into the repeat would not help, as in "[^"]*+"", so that nothing is lost. */
static void atomic_clear(struct ps_bytes_node *node)
{
    for (struct ps_bytes_node *child = node->child; child != NULL; child = child->next) {
        atomic_clear(child);
        const struct ps_bytes_node *next = child->next;
        if (next != NULL && next->kind == PS_BYTES_REPEAT && next->min > 0)
            next = next->child;
        if (node->kind == PS_BYTES_CONCAT && child->atomic && child->kind == PS_BYTES_REPEAT &&
            child->child->kind == PS_BYTES_CHARACTER && next != NULL && next->kind == PS_BYTES_CHARACTER &&
            are_disjoint(child->child, next))
            child->atomic = false;
    }
}

struct ps_bytes_node *ps_bytes_trim(struct ps_arena *arena, struct ps_bytes_node *root,
                                    enum ps_regex_exactness *loss)
{
    struct trimmer trimmer = {.arena = arena, .loss = loss, .end = true};
    atomic_clear(root);
    root = trim(&trimmer, root);
    trimmer.end = false;
    return trim(&trimmer, root);
}
