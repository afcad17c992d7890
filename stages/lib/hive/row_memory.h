/* Memory for the values of one row: items of arrays, maps and structs, and texts without their escapes. The
 * memory is filled while a row is read, and reused for the next row. {0}: it is empty. Thread: the owner's. */
#pragma once

#include "stages/lib/orc/value.h"

#define PS_HIVE_ROW_KEPT_BYTES 65536U /* memory beyond this is freed before the next row */

struct ps_hive_row_chunk;

struct ps_hive_row_memory {
    struct ps_hive_row_chunk *chunks; /* newest first */
    struct ps_orc_value *open;        /* items of arrays that are not complete yet */
    size_t open_count, open_room;
    bool failed; /* there was no memory */
};

/* Empties the memory: the values of the last row become invalid. */
void ps_hive_row_memory_clear(struct ps_hive_row_memory *memory);
void ps_hive_row_memory_free(struct ps_hive_row_memory *memory);

/* Returns `bytes` bytes aligned for a value; NULL if there is no memory. */
void *ps_hive_row_memory_take(struct ps_hive_row_memory *memory, size_t bytes);

/* These functions collect the items of an array, whose number is not known before its end.
 * `ps_hive_row_items_begin` returns the index at which the items begin; then each item is added;
 * `ps_hive_row_items_end` moves the items to their final place. An inner array must end before the outer one. */
static inline size_t ps_hive_row_items_begin(const struct ps_hive_row_memory *memory)
{
    return memory->open_count;
}

void ps_hive_row_items_add(struct ps_hive_row_memory *memory, const struct ps_orc_value *value);
struct ps_orc_value ps_hive_row_items_end(struct ps_hive_row_memory *memory, size_t begin);
