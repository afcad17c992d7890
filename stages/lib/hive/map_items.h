/* Items of a map: key, value, key, value; each key once. Thread: the memory's. */
#pragma once

#include "stages/lib/hive/row_memory.h"
#include "stages/lib/orc/type.h"

enum ps_hive_map_rule {
    PS_HIVE_FIRST_KEY, /* of equal keys the first one counts, with its value: LazyMap */
    /* of equal keys the last value counts, at the place of the first key: LinkedHashMap.put */
    PS_HIVE_LAST_KEY,
};

/* Ends the items of a map like ps_hive_row_items_end. The items must be pairs, and no key may be null. `seed`:
 * a random number, so that colliding keys cannot be chosen. */
struct ps_orc_value ps_hive_map_items_end(struct ps_hive_row_memory *memory, size_t begin,
                                          const struct ps_orc_type *key_type, enum ps_hive_map_rule rule,
                                          uint64_t seed);
