/* The memory channel under threads: two producers, and three consumers that take and give back. */
#include "core/flow/engine_channel.h"
#include "core/flow/bump.h"
#include "core/arena.h"
#include "core/stage.h"

#include "conf/bind.h"
#include "conf/problem.h"
#include "rings/tsan.h"
#include "tests/support/stage.h"
#include "tests/support/support.h"

#include <pthread.h>

extern const struct ps_stage_ops ps_channel_memory;

#define OPS (ps_channel_memory.channel)

struct bench {
    struct ps_arena *arena;
    struct ps_problems problems;
    struct ps_context context;
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_bump bump;
    struct ps_carved mark;
    void *plan;
    struct ps_now now;
    unsigned errors;
    struct ps_lease *home[4096];
    unsigned home_count;
    struct ps_port port;
};

static void report(const struct ps_context *context, enum ps_log_level severity, const char *key,
                   const char *message)
{
    assert_int_equal(severity, PS_LOG_ERROR);
    assert_string_equal(key, "transactionCapacity");
    ((struct bench *)context->argument)->errors++;
}

static void go_home(struct ps_port *port, struct ps_lease **lease)
{
    struct bench *bench = (struct bench *)((char *)port - offsetof(struct bench, port));
    assert_true(bench->home_count < PS_COUNT_OF(bench->home));
    bench->home[bench->home_count++] = *lease;
    *lease = NULL;
}

static void *bind_plan(struct bench *bench, const struct ps_pair *items, size_t count)
{
    struct ps_pairs pairs = {count, items};
    struct ps_bind bind = {.arena = bench->arena, .problems = &bench->problems, .prefix = "a1.channels.c1."};
    void *plan = ps_arena_alloc(bench->arena, ps_channel_memory.plan_size);
    if (ps_bind_options(&bind, ps_channel_memory.options, NULL, &pairs, plan) != PS_OK ||
        ps_channel_memory.check(plan, &bench->context) != PS_OK)
        return NULL;
    return plan;
}

static void bench_init(struct bench *bench, unsigned producers, unsigned consumers)
{
    struct ps_err err = {0};
    *bench = (struct bench){.arena = ps_arena_create()};
    ps_problems_init(&bench->problems, bench->arena);
    bench->depot = ps_depot_create(64 << 20, &err);
    bench->pool = ps_pool_create(bench->depot, 0);
    assert_true(bench->depot != NULL && bench->pool != NULL);
    ps_bump_init(&bench->bump, bench->pool);
    bench->port.home = go_home;
    bench->context = (struct ps_context){.agent = "a1",
                                         .component = "channel c1",
                                         .name = "c1",
                                         .arena = bench->arena,
                                         .report = report,
                                         .argument = bench,
                                         .producers = producers,
                                         .consumers = consumers,
                                         .memory_budget_bytes = 64 << 20,
                                         .channel_quota_bytes = 32 << 20};
}

static void build(struct bench *bench, const char *capacity, const char *byte_capacity, const char *buffer)
{
    struct ps_err err = {0};
    struct ps_pair items[] = {{.key = "capacity", .value = capacity},
                              {.key = "transactionCapacity", .value = "1"},
                              {.key = "byteCapacity", .value = byte_capacity},
                              {.key = "byteCapacityBufferPercentage", .value = buffer}};
    bench->plan = bind_plan(bench, items, PS_COUNT_OF(items));
    assert_non_null(bench->plan);
    assert_int_equal(ps_channel_memory.build(bench->plan, &bench->context, &err), PS_OK);
}

static void bench_fini(struct bench *bench)
{
    if (bench->plan != NULL)
        ps_channel_memory.teardown(bench->plan);
    ps_bump_fini(&bench->bump);
    assert_int_equal(ps_pool_out_count(bench->pool), 0);
    ps_pool_destroy(bench->pool);
    ps_depot_destroy(bench->depot);
    ps_problems_fini(&bench->problems);
    ps_arena_destroy(bench->arena);
}

static struct ps_lease *make_lease(struct bench *bench, uint32_t events, uint32_t bytes, uint64_t number)
{
    static char body[1000];
    struct ps_batch *batch = ps_batch_take(&bench->bump, bench->now);
    assert_non_null(batch);
    for (uint32_t i = 0; i < events; i++)
        assert_non_null(ps_batch_add_copy(batch, body, bytes));
    batch->sequence = number;
    ps_batch_close(batch);
    ps_batch_charge(ps_batch_chain(batch), &bench->mark);
    ps_batch_mark(ps_batch_chain(batch), &bench->mark);
    return ps_batch_chain(batch);
}

static void drop(struct ps_lease *lease)
{
    ps_batch_give(lease->batch);
}

static struct ps_fill fill_of(const struct bench *bench)
{
    struct ps_fill fill;
    OPS->fill(bench->plan, &fill);
    return fill;
}

/* ---- against a model ---- */

/* ---- threads: two producers, three consumers that take and give back ---- */

#ifdef PS_TSAN
#define LEASES 600U
#else
#define LEASES 3000U
#endif

struct threads {
    struct bench bench;
    struct ps_lease *leases[2][LEASES];
    uint8_t taken[2][LEASES];
    uint64_t done;
};

struct side {
    struct threads *threads;
    unsigned number;
};

static void *produce(void *argument)
{
    struct side *side = argument;
    for (unsigned i = 0; i < LEASES; i++) {
        struct ps_lease *lease = side->threads->leases[side->number][i];
        while (OPS->put(side->threads->bench.plan, side->number, &lease, &side->threads->bench.now) !=
               PS_PUT_OK)
            ps_test_yield();
    }
    return NULL;
}

static void *consume(void *argument)
{
    struct side *side = argument;
    struct threads *threads = side->threads;
    uint64_t random = side->number + 1;
    while (__atomic_load_n(&threads->done, __ATOMIC_RELAXED) < 2 * LEASES) {
        struct ps_lease *lease = OPS->take(threads->bench.plan, side->number, NULL, &threads->bench.now);
        if (lease == NULL) {
            ps_test_yield();
        } else if (ps_test_random(&random) % 5 == 0) {
            OPS->untake(threads->bench.plan, side->number, &lease);
        } else {
            uint64_t number = lease->batch->sequence;
            threads->taken[number % 2][number / 2]++; /* only this thread changes it, as ThreadSanitizer
                                                       * confirms */
            __atomic_fetch_add(&threads->done, 1, __ATOMIC_RELAXED);
        }
    }
    return NULL;
}

static void test_threads(void **state)
{
    static struct threads threads;
    pthread_t ids[5];
    struct side sides[5];
    bench_init(&threads.bench, 2, 3);
    build(&threads.bench, "100", "0", "20");
    for (uint64_t i = 0; i < 2 * LEASES; i++)
        threads.leases[i % 2][i / 2] = make_lease(&threads.bench, 2, 3, i);
    for (unsigned i = 0; i < 5; i++) {
        sides[i] = (struct side){&threads, i < 2 ? i : i - 2};
        assert_int_equal(pthread_create(&ids[i], NULL, i < 2 ? produce : consume, &sides[i]), 0);
    }
    for (unsigned i = 0; i < 5; i++)
        pthread_join(ids[i], NULL);
    assert_int_equal(fill_of(&threads.bench).size, 0);
    for (unsigned i = 0; i < 2 * LEASES; i++) {
        assert_int_equal(threads.taken[i % 2][i / 2], 1);
        drop(threads.leases[i % 2][i / 2]);
    }
    bench_fini(&threads.bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
