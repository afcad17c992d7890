/* Look-behind. Java accepts any content with a maximum length; PCRE2 requires alternatives of one length each. The
 * content is therefore expanded: a(b|cd)e? becomes abe|ab|acde|acd. A repeat at the left end of the content needs only
 * its minimum number of rounds, because the beginning of the content only has to exist. Called while translating;
 * pure. */
#include "regex/java/internal.h"

#define ALTERNATIVES_MAX 512U
#define TOO_MANY "the look-behind has too many lengths to be expanded"

/* ---- what Java itself refuses ---- */

/* Lengths as Java computes them in 32 bits, including its overflow errors: the part that follows alternatives is
 * counted from zero, so that an overflow of the sum is not noticed. */
struct lengths {
    int32_t max, before;
    bool valid, before_valid;
};

static const struct lengths no_lengths = {.valid = true, .before_valid = true};

static int32_t wrap(int64_t value)
{
    return (int32_t)(uint32_t)(uint64_t)value;
}

static void measure(const struct ps_java_node *node, struct lengths *lengths);

static struct lengths measure_alone(const struct ps_java_node *node)
{
    struct lengths lengths = no_lengths;
    measure(node, &lengths);
    lengths.max = wrap((int64_t)lengths.max + lengths.before);
    lengths.valid &= lengths.before_valid;
    return lengths;
}

/* Handles alternatives: all children; for a question mark, the only child and the empty text. */
static void measure_either(const struct ps_java_node *node, struct lengths *lengths)
{
    int32_t longest = node->kind == PS_JAVA_EITHER ? -1 : 0;
    for (const struct ps_java_node *child = node->child; child != NULL; child = child->next) {
        struct lengths inner = measure_alone(child);
        longest = inner.max > longest ? inner.max : longest;
        lengths->before_valid &= inner.valid;
    }
    lengths->before = wrap((int64_t)wrap((int64_t)lengths->before + lengths->max) + longest);
    lengths->before_valid &= lengths->valid;
    lengths->max = 0;
    lengths->valid = true;
}

static void measure_repeat(const struct ps_java_node *node, struct lengths *lengths)
{
    bool question = node->min == 0 && node->max == 1;
    if (question) {
        if (node->of_group && node->greed != PS_JAVA_POSSESSIVE)
            measure_either(node, lengths);
        else
            measure(node->child, lengths);
        return;
    }
    if (node->of_group && node->greed != PS_JAVA_POSSESSIVE && !ps_java_deterministic(node->child)) {
        lengths->valid = false;
        return;
    }
    int32_t max = node->max == PS_JAVA_UNBOUNDED ? INT32_MAX : (int32_t)node->max;
    if (!node->of_group && node->greed == PS_JAVA_GREEDY && node->max == PS_JAVA_UNBOUNDED &&
        node->child->kind == PS_JAVA_CLASS) {
        if (lengths->valid)
            lengths->max = wrap((int64_t)lengths->max + max);
        return;
    }
    struct lengths inner = measure_alone(node->child);
    if (!lengths->valid || !inner.valid) {
        lengths->valid = false;
        return;
    }
    int32_t sum = wrap((int64_t)wrap((int64_t)inner.max * max) + lengths->max);
    if (sum < lengths->max)
        lengths->valid = false;
    lengths->max = sum;
}

static void measure(const struct ps_java_node *node, struct lengths *lengths)
{
    switch (node->kind) {
    case PS_JAVA_CLASS:
        lengths->max = wrap((int64_t)lengths->max + 1);
        break;
    case PS_JAVA_LINE_BREAK:
        lengths->max = wrap((int64_t)lengths->max + 2);
        break;
    case PS_JAVA_REPEAT:
        measure_repeat(node, lengths);
        break;
    case PS_JAVA_REFERENCE:
        lengths->valid = false;
        break;
    case PS_JAVA_CONCAT:
    case PS_JAVA_GROUP:
    case PS_JAVA_ATOMIC:
        for (const struct ps_java_node *child = node->child; child != NULL; child = child->next)
            measure(child, lengths);
        break;
    case PS_JAVA_EITHER:
        measure_either(node, lengths);
        break;
    default:
        break;
    }
}

/* ---- alternatives of one length each ---- */

struct list {
    struct ps_java_node *first, **link;
    size_t count;
};

struct work {
    struct ps_arena *arena;
    size_t made; /* number of nodes, to bound the work */
    const char *reason;
};

static struct ps_java_node *make(struct work *work, enum ps_java_kind kind, const struct ps_java_node *like)
{
    struct ps_java_node *node = ps_arena_alloc(work->arena, sizeof *node);
    *node = *like;
    node->kind = kind;
    node->next = NULL;
    if (++work->made > 64 * ALTERNATIVES_MAX)
        work->reason = TOO_MANY;
    return node;
}

static void list_open(struct list *list)
{
    *list = (struct list){.first = NULL};
    list->link = &list->first;
}

static void list_add(struct work *work, struct list *list, struct ps_java_node *node)
{
    *list->link = node;
    list->link = &node->next;
    if (++list->count > ALTERNATIVES_MAX)
        work->reason = TOO_MANY;
}

static struct ps_java_node *pair(struct work *work, const struct ps_java_node *left,
                                 const struct ps_java_node *right)
{
    struct ps_java_node *node = make(work, PS_JAVA_CONCAT, left);
    node->child = make(work, left->kind, left);
    node->child->next = make(work, right->kind, right);
    return node;
}

