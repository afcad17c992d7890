/* The pool that the batches of one worker share: its cache of free blocks, and the number of batches. Home worker
 * only, except ps_pool_out_count. */
#include "core/flow/batch_home.h"

#include <stdlib.h>

struct ps_pool {
    struct ps_block_cache cache;
    uint32_t out_count;
    uint16_t worker;
};

struct ps_pool *ps_pool_create(struct ps_depot *depot, uint16_t worker)
{
    struct ps_pool *pool = ps_must_alloc(1, sizeof *pool, "a worker's batches");
    pool->worker = worker;
    ps_block_cache_init(&pool->cache, depot);
    return pool;
}

void ps_pool_destroy(struct ps_pool *pool)
{
    if (pool == NULL)
        return;
    ps_block_cache_fini(&pool->cache);
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

uint32_t ps_pool_out_count(const struct ps_pool *pool)
{
    return __atomic_load_n(&pool->out_count, __ATOMIC_RELAXED);
}

void ps_pool_count(struct ps_pool *pool, int32_t change)
{
    __atomic_store_n(&pool->out_count, pool->out_count + (uint32_t)change, __ATOMIC_RELAXED);
}
