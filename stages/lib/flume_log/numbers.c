#include "stages/lib/flume_log/numbers.h"

#include <stdlib.h>

#define ROOM_FIRST 64U

static size_t home_of(const struct ps_number_map *map, uint64_t key)
{
    uint64_t mixed = key * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(mixed >> 32 ^ mixed) & (map->room - 1);
}

/* Returns the index of the key's entry, or of the free entry where it belongs. */
static size_t find(const struct ps_number_map *map, uint64_t key)
{
    size_t at = home_of(map, key);
    while (map->entries[at].used && map->entries[at].key != key)
        at = (at + 1) & (map->room - 1);
    return at;
}

static void grow(struct ps_number_map *map)
{
    struct ps_number_map larger = {.room = map->room == 0 ? ROOM_FIRST : 2 * map->room, .count = map->count};
    larger.entries = ps_must_alloc(larger.room, sizeof *larger.entries, "the pointers of a log");
    for (size_t i = 0; i < map->room; i++)
        if (map->entries[i].used)
            larger.entries[find(&larger, map->entries[i].key)] = map->entries[i];
    free(map->entries);
    *map = larger;
}

void ps_number_map_fini(struct ps_number_map *map)
{
    free(map->entries);
    *map = (struct ps_number_map){0};
}

void ps_number_map_put(struct ps_number_map *map, uint64_t key, uint32_t value)
{
    if (4 * (map->count + 1) > 3 * map->room)
        grow(map);
    struct ps_number_entry *entry = &map->entries[find(map, key)];
    map->count += entry->used ? 0 : 1;
    *entry = (struct ps_number_entry){key, value, true};
}

bool ps_number_map_get(const struct ps_number_map *map, uint64_t key, uint32_t *value)
{
    const struct ps_number_entry *entry = map->room == 0 ? NULL : &map->entries[find(map, key)];
    if (entry == NULL || !entry->used)
        return false;
    if (value != NULL)
        *value = entry->value;
    return true;
}

bool ps_number_map_remove(struct ps_number_map *map, uint64_t key, uint32_t *value)
{
    if (!ps_number_map_get(map, key, value))
        return false;
    size_t mask = map->room - 1, hole = find(map, key);
    /* Moves later entries into the hole, unless that would put an entry before its home. */
    for (size_t at = (hole + 1) & mask; map->entries[at].used; at = (at + 1) & mask) {
        size_t home = home_of(map, map->entries[at].key);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        map->entries[hole] = map->entries[at];
        hole = at;
    }
    map->entries[hole].used = false;
    map->count--;
    return true;
}
