#include "stages/lib/queue/segment/taken.h"
#include "core/array.h"

#include <stdlib.h>
#include <string.h>

#include "core/base.h"

void ps_taken_init(struct ps_taken *taken, uint64_t low)
{
    *taken = (struct ps_taken){.low = low};
}

void ps_taken_fini(struct ps_taken *taken)
{
    free(taken->ranges);
    *taken = (struct ps_taken){.low = 0};
}

/* Returns the index of the first range that ends at or after `number`. */
static size_t position_of(const struct ps_taken *taken, uint64_t number)
{
    size_t from = 0, to = taken->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (taken->ranges[middle].last < number)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

bool ps_taken_has(const struct ps_taken *taken, uint64_t number)
{
    if (number < taken->low)
        return true;
    size_t at = position_of(taken, number);
    return at < taken->count && taken->ranges[at].first <= number;
}

bool ps_taken_has_all(const struct ps_taken *taken, uint64_t first, uint64_t last)
{
    if (last < taken->low)
        return true;
    size_t at = position_of(taken, first > taken->low ? first : taken->low);
    return at < taken->count && taken->ranges[at].first <= (first > taken->low ? first : taken->low) &&
           taken->ranges[at].last >= last;
}

static void remove_range(struct ps_taken *taken, size_t at)
{
    ps_array_remove(taken->ranges, taken->count--, at, sizeof *taken->ranges);
}

static void insert_range(struct ps_taken *taken, size_t at, const struct ps_taken_range *range)
{
    PS_ARRAY_GROW(taken->ranges, taken->count, taken->room, "what was delivered of a log");
    memmove(&taken->ranges[at + 1], &taken->ranges[at], (taken->count - at) * sizeof *taken->ranges);
    taken->ranges[at] = *range;
    taken->count++;
}

/* Joins the range at `at` with the next one if there is no gap between them. */
static void join(struct ps_taken *taken, size_t at)
{
    struct ps_taken_range *range = &taken->ranges[at];
    if (at + 1 >= taken->count || range[1].first != range->last + 1)
        return;
    range->last = range[1].last;
    range->events += range[1].events;
    range->bytes += range[1].bytes;
    remove_range(taken, at + 1);
}

bool ps_taken_add(struct ps_taken *taken, const struct ps_taken_range *range)
{
    PS_ASSERT(range->first <= range->last);
    if (range->first < taken->low)
        return false;
    size_t at = position_of(taken, range->first);
    if (at < taken->count && taken->ranges[at].first <= range->last)
        return false;
    insert_range(taken, at, range);
    join(taken, at);
    if (at > 0)
        join(taken, at - 1);
    if (taken->ranges[0].first == taken->low) {
        taken->low = taken->ranges[0].last + 1;
        remove_range(taken, 0);
    }
    return true;
}
