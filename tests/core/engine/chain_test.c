/* How rows are routed. If there is no memory for a chain's leases, making them is tried again, and the
 * selector is not called again. */
#include "core/engine/runner.h"
#include "tests/support/stage.h"

static void test_positions(void **unused)
{
    (void)unused;
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_selector_replicating);
    struct ps_route *route = ps_route_create(2);
    struct ps_test_event events[200];
    for (size_t i = 0; i < 200; i++)
        events[i] = PS_BODY("x");
    struct ps_lease *lease = ps_test_lease(&stage, events, 200);
    ps_route_clear(route);
    ps_route_positions(route, 0, true, lease, 3, 3); /* none */
    ps_route_positions(route, 0, true, lease, 60, 130);
    ps_route_row(route, 0, true, 131);
    ps_route_positions(route, 1, false, lease, 0, 200);
    for (uint16_t row = 0; row < 200; row++) {
        assert_int_equal(ps_route_has(route, 0, true, row), (row >= 60 && row < 130) || row == 131);
        assert_false(ps_route_has(route, 0, false, row));
        assert_true(ps_route_has(route, 1, false, row));
    }
    ps_route_clear(route);
    static const struct ps_way ways[] = {{0, 3}, {3, 3}, {0, 64}, {0, 64}, {2, 65}, {0, 199}};
    ps_route_ways(route, ways, PS_COUNT_OF(ways));
    for (uint16_t row = 0; row < 200; row++) {
        assert_int_equal(ps_route_has(route, 0, true, row), row == 3 || row == 64 || row == 199);
        assert_int_equal(ps_route_has(route, 1, false, row), row == 3);
        assert_int_equal(ps_route_has(route, 1, true, row), row == 65);
    }
    uint64_t keep[PS_BATCH_EVENTS_MAX / 64]; /* every other row, so that positions differ from rows */
    memset(keep, 0xAA, sizeof keep);
    assert_true(ps_lease_filter_bits(lease, keep));
    ps_route_clear(route);
    ps_route_positions(route, 1, true, lease, 10, 20);
    for (uint16_t row = 0; row < 200; row++)
        assert_int_equal(ps_route_has(route, 1, true, row), row % 2 == 1 && row >= 21 && row < 41);
    ps_route_destroy(route);
    ps_test_stage_fini(&stage);
}

/* A selector that counts its calls and routes rows to two channels in turn. */
static unsigned asked;

static enum ps_result select_in_turn(const void *plan, void *state, const struct ps_lease *lease,
                                     struct ps_route *route, const struct ps_now *now)
{
    (void)plan;
    (void)state;
    (void)now;
    if (++asked == 1)
        return PS_RETRY;
    for (uint32_t i = 0; i < lease->count; i++)
        ps_route_row(route, i % 2, true, ps_lease_row(lease, i));
    return PS_DONE;
}

static void test_no_memory(void **unused)
{
    (void)unused;
    static const struct ps_selector_ops selector = {.work = select_in_turn};
    static const struct ps_stage_ops ops = {.kind = PS_KIND_SELECTOR, .name = "turn", .selector = &selector};
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_selector_replicating);
    unsigned channels[] = {7, 9};
    struct ps_source_spec spec = {.selector = {.ops = &ops}, .channels = channels, .channel_count = 2};
    struct ps_source_plan plan = {.spec = &spec};
    struct ps_lease *pending[4] = {NULL};
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_BODY("b"), PS_BODY("c"));
    struct ps_batch *batch = lease->batch;
    struct ps_source_runner runner = {.plan = &plan,
                                      .selector = {.spec = &spec.selector},
                                      .route = ps_route_create(2),
                                      .chain = lease,
                                      .pending = pending};
    runner.base.counters = &stage.counters;
    batch->holders = 1; /* the chain's lease, as the window counts it */

    asked = 0;
    assert_false(ps_chain_run(&runner, &stage.now)); /* the selector has no memory */
    assert_int_equal(asked, 1);

    static struct ps_block *blocks[4096]; /* all blocks: the leases find none for their index lists */
    size_t count = 0;
    struct ps_block_cache *cache = ps_pool_cache(stage.pool);
    while (count < PS_COUNT_OF(blocks) && (blocks[count] = ps_block_take(cache)) != NULL)
        count++;
    batch->carver->meta_down = batch->carver->meta_up;
    for (int i = 0; i < 3; i++) {
        assert_false(ps_chain_run(&runner, &stage.now));
        assert_int_equal(asked, 2); /* the selector is not called again */
        assert_int_equal(batch->lease_count, 1);
    }
    while (count > 0)
        ps_block_drop(cache, blocks[--count]);
    assert_true(ps_chain_run(&runner, &stage.now));
    assert_int_equal(asked, 2);
    assert_int_equal(pending[0]->count, 2);
    assert_int_equal(pending[0]->channel, 7);
    assert_int_equal(pending[2]->count, 1);
    assert_int_equal(pending[2]->channel, 9);
    assert_null(pending[1]);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_dropped), 0);

    batch->holders = batch->promises = 0; /* as if the leases had come home */
    ps_route_destroy(runner.route);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_positions), cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
