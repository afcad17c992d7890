/* The memory channel by hand: capacities, order, rollback, carrying over, and several consumers under
 * threads. */
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

static bool put(struct bench *bench, unsigned producer, struct ps_lease *lease)
{
    struct ps_lease *offered = lease;
    if (OPS->put(bench->plan, producer, &offered, &bench->now) == PS_PUT_OK) {
        assert_null(offered);
        return true;
    }
    assert_ptr_equal(offered, lease); /* full: it stays with the caller */
    return false;
}

static struct ps_lease *take(struct bench *bench, unsigned consumer)
{
    return OPS->take(bench->plan, consumer, NULL, &bench->now);
}

static void untake(struct bench *bench, unsigned consumer, struct ps_lease *lease)
{
    OPS->untake(bench->plan, consumer, &lease);
    assert_null(lease);
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

static void test_check(void **state)
{
    static struct bench bench;
    bench_init(&bench, 1, 1);
    assert_null(bind_plan(&bench,
                          (const struct ps_pair[]){{.key = "capacity", .value = "10"},
                                                   {.key = "transactionCapacity", .value = "11"}},
                          2));
    assert_int_equal(bench.errors, 1);
    assert_non_null(bind_plan(&bench, NULL, 0));
    bench_fini(&bench);
}

/* A lease is accepted while the channel is below its capacity, so the capacity may be exceeded by less than one
 * batch. */
static void test_capacity(void **state)
{
    static struct bench bench;
    bench_init(&bench, 1, 1);
    build(&bench, "10", "0", "20");
    assert_int_equal(fill_of(&bench).capacity, 10);
    assert_int_equal(fill_of(&bench).bytes_capacity, 0);
    assert_true(put(&bench, 0, make_lease(&bench, 4, 5, 1)));
    assert_true(put(&bench, 0, make_lease(&bench, 5, 5, 2)));
    assert_true(put(&bench, 0, make_lease(&bench, 4, 5, 3)));
    struct ps_lease *waiting = make_lease(&bench, 1, 5, 4);
    assert_false(put(&bench, 0, waiting));
    assert_int_equal(fill_of(&bench).size, 13);
    assert_int_equal(fill_of(&bench).bytes, 65);
    struct ps_lease *first = take(&bench, 0);
    assert_int_equal(first->batch->sequence, 1);
    assert_int_equal(fill_of(&bench).size, 9); /* events that were taken no longer count */
    assert_true(put(&bench, 0, waiting));
    untake(&bench, 0, first); /* above capacity, but nothing is lost */
    assert_int_equal(fill_of(&bench).size, 14);
    for (uint64_t i = 1; i <= 4; i++) {
        struct ps_lease *lease = take(&bench, 0);
        assert_int_equal(lease->batch->sequence, i);
        OPS->done(bench.plan, 0, &lease, &bench.port);
        assert_null(lease);
    }
    assert_int_equal(bench.home_count, 4);
    assert_null(take(&bench, 0));
    assert_int_equal(fill_of(&bench).size, 0);
    for (unsigned i = 0; i < bench.home_count; i++)
        drop(bench.home[i]);
    bench_fini(&bench);
}

static void test_byte_capacity(void **state)
{
    static struct bench bench;
    bench_init(&bench, 1, 1);
    build(&bench, "1000", "1000", "20");
    assert_int_equal(fill_of(&bench).bytes_capacity, 800);
    assert_true(put(&bench, 0, make_lease(&bench, 1, 799, 1)));
    assert_true(put(&bench, 0, make_lease(&bench, 1, 100, 2)));
    struct ps_lease *lease = make_lease(&bench, 1, 1, 3);
    assert_false(put(&bench, 0, lease));
    struct ps_lease *first = take(&bench, 0);
    assert_true(put(&bench, 0, lease));
    drop(first);
    drop(take(&bench, 0));
    drop(take(&bench, 0));
    bench_fini(&bench);
}

/* Byte capacities are exact: the buffer's share for headers is subtracted, and the rest rounded down, but never to 0,
 * which would mean no limit. */
static void test_small_byte_capacity(void **state)
{
    static struct bench bench;
    static const struct {
        const char *capacity, *buffer;
        uint64_t expected;
    } cases[] = {{"1", "20", 1},      {"2", "20", 1},          {"99", "20", 79},
                 {"100", "20", 80},   {"101", "20", 80},       {"150", "20", 120},
                 {"1000", "0", 1000}, {"1000", "100", 1},      {"199", "50", 99},
                 {"0", "20", 0},      {"123456", "33", 82715}, {"-1", "0", (64U << 20) / 100 * 40}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        bench_init(&bench, 1, 1);
        build(&bench, "1000", cases[i].capacity, cases[i].buffer);
        assert_int_equal(fill_of(&bench).bytes_capacity, cases[i].expected);
        struct ps_lease *first = make_lease(&bench, 1, 900, 1), *second = make_lease(&bench, 1, 900, 2);
        assert_true(put(&bench, 0, first)); /* an empty channel takes any lease */
        bool has_room = cases[i].expected == 0 || cases[i].expected > 900;
        assert_int_equal(put(&bench, 0, second), has_room);
        drop(take(&bench, 0));
        drop(has_room ? take(&bench, 0) : second);
        bench_fini(&bench);
    }
}

/* The channel's share of the memory budget limits it, whatever its capacities. */
static void test_quota(void **state)
{
    static struct bench bench;
    bench_init(&bench, 1, 1);
    bench.context.channel_quota_bytes = 1 << 20;
    build(&bench, "1000000", "0", "0");
    uint64_t memory = 0, count = 0;
    struct ps_lease *lease;
    while (put(&bench, 0, lease = make_lease(&bench, 100, 500, count + 1))) {
        memory += lease->memory_bytes;
        count++;
    }
    assert_true(count > 10 && memory <= 1 << 20 && memory + lease->memory_bytes > 1 << 20);
    while (!put(&bench, 0, lease))
        drop(take(&bench, 0));
    while ((lease = take(&bench, 0)) != NULL)
        drop(lease);
    lease = make_lease(&bench, 1, 1, 1);
    lease->memory_bytes = 2 << 20;
    assert_true(put(&bench, 0, lease)); /* an empty channel takes any lease */
    struct ps_lease *small = make_lease(&bench, 1, 1, 2);
    assert_false(put(&bench, 0, small));
    drop(take(&bench, 0));
    drop(small);
    bench_fini(&bench);
}

/* Flume's rollback: leases that are given back newest first are taken again in their old order, before all others. */
static void test_untake_order(void **state)
{
    static struct bench bench;
    struct ps_lease *leases[4];
    bench_init(&bench, 1, 1);
    build(&bench, "100", "0", "20");
    for (uint64_t i = 1; i <= 6; i++)
        assert_true(put(&bench, 0, make_lease(&bench, 1, 1, i)));
    for (unsigned i = 0; i < 4; i++)
        leases[i] = take(&bench, 0);
    for (unsigned i = 4; i-- > 1;)
        untake(&bench, 0, leases[i]);
    assert_int_equal(fill_of(&bench).size, 5);
    drop(leases[0]);
    for (uint64_t i = 2; i <= 6; i++) {
        struct ps_lease *lease = take(&bench, 0);
        assert_int_equal(lease->batch->sequence, i);
        assert_null(lease->next);
        drop(lease);
    }
    bench_fini(&bench);
}

static void test_hungry(void **state)
{
    static struct bench bench;
    bench_init(&bench, 2, 1);
    build(&bench, "100", "0", "20");
    assert_true(OPS->hungry(bench.plan, 0));
    assert_true(put(&bench, 0, make_lease(&bench, 1, 1, 1)));
    assert_true(put(&bench, 0, make_lease(&bench, 1, 1, 2)));
    assert_false(OPS->hungry(bench.plan, 0));
    assert_true(OPS->hungry(bench.plan, 1)); /* the channel has no events of this producer */
    drop(take(&bench, 0));
    assert_true(OPS->hungry(bench.plan, 0));
    drop(take(&bench, 0));
    assert_int_equal(OPS->keep_alive_ms(bench.plan), 3000);
    bench_fini(&bench);
}

/* Flume takes any number of seconds; with one below 0 it does not wait. */
static void test_keep_alive(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {{"0", 0}, {"-1", 0}, {"86400", 86400000}, {"100000", 100000000}, {"soon", 3000}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_channel_memory);
        assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("keep-alive", rows[i].text)), PS_OK);
        assert_int_equal(ps_test_stage_reported(&stage, PS_LOG_WARN, "keep-alive"),
                         strcmp(rows[i].text, "soon") == 0);
        assert_int_equal(OPS->keep_alive_ms(stage.plan), rows[i].ms);
        ps_test_stage_fini(&stage);
    }
}

