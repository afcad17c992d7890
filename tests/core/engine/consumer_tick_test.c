/* A channel's consumer_tick is called at every cycle of its consumer's sink, in every state of that sink, and the
 * worker wakes at the time that it returned. */
#include "core/flow/engine_channel.h"
#include "tests/support/small_agent.h"
#include "tests/support/small_stages.h"

#define PERIOD_NS (100 * PS_NS_PER_MS)
#define MEMORY_LOOK_NS (10 * PS_NS_PER_MS)
#define HOARD_MAX 4096U

static struct {
    bool sink_opens, sink_retries;
    uint64_t due_ns; /* of the channel's next call */
    unsigned late;   /* calls that came later than asked for */
    unsigned calls, opens, works;
    struct ps_lease *lease;
    bool starves; /* the channel wants memory, and finds none */
    uint64_t tried_ns;
    struct ps_block *hoard[HOARD_MAX];
    unsigned hoarded;
} script;

static struct ps_test_small_agent agent;

/* ---- stages ---- */

static enum ps_put channel_put(void *p, unsigned producer, struct ps_lease **lease, const struct ps_now *at)
{
    if (script.lease != NULL)
        return PS_PUT_FULL;
    script.lease = *lease;
    *lease = NULL;
    return PS_PUT_OK;
}

/* Takes what memory there is, so that the last try fails. */
static void want_memory(struct ps_port *port, const struct ps_now *at)
{
    struct ps_block *block;
    while ((block = ps_block_take(port->blocks)) != NULL) {
        assert_true(script.hoarded < HOARD_MAX);
        script.hoard[script.hoarded++] = block;
    }
    script.tried_ns = at->mono_ns;
}

static struct ps_lease *channel_take(void *p, unsigned consumer, struct ps_port *port,
                                     const struct ps_now *at)
{
    struct ps_lease *lease = script.lease;
    if (script.starves) {
        want_memory(port, at);
        return NULL;
    }
    script.lease = NULL;
    return lease;
}

static void channel_done(void *p, unsigned consumer, struct ps_lease **lease, struct ps_port *port)
{
    ps_port_home(port, lease);
}

static void channel_untake(void *p, unsigned consumer, struct ps_lease **lease)
{
    script.lease = *lease;
    *lease = NULL;
}

static uint64_t channel_consumer_tick(void *p, unsigned consumer, struct ps_port *port,
                                      const struct ps_now *at)
{
    assert_int_equal(consumer, 0);
    assert_non_null(port->pool);
    script.late += script.calls > 0 && at->mono_ns > script.due_ns;
    script.calls++;
    script.due_ns = at->mono_ns + PERIOD_NS;
    return script.due_ns;
}

static bool channel_hungry(const void *p, unsigned producer)
{
    return true;
}

static void channel_fill(const void *p, struct ps_fill *fill)
{
    *fill = (struct ps_fill){.size = script.lease != NULL, .capacity = 1};
}

static struct ps_lease *channel_strip(void *p)
{
    return channel_take(p, 0, NULL, NULL);
}

static const struct ps_channel_ops channel_ops = {
    .promises = PS_LEVEL_ACCEPTED,
    .put = channel_put,
    .consumer_tick = channel_consumer_tick,
    .take = channel_take,
    .done = channel_done,
    .untake = channel_untake,
    .hungry = channel_hungry,
    .fill = channel_fill,
    .engine =
        &(const struct ps_engine_channel_ops){
            .strip = channel_strip,
        },
};
static const struct ps_stage_ops channel = {
    .kind = PS_KIND_CHANNEL, .name = "ticking", .channel = &channel_ops};

static enum ps_status sink_open(const void *p, void *state, struct ps_port *port, struct ps_err *err)
{
    script.opens++;
    return script.sink_opens ? PS_OK : ps_err_set(err, "as told");
}

static enum ps_result sink_work(const void *p, void *state, struct ps_lease **lease, const struct ps_now *at)
{
    script.works++;
    if (script.sink_retries)
        return PS_RETRY;
    ps_lease_settle_all(*lease);
    return PS_DONE;
}
static const struct ps_sink_ops sink_ops = {.work = sink_work};
static const struct ps_stage_ops sink = {
    .kind = PS_KIND_SINK, .name = "sink", .open = sink_open, .sink = &sink_ops};

static void start(void)
{
    const struct ps_test_small_stages stages = {.source = &ps_test_small_source,
                                                .interceptor = &ps_test_small_interceptor,
                                                .sink = &sink,
                                                .channel = &channel};
    ps_log_set_level(PS_LOG_OFF);
    ps_test_small_agent_start(&agent, &stages, 1, NULL);
    ps_test_small_agent_settle(&agent);
}

/* Asserts that consumer_tick is called in time: every period for ten seconds, and not a hundred times as often. */
static void assert_in_time(void)
{
    unsigned before = script.calls;
    ps_test_small_agent_run(&agent, 10 * PS_NS_PER_S);
    assert_in_range(script.calls - before, 99, 1000);
    assert_int_equal(script.late, 0);
}

/* ---- tests ---- */

static void test_idle(void **state)
{
    memset(&script, 0, sizeof script);
    script.sink_opens = true;
    start();
    assert_in_time();
    ps_test_small_agent_stop(&agent, true);
}

/* The sink cannot be opened at first; later it can. */
static void test_failed(void **state)
{
    memset(&script, 0, sizeof script);
    start();
    assert_in_time();
    assert_true(script.opens > 2);
    script.sink_opens = true;
    assert_in_time();
    ps_test_small_agent_stop(&agent, true);
}

/* The sink rolls back and backs off for seconds. */
static void test_resting(void **state)
{
    memset(&script, 0, sizeof script);
    script.sink_opens = script.sink_retries = true;
    ps_test_small_source_batches = 1;
    start();
    assert_in_time();
    assert_in_range(script.works, 2, 10);
    script.sink_retries = false;
    assert_in_time();
    assert_null(script.lease);
    ps_test_small_agent_stop(&agent, true);
}

/* A channel has no memory to read a batch back. Its worker calls it again soon, although other workers that free
 * blocks do not wake it. */
static void test_without_memory(void **state)
{
    memset(&script, 0, sizeof script);
    script.sink_opens = script.starves = true;
    start();
    for (unsigned i = 0; i < 100; i++) { /* the source asks as well: its times are not the sink's */
        assert_int_equal(ps_test_small_agent_sink(&agent)->base.deadline_ns,
                         script.tried_ns + MEMORY_LOOK_NS);
        ps_test_small_agent_advance(&agent);
        ps_test_small_agent_settle(&agent);
    }
    script.starves = false;
    while (script.hoarded > 0)
        ps_block_drop(ps_test_small_agent_sink(&agent)->base.port.blocks, script.hoard[--script.hoarded]);
    ps_test_small_agent_stop(&agent, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_idle), cmocka_unit_test(test_failed),
                                       cmocka_unit_test(test_resting), cmocka_unit_test(test_without_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
