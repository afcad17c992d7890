/* Events that are too large for the durable queue's store: their sources refuse their clients, and those that cannot are cut. Events before and
 * behind them are kept. */
#include "stages/lib/queue/queue_internal.h"

#include "tests/stages/lib/queue/shelf.h"
#include "tests/support/stage.h"

#include <time.h>

extern const struct ps_stage_ops ps_channel_file;

#define MOST 30000U

static struct ps_test_stage stage;
static struct ps_queue *queue;

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

/* Puts a lease of three events, of which the second one has this length. Returns whether the lease is promised. */
static bool is_kept(uint32_t length, bool refusable)
{
    static char body[2 * MOST];
    memset(body, 'x', sizeof body);
    const struct ps_test_event events[] = {
        {.body = "one", .length = 3}, {.body = body, .length = length}, {.body = "three", .length = 5}};
    struct ps_lease *lease = ps_test_lease(&stage, events, PS_COUNT_OF(events));
    size_t before = stage.home_count;
    lease->refusable = refusable;
    for (unsigned i = 0; ps_queue_put(queue, 0, &lease) != PS_PUT_OK; i++) { /* the store is being opened */
        assert_true(i < PS_TEST_PATIENCE_MS);
        rest();
    }
    for (unsigned i = 0; stage.home_count == before; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        ps_queue_tick(queue, 0, &stage.port);
        rest();
    }
    return !stage.home[before]->failed;
}

/* Takes and delivers events until there are so many. Returns the length of the longest one. */
static uint32_t deliver(uint32_t count)
{
    uint32_t longest = 0;
    size_t before = stage.home_count;
    for (unsigned i = 0; count > 0; i++) {
        assert_true(i < PS_TEST_PATIENCE_MS);
        stage.now = ps_clock_now();
        struct ps_lease *lease = ps_queue_take(queue, 0, &stage.port, &stage.now);
        if (lease == NULL) {
            rest();
            continue;
        }
        for (uint32_t k = 0; k < lease->count; k++, count--) {
            uint32_t length = ps_test_lease_event(&stage, lease, k).length;
            longest = length > longest ? length : longest;
        }
        ps_lease_settle_all(lease);
        ps_queue_done(queue, 0, &lease, &stage.port);
    }
    ps_test_stage_release_home(&stage, before);
    return longest;
}

static void test_events_that_are_too_large(void **state)
{
    struct ps_store_ops ops;
    struct ps_fill fill;
    ps_test_stage_init(&stage, &ps_channel_file);
    const struct ps_queue_settings settings = shelf_settings(&ops, 1);
    ops.event_bytes_max = MOST;
    queue = ps_queue_create(&settings);
    ps_queue_start(queue);
    assert_true(is_kept(MOST - 100, true));
    assert_int_equal(deliver(3), MOST - 100);
    assert_false(is_kept(MOST, true));
    assert_false(is_kept(MOST + 1, true));
    assert_true(is_kept(10, true)); /* the next one is not held up */
    assert_int_equal(deliver(3), 10);
    assert_true(is_kept(MOST + 1000, false)); /* its source cannot refuse it */
    assert_in_range(deliver(3), MOST - 100, MOST);
    ps_queue_fill(queue, &fill);
    assert_int_equal(fill.size, 0);
    ps_queue_leave(queue, 0, &stage.port);
    while (!ps_queue_halt(queue))
        rest();
    assert_null(ps_queue_strip(queue));
    ps_queue_destroy(queue);
    assert_null(store.complaint);
    shelf_clear();
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_events_that_are_too_large)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
