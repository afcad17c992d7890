/* What the values of one row point to: items of arrays, maps and structs, texts without their escapes. It is filled while a row is
 * read, and used again for the next one. {0}: nothing yet. Thread: the owner's. */
#pragma once

#include "stages/orc/value.h"

#define PS_HIVE_ROW_KEPT_BYTES 65536U /* what a long row needs beyond is freed at the next one */

struct ps_hive_row_chunk;

struct ps_hive_row_memory {
    struct ps_hive_row_chunk *chunks; /* the newest first */
    struct ps_orc_value *open;        /* items of what is not complete yet */
    size_t open_count, open_room;
    bool failed; /* there was no memory */
};

/* Empties it: what the last row pointed to is gone. */
void ps_hive_row_memory_clear(struct ps_hive_row_memory *memory);
void ps_hive_row_memory_free(struct ps_hive_row_memory *memory);

/* Aligned for a value. NULL: no memory. */
void *ps_hive_row_memory_take(struct ps_hive_row_memory *memory, size_t bytes);

/* Items of an array whose number is not known before its end: `ps_hive_row_items_begin` says where they begin, each is added, the end
 * moves them to their place. Arrays within arrays end before those that they are in. */
static inline size_t ps_hive_row_items_begin(const struct ps_hive_row_memory *memory)
{
    return memory->open_count;
}

void ps_hive_row_items_add(struct ps_hive_row_memory *memory, const struct ps_orc_value *value);
struct ps_orc_value ps_hive_row_items_end(struct ps_hive_row_memory *memory, size_t begin);
