/* The acknowledgement window compared with a model: leases are returned in any order, batches complete out
 * of order, and deliveries are reported to the source in order, exactly up to the first batch that is not
 * complete. */
#include "core/flow/bump.h"
#include "core/flow/window.h"

#include "tests/support/support.h"

#define BATCHES 64U
#define LEASES 4U

struct bench {
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_bump bump;
    struct ps_window *window;
    uint64_t delivered; /* sequence of the last batch reported */
};

static void deliver(void *argument, struct ps_batch *batch)
{
    struct bench *bench = argument;
    assert_int_equal(batch->sequence, bench->delivered + 1);
    assert_int_equal(ps_batch_home(batch)->promises, 0);
    bench->delivered = batch->sequence;
}

static void bench_init(struct bench *bench, bool replayable)
{
    struct ps_err err = {0};
    *bench = (struct bench){0};
    bench->depot = ps_depot_create(16 << 20, &err);
    bench->pool = ps_pool_create(bench->depot, 0);
    assert_true(bench->depot != NULL && bench->pool != NULL);
    ps_bump_init(&bench->bump, bench->pool);
    bench->window = ps_window_create(replayable, deliver, bench);
}

static void bench_fini(struct bench *bench)
{
    ps_bump_fini(&bench->bump);
    assert_int_equal(ps_pool_out_count(bench->pool), 0);
    ps_pool_destroy(bench->pool);
    assert_int_equal(ps_depot_used_bytes(bench->depot), 0);
    ps_depot_destroy(bench->depot);
}

/* Puts a closed batch into the window with this number of leases out, besides the chain's; they are linked to
 * it. */
static struct ps_lease *enter(struct bench *bench, unsigned required, unsigned optional)
{
    struct ps_batch *batch = ps_batch_take(&bench->bump, (struct ps_now){0});
    if (batch == NULL)
        return NULL;
    assert_non_null(ps_batch_add_copy(batch, "x", 1));
    ps_batch_close(batch);
    ps_window_enter(bench->window, batch);
    struct ps_lease *last = ps_batch_chain(batch);
    for (unsigned i = 0; i < required + optional; i++) {
        struct ps_lease *lease = ps_lease_split(ps_batch_chain(batch), NULL, 0);
        assert_non_null(lease);
        ps_lease_home(lease)->owed = i < required;
        ps_window_hold(batch, ps_lease_home(lease)->owed);
        last->next = lease;
        last = lease;
    }
    return ps_batch_chain(batch);
}

/* Returns the lease that is `places` after the first of the chain. */
static struct ps_lease *behind(struct ps_lease *chain, unsigned places)
{
    while (places-- > 0)
        chain = chain->next;
    return chain;
}

static void test_in_order(void **state)
{
    struct bench bench;
    bench_init(&bench, true);
    struct ps_lease *a = enter(&bench, 1, 0), *b = enter(&bench, 2, 1), *c = enter(&bench, 0, 0);
    assert_int_equal(ps_window_outstanding(bench.window), 3);
    ps_window_release(c); /* complete, but batches before it are not */
    ps_window_release(b);
    ps_window_release(behind(b, 1));
    ps_window_release(behind(b, 2));
    assert_int_equal(bench.delivered, 0);
    ps_window_release(behind(a, 1));
    assert_int_equal(bench.delivered, 0); /* the chain is not done */
    ps_window_release(a);
    assert_int_equal(bench.delivered, 3);
    assert_int_equal(ps_pool_out_count(bench.pool), 1); /* b: an optional channel still has a lease of it */
    assert_int_equal(ps_window_outstanding(bench.window), 1);
    struct ps_lease *d = enter(&bench, 1, 1), *e = enter(&bench, 0, 0), *f = enter(&bench, 0, 0);
    ps_window_release(e);
    f->failed = true;
    ps_window_release(f);
    assert_int_equal(ps_window_detach(bench.window), 1); /* e was delivered, and will be read again */
    assert_false(ps_batch_home(b->batch)->unreported);
    assert_true(ps_batch_home(d->batch)->unreported);
    ps_window_release(behind(b, 3));
    struct ps_lease *d1 = behind(d, 1), *d2 = behind(d, 2);
    ps_window_release(d);
    ps_window_release(d1);
    ps_window_release(d2);
    assert_int_equal(ps_pool_out_count(bench.pool), 0);
    bench_fini(&bench);
}

static void count_delivered(void *argument, struct ps_batch *batch)
{
    struct bench *bench = argument;
    assert_int_equal(ps_batch_home(batch)->promises, 0);
    assert_false(ps_batch_home(batch)->lost);
    bench->delivered++;
}

/* Each batch is reported on its own and its memory is given back, even if older batches are not complete; a lost batch is not reported, and keeps
 * no memory. */
