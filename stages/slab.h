/* Buffers that outlive a batch (partial lines, replies not yet sent). They are carved from blocks of the
 * worker's cache, so they count in the memory budget. Each size class is four times the one before; a buffer
 * larger than a block is an oversize block. Thread: the worker that owns the cache. Never blocks. */
#pragma once

#include "core/flow/block.h"

#define PS_SLAB_CLASSES 5 /* 256 B, 1, 4, 16, 64 KiB */
#define PS_SLAB_BYTES_MIN 256U
#define PS_SLAB_CARVED_MAX (PS_SLAB_BYTES_MIN << 2 * (PS_SLAB_CLASSES - 1))

struct ps_slab {
    struct ps_block_cache *blocks;
    void *free[PS_SLAB_CLASSES]; /* one list of free buffers per class */
    struct ps_block **held;      /* the blocks that were split; fini gives them back */
    uint32_t held_count, held_room;
};

/* A buffer and where its memory comes from. */
struct ps_buffer {
    char *data;
    uint32_t room;
    uint32_t length;        /* bytes used */
    struct ps_block *block; /* set when the buffer is a whole block; NULL: carved from one */
};

void ps_slab_init(struct ps_slab *slab, struct ps_block_cache *blocks);
/* All buffers must have been given back. */
void ps_slab_fini(struct ps_slab *slab);

/* Makes room for at least `room` bytes and keeps the contents. Returns false when there is no memory; the
 * buffer is unchanged then. */
bool ps_buffer_grow(struct ps_slab *slab, struct ps_buffer *buffer, uint32_t room);
/* Gives the memory back and empties it. */
void ps_buffer_free(struct ps_slab *slab, struct ps_buffer *buffer);
