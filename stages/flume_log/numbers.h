/* A map from 64-bit numbers to 32-bit ones, for pointers and transactions of a replay: open addressing, no tombstones.
 * Memory that is not there ends the process: ps_must_alloc. Thread: the owner's. */
#pragma once

#include "core/base.h"

struct ps_number_entry {
    uint64_t key;
    uint32_t value;
    bool used;
};

/* Zero is an empty map. */
struct ps_number_map {
    struct ps_number_entry *entries;
    size_t room, count; /* room: a power of two */
};

void ps_number_map_fini(struct ps_number_map *map);
/* Replaces the value of a key that is there. */
void ps_number_map_put(struct ps_number_map *map, uint64_t key, uint32_t value);
/* Returns false if the key is not there; `value` may be NULL. */
bool ps_number_map_get(const struct ps_number_map *map, uint64_t key, uint32_t *value);
/* The same, and removes it. */
bool ps_number_map_remove(struct ps_number_map *map, uint64_t key, uint32_t *value);
