/* The charge of a lease: leases of one source that stay in one channel never keep more blocks in use than
 * their charges add up to, even if the source's other batches are elsewhere. */
#include "core/flow/bump.h"
#include "core/flow/channel.h"
#include "core/flow/window.h"

#include "tests/support/support.h"

#define KEPT_MAX 4096U

struct bench {
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_bump bump;
    uint64_t random;
    struct ps_batch *kept[KEPT_MAX]; /* those of one channel, oldest first */
    unsigned kept_from, kept_end;
    uint64_t charged;
    struct ps_carved mark;
};

static uint64_t pick(struct bench *bench, uint64_t below)
{
    return ps_test_random(&bench->random) % below;
}

static void bench_init(struct bench *bench, uint64_t seed)
{
    struct ps_err err = {0};
    *bench = (struct bench){.random = seed | 1};
    bench->depot = ps_depot_create(UINT64_C(64) << 20, &err);
    assert_non_null(bench->depot);
    bench->pool = ps_pool_create(bench->depot, 0);
    ps_bump_init(&bench->bump, bench->pool);
}

static void give_oldest(struct bench *bench)
{
    struct ps_batch *batch = bench->kept[bench->kept_from++];
    bench->charged -= ps_batch_chain(batch)->memory_bytes;
    ps_batch_give(batch);
}

static void bench_fini(struct bench *bench)
{
    while (bench->kept_from < bench->kept_end)
        give_oldest(bench);
    ps_bump_fini(&bench->bump);
    ps_pool_destroy(bench->pool);
    assert_int_equal(ps_depot_used_bytes(bench->depot), 0);
    ps_depot_destroy(bench->depot);
}

/* Blocks in batches, without those that the bump allocator fills. */
static uint64_t kept_bytes(const struct bench *bench)
{
    uint64_t used = ps_depot_used_bytes(bench->depot) -
                    ps_pool_cache(bench->pool)->free_count * UINT64_C(1) * PS_BLOCK_BYTES;
    const struct ps_block *filled[] = {bench->bump.meta, bench->bump.bytes};
    for (unsigned i = 0; i < PS_COUNT_OF(filled); i++)
        used -= filled[i] != NULL ? filled[i]->size : 0;
    return used;
}

static struct ps_batch *make_batch(struct bench *bench, uint32_t events_max, uint32_t body_max)
{
    static char body[2 * PS_BLOCK_BYTES];
    struct ps_batch *batch = ps_batch_take(&bench->bump, (struct ps_now){0});
    if (batch == NULL)
        return NULL;
    uint64_t events = 1 + pick(bench, events_max);
    for (uint64_t i = 0; i < events && !batch->full; i++) {
        if (ps_batch_add_copy(batch, body, (uint32_t)pick(bench, body_max)) == NULL && !batch->full)
            break; /* no memory */
    }
    ps_batch_close(batch);
    if (pick(bench, 20) == 0) /* an interceptor makes a long value, or makes a long body longer */
        (void)ps_batch_alloc(batch, (uint32_t)pick(bench, 2 * PS_BLOCK_BYTES));
    return batch;
}

/* One batch in `one_of` goes to the channel, which is full at `quota`. */
static void run(struct bench *bench, unsigned one_of, uint32_t events_max, uint32_t body_max, uint64_t quota)
{
    for (unsigned i = 0; i < 3000; i++) {
        struct ps_batch *batch = make_batch(bench, events_max, body_max);
        assert_non_null(batch); /* the channel leaves room, whatever it keeps */
        bool kept = false;
        if (pick(bench, one_of) == 0 && bench->kept_end < KEPT_MAX) {
            ps_batch_charge(ps_batch_chain(batch), &bench->mark);
            kept = bench->charged == 0 || bench->charged + ps_batch_chain(batch)->memory_bytes <= quota;
        }
        if (kept) {
            ps_batch_mark(ps_batch_chain(batch), &bench->mark);
            bench->charged += ps_batch_chain(batch)->memory_bytes;
            bench->kept[bench->kept_end++] = batch;
        } else {
            ps_batch_give(batch);
        }
        /* The oldest lease may lie in blocks that were charged to earlier leases; the rest of the newest block is charged
         * to the next lease. */
        if (kept_bytes(bench) > bench->charged + 4 * PS_BLOCK_BYTES)
            fail_msg("one of %u, %u events, %u bytes: %llu bytes are kept, %llu were charged", one_of,
                     events_max, body_max, (unsigned long long)kept_bytes(bench),
                     (unsigned long long)bench->charged);
        if (pick(bench, 2000) == 0) {
            for (uint64_t gone = pick(bench, 100); gone > 0 && bench->kept_from < bench->kept_end; gone--)
                give_oldest(bench);
        }
    }
}