static void test_unordered(void **state)
{
    struct bench bench;
    bench_init(&bench, true);
    ps_window_detach(bench.window);
    bench.window = ps_window_create_unordered(count_delivered, &bench);
    struct ps_lease *a = enter(&bench, 0, 0), *b = enter(&bench, 0, 0), *c = enter(&bench, 0, 0),
                    *d = enter(&bench, 0, 0);
    assert_int_equal(d->batch->sequence, 4);
    ps_window_release(c);
    assert_int_equal(bench.delivered, 1);
    assert_int_equal(ps_pool_out_count(bench.pool), 3);
    b->failed = true;
    ps_window_release(b);
    assert_int_equal(bench.delivered, 1);
    assert_int_equal(ps_pool_out_count(bench.pool), 2);
    ps_window_release(a);
    assert_int_equal(bench.delivered, 2);
    assert_int_equal(ps_window_outstanding(bench.window), 1);
    ps_window_detach(bench.window);
    ps_window_release(d); /* no handler is called */
    assert_int_equal(bench.delivered, 2);
    bench_fini(&bench);
}

/* A batch that was given up stops the window: no batch after it is reported. A failed optional lease does not
 * stop it. */
static void test_lost(void **state)
{
    struct bench bench;
    bench_init(&bench, true);
    struct ps_lease *a = enter(&bench, 1, 1), *b = enter(&bench, 1, 0), *c = enter(&bench, 1, 0);
    ps_window_release(a);
    behind(a, 2)->failed = true;
    ps_window_release(behind(a, 2));
    ps_window_release(behind(a, 1));
    assert_int_equal(bench.delivered, 1);
    ps_window_release(b);
    behind(b, 1)->failed = true;
    ps_window_release(behind(b, 1));
    ps_window_release(c);
    ps_window_release(behind(c, 1));
    assert_int_equal(bench.delivered, 1);
    assert_int_equal(ps_window_outstanding(bench.window), 2);
    ps_window_detach(bench.window);
    assert_int_equal(bench.delivered, 1);
    bench_fini(&bench);
}

/* One of two channels fails: the batch is lost, whichever lease is returned last. */
static void test_lost_to_one_of_two(void **state)
{
    struct bench bench;
    for (unsigned failed = 1; failed <= 2; failed++) {
        bench_init(&bench, true);
        struct ps_lease *chain = enter(&bench, 2, 0);
        behind(chain, failed)->failed = true;
        struct ps_lease *first = behind(chain, 1), *second = behind(chain, 2);
        ps_window_release(chain);
        ps_window_release(first);
        ps_window_release(second);
        assert_int_equal(bench.delivered, 0);
        ps_window_detach(bench.window);
        bench_fini(&bench);
    }
}

/* The source is closed while batches are out: it is no longer called, and they are freed as they are
 * returned. */
static void test_detach(void **state)
{
    struct bench bench;
    for (unsigned replayable = 0; replayable < 2; replayable++) {
        bench_init(&bench, replayable == 1);
        struct ps_lease *a = enter(&bench, 1, 0), *b = enter(&bench, 1, 0);
        assert_false(ps_window_is_detached(bench.window));
        ps_window_release(b);
        ps_window_release(behind(b, 1));
        ps_window_detach(bench.window);
        assert_int_equal(ps_pool_out_count(bench.pool), 1); /* b was complete and is freed */
        assert_int_equal(ps_batch_home(a->batch)->unreported, replayable == 1);
        assert_true(ps_window_is_detached(ps_batch_home(a->batch)->window));
        ps_window_release(behind(a, 1));
        ps_window_release(a); /* frees the window */
        assert_int_equal(bench.delivered, 0);
        bench_fini(&bench);
    }
}

static void test_model(void **state)
{
    struct bench bench;
    struct ps_lease *out[BATCHES * (LEASES + 1)];
    uint64_t open[4096], entered, told;
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < 40; round++) {
        bool replayable = round % 4 != 0;
        unsigned out_count = 0;
        entered = told = 0;
        bench_init(&bench, replayable);
        for (unsigned turn = 0; turn < 3000; turn++) {
            if (ps_test_random(&random) % 4 == 0 && out_count + LEASES < PS_COUNT_OF(out)) {
                unsigned required = (unsigned)(ps_test_random(&random) % 3);
                unsigned optional = (unsigned)(ps_test_random(&random) % 2);
                struct ps_lease *chain = enter(&bench, required, optional);
                assert_non_null(chain);
                open[++entered] = 1 + required;
                assert_int_equal(chain->batch->sequence, entered);
                for (unsigned i = 0; i < 1 + required + optional; i++)
                    out[out_count++] = behind(chain, i);
            } else if (out_count > 0) {
                unsigned which = (unsigned)(ps_test_random(&random) % out_count);
                struct ps_lease *lease = out[which];
                out[which] = out[--out_count];
                open[lease->batch->sequence] -= ps_lease_home(lease)->owed;
                ps_window_release(lease);
                while (told < entered && open[told + 1] == 0)
                    told++;
                assert_int_equal(bench.delivered, told);
            }
        }
        if (round % 3 == 0)
            ps_window_detach(bench.window);
        while (out_count > 0)
            ps_window_release(out[--out_count]);
        if (round % 3 != 0) {
            assert_int_equal(bench.delivered, entered);
            ps_window_detach(bench.window);
        }
        bench_fini(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),  cmocka_unit_test(test_lost),
        cmocka_unit_test(test_unordered), cmocka_unit_test(test_lost_to_one_of_two),
        cmocka_unit_test(test_detach),    cmocka_unit_test(test_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
