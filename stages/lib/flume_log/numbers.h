/* A hash map from 64-bit to 32-bit numbers, for the pointers and transactions of a replay. Open addressing without
 * tombstones. Ends the process if there is no memory (ps_must_alloc). Thread: the owner's. */
#pragma once

#include "core/base.h"

struct ps_number_entry {
    uint64_t key;
    uint32_t value;
    bool used;
};

/* A zeroed map is empty. */
struct ps_number_map {
    struct ps_number_entry *entries;
    size_t room, count; /* room: a power of two */
};

void ps_number_map_fini(struct ps_number_map *map);
/* Adds a key, or replaces its value. */
void ps_number_map_put(struct ps_number_map *map, uint64_t key, uint32_t value);
/* Returns false if the map does not have the key; `value` may be NULL. */
bool ps_number_map_get(const struct ps_number_map *map, uint64_t key, uint32_t *value);
/* As ps_number_map_get; also removes the key. */
bool ps_number_map_remove(struct ps_number_map *map, uint64_t key, uint32_t *value);
