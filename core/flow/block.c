#include "core/flow/block.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "rings/tally.h"
#include "rings/stack.h"
#include "core/quantity.h"

#define DEPOT_BLOCKS_MIN 16U
#define CACHE_BLOCKS_MAX 16U /* a cache with more gives half of them back */
#define CACHE_GROUP 4U       /* blocks moved at a time */
/* Free blocks in all caches together are at most a quarter of the budget (64 workers): a worker that needs
 * blocks must not wait for idle workers. */
#define CACHE_BLOCKS_SHARE 256U

/* A block in the depot's stack. An oversize block holds such blocks as its reservation of the budget. */
struct depot_block {
    struct ps_stack_node node; /* first member: a pointer to the node is a pointer to the block */
    struct ps_block block;
    struct depot_block *reserved; /* oversize: the blocks whose share of the budget this one holds */
    bool overdrawn;               /* the block was taken beyond the budget */
};

struct ps_depot {
    struct ps_stack stack;
    PS_ALIGNED_GAP struct ps_tally used; /* number of blocks that are not in the stack */
    char *base;
    struct depot_block *blocks;
    uint32_t block_count;
};

static struct depot_block *depot_block_of(struct ps_block *block)
{
    return (struct depot_block *)((char *)block - offsetof(struct depot_block, block));
}

