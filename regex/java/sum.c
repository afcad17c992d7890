/* The properties of an expression over bytes: its exactness, and the properties that the matcher needs. Called
 * while translating; pure. */
#include "regex/java/bytes.h"

bool ps_bytes_is_run(const struct ps_bytes_node *node)
{
    return node->kind == PS_BYTES_REPEAT && node->max == PS_JAVA_UNBOUNDED && node->min <= 1 &&
           node->child->kind == PS_BYTES_CHARACTER;
}

/* Returns whether the node has a match of zero bytes. */
static bool has_no_width(const struct ps_bytes_node *node)
{
    const struct ps_bytes_node *child = node->child;
    switch (node->kind) {
    case PS_BYTES_NEVER:
    case PS_BYTES_CHARACTER:
    case PS_BYTES_TEXT:
        return false;
    case PS_BYTES_CONCAT:
        while (child != NULL && has_no_width(child))
            child = child->next;
        return child == NULL;
    case PS_BYTES_EITHER:
        while (child != NULL && !has_no_width(child))
            child = child->next;
        return child != NULL;
    case PS_BYTES_REPEAT:
        return node->min == 0 || has_no_width(child);
    default:
        return true;
    }
}

/* Returns whether a match of the node may begin (with `end`: end) with a byte beyond ASCII whose character is not
 * fixed. */
static bool may_be_high(const struct ps_bytes_node *node, bool end)
{
    bool may = node->kind == PS_BYTES_CHARACTER && node->high;
    for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next) {
        bool child_may = may_be_high(child, end);
        if (node->kind == PS_BYTES_CONCAT && end && !has_no_width(child))
            may = false;
        may |= child_may;
        if (node->kind == PS_BYTES_CONCAT && !end && !has_no_width(child))
            break;
    }
    return may;
}

/* The surroundings of a node. `run`: the node is in a run of one class; `left`, `right`: the neighbour on that side may
 * be beyond ASCII. Two such neighbours can share the bytes of one character. */
struct around {
    bool run, left, right;
};

struct summarizer {
    struct ps_arena *arena;
    struct ps_bytes_summary *summary;
};

static void lower_exactness_at(struct ps_bytes_summary *summary, const struct ps_bytes_node *node,
                               enum ps_regex_exactness loss, const char *why)
{
    if (loss > summary->loss) {
        summary->loss = loss;
        summary->why = why;
        summary->at = node->at;
    }
}

static void summarize(struct summarizer *summarizer, const struct ps_bytes_node *node, struct around around);

static void summarize_concat(struct summarizer *summarizer, const struct ps_bytes_node *node,
                             struct around around)
{
    size_t count = 0;
    for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
        count++;
    const struct ps_bytes_node **children = ps_arena_alloc(summarizer->arena, (count + 1) * sizeof *children);
    bool *right = ps_arena_alloc(summarizer->arena, count + 1);
    count = 0;
    for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
        children[count++] = child;
    right[count] = around.right;
    for (size_t i = count; i-- > 0;)
        right[i] = may_be_high(children[i], false) || (has_no_width(children[i]) && right[i + 1]);
    for (size_t i = 0; i < count; i++) {
        summarize(summarizer, children[i], (struct around){.left = around.left, .right = right[i + 1]});
        around.left = may_be_high(children[i], true) || (has_no_width(children[i]) && around.left);
    }
}

static void summarize(struct summarizer *summarizer, const struct ps_bytes_node *node, struct around around)
{
    struct ps_bytes_summary *summary = summarizer->summary;
    if (node->atomic)
        lower_exactness_at(summary, node, PS_REGEX_CONFIRM, "atomic group or possessive repeat");
    lower_exactness_at(summary, node, node->loss, node->why);
    switch (node->kind) {
    case PS_BYTES_CHARACTER: {
        bool exact = node->high_all && (around.run || node->edge) && !around.left && !around.right;
        if (node->high && !exact)
            lower_exactness_at(summary, node, PS_REGEX_PLAIN, "a character that may be beyond ASCII");
        summary->repair |= node->high && node->replacement;
        summary->newline |= node->ascii[0] >> '\n' & 1;
        break;
    }
    case PS_BYTES_BEGIN:
    case PS_BYTES_END:
    case PS_BYTES_LINE_END:
    case PS_BYTES_LINE_BEGIN:
        summary->anchored = true;
        break;
    case PS_BYTES_CONCAT:
        summarize_concat(summarizer, node, around);
        break;
    case PS_BYTES_REPEAT:
        around.run = ps_bytes_is_run(node);
        if (!around.run && node->max > 1) { /* the rounds are adjacent */
            around.left |= may_be_high(node->child, true);
            around.right |= may_be_high(node->child, false);
        }
        summarize(summarizer, node->child, around);
        break;
    default:
        for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
            summarize(summarizer, child, (struct around){.left = around.left, .right = around.right});
    }
}

/* Returns whether the node matches the empty text in most subjects; "^$" does not. */
static bool matches_empty(const struct ps_bytes_node *node)
{
    if (node->kind == PS_BYTES_EITHER) {
        for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
            if (matches_empty(child))
                return true;
        return false;
    }
    bool begins = false, ends = false;
    if (node->kind == PS_BYTES_CONCAT)
        for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next) {
            begins |= child->kind == PS_BYTES_BEGIN || child->kind == PS_BYTES_LINE_BEGIN;
            ends |= child->kind == PS_BYTES_END || child->kind == PS_BYTES_LINE_END;
        }
    return has_no_width(node) && !(begins && ends);
}

/* Returns whether a match of the node may begin with a newline. Sets `*passes` if the node may match nothing, so that
 * what follows it may begin the match. A ^ does not pass: it does not match just before the newline that the matcher puts
 * before a subject, because the byte before that newline is 0xFF. */
static bool begins_with_newline(const struct ps_bytes_node *node, bool *passes)
{
    bool newline = false, child_passes = false;
    switch (node->kind) {
    case PS_BYTES_CONCAT:
        *passes = true;
        for (const struct ps_bytes_node *child = node->child; child != NULL && *passes; child = child->next)
            newline |= begins_with_newline(child, passes);
        return newline;
    case PS_BYTES_EITHER:
        *passes = false;
        for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next) {
            newline |= begins_with_newline(child, &child_passes);
            *passes |= child_passes;
        }
        return newline;
    case PS_BYTES_REPEAT:
        newline = begins_with_newline(node->child, passes);
        *passes |= node->min == 0;
        return newline;
    default:
        *passes = node->kind == PS_BYTES_EMPTY || node->kind == PS_BYTES_BOUNDARY ||
                  node->kind == PS_BYTES_END || node->kind == PS_BYTES_LINE_END;
        return node->kind == PS_BYTES_END || node->kind == PS_BYTES_LINE_END ||
               (node->ascii[0] >> '\n' & 1) != 0;
    }
}

void ps_bytes_summarize(struct ps_arena *arena, const struct ps_bytes_node *root,
                        struct ps_bytes_summary *summary)
{
    struct summarizer summarizer = {.arena = arena, .summary = summary};
    bool passes;
    *summary = (struct ps_bytes_summary){.never = root->kind == PS_BYTES_NEVER,
                                         .matches_empty = matches_empty(root),
                                         .begins_newline = begins_with_newline(root, &passes)};
    summarize(&summarizer, root, (struct around){.run = false});
}
