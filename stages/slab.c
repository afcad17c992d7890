#include "stages/slab.h"

#include <stdlib.h>
#include <string.h>

void ps_slab_init(struct ps_slab *slab, struct ps_block_cache *blocks)
{
    *slab = (struct ps_slab){.blocks = blocks};
}

void ps_slab_fini(struct ps_slab *slab)
{
    for (uint32_t i = 0; i < slab->held_count; i++)
        ps_block_drop(slab->blocks, slab->held[i]);
    free(slab->held);
    *slab = (struct ps_slab){.blocks = slab->blocks};
}

static unsigned class_of(uint32_t room)
{
    unsigned class = 0;
    while (PS_SLAB_BYTES_MIN << 2 * class < room)
        class ++;
    return class;
}

/* Splits a new block into buffers of one size class. */
static bool refill(struct ps_slab *slab, unsigned class)
{
    if (slab->held_count == slab->held_room) {
        uint32_t room = slab->held_room == 0 ? 64 : 2 * slab->held_room;
        struct ps_block **held = realloc(slab->held, room * sizeof(struct ps_block *));
        if (held == NULL)
            return false;
        slab->held = held;
        slab->held_room = room;
    }
    struct ps_block *block = ps_block_take(slab->blocks);
    if (block == NULL)
        return false;
    slab->held[slab->held_count++] = block;
    uint32_t piece = PS_SLAB_BYTES_MIN << 2 * class;
    for (uint32_t at = block->size / piece; at-- > 0;) {
        char *data = block->base + (size_t)at * piece;
        memcpy(data, &slab->free[class], sizeof(void *));
        slab->free[class] = data;
    }
    return true;
}

static bool take(struct ps_slab *slab, uint32_t room, struct ps_buffer *buffer)
{
    if (room > PS_SLAB_CARVED_MAX) {
        struct ps_block *block =
            room > PS_BLOCK_BYTES ? ps_block_take_oversize(slab->blocks, room) : ps_block_take(slab->blocks);
        if (block == NULL)
            return false;
        *buffer = (struct ps_buffer){.data = block->base, .room = block->size, .block = block};
        return true;
    }
    unsigned class = class_of(room);
    if (slab->free[class] == NULL && !refill(slab, class))
        return false;
    char *data = slab->free[class];
    memcpy(&slab->free[class], data, sizeof(void *));
    *buffer = (struct ps_buffer){.data = data, .room = PS_SLAB_BYTES_MIN << 2 * class};
    return true;
}

bool ps_buffer_grow(struct ps_slab *slab, struct ps_buffer *buffer, uint32_t room)
{
    if (room <= buffer->room)
        return true;
    struct ps_buffer larger;
    if (!take(slab, room, &larger))
        return false;
    if (buffer->length > 0)
        memcpy(larger.data, buffer->data, buffer->length);
    larger.length = buffer->length;
    ps_buffer_free(slab, buffer);
    *buffer = larger;
    return true;
}

void ps_buffer_free(struct ps_slab *slab, struct ps_buffer *buffer)
{
    if (buffer->block != NULL) {
        ps_block_drop(slab->blocks, buffer->block);
    } else if (buffer->data != NULL) {
        unsigned class = class_of(buffer->room);
        memcpy(buffer->data, &slab->free[class], sizeof(void *));
        slab->free[class] = buffer->data;
    }
    *buffer = (struct ps_buffer){0};
}
