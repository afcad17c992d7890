/* Blocks, a worker's cache of them, and the depot that supplies them. */
#include "core/flow/block.h"

#include "rings/tsan.h"
#include "tests/support/support.h"

#include <pthread.h>

#define DEPOT_BLOCKS 64U

static struct ps_depot *make_depot(uint32_t blocks)
{
    struct ps_err err = {0};
    struct ps_depot *depot = ps_depot_create((uint64_t)blocks * PS_BLOCK_BYTES, &err);
    assert_non_null(depot);
    return depot;
}

static void test_budget_limits(void **state)
{
    struct ps_err err = {0};
    assert_null(ps_depot_create(15 * PS_BLOCK_BYTES, &err));
    assert_non_null(strstr(err.text, "memory budget"));
    assert_null(ps_depot_create(UINT64_MAX, &err));
    struct ps_depot *depot = ps_depot_create(16 * PS_BLOCK_BYTES + PS_BLOCK_BYTES - 1, &err);
    assert_int_equal(ps_depot_budget_bytes(depot), 16 * PS_BLOCK_BYTES);
    assert_int_equal(ps_depot_used_bytes(depot), 0);
    ps_depot_destroy(depot);
    ps_depot_destroy(NULL);
}

static uint32_t take_all(struct ps_block_cache *cache, struct ps_block **blocks, uint32_t max)
{
    uint32_t count = 0;
    struct ps_block *block;
    while (count < max && (block = ps_block_take(cache)) != NULL)
        blocks[count++] = block;
    return count;
}

/* Takes every block once, then gets NULL without an error, then gives all blocks back. */
static void test_take_all(void **state)
{
    struct ps_depot *depot = make_depot(DEPOT_BLOCKS);
    struct ps_block *blocks[DEPOT_BLOCKS + 1];
    struct ps_block_cache cache;
    ps_block_cache_init(&cache, depot);
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(take_all(&cache, blocks, DEPOT_BLOCKS + 1), DEPOT_BLOCKS);
        assert_int_equal(cache.refused_count, round + 1);
        assert_int_equal(ps_depot_used_bytes(depot), ps_depot_budget_bytes(depot));
        for (uint32_t i = 0; i < DEPOT_BLOCKS; i++) {
            assert_int_equal(blocks[i]->size, PS_BLOCK_BYTES);
            memset(blocks[i]->base, (int)i, PS_BLOCK_BYTES);
        }
        for (uint32_t i = 0; i < DEPOT_BLOCKS; i++) {
            assert_int_equal((uint8_t)blocks[i]->base[PS_BLOCK_BYTES - 1], i);
            ps_block_drop(&cache, blocks[i]);
        }
    }
    ps_block_cache_fini(&cache);
    assert_int_equal(ps_depot_used_bytes(depot), 0);
    ps_depot_destroy(depot);
}

/* Where a batch could wait for ever, blocks are taken beyond the budget: they count as used until they are given back, and no longer. */
static void test_overdraft(void **state)
{
    struct ps_depot *depot = make_depot(DEPOT_BLOCKS);
    struct ps_block *blocks[DEPOT_BLOCKS + 3];
    struct ps_block_cache cache;
    ps_block_cache_init(&cache, depot);
    for (unsigned round = 0; round < 3; round++) {
        cache.overdraft = true;
        assert_int_equal(take_all(&cache, blocks, DEPOT_BLOCKS + 3), DEPOT_BLOCKS + 3);
        cache.overdraft = false;
        assert_null(ps_block_take(&cache));
        assert_int_equal(cache.refused_count, round + 1);
        for (uint32_t i = 0; i < DEPOT_BLOCKS + 3; i++) {
            assert_int_equal(blocks[i]->size, PS_BLOCK_BYTES);
            memset(blocks[i]->base, (int)i, PS_BLOCK_BYTES);
        }
        for (uint32_t left = 3; left > 0; left--) {
            assert_int_equal(ps_depot_used_bytes(depot), (DEPOT_BLOCKS + left) * PS_BLOCK_BYTES);
            ps_block_drop(&cache, blocks[DEPOT_BLOCKS + left - 1]);
        }
        assert_int_equal(ps_depot_used_bytes(depot), ps_depot_budget_bytes(depot));
        assert_null(ps_block_take(&cache));
        cache.refused_count = round + 1;
        for (uint32_t i = 0; i < DEPOT_BLOCKS; i++)
            ps_block_drop(&cache, blocks[i]);
    }
    ps_block_cache_fini(&cache);
    assert_int_equal(ps_depot_used_bytes(depot), 0);
    ps_depot_destroy(depot);
}

static void test_references(void **state)
{
    struct ps_depot *depot = make_depot(16);
    struct ps_block_cache cache;
    ps_block_cache_init(&cache, depot);
    struct ps_block *block = ps_block_take(&cache);
    ps_block_hold(block);
    ps_block_drop(&cache, block);
    struct ps_block *other = ps_block_take(&cache);
    assert_ptr_not_equal(block, other);
    ps_block_drop(&cache, block);
    assert_ptr_equal(ps_block_take(&cache), block); /* last in, first out: it is in the CPU's cache */
    ps_block_drop(&cache, block);
    ps_block_drop(&cache, other);
    ps_block_cache_fini(&cache);
    assert_int_equal(ps_depot_used_bytes(depot), 0);
    ps_depot_destroy(depot);
}

