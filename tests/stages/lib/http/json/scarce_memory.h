/* The memory of a batch, which the test can take away and give back. One file of a test includes it. */
#pragma once

#include "core/arena.h"
#include "core/flow/batch_internal.h"
#include "core/flow/bump.h"
#include "tests/support/support.h"

#define BLOCKS 48U

static struct ps_depot *depot;
static struct ps_pool *pool;
static struct ps_bump bump;
static struct ps_block_cache cache;
static struct ps_block *hoarded[BLOCKS];
static unsigned hoarded_count;
static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

static void memory_open(void)
{
    struct ps_err err = {0};
    depot = ps_depot_create((uint64_t)BLOCKS * PS_BLOCK_BYTES, &err);
    assert_non_null(depot);
    pool = ps_pool_create(depot, 0);
    assert_non_null(pool);
    ps_bump_init(&bump, pool);
    ps_block_cache_init(&cache, depot);
}

static void memory_return(void)
{
    while (hoarded_count > 0)
        ps_block_drop(&cache, hoarded[--hoarded_count]);
}

/* Takes every free block, and what is left in the batch's blocks except for some bytes. */
static void memory_take(struct ps_batch *batch)
{
    uint32_t least = 1U << draw(12);
    while (hoarded_count < BLOCKS && (hoarded[hoarded_count] = ps_block_take(&cache)) != NULL)
        hoarded_count++;
    while (ps_batch_meta_alloc(batch, least, 1) != NULL)
        ;
}

/* Asserts that nothing is in use. */
static void memory_close(void)
{
    memory_return();
    ps_block_cache_fini(&cache);
    ps_bump_fini(&bump);
    assert_int_equal(ps_pool_out_count(pool), 0);
    ps_pool_destroy(pool);
    ps_depot_destroy(depot);
}
