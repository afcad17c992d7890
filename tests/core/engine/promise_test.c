/* A channel that promises later than it takes, and a source that fails or is stopped meanwhile. */
#include "core/flow/engine_channel.h"
#include "tests/support/small_agent.h"
#include "tests/support/small_stages.h"

#include <stdio.h>

#define HELD_MAX 16U

/* The script of the stages, and their records. */
static struct {
    uint32_t make; /* batches of one event that the next calls of the source's `work` make */
    bool source_fails;
    unsigned promise; /* how many held leases the channel returns at its next tick, oldest first */

    struct ps_lease *held[HELD_MAX];
    unsigned held_count, held_most;
    char story[256]; /* a letter for each thing that the source learns, with the body of the batch's event */
    char next;
    unsigned opens, closes;
    struct ps_port *source_port;
} script;

static struct ps_test_small_agent agent;

static void tell(char what, const struct ps_batch *batch)
{
    size_t length = strlen(script.story);
    assert_true(length + 3 < sizeof script.story);
    snprintf(script.story + length, 3, "%c%c", what, batch->events[0].body[0]);
}

/* ---- the source ---- */

static enum ps_status source_open(const void *p, void *state, struct ps_port *port, struct ps_err *err)
{
    script.source_port = port;
    script.opens++;
    return PS_OK;
}

static void source_close(const void *p, void *state)
{
    script.closes++;
}

static enum ps_result source_work(const void *p, void *state, struct ps_batch *batch, const struct ps_now *at)
{
    if (script.make == 0)
        return PS_IDLE;
    script.make--;
    assert_non_null(ps_batch_add_copy(batch, &script.next, 1));
    assert_true(ps_batch_span(batch, 0, 1, script.next, NULL));
    script.next++;
    batch->flush = true;
    if (script.source_fails) {
        struct ps_err err = {0};
        ps_err_set(&err, "as told");
        script.source_fails = false;
        ps_port_failed(script.source_port, &err);
    }
    return PS_DONE;
}

static void source_accepted(const void *p, void *state, const struct ps_batch *batch, const struct ps_now *at)
{
    tell('+', batch);
}

static void source_refused(const void *p, void *state, const struct ps_batch *batch, const char *reason,
                           const struct ps_now *at)
{
    assert_non_null(strstr(reason, "channel"));
    tell('-', batch);
}

static const struct ps_source_ops source_ops = {.needs = PS_LEVEL_ACCEPTED,
                                                .when_full = PS_REFUSE,
                                                .work = source_work,
                                                .accepted = source_accepted,
                                                .refused = source_refused};
static const struct ps_stage_ops source = {.kind = PS_KIND_SOURCE,
                                           .name = "source",
                                           .open = source_open,
                                           .close = source_close,
                                           .source = &source_ops};

/* ---- the channel ---- */

static enum ps_put channel_put(void *p, unsigned producer, struct ps_lease **lease, const struct ps_now *at)
{
    assert_int_equal(producer, 0);
    assert_true(script.held_count < HELD_MAX);
    script.held[script.held_count++] = *lease;
    script.held_most = script.held_count > script.held_most ? script.held_count : script.held_most;
    *lease = NULL;
    return PS_PUT_OK;
}

static uint64_t channel_tick(void *p, unsigned producer, struct ps_port *port, const struct ps_now *at)
{
    unsigned gone = script.promise < script.held_count ? script.promise : script.held_count;
    assert_int_equal(producer, 0);
    for (unsigned i = 0; i < gone; i++) {
        ps_port_home(port, &script.held[i]);
    }
    script.promise -= gone;
    script.held_count -= gone;
    memmove(script.held, script.held + gone, script.held_count * sizeof *script.held);
    return PS_NEVER;
}

static struct ps_lease *channel_take(void *p, unsigned consumer, struct ps_port *port,
                                     const struct ps_now *at)
{
    return NULL;
}

static bool channel_hungry(const void *p, unsigned producer)
{
    return true;
}

static void channel_fill(const void *p, struct ps_fill *fill)
{
    *fill = (struct ps_fill){.capacity = 1000};
}

/* A lease that is not promised yet still belongs to the source. */
static struct ps_lease *channel_strip(void *p)
{
    struct ps_lease *first = NULL;
    while (script.held_count > 0) {
        script.held[--script.held_count]->next = first;
        first = script.held[script.held_count];
    }
    return first;
}

static const struct ps_channel_ops channel_ops = {
    .promises = PS_LEVEL_DURABLE,
    .tick = channel_tick,
    .put = channel_put,
    .take = channel_take,
    .hungry = channel_hungry,
    .fill = channel_fill,
    .engine =
        &(const struct ps_engine_channel_ops){
            .strip = channel_strip,
        },
};
static const struct ps_stage_ops channel = {
    .kind = PS_KIND_CHANNEL, .name = "later", .channel = &channel_ops};

/* ---- the sink, which gets nothing here ---- */

static enum ps_result sink_work(const void *p, void *state, struct ps_lease **lease, const struct ps_now *at)
{
    fail_msg("the channel gave the sink a lease");
    return PS_DONE;
}
static const struct ps_sink_ops sink_ops = {.work = sink_work};
static const struct ps_stage_ops sink = {.kind = PS_KIND_SINK, .name = "sink", .sink = &sink_ops};

/* ---- helpers ---- */

static void start(void)
{
    const struct ps_test_small_stages stages = {
        .source = &source, .interceptor = &ps_test_small_interceptor, .sink = &sink, .channel = &channel};
    ps_log_set_level(PS_LOG_OFF);
    memset(&script, 0, sizeof script);
    script.next = 'a';
    ps_test_small_agent_start(&agent, &stages, 1, NULL);
    ps_test_small_agent_settle(&agent);
}

static void make(uint32_t batches)
{
    script.make = batches;
    ps_test_small_agent_run(&agent, 2 * PS_NS_PER_S);
}

static void promise(unsigned leases)
{
    script.promise = leases;
    ps_test_small_agent_run(&agent, 2 * PS_NS_PER_S);
}

/* ---- tests ---- */

/* The source fails: it is closed when everything that it has read is promised, so that no answer reaches the state
 * of the source that is opened next. */
static void test_failed_source_waits(void **state)
{
    start();
    make(1);
    script.source_fails = true;
    make(1);
    ps_test_small_agent_run(&agent, 20 * PS_NS_PER_S);
    assert_int_equal(script.closes, 0);
    promise(1);
    assert_int_equal(script.closes, 0);
    promise(1);
    assert_string_equal(script.story, "+a+b");
    assert_int_equal(script.closes, 1);
    ps_test_small_agent_run(&agent, 4 * PS_NS_PER_S);
    assert_int_equal(script.opens, 2);
    ps_test_small_agent_stop(&agent, true);
}

/* A stop waits for promises, and without them gives the leases back; no sender gets an acknowledgement. */
static void test_stop(void **state)
{
    start();
    make(2);
    uint64_t number = ps_engine_order(agent.engine, PS_PHASE_DRAIN, agent.plan, NULL);
    ps_test_small_agent_run(&agent, 10 * PS_NS_PER_S);
    assert_false(ps_engine_reached(agent.engine, number));
    promise(1);
    assert_false(ps_engine_reached(agent.engine, number));
    assert_string_equal(script.story, "+a");
    ps_test_small_agent_stop(&agent, false);
    assert_string_equal(script.story, "+a");
    assert_int_equal(script.closes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_source_waits),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
