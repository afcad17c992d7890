/* Buffers that outlive a batch (partial lines, replies not yet sent). They are carved from blocks of the
 * worker's cache, so they count in the memory budget. Each size class is four times the one before; a buffer
 * larger than a block is an oversize block. A block without a buffer goes back to the budget at once.
 * Thread: the worker that owns the cache. Never blocks. */
#pragma once

#include "core/flow/block.h"

#define PS_SLAB_CLASSES 5 /* 256 B, 1, 4, 16, 64 KiB */
#define PS_SLAB_BYTES_MIN 256U
#define PS_SLAB_CARVED_MAX (PS_SLAB_BYTES_MIN << 2 * (PS_SLAB_CLASSES - 1))

/* A block split into buffers of one size class. */
struct ps_slab_page {
    struct ps_block *block;
    void *free;                         /* list of buffers given back */
    uint32_t class, used;               /* buffers in use */
    uint32_t carved_bytes;              /* bytes of the block that were a buffer at least once */
    struct ps_slab_page *next, **place; /* in slab->open of its class, or in slab->spare (next only) */
};

struct ps_slab {
    struct ps_block_cache *blocks;
    struct ps_slab_page *open[PS_SLAB_CLASSES]; /* pages with room */
    struct ps_slab_page *spare;                 /* page structs without a block */
    /* bytes of the budget that the slab holds, whole blocks included */
    uint64_t held_bytes;
    uint64_t limit_bytes; /* limit of held_bytes; UINT64_MAX after init */
};

/* A buffer and where its memory comes from. */
struct ps_buffer {
    char *data;
    uint32_t room;
    uint32_t length;           /* bytes used */
    struct ps_block *block;    /* set when the buffer is a whole block; NULL: carved from one */
    struct ps_slab_page *page; /* set when it is carved */
};

void ps_slab_init(struct ps_slab *slab, struct ps_block_cache *blocks);
/* All buffers must have been given back. */
void ps_slab_fini(struct ps_slab *slab);

enum ps_slab_result {
    PS_SLAB_OK,
    PS_SLAB_LIMIT,  /* limit_bytes would be exceeded: giving back buffers of this slab helps */
    PS_SLAB_MEMORY, /* the budget is used up */
};

/* Makes room for at least `room` bytes and keeps the contents. The buffer is unchanged if the result is not
 * PS_SLAB_OK. */
enum ps_slab_result ps_buffer_extend(struct ps_slab *slab, struct ps_buffer *buffer, uint32_t room);
/* The same; returns whether there is room. */
bool ps_buffer_grow(struct ps_slab *slab, struct ps_buffer *buffer, uint32_t room);
/* Gives the memory back and empties it. */
void ps_buffer_free(struct ps_slab *slab, struct ps_buffer *buffer);