static void list_product(struct work *work, const struct list *left, const struct list *right,
                         struct list *out)
{
    list_open(out);
    for (const struct ps_java_node *a = left->first; a != NULL && work->reason == NULL; a = a->next)
        for (const struct ps_java_node *b = right->first; b != NULL && work->reason == NULL; b = b->next)
            list_add(work, out, pair(work, a, b));
}

static void expand(struct work *work, const struct ps_java_node *node, bool leftmost, struct list *out);

static void expand_repeat(struct work *work, const struct ps_java_node *node, bool leftmost, struct list *out)
{
    uint32_t max = leftmost ? node->min : node->max;
    struct list once, rounds;
    expand(work, node->child, false, &once);
    if (max != node->min && max == PS_JAVA_UNBOUNDED)
        work->reason = "a look-behind with an unbounded repeat that is not its first part is not supported";
    if ((once.count > 1 || node->min != node->max) && node->greed == PS_JAVA_POSSESSIVE)
        work->reason = "a look-behind with a possessive repeat of several lengths is not supported";
    list_open(out);
    if (work->reason != NULL)
        return;
    if (once.count == 1) {
        for (uint32_t n = max; n + 1 > node->min && work->reason == NULL; n--) {
            struct ps_java_node *exactly = make(work, PS_JAVA_REPEAT, node);
            exactly->greed = PS_JAVA_GREEDY;
            exactly->min = exactly->max = n;
            exactly->child = once.first;
            list_add(work, out, exactly);
            if (n == 0)
                break;
        }
        return;
    }
    list_open(&rounds);
    list_add(work, &rounds, make(work, PS_JAVA_EMPTY, node));
    for (uint32_t n = 0; n <= max && work->reason == NULL; n++) {
        if (n >= node->min)
            for (const struct ps_java_node *each = rounds.first; each != NULL; each = each->next)
                list_add(work, out, make(work, each->kind, each));
        struct list more;
        if (n < max) {
            list_product(work, &rounds, &once, &more);
            rounds = more;
        }
    }
}

static void expand_either(struct work *work, const struct ps_java_node *node, bool leftmost, struct list *out)
{
    list_open(out);
    for (const struct ps_java_node *child = node->child; child != NULL && work->reason == NULL;
         child = child->next) {
        struct list list;
        expand(work, child, leftmost, &list);
        for (const struct ps_java_node *each = list.first; each != NULL; each = each->next)
            list_add(work, out, make(work, each->kind, each));
    }
}

static void expand_concat(struct work *work, const struct ps_java_node *node, bool leftmost, struct list *out)
{
    list_open(out);
    list_add(work, out, make(work, PS_JAVA_EMPTY, node));
    for (const struct ps_java_node *child = node->child; child != NULL && work->reason == NULL;
         child = child->next) {
        struct list part, more;
        expand(work, child, leftmost, &part);
        list_product(work, out, &part, &more);
        *out = more;
        leftmost = false;
    }
}

/* Expands \R to "\r\n" or a single terminator, as the printer of PCRE2 does. */
static void expand_line_break(struct work *work, const struct ps_java_node *node, struct list *out)
{
    static const struct ps_java_range ends[] = {{0x0A, 0x0D}, {0x85, 0x85}, {0x2028, 0x2029}};
    struct ps_java_node *single = make(work, PS_JAVA_CLASS, node), *first = make(work, PS_JAVA_CLASS, node),
                        *second = make(work, PS_JAVA_CLASS, node);
    single->set = ps_java_set_make(work->arena, ends, PS_COUNT_OF(ends), "");
    first->set = ps_java_set_one(work->arena, '\r');
    second->set = ps_java_set_one(work->arena, '\n');
    list_open(out);
    list_add(work, out, pair(work, first, second));
    list_add(work, out, single);
}

static void expand(struct work *work, const struct ps_java_node *node, bool leftmost, struct list *out)
{
    struct list inner;
    switch (node->kind) {
    case PS_JAVA_CONCAT:
        expand_concat(work, node, leftmost, out);
        return;
    case PS_JAVA_EITHER:
        expand_either(work, node, leftmost, out);
        return;
    case PS_JAVA_REPEAT:
        expand_repeat(work, node, leftmost, out);
        return;
    case PS_JAVA_LINE_BREAK:
        expand_line_break(work, node, out);
        return;
    case PS_JAVA_GROUP:
    case PS_JAVA_ATOMIC:
        expand(work, node->child, false, &inner);
        if (inner.count > 1)
            work->reason = node->kind == PS_JAVA_GROUP
                               ? "a look-behind with a capturing group of several lengths is not supported; "
                                 "write (?:...)"
                               : "a look-behind with an atomic group of several lengths is not supported";
        list_open(out);
        if (work->reason == NULL) {
            struct ps_java_node *same = make(work, node->kind, node);
            same->child = inner.first;
            list_add(work, out, same);
        }
        return;
    case PS_JAVA_REFERENCE:
    case PS_JAVA_GRAPHEME:
        work->reason = "a look-behind with a back-reference or \\X is not supported";
        list_open(out);
        return;
    default:
        list_open(out);
        list_add(work, out, make(work, node->kind, node));
    }
}

struct ps_java_node *ps_java_behind(struct ps_arena *arena, const struct ps_java_node *look,
                                    const char **reason)
{
    *reason = "Look-behind group does not have an obvious maximum length";
    if (!measure_alone(look->child).valid)
        return NULL;
    struct work work = {.arena = arena};
    struct list list;
    expand(&work, look->child, true, &list);
    *reason = work.reason;
    if (work.reason != NULL)
        return NULL;
    struct ps_java_node *either = make(&work, PS_JAVA_EITHER, look);
    either->child = list.first;
    return either;
}
