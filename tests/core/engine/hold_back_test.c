/* A stop while a durable channel is full: its sink takes only the events that must leave to make room for what the
 * source has read. */
#include "core/flow/engine_channel.h"
#include "tests/support/small_agent.h"
#include "tests/support/small_stages.h"

static struct {
    bool closed;    /* the sink has no room for the lease that it was offered */
    unsigned takes; /* leases that the sink got */
    unsigned stored;
    struct ps_lease *put; /* not promised yet */
    struct ps_readback *readback;
} script;

static struct ps_test_small_agent agent;

/* ---- stages ---- */

/* The channel has room for one event. It promises at its next tick, and makes batches of its own. */
static enum ps_put channel_put(void *p, unsigned producer, struct ps_lease **lease, const struct ps_now *at)
{
    if (script.stored > 0 || script.put != NULL)
        return PS_PUT_FULL;
    script.stored++;
    script.put = *lease;
    *lease = NULL;
    return PS_PUT_OK;
}

static uint64_t channel_tick(void *p, unsigned producer, struct ps_port *port, const struct ps_now *at)
{
    if (script.put != NULL)
        ps_port_home(port, &script.put);
    return PS_NEVER;
}

static void delivered(void *argument, struct ps_batch *batch)
{
}

static struct ps_lease *channel_take(void *p, unsigned consumer, struct ps_port *port,
                                     const struct ps_now *at)
{
    if (script.stored == 0)
        return NULL;
    if (script.readback == NULL)
        script.readback = ps_readback_open(port->pool, PS_READBACK_IN_ORDER, delivered, NULL);
    struct ps_batch *batch = ps_readback_batch(script.readback, *at);
    assert_true(batch != NULL && ps_batch_add_copy(batch, "x", 1) != NULL);
    script.takes++;
    script.stored--;
    return ps_readback_lease(script.readback, batch);
}

static void channel_done(void *p, unsigned consumer, struct ps_lease **lease, struct ps_port *port)
{
    ps_port_home(port, lease);
}

static void channel_untake(void *p, unsigned consumer, struct ps_lease **lease)
{
    fail_msg("the sink gives something back");
}

static void channel_leave(void *p, unsigned consumer, struct ps_port *port)
{
    if (script.readback != NULL)
        ps_readback_close(script.readback);
    script.readback = NULL;
}

static bool channel_hungry(const void *p, unsigned producer)
{
    return true;
}

static void channel_fill(const void *p, struct ps_fill *fill)
{
    *fill = (struct ps_fill){.size = script.stored, .capacity = 4};
}

static struct ps_lease *channel_strip(void *p)
{
    assert_null(script.put);
    return NULL;
}

static const struct ps_channel_ops channel_ops = {
    .promises = PS_LEVEL_DURABLE,
    .put = channel_put,
    .tick = channel_tick,
    .take = channel_take,
    .done = channel_done,
    .untake = channel_untake,
    .leave = channel_leave,
    .hungry = channel_hungry,
    .fill = channel_fill,
    .engine =
        &(const struct ps_engine_channel_ops){
            .strip = channel_strip,
        },
};
static const struct ps_stage_ops channel = {
    .kind = PS_KIND_CHANNEL, .name = "durable", .channel = &channel_ops};

static enum ps_result sink_work(const void *p, void *state, struct ps_lease **lease, const struct ps_now *at)
{
    if (script.closed)
        return PS_LATER;
    ps_lease_settle_all(*lease);
    return PS_DONE;
}
static const struct ps_sink_ops sink_ops = {.work = sink_work};
static const struct ps_stage_ops sink = {.kind = PS_KIND_SINK, .name = "sink", .sink = &sink_ops};

/* ---- tests ---- */

/* The sink is offered the first lease and has no room for it, the channel has the second, the source waits with the third. */
static void start(unsigned workers, unsigned batches)
{
    script = (typeof(script)){.closed = true};
    ps_test_small_source_batches = batches;
    const struct ps_test_small_stages stages = {.source = &ps_test_small_source,
                                                .interceptor = &ps_test_small_interceptor,
                                                .channel = &channel,
                                                .sink = &sink};
    ps_test_small_agent_start(&agent, &stages, workers, "4");
    ps_test_small_agent_run(&agent, 100 * PS_NS_PER_MS);
    assert_int_equal(script.takes, 1);
    assert_int_equal(ps_test_small_source_batches, 0);
    assert_int_equal(script.stored, 1);
}

static void test_room_is_made(void **state)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        start(workers, 3);
        assert_true(ps_test_small_agent_source(&agent)->waiting);
        (void)ps_engine_order(agent.engine, PS_PHASE_DRAIN, agent.plan, NULL);
        ps_test_small_agent_run(&agent, 100 * PS_NS_PER_MS);
        assert_int_equal(script.takes, 1);
        script.closed = false;
        ps_test_small_agent_stop(&agent, true);
        assert_int_equal(script.takes, 2); /* the second take made room for the third lease, which stays */
        assert_int_equal(script.stored, 1);
    }
}

static void test_nothing_is_taken_without_need(void **state)
{
    for (unsigned workers = 1; workers <= 2; workers++) {
        start(workers, 2);
        assert_false(ps_test_small_agent_source(&agent)->waiting);
        (void)ps_engine_order(agent.engine, PS_PHASE_DRAIN, agent.plan, NULL);
        script.closed = false;
        ps_test_small_agent_stop(&agent, true);
        assert_int_equal(script.takes, 1);
        assert_int_equal(script.stored, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_room_is_made),
                                       cmocka_unit_test(test_nothing_is_taken_without_need)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
