/* How rows are routed. If there is no memory for a chain's leases, making them is tried again, and the
 * selector is not called again. */
#include "core/engine/runner.h"
#include "core/engine/engine.h"
#include "tests/support/stage.h"

static void test_positions(void **unused)
{
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

/* Routes the rows 65 and 1, in this order, to two channels. */
static enum ps_result select_backwards(const void *plan, void *state, const struct ps_lease *lease,
                                       struct ps_route *route, const struct ps_now *now)
{
    static const struct ps_way ways[] = {{.slot = 0, .row = 65}, {.slot = 2, .row = 1}};
    ps_route_ways(route, ways, PS_COUNT_OF(ways));
    return PS_DONE;
}

/* Events without a route are dropped and counted, whatever the order of the routes. */
static void test_dropped(void **unused)
{
    static const struct ps_selector_ops selector = {.work = select_backwards};
    static const struct ps_stage_ops ops = {.kind = PS_KIND_SELECTOR, .name = "back", .selector = &selector};
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_selector_replicating);
    unsigned channels[] = {0, 1};
    static const struct ps_source_ops source = {.needs = PS_LEVEL_DELIVERED};
    static const struct ps_stage_ops source_kind = {.kind = PS_KIND_SOURCE, .source = &source};
    struct ps_source_spec spec = {.stage = {.component = "source r1", .ops = &source_kind},
                                  .selector = {.ops = &ops},
                                  .channels = channels,
                                  .channel_count = 2};
    struct ps_source_plan plan = {.spec = &spec, .batch_events_max = PS_BATCH_EVENTS_MAX};
    struct ps_lease *pending[4] = {NULL};
    struct ps_test_event events[70];
    for (size_t i = 0; i < PS_COUNT_OF(events); i++)
        events[i] = PS_BODY("x");
    struct ps_source_runner runner = {
        .plan = &plan,
        .links = &(struct ps_links){.selector = {.spec = &spec.selector}, .open = true},
        .route = ps_route_create(2),
        .chain.lease = ps_test_lease(&stage, events, PS_COUNT_OF(events)),
        .pending = pending};
    runner.base.counters = &stage.counters;
    runner.base.port.blocks = ps_pool_cache(stage.pool);
    runner.base.spec = &spec.stage;
    const struct ps_engine_settings settings = {.simulated = true};
    runner.base.worker = ps_worker_create(NULL, 0, stage.pool, &settings, &stage.err);
    assert_non_null(runner.base.worker);
    ps_batch_home(runner.chain.lease->batch)->holders = 1;
    assert_true(ps_chain_run(&runner, &stage.now));
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_dropped), 68);
    assert_int_equal(ps_lease_row(pending[0], 0), 65);
    assert_int_equal(ps_lease_row(pending[2], 0), 1);
    ps_batch_home(runner.chain.lease->batch)->holders = ps_batch_home(runner.chain.lease->batch)->promises =
        0;
    ps_worker_destroy(runner.base.worker);
    ps_route_destroy(runner.route);
    ps_test_stage_fini(&stage);
}

/* A selector that counts its calls and routes rows to two channels in turn. */
static unsigned asked;

static enum ps_result select_in_turn(const void *plan, void *state, const struct ps_lease *lease,
                                     struct ps_route *route, const struct ps_now *now)
{
    if (++asked == 1)
        return PS_RETRY;
    for (uint32_t i = 0; i < lease->count; i++)
        ps_route_row(route, i % 2, true, ps_lease_row(lease, i));
    return PS_DONE;
}

