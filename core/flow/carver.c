#include "core/flow/carver.h"

#include <string.h>

void ps_carver_init(struct ps_carver *carver, struct ps_pool *pool)
{
    *carver = (struct ps_carver){.pool = pool};
}

void ps_carver_fini(struct ps_carver *carver)
{
    struct ps_block_cache *cache = ps_pool_cache(carver->pool);
    if (carver->meta != NULL)
        ps_block_drop(cache, carver->meta);
    if (carver->bytes != NULL)
        ps_block_drop(cache, carver->bytes);
    *carver = (struct ps_carver){.pool = carver->pool};
}

bool ps_carver_new_meta(struct ps_carver *carver)
{
    struct ps_block_cache *cache = ps_pool_cache(carver->pool);
    struct ps_block *block = ps_block_take(cache);
    if (block == NULL)
        return false;
    if (carver->meta != NULL)
        ps_block_drop(cache, carver->meta);
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
    carver->bytes = block;
    carver->bytes_used = 0;
    return true;
}