/* Leases from before a reload count like the producer's own: with one of each the producer is not hungry. */
static void test_hungry_with_restored(void **state)
{
    static struct bench bench;
    bench_init(&bench, 1, 1);
    build(&bench, "100", "0", "20");
    OPS->engine->restore(bench.plan, make_lease(&bench, 1, 1, 1));
    assert_true(OPS->hungry(bench.plan, 0));
    assert_true(put(&bench, 0, make_lease(&bench, 1, 1, 2)));
    assert_false(OPS->hungry(bench.plan, 0));
    drop(take(&bench, 0));
    assert_true(OPS->hungry(bench.plan, 0));
    drop(take(&bench, 0));
    bench_fini(&bench);
}

/* The leases of each producer come in its order, and those of the producers in turn. */
static void test_producers_in_turn(void **state)
{
    static struct bench bench;
    bench_init(&bench, 3, 1);
    build(&bench, "100", "0", "20");
    for (uint64_t i = 0; i < 30; i++)
        assert_true(put(&bench, (unsigned)(i % 3), make_lease(&bench, 1, 1, i)));
    uint64_t next[3] = {0, 1, 2};
    for (unsigned i = 0; i < 30; i++) {
        struct ps_lease *lease = take(&bench, 0);
        uint64_t number = lease->batch->sequence;
        assert_int_equal(number, next[number % 3]);
        assert_true(number / 3 <= i / 3 + 1); /* in turn */
        next[number % 3] += 3;
        drop(lease);
    }
    bench_fini(&bench);
}

