/* The cost of an expression over bytes for Hyperscan: its number of states, and larger repeats where it has too many.
 * Called while translating; pure. */
#include "regex/java/bytes.h"

#include <string.h>

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t times(uint64_t a, uint64_t b)
{
    uint64_t product;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static uint64_t states_of_repeat(const struct ps_bytes_node *node)
{
    uint64_t one = ps_bytes_is_run(node) ? 1 : ps_bytes_states(node->child);
    bool open = node->max == PS_JAVA_UNBOUNDED;
    if ((open && node->min <= 1) || (node->min == 0 && node->max == 1))
        return add(one, 1); /* ?, * or + */
    return times(one, open ? (uint64_t)node->min + 1 : node->max);
}

uint64_t ps_bytes_states(const struct ps_bytes_node *node)
{
    uint64_t states = 0;
    switch (node->kind) {
    case PS_BYTES_CHARACTER:
        if (!node->high || node->edge)
            return 1;
        return node->ascii[0] != 0 || node->ascii[1] != 0 ? 5 : 4;
    case PS_BYTES_TEXT:
        return strlen(node->text);
    case PS_BYTES_REPEAT:
        return states_of_repeat(node);
    case PS_BYTES_LINE_BEGIN:
    case PS_BYTES_LINE_END:
        return 1;
    default:
        for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
            states = add(states, ps_bytes_states(child));
        return states;
    }
}

/* Drops the upper bound of repeats above `cap`, and reduces their lower bound to `cap`. */
static void cap_repeats(struct ps_bytes_node *node, uint32_t cap)
{
    bool open = node->max == PS_JAVA_UNBOUNDED;
    if (node->kind == PS_BYTES_REPEAT && (open ? node->min : node->max) > cap) {
        node->min = node->min < cap ? node->min : cap;
        node->max = PS_JAVA_UNBOUNDED;
    }
    for (struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
        cap_repeats(child, cap);
}

bool ps_bytes_loosen(struct ps_bytes_node *root)
{
    uint32_t cap = 1000;
    for (; cap > 0 && ps_bytes_states(root) > PS_REGEX_STATES_LOOSENED; cap /= 10)
        cap_repeats(root, cap);
    return ps_bytes_states(root) <= PS_REGEX_STATES_LOOSENED;
}