struct ps_depot *ps_depot_create(uint64_t budget_bytes, struct ps_err *err)
{
    uint64_t count = budget_bytes / PS_BLOCK_BYTES;
    if (count < DEPOT_BLOCKS_MIN || count > UINT32_MAX / 2) {
        ps_err_set(err, "memory budget of %s: must be between %s and 512 TiB",
                   ps_quantity_print_bytes(budget_bytes).text,
                   ps_quantity_print_bytes(DEPOT_BLOCKS_MIN * PS_BLOCK_BYTES).text);
        return NULL;
    }
    struct ps_depot *depot = ps_must_alloc_aligned(sizeof *depot, "the memory budget");
    depot->block_count = (uint32_t)count;
    depot->base = mmap(NULL, count * PS_BLOCK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (depot->base == MAP_FAILED) {
        ps_err_set(
            err, "cannot reserve %s of address space for the memory budget; set penstock.memory.budget lower",
            ps_quantity_print_bytes(count * PS_BLOCK_BYTES).text);
        free(depot);
        return NULL;
    }
    /* Events that a channel keeps for a while are no longer in the CPU caches when they are read: with small pages
     * the TLB misses would then cost as much as a copy. */
    (void)madvise(depot->base, count * PS_BLOCK_BYTES, MADV_HUGEPAGE);
    depot->blocks = ps_must_alloc(count, sizeof *depot->blocks, "the memory budget's blocks");
    ps_stack_init(&depot->stack);
    for (uint64_t i = count; i-- > 0;) { /* downwards, so that the lowest addresses are on top */
        struct depot_block *block = &depot->blocks[i];
        block->block = (struct ps_block){.base = depot->base + i * PS_BLOCK_BYTES, .size = PS_BLOCK_BYTES};
        ps_stack_push(&depot->stack, &block->node);
    }
    return depot;
}

void ps_depot_destroy(struct ps_depot *depot)
{
    if (depot == NULL)
        return;
    munmap(depot->base, (size_t)depot->block_count * PS_BLOCK_BYTES);
    free(depot->blocks);
    free(depot);
}

uint64_t ps_depot_budget_bytes(const struct ps_depot *depot)
{
    return (uint64_t)depot->block_count * PS_BLOCK_BYTES;
}

uint64_t ps_depot_used_bytes(const struct ps_depot *depot)
{
    return ps_tally_read(&depot->used) * PS_BLOCK_BYTES;
}

static struct depot_block *depot_pop(struct ps_depot *depot)
{
    struct depot_block *block = (struct depot_block *)ps_stack_pop(&depot->stack);
    if (block != NULL)
        ps_tally_add(&depot->used, 1);
    return block;
}

static void depot_push(struct ps_depot *depot, struct depot_block *block)
{
    ps_tally_add(&depot->used, -1);
    ps_stack_push(&depot->stack, &block->node);
}

static uint32_t cache_free_max(uint64_t block_count)
{
    uint64_t share = block_count / CACHE_BLOCKS_SHARE;
    return share < CACHE_BLOCKS_MAX ? (uint32_t)share : CACHE_BLOCKS_MAX;
}

/* An empty cache takes CACHE_GROUP blocks from the depot, or one if it may keep none; one of them is used
 * immediately. */
uint64_t ps_block_caches_bytes(uint64_t budget_bytes, unsigned workers)
{
    uint32_t most = cache_free_max(budget_bytes / PS_BLOCK_BYTES);
    if (most > 0 && most < CACHE_GROUP - 1)
        most = CACHE_GROUP - 1;
    return (uint64_t)most * workers * PS_BLOCK_BYTES;
}

void ps_block_cache_init(struct ps_block_cache *cache, struct ps_depot *depot)
{
    *cache = (struct ps_block_cache){.depot = depot, .free_max = cache_free_max(depot->block_count)};
}

/* Only the worker writes the count; metrics read it. */
static void free_count_set(struct ps_block_cache *cache, uint32_t count)
{
    __atomic_store_n(&cache->free_count, count, __ATOMIC_RELAXED);
}

static void cache_give_back(struct ps_block_cache *cache, uint32_t keep)
{
    while (cache->free_count > keep) {
        struct ps_block *block = cache->free;
        cache->free = block->next;
        free_count_set(cache, cache->free_count - 1);
        depot_push(cache->depot, depot_block_of(block));
    }
}

void ps_block_cache_fini(struct ps_block_cache *cache)
{
    cache_give_back(cache, 0);
}

static void cache_refill(struct ps_block_cache *cache)
{
    for (uint32_t i = 0; i < CACHE_GROUP && i <= cache->free_max; i++) {
        struct depot_block *block = depot_pop(cache->depot);
        if (block == NULL)
            return;
        block->block.next = cache->free;
        cache->free = &block->block;
        free_count_set(cache, cache->free_count + 1);
    }
}

/* Counts a refusal: the budget is used up. */
static struct ps_block *refuse(struct ps_block_cache *cache)
{
    struct depot_block *block = cache->overdraft ? calloc(1, sizeof *block) : NULL;
    char *base = block != NULL ? malloc(PS_BLOCK_BYTES) : NULL;
    if (base == NULL) {
        free(block);
        cache->refused_count++;
        return NULL;
    }
    ps_tally_add(&cache->depot->used, 1);
    cache->taken_count++;
    block->overdrawn = true;
    block->block = (struct ps_block){.base = base, .size = PS_BLOCK_BYTES, .references = 1, .oversize = true};
    return &block->block;
}

struct ps_block *ps_block_take(struct ps_block_cache *cache)
{
    if (PS_UNLIKELY(cache->free == NULL))
        cache_refill(cache);
    struct ps_block *block = cache->free;
    if (PS_UNLIKELY(block == NULL))
        return refuse(cache);
    cache->free = block->next;
    free_count_set(cache, cache->free_count - 1);
    cache->taken_count++;
    block->references = 1;
    return block;
}

/* Reserves the whole length before the first byte is read: holds, untouched, as many of the depot's blocks as the body
 * would fill. Otherwise two bodies that are half read could wait for each other. */
struct ps_block *ps_block_take_oversize(struct ps_block_cache *cache, uint32_t size)
{
    uint32_t tokens = (uint32_t)(((uint64_t)size + PS_BLOCK_BYTES - 1) / PS_BLOCK_BYTES);
    struct depot_block *reserved = NULL, *one;
    cache_give_back(cache, 0);
    for (uint32_t i = 0; i < tokens && (one = depot_pop(cache->depot)) != NULL; i++) {
        one->reserved = reserved;
        reserved = one;
    }
    uint32_t got = 0;
    for (one = reserved; one != NULL; one = one->reserved)
        got++;
    struct depot_block *block = got == tokens ? calloc(1, sizeof *block) : NULL;
    char *base = block != NULL ? malloc(size) : NULL;
    if (base == NULL) {
        free(block);
        while (reserved != NULL) {
            one = reserved;
            reserved = one->reserved;
            depot_push(cache->depot, one);
        }
        cache->refused_count++;
        return NULL;
    }
    block->reserved = reserved;
    block->block = (struct ps_block){.base = base, .size = size, .references = 1, .oversize = true};
    cache->taken_count++;
    return &block->block;
}

static void oversize_free(struct ps_block_cache *cache, struct depot_block *block)
{
    while (block->reserved != NULL) {
        struct depot_block *one = block->reserved;
        block->reserved = one->reserved;
        depot_push(cache->depot, one);
    }
    if (block->overdrawn)
        ps_tally_add(&cache->depot->used, -1);
    free(block->block.base);
    free(block);
}

void ps_block_drop(struct ps_block_cache *cache, struct ps_block *block)
{
    PS_ASSERT(block->references > 0);
    if (--block->references > 0)
        return;
    if (PS_UNLIKELY(block->oversize)) {
        oversize_free(cache, depot_block_of(block));
        return;
    }
    block->next = cache->free;
    cache->free = block;
    free_count_set(cache, cache->free_count + 1);
    if (cache->free_count > cache->free_max)
        cache_give_back(cache, cache->free_max / 2);
}