/* The whole length is reserved in one step, and given back in one step. */
static void test_oversize(void **state)
{
    struct ps_depot *depot = make_depot(16);
    struct ps_block_cache cache;
    ps_block_cache_init(&cache, depot);
    struct ps_block *giant = ps_block_take_oversize(&cache, 9 * PS_BLOCK_BYTES + 1);
    assert_non_null(giant);
    memset(giant->base, 1, 9 * PS_BLOCK_BYTES + 1);
    assert_int_equal(ps_depot_used_bytes(depot), 10 * PS_BLOCK_BYTES);
    assert_null(ps_block_take_oversize(&cache, 6 * PS_BLOCK_BYTES + 1));
    assert_int_equal(ps_depot_used_bytes(depot), 10 * PS_BLOCK_BYTES); /* no partial reservation */
    struct ps_block *second = ps_block_take_oversize(&cache, 6 * PS_BLOCK_BYTES);
    assert_non_null(second);
    assert_null(ps_block_take(&cache));
    ps_block_drop(&cache, giant);
    ps_block_drop(&cache, second);
    assert_int_equal(ps_depot_used_bytes(depot), 0);
    ps_block_cache_fini(&cache);
    ps_depot_destroy(depot);
}

/* Free blocks in the worker's own cache also count as room for an oversize block. */
static void test_oversize_takes_from_own_cache(void **state)
{
    struct ps_depot *depot = make_depot(4096);
    static struct ps_block *blocks[4096];
    struct ps_block_cache cache;
    ps_block_cache_init(&cache, depot);
    uint32_t count = take_all(&cache, blocks, 4096);
    assert_int_equal(count, 4096);
    for (uint32_t i = 0; i < 8; i++)
        ps_block_drop(&cache, blocks[--count]);
    assert_true(cache.free_count > 0);
    struct ps_block *giant = ps_block_take_oversize(&cache, 8 * PS_BLOCK_BYTES);
    assert_non_null(giant);
    ps_block_drop(&cache, giant);
    while (count > 0)
        ps_block_drop(&cache, blocks[--count]);
    ps_block_cache_fini(&cache);
    assert_int_equal(ps_depot_used_bytes(depot), 0);
    ps_depot_destroy(depot);
}

/* The caches of idle workers hold a small part of the budget, however small the budget is: a worker that
 * needs memory must not wait for workers that do not. */
static void test_caches_do_not_starve_others(void **state)
{
    static struct ps_block_cache caches[64];
    for (uint32_t size = 64; size <= 4096; size *= 4) {
        struct ps_depot *depot = make_depot(size);
        struct ps_block **blocks = calloc(size, sizeof(struct ps_block *));
        assert_non_null(blocks);
        for (unsigned i = 0; i < PS_COUNT_OF(caches); i++) {
            ps_block_cache_init(&caches[i], depot);
            uint32_t count = take_all(&caches[i], blocks, 40);
            while (count > 0)
                ps_block_drop(&caches[i], blocks[--count]);
        }
        struct ps_block_cache cache;
        ps_block_cache_init(&cache, depot);
        uint32_t count = take_all(&cache, blocks, size);
        assert_true(count >= size / 4 * 3);
        while (count > 0)
            ps_block_drop(&cache, blocks[--count]);
        ps_block_cache_fini(&cache);
        for (unsigned i = 0; i < PS_COUNT_OF(caches); i++)
            ps_block_cache_fini(&caches[i]);
        assert_int_equal(ps_depot_used_bytes(depot), 0);
        ps_depot_destroy(depot);
        free(blocks);
    }
}

#define THREADS 3U
#ifdef PS_TSAN
#define TURNS 5000U
#else
#define TURNS 100000U
#endif

struct worker {
    struct ps_depot *depot;
    uint64_t random;
    uint64_t torn;
};

/* Takes a block, writes to it, checks that no other thread writes to it, drops it. */
static void *work(void *argument)
{
    struct worker *worker = argument;
    struct ps_block_cache cache;
    struct ps_block *mine[24];
    unsigned count = 0;
    ps_block_cache_init(&cache, worker->depot);
    for (unsigned i = 0; i < TURNS; i++) {
        if (count < PS_COUNT_OF(mine) && ps_test_random(&worker->random) % 2 == 0) {
            struct ps_block *block = ps_test_random(&worker->random) % 16 == 0
                                         ? ps_block_take_oversize(&cache, 2 * PS_BLOCK_BYTES)
                                         : ps_block_take(&cache);
            if (block == NULL)
                continue;
            memcpy(block->base, &worker, sizeof worker);
            mine[count++] = block;
        } else if (count > 0) {
            unsigned which = (unsigned)(ps_test_random(&worker->random) % count);
            worker->torn += memcmp(mine[which]->base, &worker, sizeof worker) != 0;
            ps_block_drop(&cache, mine[which]);
            mine[which] = mine[--count];
        }
    }
    while (count > 0)
        ps_block_drop(&cache, mine[--count]);
    ps_block_cache_fini(&cache);
    return NULL;
}

static void test_depot_between_threads(void **state)
{
    struct ps_depot *depot = make_depot(DEPOT_BLOCKS);
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    uint64_t seed = ps_test_seed();
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.depot = depot, .random = ps_test_random(&seed) | 1};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].torn, 0);
    }
    assert_int_equal(ps_depot_used_bytes(depot), 0);
    ps_depot_destroy(depot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget_limits),
        cmocka_unit_test(test_take_all),
        cmocka_unit_test(test_overdraft),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_oversize),
        cmocka_unit_test(test_oversize_takes_from_own_cache),
        cmocka_unit_test(test_caches_do_not_starve_others),
        cmocka_unit_test(test_depot_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
