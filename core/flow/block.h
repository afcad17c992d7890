/* Blocks: the memory of batches, and the process's depot from which they come.
 *
 *   depot            One reservation of address space as large as the memory budget (`penstock.memory.budget`), cut
 *                    into blocks of PS_BLOCK_BYTES. Memory is touched only when a block is first used. The free blocks
 *                    are a lock-free stack (rings/stack.h): the last one returned is taken first.
 *   cache            A worker's few free blocks, in plain memory. The worker moves blocks between the depot and its
 *                    cache in groups.
 *   block            Only batches of its home worker reference it, so its count is a plain integer: only the home
 *                    worker takes blocks, adds references and drops them.
 *   oversize block   For a body larger than a block. Its whole length is reserved from the budget before its first use.
 *
 * Thread: functions that take a `struct ps_block_cache` belong to the home worker; any thread may call the depot's. */
#pragma once

#include "core/status.h"

#define PS_BLOCK_BYTES (256U * 1024U)

struct ps_depot;

struct ps_block {
    char *base;
    uint32_t size;         /* PS_BLOCK_BYTES, or more for an oversize block */
    uint32_t references;   /* home worker only */
    struct ps_block *next; /* in a cache */
    bool oversize;
};

/* A worker's blocks. */
struct ps_block_cache {
    struct ps_depot *depot;
    struct ps_block *free; /* LIFO */
    uint32_t free_count, free_max;
    uint64_t taken_count, refused_count; /* single writer: home worker */
    /* Lets ps_block_take go beyond the budget: for a batch whose chain would never end otherwise. */
    bool overdraft;
};

/* Reserves address space; `budget_bytes` is rounded down to whole blocks. Returns NULL with `err` for fewer than 16
 * blocks, or when the address space is too small. Owns: the caller destroys it after all caches. */
struct ps_depot *ps_depot_create(uint64_t budget_bytes, struct ps_err *err);
void ps_depot_destroy(struct ps_depot *depot);

/* Returns the whole budget, in bytes. Thread: any. */
uint64_t ps_depot_budget_bytes(const struct ps_depot *depot);
/* Returns the bytes of the blocks in batches and in caches, and of oversize blocks. Thread: any. */
uint64_t ps_depot_used_bytes(const struct ps_depot *depot);

/* Returns the maximum number of bytes that the caches of this number of workers hold in free blocks. */
uint64_t ps_block_caches_bytes(uint64_t budget_bytes, unsigned workers);

/* Makes an empty cache; `fini` gives its free blocks back to the depot. */
void ps_block_cache_init(struct ps_block_cache *cache, struct ps_depot *depot);
void ps_block_cache_fini(struct ps_block_cache *cache);

/* Returns a block with one reference, or NULL when the budget is used up (an ordinary result: the source
 * waits). */
struct ps_block *ps_block_take(struct ps_block_cache *cache);

/* Returns a block of at least `size` bytes with one reference, or NULL when the budget has no room. Allocates
 * (malloc): only for bodies larger than PS_BLOCK_BYTES. */
struct ps_block *ps_block_take_oversize(struct ps_block_cache *cache, uint32_t size);

/* Takes one reference away; the last one frees the block. */
void ps_block_drop(struct ps_block_cache *cache, struct ps_block *block);

/* Adds a reference. */
static inline void ps_block_hold(struct ps_block *block)
{
    block->references++;
}
