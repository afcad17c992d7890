#include "stages/lib/hive/row_memory.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 8192U
#define ALIGNMENT alignof(struct ps_orc_value)
#define OPEN_FIRST 64U

struct ps_hive_row_chunk {
    struct ps_hive_row_chunk *next;
    size_t room, used;
    alignas(struct ps_orc_value) unsigned char data[];
};

static void free_chunks(struct ps_hive_row_chunk *chunk)
{
    while (chunk != NULL) {
        struct ps_hive_row_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
}

/* Keeps the newest chunk, which is the longest, unless it is too long. */
void ps_hive_row_memory_clear(struct ps_hive_row_memory *memory)
{
    struct ps_hive_row_chunk *newest = memory->chunks;
    memory->open_count = 0;
    memory->failed = false;
    if (memory->open_room * sizeof(*memory->open) > PS_HIVE_ROW_KEPT_BYTES) {
        free(memory->open);
        memory->open = NULL;
        memory->open_room = 0;
    }
    if (newest == NULL)
        return;
    free_chunks(newest->next);
    newest->next = NULL;
    newest->used = 0;
    if (newest->room > PS_HIVE_ROW_KEPT_BYTES) {
        free(newest);
        memory->chunks = NULL;
    }
}

void ps_hive_row_memory_free(struct ps_hive_row_memory *memory)
{
    free_chunks(memory->chunks);
    free(memory->open);
    *memory = (struct ps_hive_row_memory){.chunks = NULL};
}

static struct ps_hive_row_chunk *add_chunk(struct ps_hive_row_memory *memory, size_t bytes)
{
    size_t room = memory->chunks == NULL ? CHUNK_BYTES : memory->chunks->room * 2;
    room = room < bytes ? bytes : room;
    struct ps_hive_row_chunk *chunk = malloc(sizeof(*chunk) + room);
    if (chunk == NULL)
        return NULL;
    chunk->next = memory->chunks;
    chunk->room = room;
    chunk->used = 0;
    memory->chunks = chunk;
    return chunk;
}

void *ps_hive_row_memory_take(struct ps_hive_row_memory *memory, size_t bytes)
{
    struct ps_hive_row_chunk *chunk = memory->chunks;
    bytes = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (chunk == NULL || chunk->room - chunk->used < bytes)
        chunk = add_chunk(memory, bytes);
    if (chunk == NULL) {
        memory->failed = true;
        return NULL;
    }
    void *taken = chunk->data + chunk->used;
    chunk->used += bytes;
    return taken;
}

void ps_hive_row_items_add(struct ps_hive_row_memory *memory, const struct ps_orc_value *value)
{
    if (memory->open_count == memory->open_room) {
        size_t room = memory->open_room == 0 ? OPEN_FIRST : memory->open_room * 2;
        struct ps_orc_value *open = reallocarray(memory->open, room, sizeof(*open));
        if (open == NULL) {
            memory->failed = true;
            return;
        }
        memory->open = open;
        memory->open_room = room;
    }
    memory->open[memory->open_count++] = *value;
}

struct ps_orc_value ps_hive_row_items_end(struct ps_hive_row_memory *memory, size_t begin)
{
    size_t count = memory->open_count - begin;
    struct ps_orc_value *items = ps_hive_row_memory_take(memory, count * sizeof(*items));
    memory->open_count = begin;
    if (items == NULL)
        return (struct ps_orc_value){.null = true};
    if (count > 0)
        memcpy(items, memory->open + begin, count * sizeof(*items));
    return (struct ps_orc_value){.items = items, .item_count = (uint32_t)count};
}