static void test_no_memory(void **unused)
{
    static const struct ps_selector_ops selector = {.work = select_in_turn};
    static const struct ps_stage_ops ops = {.kind = PS_KIND_SELECTOR, .name = "turn", .selector = &selector};
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_selector_replicating);
    static const struct ps_channel_ops promising[] = {{.promises = PS_LEVEL_ACCEPTED},
                                                      {.promises = PS_LEVEL_DURABLE}};
    static const struct ps_stage_ops kinds[] = {{.kind = PS_KIND_CHANNEL, .channel = &promising[0]},
                                                {.kind = PS_KIND_CHANNEL, .channel = &promising[1]}};
    static const struct ps_channel_spec specs[] = {{{.ops = &kinds[0]}}, {{.ops = &kinds[1]}}};
    struct ps_channel_plan channel_plans[10] = {[7] = {.spec = &specs[0]}, [9] = {.spec = &specs[1]}};
    static const struct ps_source_ops source = {.needs = PS_LEVEL_ACCEPTED, .when_full = PS_REFUSE};
    static const struct ps_stage_ops source_kind = {.kind = PS_KIND_SOURCE, .source = &source};
    unsigned channels[] = {7, 9};
    struct ps_source_spec spec = {.stage = {.component = "source r1", .ops = &source_kind},
                                  .selector = {.ops = &ops},
                                  .channels = channels,
                                  .channel_count = 2};
    struct ps_source_plan plan = {.spec = &spec};
    struct ps_lease *pending[4] = {NULL};
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_BODY("b"), PS_BODY("c"));
    struct ps_batch *batch = lease->batch;
    struct ps_source_runner runner = {
        .plan = &plan,
        .links = &(struct ps_links){.selector = {.spec = &spec.selector}, .open = true},
        .route = ps_route_create(2),
        .chain.lease = lease,
        .channels = channel_plans,
        .pending = pending};
    runner.base.counters = &stage.counters;
    runner.base.port.blocks = ps_pool_cache(stage.pool);
    runner.base.spec = &spec.stage;
    const struct ps_engine_settings settings = {.simulated = true};
    runner.base.worker = ps_worker_create(NULL, 0, stage.pool, &settings, &stage.err);
    assert_non_null(runner.base.worker);
    ps_batch_home(batch)->holders = 1; /* the chain's lease, as the window counts it */

    struct ps_block_cache *cache = ps_pool_cache(stage.pool);
    struct ps_now later = stage.now;
    later.mono_ns += 3600 * PS_NS_PER_S;
    asked = 0;
    runner.chain.wait_ns = stage.now.mono_ns;
    assert_false(
        ps_chain_run(&runner, &later)); /* the selector has no memory, although it may exceed the budget */
    assert_int_equal(asked, 1);
    assert_false(cache->overdraft); /* others of this worker may not */
    runner.chain.wait_ns = 0;

    static struct ps_block *blocks[4096]; /* all blocks: the leases find none for their index lists */
    size_t count = 0;
    while (count < PS_COUNT_OF(blocks) && (blocks[count] = ps_block_take(cache)) != NULL)
        count++;
    ps_batch_home(batch)->bump->meta_down = ps_batch_home(batch)->bump->meta_up;
    for (int i = 0; i < 3; i++) {
        assert_false(ps_chain_run(&runner, &stage.now));
        assert_int_equal(asked, 2);                         /* the selector is not called again */
        assert_int_equal(ps_batch_home(batch)->holders, 1); /* copies count once all are made */
    }
    while (count > 0)
        ps_block_drop(cache, blocks[--count]);
    assert_true(ps_chain_run(&runner, &stage.now));
    assert_int_equal(asked, 2);
    assert_int_equal(pending[0]->count, 2);
    assert_int_equal(ps_lease_home(pending[0])->channel, 7);
    assert_int_equal(pending[2]->count, 1);
    assert_int_equal(ps_lease_home(pending[2])->channel, 9);
    assert_false(ps_lease_home(pending[0])->owed); /* the put is the promise */
    assert_true(ps_lease_home(pending[2])->owed);
    assert_int_equal(ps_batch_home(batch)->promises, 1);
    assert_true(pending[0]->required && pending[0]->refusable);
    assert_null(pending[1]);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_dropped), 0);

    ps_batch_home(batch)->holders = ps_batch_home(batch)->promises = 0; /* as if the leases were returned */
    assert_string_equal(ps_worker_stats(runner.base.worker)->doing, "source r1"); /* the chain is left */
    ps_worker_destroy(runner.base.worker);
    ps_route_destroy(runner.route);
    ps_test_stage_fini(&stage);
}

static void ignore_delivered(void *argument, struct ps_batch *batch)
{
}

