#include "core/flow/bump.h"

#include <string.h>

void ps_bump_init(struct ps_bump *bump, struct ps_pool *pool)
{
    *bump = (struct ps_bump){.pool = pool};
}

void ps_bump_fini(struct ps_bump *bump)
{
    struct ps_block_cache *cache = ps_pool_cache(bump->pool);
    if (bump->bytes != NULL)
        ps_block_drop(cache, bump->bytes);
    if (bump->meta !=
        NULL) /* dropped last: the cache then hands this block out first, and its lines are warm */
        ps_block_drop(cache, bump->meta);
    *bump = (struct ps_bump){.pool = bump->pool};
}

struct ps_carved ps_bump_taken(const struct ps_bump *bump)
{
    struct ps_carved carved = bump->taken;
    carved.meta_left = bump->meta != NULL ? bump->meta_down - bump->meta_up : 0;
    carved.bytes_left = bump->bytes != NULL ? bump->bytes->size - bump->bytes_used : 0;
    carved.meta -= carved.meta_left;
    carved.bytes -= carved.bytes_left;
    return carved;
}

bool ps_bump_new_meta(struct ps_bump *bump)
{
    struct ps_block_cache *cache = ps_pool_cache(bump->pool);
    struct ps_block *block = ps_block_take(cache);
    if (block == NULL)
        return false;
    if (bump->meta != NULL)
        ps_block_drop(cache, bump->meta);
    bump->taken.meta += block->size;
    bump->meta = block;
    bump->meta_up = 0;
    bump->meta_down = block->size;
    return true;
}

bool ps_bump_new_bytes(struct ps_bump *bump)
{
    struct ps_block_cache *cache = ps_pool_cache(bump->pool);
    struct ps_block *block = ps_block_take(cache);
    if (block == NULL)
        return false;
    if (bump->bytes != NULL) {
        if (bump->left > 0)
            memcpy(block->base, bump->bytes->base + bump->bytes_used, bump->left);
        ps_block_drop(cache, bump->bytes);
    }
    bump->taken.bytes += block->size;
    bump->bytes = block;
    bump->bytes_used = 0;
    return true;
}
