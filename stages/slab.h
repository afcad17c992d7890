/* Buffers that outlive a batch (partial lines, replies that wait), carved from blocks of the worker's cache,
 * so that they count in the memory budget. Sizes grow by four; buffers above a block's size are oversize
 * blocks. Thread: the worker whose cache it is. Never blocks. */
#pragma once

#include "core/flow/block.h"

#define PS_SLAB_CLASSES 5 /* 256 B, 1, 4, 16, 64 KiB */
#define PS_SLAB_BYTES_MIN 256U
#define PS_SLAB_CARVED_MAX (PS_SLAB_BYTES_MIN << 2 * (PS_SLAB_CLASSES - 1))

struct ps_slab {
    struct ps_block_cache *blocks;
    void *free[PS_SLAB_CLASSES]; /* lists */
    struct ps_block **held;      /* blocks cut up, given back by fini */
    uint32_t held_count, held_room;
};

/* A buffer and what is behind it. */
struct ps_buffer {
    char *data;
    uint32_t room;
    uint32_t length;        /* bytes used */
    struct ps_block *block; /* a whole block, not a carved piece */
};

void ps_slab_init(struct ps_slab *slab, struct ps_block_cache *blocks);
/* All buffers must have been given back. */
void ps_slab_fini(struct ps_slab *slab);

/* Makes room for at least `room` bytes, keeping what is in it. False: no memory; the buffer is unchanged. */
bool ps_buffer_grow(struct ps_slab *slab, struct ps_buffer *buffer, uint32_t room);
/* Gives the memory back and empties it. */
void ps_buffer_free(struct ps_slab *slab, struct ps_buffer *buffer);
