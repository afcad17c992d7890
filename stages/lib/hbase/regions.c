#include "stages/lib/hbase/regions.h"

#include <stdlib.h>
#include <string.h>

static int compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t least = a_length < b_length ? a_length : b_length;
    int order = least > 0 ? memcmp(a, b, least) : 0;
    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

/* Returns the number of regions that begin at or before the row. */
static uint32_t begun(const struct ps_hbase_regions *regions, const char *row, size_t length)
{
    uint32_t low = 0, high = regions->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct ps_hbase_region *region = regions->items[middle];
        if (compare(region->start, region->start_length, row, length) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool ends_before(const struct ps_hbase_region *region, const char *row, size_t length)
{
    return region->end_length > 0 && compare(region->end, region->end_length, row, length) <= 0;
}

struct ps_hbase_region *ps_hbase_regions_find(const struct ps_hbase_regions *regions, const char *row,
                                              size_t length)
{
    uint32_t count = begun(regions, row, length);
    if (count == 0 || ends_before(regions->items[count - 1], row, length))
        return NULL;
    return regions->items[count - 1];
}

static size_t bytes_of(const struct ps_hbase_region *region)
{
    return (size_t)region->name_length + region->start_length + region->end_length;
}

static void free_one(struct ps_hbase_regions *regions, struct ps_hbase_region *region)
{
    regions->bytes -= bytes_of(region);
    free(region);
}

static void drop(struct ps_hbase_regions *regions, uint32_t from, uint32_t count)
{
    for (uint32_t i = from; i < from + count; i++)
        free_one(regions, regions->items[i]);
    if (count > 0)
        memmove(regions->items + from, regions->items + from + count,
                (regions->count - from - count) * sizeof *regions->items);
    regions->count -= count;
}

void ps_hbase_regions_forget(struct ps_hbase_regions *regions, const char *row, size_t length)
{
    uint32_t count = begun(regions, row, length);
    if (count > 0 && !ends_before(regions->items[count - 1], row, length))
        drop(regions, count - 1, 1);
}

void ps_hbase_regions_forget_server(struct ps_hbase_regions *regions, const struct ps_hbase_server *server)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < regions->count; i++) {
        if (server == NULL || regions->items[i]->server == server)
            free_one(regions, regions->items[i]);
        else
            regions->items[kept++] = regions->items[i];
    }
    regions->count = kept;
}

void ps_hbase_regions_free(struct ps_hbase_regions *regions)
{
    ps_hbase_regions_forget_server(regions, NULL);
    free(regions->items);
    *regions = (struct ps_hbase_regions){.items = NULL};
}

static struct ps_hbase_region *copy(const struct ps_hbase_region *from)
{
    struct ps_hbase_region *region = malloc(sizeof *region + bytes_of(from));
    if (region == NULL)
        return NULL;
    *region = *from;
    char *to = (char *)(region + 1);
    region->name = memcpy(to, from->name, from->name_length);
    to += from->name_length;
    region->start = to;
    if (from->start_length > 0)
        memcpy(to, from->start, from->start_length);
    to += from->start_length;
    region->end = to;
    if (from->end_length > 0)
        memcpy(to, from->end, from->end_length);
    return region;
}

static bool grow(struct ps_hbase_regions *regions)
{
    uint32_t room = regions->room > 0 ? 2 * regions->room : 64;
    if (regions->count < regions->room)
        return true;
    struct ps_hbase_region **items = realloc(regions->items, room * sizeof(struct ps_hbase_region *));
    if (items == NULL)
        return false;
    regions->items = items;
    regions->room = room;
    return true;
}

bool ps_hbase_regions_add(struct ps_hbase_regions *regions, const struct ps_hbase_region *from)
{
    if (regions->count >= PS_HBASE_REGIONS_MAX || regions->bytes > PS_HBASE_REGIONS_BYTES_MAX)
        ps_hbase_regions_forget_server(regions, NULL);
    struct ps_hbase_region *region = copy(from);
    if (region == NULL || !grow(regions)) {
        free(region);
        return false;
    }
    /* Those that begin before it and reach into it, or begin inside it, are of the past: it was split, or made of them. */
    uint32_t at = begun(regions, region->start, region->start_length), end;
    if (at > 0 && !ends_before(regions->items[at - 1], region->start, region->start_length))
        drop(regions, --at, 1);
    for (end = at; end < regions->count; end++)
        if (region->end_length > 0 && compare(regions->items[end]->start, regions->items[end]->start_length,
                                              region->end, region->end_length) >= 0)
            break;
    drop(regions, at, end - at);
    memmove(regions->items + at + 1, regions->items + at, (regions->count - at) * sizeof *regions->items);
    regions->items[at] = region;
    regions->count++;
    regions->bytes += bytes_of(region);
    return true;
}
