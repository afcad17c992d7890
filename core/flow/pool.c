/* A worker's batch descriptors, reused last in, first out, while they are still in its caches. Home worker
 * only, except ps_pool_out_count. */
#include "core/flow/batch.h"

#include <stdlib.h>
#include <sys/mman.h>

struct ps_pool {
    struct ps_pool_limits limits;
    struct ps_block_cache cache;
    struct ps_batch *free;
    char *base; /* descriptors, touched only when first used */
    size_t descriptor_bytes;
    uint32_t made_count, out_count;
    uint16_t worker;
};

struct ps_pool *ps_pool_create(struct ps_depot *depot, struct ps_pool_limits limits, uint16_t worker,
                               struct ps_err *err)
{
    PS_ASSERT(limits.batches_max > 0 && limits.leases_max > 0);
    struct ps_pool *pool = ps_must_alloc(1, sizeof *pool, "a worker's batches");
    pool->limits = limits;
    pool->worker = worker;
    pool->descriptor_bytes = sizeof(struct ps_batch) + limits.leases_max * sizeof(struct ps_lease);
    pool->descriptor_bytes = (pool->descriptor_bytes + PS_CACHE_GAP - 1) & ~(size_t)(PS_CACHE_GAP - 1);
    pool->base = mmap(NULL, pool->descriptor_bytes * limits.batches_max, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pool->base == MAP_FAILED) {
        ps_err_set(err, "cannot reserve address space for %u batch descriptors", limits.batches_max);
        free(pool);
        return NULL;
    }
    ps_block_cache_init(&pool->cache, depot);
    return pool;
}

void ps_pool_destroy(struct ps_pool *pool)
{
    if (pool == NULL)
        return;
    ps_block_cache_fini(&pool->cache);
    munmap(pool->base, pool->descriptor_bytes * pool->limits.batches_max);
    free(pool);
}

uint16_t ps_pool_worker(const struct ps_pool *pool)
{
    return pool->worker;
}

struct ps_block_cache *ps_pool_cache(struct ps_pool *pool)
{
    return &pool->cache;
}

const struct ps_pool_limits *ps_pool_limits(const struct ps_pool *pool)
{
    return &pool->limits;
}

uint32_t ps_pool_out_count(const struct ps_pool *pool)
{
    return __atomic_load_n(&pool->out_count, __ATOMIC_RELAXED);
}

struct ps_batch *ps_pool_take(struct ps_pool *pool)
{
    struct ps_batch *batch = pool->free;
    if (batch != NULL) {
        pool->free = batch->next;
    } else {
        if (pool->made_count == pool->limits.batches_max)
            return NULL;
        batch = (struct ps_batch *)(void *)(pool->base + pool->made_count++ * pool->descriptor_bytes);
        batch->home = pool;
    }
    batch->next = NULL;
    __atomic_store_n(&pool->out_count, pool->out_count + 1, __ATOMIC_RELAXED);
    return batch;
}

void ps_pool_give(struct ps_pool *pool, struct ps_batch *batch)
{
    batch->next = pool->free;
    pool->free = batch;
    __atomic_store_n(&pool->out_count, pool->out_count - 1, __ATOMIC_RELAXED);
}
