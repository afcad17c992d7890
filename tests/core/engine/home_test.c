/* The return of leases to their home worker: leases that another worker sends arrive in the home worker's inbox, in
 * cycles of bounded length, none is left behind newer ones, and no memory is needed for each pair of workers. */
#include <unistd.h>

#include "core/engine/engine.h"
#include "core/flow/bump.h"
#include "core/flow/window.h"
#include "tests/support/support.h"

#define LEASES 3000U

static struct ps_engine *make_engine(unsigned workers)
{
    struct ps_err err = {0};
    const struct ps_engine_settings settings = {
        .worker_count = workers, .memory_budget_bytes = UINT64_C(64) << 20, .simulated = true};
    struct ps_engine *engine = ps_engine_create(&settings, &err);
    if (engine == NULL)
        fail_msg("%s", err.text);
    return engine;
}

static void take_batches(struct ps_bump *bump, struct ps_window *window, struct ps_lease **leases,
                         unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct ps_batch *batch = ps_batch_take(bump, (struct ps_now){0});
        assert_non_null(batch);
        assert_non_null(ps_batch_add_copy(batch, "x", 1));
        ps_batch_close(batch);
        ps_window_enter(window, batch);
        leases[i] = ps_lease_split(ps_batch_chain(batch), NULL, 0);
        assert_non_null(leases[i]);
        ps_window_hold(batch, false);
        ps_window_release(ps_batch_chain(batch)); /* reported; only its memory is in use */
    }
}

/* The source's handler of delivered batches; ignores them. */
static void nobody(void *argument, struct ps_batch *batch)
{
}

/* Leases keep arriving while the home worker is behind: each cycle releases a bounded number, says that it
 * moved something, and the oldest are not left behind. */
static void test_arrivals(void **state)
{
    static struct ps_lease *leases[LEASES];
    struct ps_engine *engine = make_engine(3);
    struct ps_worker *home = ps_engine_worker(engine, 0);
    struct ps_pool *pool = ps_worker_pool(home);
    struct ps_window *window = ps_window_create(false, nobody, NULL);
    struct ps_bump bump;
    struct ps_now now = {.mono_ns = PS_NS_PER_S};
    ps_bump_init(&bump, pool);
    take_batches(&bump, window, leases, LEASES);
    unsigned sent = 0;
    struct ps_batch *first = leases[0]->batch;
    for (; sent < LEASES / 2; sent++)
        ps_worker_send_home(ps_engine_worker(engine, 1 + sent % 2), &leases[sent]);
    unsigned cycles = 0;
    for (bool moved = true; moved; cycles++) {
        uint32_t before = ps_pool_out_count(pool);
        moved = ps_worker_cycle(home, &now);
        uint32_t released = before - ps_pool_out_count(pool);
        assert_true(released <= 1024);
        assert_int_equal(released > 0, moved);
        if (cycles == 1)
            assert_int_equal(ps_batch_home(first)->holders, 0); /* it came with the first ones */
        for (unsigned i = 0; sent < LEASES && i < 700; i++, sent++)
            ps_worker_send_home(ps_engine_worker(engine, 1 + sent % 2), &leases[sent]);
    }
    assert_true(cycles > LEASES / 1024);
    assert_int_equal(sent, LEASES);
    assert_int_equal(ps_pool_out_count(pool), 0);
    assert_int_equal(ps_worker_stats(home)->home_leases, LEASES);
    /* Leases of its own worker are returned in the next cycle. */
    take_batches(&bump, window, leases, 2);
    ps_worker_send_home(home, &leases[0]);
    ps_worker_send_home(ps_engine_worker(engine, 2), &leases[1]);
    assert_true(ps_worker_cycle(home, &now));
    assert_int_equal(ps_pool_out_count(pool), 0);
    ps_bump_fini(&bump);
    ps_window_detach(window);
    ps_engine_destroy(engine);
}

/* Address space of this process, in bytes. */
static uint64_t address_space(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%llu", &pages), 1);
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t bytes_of(unsigned workers)
{
    uint64_t before = address_space();
    struct ps_engine *engine = make_engine(workers);
    uint64_t bytes = address_space() - before;
    ps_engine_destroy(engine);
    return bytes;
}

/* A worker needs as much memory beside 63 others as beside one. */
static void test_memory(void **state)
{
    (void)bytes_of(2); /* memory that libraries allocate once */
    uint64_t one = bytes_of(3) - bytes_of(2);
    uint64_t many = (bytes_of(PS_WORKERS_MAX) - bytes_of(2)) / (PS_WORKERS_MAX - 2);
    if (many > one + one / 10 + 16384) /* the unit in which malloc asks the kernel for memory, shared by 62 */
        fail_msg("a third worker costs %llu bytes, each of %u costs %llu", (unsigned long long)one,
                 PS_WORKERS_MAX, (unsigned long long)many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrivals),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