static struct ps_lease *strip(struct bench *bench)
{
    return OPS->engine->strip(bench->plan);
}

/* As a reload does: takes everything out, oldest first, and puts it at the front of another channel. */
static void test_carry_over(void **state)
{
    static struct bench bench;
    for (unsigned consumers = 1; consumers <= 3; consumers++) {
        bench_init(&bench, 1, consumers);
        build(&bench, "100", "0", "20");
        for (uint64_t i = 1; i <= 9; i++)
            assert_true(put(&bench, 0, make_lease(&bench, 1, 1, i)));
        struct ps_lease *taken[3];
        for (unsigned c = 0; c < consumers; c++)
            taken[c] = take(&bench, c);
        for (unsigned c = consumers; c-- > 0;) /* what is given back last is taken first */
            untake(&bench, c, taken[c]);
        assert_int_equal(fill_of(&bench).size, 9);
        struct ps_lease *list = strip(&bench), *lease = list;
        for (uint64_t i = 1; i <= 9; i++, lease = lease->next) {
            assert_non_null(lease);
            assert_int_equal(lease->batch->sequence, i);
        }
        assert_null(lease);
        assert_int_equal(fill_of(&bench).size, 0);
        assert_null(strip(&bench));

        void *old = bench.plan;
        build(&bench, "5", "0", "20"); /* smaller than what is carried over: all events are kept */
        ps_channel_memory.teardown(old);
        OPS->engine->restore(bench.plan, list);
        assert_int_equal(fill_of(&bench).size, 9);
        assert_false(OPS->hungry(bench.plan, 0)); /* consumers have what was carried over */
        lease = make_lease(&bench, 1, 1, 10);
        assert_false(put(&bench, 0, lease));
        for (uint64_t i = 1; i <= 5; i++) {
            struct ps_lease *one = take(&bench, (unsigned)i % consumers); /* any consumer takes it */
            assert_non_null(one);
            assert_int_equal(one->batch->sequence, i);
            assert_null(one->next);
            drop(one);
        }
        assert_true(put(&bench, 0, lease));
        struct ps_lease *one = take(&bench, 0);
        assert_int_equal(one->batch->sequence, 6);
        untake(&bench, 0, one);
        list = strip(&bench); /* reloaded again before all of it was taken */
        for (uint64_t i = 6; i <= 10; i++) {
            struct ps_lease *next = list->next;
            assert_int_equal(list->batch->sequence, i);
            drop(list);
            list = next;
        }
        assert_null(list);
        assert_true(OPS->hungry(bench.plan, 0));
        bench_fini(&bench);
    }
}