static void test_bound(void **state)
{
    static const struct {
        unsigned one_of;
        uint32_t events_max, body_max;
    } shapes[] = {
        {1, 1, 100},      {1, 1000, 1000},
        {10, 1, 100},     {500, 1, 100},
        {500, 1, 2000}, /* each lease keeps two blocks */
        {3, 300, 100000}, {7, 3, 2 * PS_BLOCK_BYTES},
    };
    static struct bench bench;
    uint64_t seed = ps_test_seed();
    for (unsigned i = 0; i < PS_COUNT_OF(shapes); i++) {
        bench_init(&bench, ps_test_random(&seed));
        run(&bench, shapes[i].one_of, shapes[i].events_max, shapes[i].body_max, UINT64_C(32) << 20);
        bench_fini(&bench);
    }
}

/* Leases that fill their blocks are charged with little more than they use. */
static void test_tight(void **state)
{
    static struct bench bench;
    bench_init(&bench, 1);
    while (bench.charged < UINT64_C(20) << 20) {
        struct ps_batch *batch = make_batch(&bench, 1000, 300);
        ps_batch_charge(ps_batch_chain(batch), &bench.mark);
        ps_batch_mark(ps_batch_chain(batch), &bench.mark);
        bench.charged += ps_batch_chain(batch)->memory_bytes;
        bench.kept[bench.kept_end++] = batch;
    }
    assert_true(kept_bytes(&bench) + 4 * PS_BLOCK_BYTES >= bench.charged);
    bench_fini(&bench);
}

static void delivered(void *unused, struct ps_batch *batch)
{
}

/* The leases of what a channel reads back are charged, too: those that its consumer keeps never have more blocks in use than their charges add up
 * to. */
static void test_readback(void **state)
{
    enum { KEPT = 200 };
    static char body[PS_BLOCK_BYTES];
    static struct ps_lease *leases[KEPT];
    for (unsigned order = 0; order < 2; order++) {
        static struct bench bench;
        uint64_t charged = 0;
        bench_init(&bench, ps_test_seed());
        struct ps_readback *readback = ps_readback_open(
            bench.pool, order == 0 ? PS_READBACK_IN_ORDER : PS_READBACK_ANY_ORDER, delivered, NULL);
        for (unsigned i = 0; i < KEPT; i++) {
            struct ps_batch *batch = ps_readback_batch(readback, (struct ps_now){0});
            assert_non_null(batch);
            assert_non_null(
                ps_batch_add_copy(batch, body, (uint32_t)pick(&bench, i % 2 == 0 ? 100 : PS_BLOCK_BYTES)));
            leases[i] = ps_readback_lease(readback, batch);
            charged += leases[i]->memory_bytes;
            uint64_t kept = kept_bytes(&bench);
            if (kept > charged + 6 * PS_BLOCK_BYTES) /* four as above, and the two that the readback fills */
                fail_msg("%u leases: %llu bytes are kept, %llu were charged", i + 1, (unsigned long long)kept,
                         (unsigned long long)charged);
        }
        for (unsigned i = 0; i < KEPT; i++) {
            ps_lease_settle_all(leases[i]);
            ps_window_release(leases[i]);
        }
        ps_readback_close(readback);
        bench_fini(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound),
        cmocka_unit_test(test_readback),
        cmocka_unit_test(test_tight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
