#include "stages/lib/hadoop/key_ranges.h"

#include <stdlib.h>
#include <string.h>

static int compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t least = a_length < b_length ? a_length : b_length;
    int order = least > 0 ? memcmp(a, b, least) : 0;
    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

/* Returns the number of ranges that begin at or before the key. */
static uint32_t begun(const struct ps_key_ranges *ranges, const char *key, size_t length)
{
    uint32_t low = 0, high = ranges->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct ps_key_range *range = ranges->items[middle];
        if (compare(range->start, range->start_length, key, length) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool ends_before(const struct ps_key_range *range, const char *key, size_t length)
{
    return range->end_length > 0 && compare(range->end, range->end_length, key, length) <= 0;
}

struct ps_key_range *ps_key_ranges_find(const struct ps_key_ranges *ranges, const char *key, size_t length)
{
    uint32_t count = begun(ranges, key, length);
    if (count == 0 || ends_before(ranges->items[count - 1], key, length))
        return NULL;
    return ranges->items[count - 1];
}

static size_t bytes_of(const struct ps_key_range *range)
{
    return (size_t)range->name_length + range->start_length + range->end_length;
}

static void free_one(struct ps_key_ranges *ranges, struct ps_key_range *range)
{
    ranges->bytes -= bytes_of(range);
    free(range);
}

static void drop(struct ps_key_ranges *ranges, uint32_t from, uint32_t count)
{
    for (uint32_t i = from; i < from + count; i++)
        free_one(ranges, ranges->items[i]);
    if (count > 0)
        memmove(ranges->items + from, ranges->items + from + count,
                (ranges->count - from - count) * sizeof *ranges->items);
    ranges->count -= count;
}

void ps_key_ranges_forget(struct ps_key_ranges *ranges, const char *key, size_t length)
{
    uint32_t count = begun(ranges, key, length);
    if (count > 0 && !ends_before(ranges->items[count - 1], key, length))
        drop(ranges, count - 1, 1);
}

void ps_key_ranges_forget_server(struct ps_key_ranges *ranges, const struct ps_framed_server *server)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < ranges->count; i++) {
        if (server == NULL || ranges->items[i]->server == server)
            free_one(ranges, ranges->items[i]);
        else
            ranges->items[kept++] = ranges->items[i];
    }
    ranges->count = kept;
}

void ps_key_ranges_free(struct ps_key_ranges *ranges)
{
    ps_key_ranges_forget_server(ranges, NULL);
    free(ranges->items);
    *ranges = (struct ps_key_ranges){.items = NULL};
}

static struct ps_key_range *copy(const struct ps_key_range *from)
{
    struct ps_key_range *range = malloc(sizeof *range + bytes_of(from));
    if (range == NULL)
        return NULL;
    *range = *from;
    char *to = (char *)(range + 1);
    range->name = memcpy(to, from->name, from->name_length);
    to += from->name_length;
    range->start = to;
    if (from->start_length > 0)
        memcpy(to, from->start, from->start_length);
    to += from->start_length;
    range->end = to;
    if (from->end_length > 0)
        memcpy(to, from->end, from->end_length);
    return range;
}

static bool grow(struct ps_key_ranges *ranges)
{
    uint32_t room = ranges->room > 0 ? 2 * ranges->room : 64;
    if (ranges->count < ranges->room)
        return true;
    struct ps_key_range **items = realloc(ranges->items, room * sizeof(struct ps_key_range *));
    if (items == NULL)
        return false;
    ranges->items = items;
    ranges->room = room;
    return true;
}

bool ps_key_ranges_add(struct ps_key_ranges *ranges, const struct ps_key_range *from)
{
    if (ranges->count >= PS_KEY_RANGES_MAX || ranges->bytes > PS_KEY_RANGES_BYTES_MAX)
        ps_key_ranges_forget_server(ranges, NULL);
    struct ps_key_range *range = copy(from);
    if (range == NULL || !grow(ranges)) {
        free(range);
        return false;
    }
    /* Those that begin before it and reach into it, or begin inside it, are of the past: it was split, or made of them. */
    uint32_t at = begun(ranges, range->start, range->start_length), end;
    if (at > 0 && !ends_before(ranges->items[at - 1], range->start, range->start_length))
        drop(ranges, --at, 1);
    for (end = at; end < ranges->count; end++)
        if (range->end_length > 0 && compare(ranges->items[end]->start, ranges->items[end]->start_length,
                                             range->end, range->end_length) >= 0)
            break;
    drop(ranges, at, end - at);
    memmove(ranges->items + at + 1, ranges->items + at, (ranges->count - at) * sizeof *ranges->items);
    ranges->items[at] = range;
    ranges->count++;
    ranges->bytes += bytes_of(range);
    return true;
}