/* ---- against a model ---- */

static void test_model(void **state)
{
    static struct bench bench;
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < 50; round++) {
        uint64_t queue[512], head = 0, tail = 0, next = 1;
        struct ps_lease *held[32]; /* taken, oldest first */
        unsigned held_count = 0;
        bench_init(&bench, 1, 1);
        build(&bench, "50", "0", "20");
        uint64_t size = 0;
        for (unsigned turn = 0; turn < 400; turn++) {
            uint64_t what = ps_test_random(&random) % 4;
            if (what < 2) {
                uint32_t events = 1 + (uint32_t)(ps_test_random(&random) % 12);
                struct ps_lease *lease = make_lease(&bench, events, 3, next);
                if (put(&bench, 0, lease)) {
                    assert_true(size < 50);
                    queue[tail++ % 512] = next++;
                    size += events;
                } else {
                    assert_true(size >= 50);
                    drop(lease);
                }
            } else if (what == 2 && held_count < 32) {
                struct ps_lease *lease = take(&bench, 0);
                assert_int_equal(lease != NULL, head != tail);
                if (lease == NULL)
                    continue;
                assert_int_equal(lease->batch->sequence, queue[head++ % 512]);
                size -= lease->count;
                held[held_count++] = lease;
            } else if (held_count > 0 && ps_test_random(&random) % 2 == 0) {
                drop(held[0]); /* the oldest is delivered */
                memmove(held, held + 1, --held_count * sizeof held[0]);
            } else {
                while (held_count > 0) { /* all go back */
                    struct ps_lease *lease = held[--held_count];
                    queue[--head % 512] = lease->batch->sequence;
                    size += lease->count;
                    untake(&bench, 0, lease);
                }
            }
            assert_int_equal(fill_of(&bench).size, size);
            assert_int_equal(fill_of(&bench).bytes, size * 3);
        }
        while (held_count > 0)
            drop(held[--held_count]);
        struct ps_lease *list = strip(&bench);
        for (; list != NULL; head++) {
            struct ps_lease *after = list->next;
            assert_int_equal(list->batch->sequence, queue[head % 512]);
            drop(list);
            list = after;
        }
        assert_int_equal(head, tail);
        bench_fini(&bench);
    }
}

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
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_capacity),
        cmocka_unit_test(test_byte_capacity),
        cmocka_unit_test(test_small_byte_capacity),
        cmocka_unit_test(test_quota),
        cmocka_unit_test(test_untake_order),
        cmocka_unit_test(test_hungry),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_hungry_with_restored),
        cmocka_unit_test(test_producers_in_turn),
        cmocka_unit_test(test_carry_over),
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
