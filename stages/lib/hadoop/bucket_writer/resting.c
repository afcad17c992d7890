/* The files that rest until their next try: a pairing heap by due_ns, because there may be many. The heap is its first file. */
#include "stages/lib/hadoop/bucket_writer/internal.h"

/* Joins two heaps; NULL: an empty one. */
static struct ps_bucket_file *meld(struct ps_bucket_file *one, struct ps_bucket_file *other)
{
    if (one == NULL || other == NULL)
        return one != NULL ? one : other;
    struct ps_bucket_file *first = other->retry.due_ns < one->retry.due_ns ? other : one;
    struct ps_bucket_file *second = first == one ? other : one;
    second->retry.beside = first->retry.below;
    first->retry.below = second;
    return first;
}

void ps_bucket_resting_add(struct ps_bucket_file **heap, struct ps_bucket_file *file)
{
    *heap = meld(*heap, file);
}

/* Joins the heaps below the first file in pairs, then the pairs. */
struct ps_bucket_file *ps_bucket_resting_take(struct ps_bucket_file **heap)
{
    struct ps_bucket_file *first = *heap, *at = first->retry.below, *pairs = NULL;
    while (at != NULL) {
        struct ps_bucket_file *one = at, *other = at->retry.beside;
        at = other != NULL ? other->retry.beside : NULL;
        one->retry.beside = NULL;
        struct ps_bucket_file *pair = meld(one, other);
        pair->retry.beside = pairs;
        pairs = pair;
    }
    *heap = NULL;
    while (pairs != NULL) {
        struct ps_bucket_file *next = pairs->retry.beside;
        pairs->retry.beside = NULL;
        *heap = meld(*heap, pairs);
        pairs = next;
    }
    first->retry.below = NULL;
    return first;
}
