/* A queue in memory: room that sources reserve for events that they promise. */
#include "core/flow/batch_home.h"
#include "core/flow/bump.h"
#include "stages/lib/queue/memory.h"
#include "tests/support/support.h"

struct bench {
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_bump bump;
    struct ps_carved mark;
    struct ps_memory_queue *memory;
};

static void bench_init(struct bench *bench, unsigned consumers)
{
    struct ps_err err = {0};
    *bench = (struct bench){.depot = ps_depot_create(64 << 20, &err)};
    bench->pool = ps_pool_create(bench->depot, 0);
    ps_bump_init(&bench->bump, bench->pool);
    bench->memory = ps_memory_queue_create(&(struct ps_memory_queue_settings){
        .capacity = 100, .quota_bytes = 32 << 20, .producers = 2, .consumers = consumers});
}

static void bench_fini(struct bench *bench)
{
    ps_memory_queue_destroy(bench->memory);
    ps_bump_fini(&bench->bump);
    assert_int_equal(ps_pool_out_count(bench->pool), 0);
    ps_pool_destroy(bench->pool);
    ps_depot_destroy(bench->depot);
}

/* A lease of one event. */
static struct ps_lease *make_lease(struct bench *bench, uint64_t number)
{
    struct ps_batch *batch = ps_batch_take(&bench->bump, (struct ps_now){0});
    assert_non_null(batch);
    assert_non_null(ps_batch_add_copy(batch, "body", 4));
    batch->sequence = number;
    ps_batch_close(batch);
    ps_batch_charge(ps_batch_chain(batch), &bench->mark);
    ps_batch_mark(ps_batch_chain(batch), &bench->mark);
    return ps_batch_chain(batch);
}

static bool put(struct bench *bench, struct ps_lease *lease)
{
    return ps_memory_queue_put(bench->memory, 0, &lease) == PS_PUT_OK;
}

static void expect(struct ps_lease *lease, uint64_t number)
{
    assert_non_null(lease);
    assert_int_equal(lease->batch->sequence, number);
    ps_batch_give((struct ps_batch *)(uintptr_t)lease->batch);
}

static bool put_promised(struct bench *bench, uint64_t number)
{
    struct ps_lease *lease = make_lease(bench, number);
    lease->promised = true;
    return put(bench, lease);
}

static uint64_t reserve(struct bench *bench, unsigned producer, uint64_t events)
{
    return ps_memory_queue_reserve(bench->memory, producer, events);
}

/* The room that is kept is half of the capacity for all producers together; room that one gives back is free for the
 * others. */
static void test_reserve(void **state)
{
    struct bench bench;
    bench_init(&bench, 1);
    assert_int_equal(reserve(&bench, 0, 30), 30);
    assert_int_equal(reserve(&bench, 1, 30), 20);
    assert_int_equal(reserve(&bench, 1, 21), 20);
    assert_int_equal(reserve(&bench, 0, 29), 29);
    assert_int_equal(reserve(&bench, 1, 4096), 21);
    assert_int_equal(reserve(&bench, 0, 4096), 29);
    assert_int_equal(reserve(&bench, 0, 0), 0);
    assert_int_equal(reserve(&bench, 1, 0), 0);
    for (uint64_t i = 1; i <= 40; i++)
        assert_true(put(&bench, make_lease(&bench, i)));
    assert_int_equal(reserve(&bench, 1, 4096), 10);
    for (uint64_t i = 1; i <= 40; i++)
        expect(ps_memory_queue_take(bench.memory, 0), i);
    bench_fini(&bench);
}

/* While a producer has reserved room, the others find the channel full; a promised lease still finds this room, and
 * uses it up. */
static void test_reserved_room(void **state)
{
    struct bench bench;
    bench_init(&bench, 1);
    assert_int_equal(reserve(&bench, 0, 3), 3);
    for (uint64_t i = 1; i <= 97; i++)
        assert_true(put(&bench, make_lease(&bench, i)));
    struct ps_lease *waits = make_lease(&bench, 200), *other = waits;
    assert_false(put(&bench, waits));
    assert_int_equal(ps_memory_queue_put(bench.memory, 1, &other), PS_PUT_FULL);
    ps_memory_queue_set_quota(bench.memory, 1);
    for (uint64_t i = 98; i <= 100; i++)
        assert_true(put_promised(&bench, i));
    ps_memory_queue_set_quota(bench.memory, 32 << 20);
    assert_int_equal(reserve(&bench, 0, 1), 0);
    assert_false(put(&bench, waits));
    expect(ps_memory_queue_take(bench.memory, 0), 1);
    assert_true(put(&bench, waits));
    for (uint64_t i = 2; i <= 100; i++)
        expect(ps_memory_queue_take(bench.memory, 0), i);
    expect(ps_memory_queue_take(bench.memory, 0), 200);
    bench_fini(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reserve), cmocka_unit_test(test_reserved_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
