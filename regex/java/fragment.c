/* Finds the fragment of an expression: a short part that every match contains, as a cheap check before the expression
 * itself is run. Called while translating; pure.
 *
 * Hyperscan follows `method=\w+ path=\S+ status=5\d` from every `method=` on, which takes 50 to 200 ns per event:
 * longer than PCRE2's compiled code takes for the whole expression. ` status=5` takes a few ns and finds nearly the same
 * events. So an expression with an unlimited repeat inside has a fragment.
 *
 * The fragment is the best run: a sequence of ASCII characters, classes and alternatives of text in which nothing is
 * optional or repeated without a limit. The best run has the most plain characters. */
#include "regex/java/bytes.h"

#define PLAIN_MIN 4U   /* fewer plain characters would occur in too many events */
#define REPEAT_MAX 32U /* a longer repeat is cut */

struct run {
    struct ps_bytes_node *sequence, **end, **plain_end; /* whole run; up to the last plain character */
    unsigned plain;                                     /* characters that match themselves */
};

struct finder {
    struct ps_arena *arena;
    bool begun;   /* found something that every match contains */
    bool endless; /* found an unlimited repeat after that */
    bool inside;  /* found something that every match contains after the repeat: a fragment saves time */
    struct run run, best;
};

static struct run run_make(struct ps_arena *arena)
{
    struct ps_bytes_node *sequence = ps_arena_alloc(arena, sizeof *sequence);
    *sequence = (struct ps_bytes_node){.kind = PS_BYTES_CONCAT};
    return (struct run){.sequence = sequence, .end = &sequence->child, .plain_end = &sequence->child};
}

/* Ends the run without the classes at its end: Hyperscan finds plain text in half the time. */
static void run_end(struct finder *finder)
{
    if (finder->run.plain > finder->best.plain) {
        finder->best = finder->run;
        *finder->best.plain_end = NULL;
    }
    finder->run = run_make(finder->arena);
}

/* Returns the fewest plain characters of a match. */
static unsigned count_plain(const struct ps_bytes_node *node)
{
    unsigned count = 0, least = UINT32_MAX;
    if (node->kind == PS_BYTES_CHARACTER)
        return __builtin_popcountll(node->ascii[0]) + __builtin_popcountll(node->ascii[1]) == 1;
    for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next) {
        unsigned of_child = count_plain(child);
        count += of_child;
        least = of_child < least ? of_child : least;
    }
    return node->kind == PS_BYTES_EITHER ? least : count;
}

/* Returns whether the node is an ASCII character, or consists of such characters. */
static bool is_simple(const struct ps_bytes_node *node)
{
    if (node->kind == PS_BYTES_CHARACTER)
        return !node->high;
    if (node->kind != PS_BYTES_CONCAT && node->kind != PS_BYTES_EITHER)
        return false;
    for (const struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
        if (!is_simple(child))
            return false;
    return true;
}

/* Adds a part to the run. A run does not begin with a class, which would exclude few events and cost time. */
static void run_add(struct finder *finder, struct ps_bytes_node *part, uint32_t times)
{
    struct run *run = &finder->run;
    unsigned plain = count_plain(part);
    if (run->sequence->child == NULL && plain == 0)
        return;
    struct ps_bytes_node *added = ps_arena_alloc(finder->arena, sizeof *added);
    if (times == 1)
        *added = *part;
    else
        *added = (struct ps_bytes_node){.kind = PS_BYTES_REPEAT, .child = part, .min = times, .max = times};
    added->next = NULL;
    *run->end = added;
    run->end = &added->next;
    run->plain += plain * times;
    if (plain > 0)
        run->plain_end = run->end;
}

static bool is_endless(const struct ps_bytes_node *node)
{
    bool endless = node->kind == PS_BYTES_REPEAT && node->max > REPEAT_MAX;
    for (const struct ps_bytes_node *child = node->child; child != NULL && !endless; child = child->next)
        endless = is_endless(child);
    return endless;
}

static void find(struct finder *finder, struct ps_bytes_node *node)
{
    bool repeats = node->kind == PS_BYTES_REPEAT;
    struct ps_bytes_node *part = repeats ? node->child : node;
    uint32_t least = repeats ? node->min : 1, most = repeats ? node->max : 1;
    if (node->kind == PS_BYTES_CONCAT) {
        for (struct ps_bytes_node *child = node->child; child != NULL; child = child->next)
            find(finder, child);
        return;
    }
    if (!repeats && node->kind != PS_BYTES_CHARACTER && node->kind != PS_BYTES_TEXT &&
        node->kind != PS_BYTES_EITHER)
        return; /* zero width: the parts around it are still adjacent */
    finder->inside |= finder->endless && least > 0;
    finder->begun |= least > 0;
    finder->endless |= finder->begun && is_endless(node);
    if (least == 0 || !is_simple(part)) {
        run_end(finder);
        return;
    }
    uint32_t times = least < REPEAT_MAX ? least : REPEAT_MAX;
    run_add(finder, part, times);
    if (least != most || times != least) {
        run_end(finder);
        run_add(finder, part, times); /* the last repetitions are next to the following part */
    }
}

const struct ps_bytes_node *ps_bytes_fragment(struct ps_arena *arena, struct ps_bytes_node *root)
{
    struct finder finder = {.arena = arena, .run = run_make(arena)};
    find(&finder, root);
    run_end(&finder);
    return finder.inside && finder.best.plain >= PLAIN_MIN ? finder.best.sequence : NULL;
}
