#include "core/flow/carver.h"

#include <string.h>

void ps_carver_init(struct ps_carver *carver, struct ps_pool *pool)
{
    *carver = (struct ps_carver){.pool = pool};
}

void ps_carver_fini(struct ps_carver *carver)
{
    struct ps_block_cache *cache = ps_pool_cache(carver->pool);
    if (carver->bytes != NULL)
        ps_block_drop(cache, carver->bytes);
    if (carver->meta != NULL) /* dropped last: the cache hands it out first, and its lines are warm */
        ps_block_drop(cache, carver->meta);
    *carver = (struct ps_carver){.pool = carver->pool};
}

struct ps_carved ps_carver_carved(const struct ps_carver *carver)
{
    struct ps_carved carved = carver->taken;
    carved.meta_left = carver->meta != NULL ? carver->meta_down - carver->meta_up : 0;
    carved.bytes_left = carver->bytes != NULL ? carver->bytes->size - carver->bytes_used : 0;
    carved.meta -= carved.meta_left;
    carved.bytes -= carved.bytes_left;
    return carved;
}

bool ps_carver_new_meta(struct ps_carver *carver)
{
    struct ps_block_cache *cache = ps_pool_cache(carver->pool);
    struct ps_block *block = ps_block_take(cache);
    if (block == NULL)
        return false;
    if (carver->meta != NULL)
        ps_block_drop(cache, carver->meta);
    carver->taken.meta += block->size;
    carver->meta = block;
    carver->meta_up = 0;
    carver->meta_down = block->size;
    return true;
}

bool ps_carver_new_bytes(struct ps_carver *carver)
{
    struct ps_block_cache *cache = ps_pool_cache(carver->pool);
    struct ps_block *block = ps_block_take(cache);
    if (block == NULL)
        return false;
    if (carver->bytes != NULL) {
        if (carver->left > 0)
            memcpy(block->base, carver->bytes->base + carver->bytes_used, carver->left);
        ps_block_drop(cache, carver->bytes);
    }
    carver->taken.bytes += block->size;
    carver->bytes = block;
    carver->bytes_used = 0;
    return true;
}