/* A source that reads again what it gives up fails while there is memory for the lease of its first channel only: the
 * window does not count that lease yet. */
static void test_given_up_without_memory(void **unused)
{
    static const struct ps_source_ops source = {.needs = PS_LEVEL_DELIVERED};
    static const struct ps_stage_ops replayable = {
        .kind = PS_KIND_SOURCE, .name = "replayable", .source = &source};
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_selector_replicating);
    stage.context.channels = (struct ps_texts){2, PS_WORDS("c1", "c2")};
    assert_int_equal(ps_test_stage_bind(&stage, NULL), PS_OK);
    assert_int_equal(ps_test_stage_build(&stage), PS_OK);
    unsigned channels[] = {0, 1};
    struct ps_source_spec spec = {
        .stage = {.component = "source r1", .ops = &replayable},
        .selector = {.ops = &ps_selector_replicating, .component = "selector", .plan = stage.plan},
        .channels = channels,
        .channel_count = 2};
    struct ps_source_plan plan = {.spec = &spec};
    struct ps_lease *pending[4] = {NULL};
    static const struct ps_channel_ops none;
    static const struct ps_stage_ops channel = {.kind = PS_KIND_CHANNEL, .name = "c", .channel = &none};
    struct ps_channel_spec channel_specs[2] = {{.stage = {.ops = &channel}}, {.stage = {.ops = &channel}}};
    struct ps_channel_plan channel_plans[2] = {{.spec = &channel_specs[0]}, {.spec = &channel_specs[1]}};
    struct ps_source_runner runner = {
        .plan = &plan,
        .channels = channel_plans,
        .links = &(struct ps_links){.selector = {.spec = &spec.selector}, .open = true},
        .route = ps_route_create(2),
        .pending = pending};
    runner.base = (struct ps_runner){
        .counters = &stage.counters, .spec = &spec.stage, .status = PS_RUNNER_ENDING, .port.epoll_fd = -1};
    runner.base.port.blocks = ps_pool_cache(stage.pool);
    const struct ps_engine_settings settings = {.simulated = true};
    runner.base.worker = ps_worker_create(NULL, 0, stage.pool, &settings, &stage.err);
    ps_bump_init(&runner.bump, stage.pool);
    struct ps_batch *batch = ps_batch_take(&runner.bump, stage.now);
    assert_non_null(ps_batch_add_copy(batch, "a", 1));
    ps_batch_close(batch);
    runner.window = ps_window_create(true, ignore_delivered, NULL);
    ps_window_enter(runner.window, batch);
    runner.chain.lease = ps_batch_chain(batch);

    static struct ps_block *blocks[4096];
    size_t count = 0;
    struct ps_block_cache *cache = ps_pool_cache(stage.pool);
    while (count < PS_COUNT_OF(blocks) && (blocks[count] = ps_block_take(cache)) != NULL)
        count++;
    uint32_t lease_bytes = ((uint32_t)sizeof(struct ps_lease) + PS_CACHE_GAP - 1) & ~(PS_CACHE_GAP - 1U);
    runner.bump.meta_down = ((runner.bump.meta_up + PS_CACHE_GAP - 1) & ~(PS_CACHE_GAP - 1U)) + lease_bytes;
    assert_false(ps_chain_run(&runner, &stage.now));
    assert_non_null(pending[0]);
    assert_null(pending[2]);

    assert_true(ps_source_runner_cycle(&runner, &stage.now));
    assert_int_equal(runner.base.status, PS_RUNNER_FAILED);
    assert_null(runner.chain.lease);
    assert_null(pending[0]);
    assert_int_equal(ps_pool_out_count(stage.pool), 0); /* given back, once */

    while (count > 0)
        ps_block_drop(cache, blocks[--count]);
    ps_window_detach(runner.window);
    ps_bump_fini(&runner.bump);
    ps_worker_destroy(runner.base.worker);
    ps_route_destroy(runner.route);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_positions), cmocka_unit_test(test_dropped),
                                       cmocka_unit_test(test_no_memory),
                                       cmocka_unit_test(test_given_up_without_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
