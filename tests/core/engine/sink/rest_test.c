/* A stop with events in a plug-in's channel, which keeps them in memory and has none of the engine's own functions: the sinks'
 * workers take them out before the channel frees what it has for a consumer. Another program empties a shared channel. */
#include "tests/support/small_agent.h"
#include "tests/support/small_stages.h"

#define BATCHES 3U

static struct {
    bool shared;
    struct ps_lease *first,
        **end;              /* put and not taken; of a shared channel: written, and on their way home */
    unsigned stored;        /* batches in the channel */
    bool closes;            /* CLOSE is ordered */
    unsigned takes, leaves; /* in CLOSE */
} script;

static struct ps_test_small_agent agent;

/* ---- stages ---- */

static enum ps_put channel_put(void *, unsigned, struct ps_lease **lease, const struct ps_now *)
{
    (*lease)->next = NULL;
    *script.end = *lease;
    script.end = &(*lease)->next;
    *lease = NULL;
    script.stored++;
    return PS_PUT_OK;
}

static struct ps_lease *pop(void)
{
    struct ps_lease *lease = script.first;
    if (lease == NULL)
        return NULL;
    script.first = lease->next;
    if (script.first == NULL)
        script.end = &script.first;
    return lease;
}

/* The store of a shared channel has the events of what was put. */
static uint64_t channel_tick(void *, unsigned, struct ps_port *port, const struct ps_now *)
{
    for (struct ps_lease *lease; script.shared && (lease = pop()) != NULL;)
        ps_port_home(port, &lease);
    return PS_NEVER;
}

static struct ps_lease *channel_take(void *, unsigned consumer, struct ps_port *port, const struct ps_now *)
{
    assert_int_equal(consumer, 0);
    assert_non_null(port->pool);
    assert_int_equal(script.leaves, 0); /* else its data are freed */
    enum ps_phase phase;
    (void)ps_engine_ordered(agent.engine, &phase);
    script.takes += phase == PS_PHASE_CLOSE;
    struct ps_lease *lease = script.shared ? NULL : pop();
    script.stored -= lease != NULL;
    return lease;
}

static void channel_done(void *, unsigned, struct ps_lease **lease, struct ps_port *port)
{
    ps_port_home(port, lease);
}

static void channel_untake(void *, unsigned, struct ps_lease **lease)
{
    (*lease)->next = script.first;
    if (script.first == NULL)
        script.end = &(*lease)->next;
    script.first = *lease;
    *lease = NULL;
    script.stored++;
}

static void channel_leave(void *, unsigned consumer, struct ps_port *)
{
    assert_int_equal(consumer, 0);
    script.leaves++;
}

static bool channel_hungry(const void *, unsigned)
{
    return true;
}

static void channel_fill(const void *, struct ps_fill *fill)
{
    *fill = (struct ps_fill){.size = script.stored, .capacity = 100};
}

static const struct ps_channel_ops channel_ops = {.promises = PS_LEVEL_ACCEPTED,
                                                  .tick = channel_tick,
                                                  .put = channel_put,
                                                  .take = channel_take,
                                                  .done = channel_done,
                                                  .untake = channel_untake,
                                                  .leave = channel_leave,
                                                  .hungry = channel_hungry,
                                                  .fill = channel_fill};
static const struct ps_stage_ops queue = {.kind = PS_KIND_CHANNEL, .name = "queue", .channel = &channel_ops};
static const struct ps_stage_ops broker = {
    .kind = PS_KIND_CHANNEL, .name = "broker", .shared = true, .channel = &channel_ops};

static enum ps_result sink_work(const void *, void *, struct ps_lease **, const struct ps_now *)
{
    return PS_RETRY;
}

static const struct ps_sink_ops sink_ops = {.work = sink_work};
static const struct ps_stage_ops sink = {.kind = PS_KIND_SINK, .name = "sink", .sink = &sink_ops};

/* ---- tests ---- */

/* Starts the agent, and stops it when its events are in the channel. */
static void run(const struct ps_stage_ops *channel, const struct ps_processor_settings *group, bool has_sink)
{
    const struct ps_test_small_stages stages = {.source = &ps_test_small_source,
                                                .interceptor = &ps_test_small_interceptor,
                                                .sink = &sink,
                                                .channel = channel,
                                                .group = group,
                                                .without_sinks = !has_sink};
    memset(&script, 0, sizeof script);
    script.shared = channel->shared;
    script.end = &script.first;
    ps_log_set_level(PS_LOG_OFF);
    ps_test_small_source_batches = BATCHES;
    ps_test_small_agent_start(&agent, &stages, 1, NULL);
    ps_test_small_agent_run(&agent, 20 * PS_NS_PER_S);
    assert_int_equal(script.stored, BATCHES);
    ps_test_small_agent_stop(&agent, false);
}

static void assert_emptied(void)
{
    assert_int_equal(script.takes, BATCHES + 1); /* the last one finds nothing */
    assert_int_equal(script.leaves, 1);
    assert_int_equal(script.stored, 0);
    assert_int_equal(agent.lost.events, BATCHES);
    assert_int_equal(agent.lost.batches, BATCHES);
}

static void test_one_sink(void **)
{
    run(&queue, NULL, true);
    assert_emptied();
}

/* A group is one consumer: the second member must not take after the first one has left. */
static void test_group(void **)
{
    const struct ps_processor_settings group = {.type = PS_PROCESSOR_LOAD_BALANCE, .count = 2};
    run(&queue, &group, true);
    script.takes--; /* of the second member */
    assert_emptied();
}

/* A store that others fill has no end, and nothing in it is lost. */
static void test_shared(void **)
{
    run(&broker, NULL, true);
    assert_int_equal(script.takes, 0);
    assert_int_equal(script.leaves, 1);
    assert_int_equal(agent.lost.events, 0);
}

static void test_shared_without_sinks(void **)
{
    run(&broker, NULL, false);
    assert_int_equal(agent.lost.events, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_sink), cmocka_unit_test(test_group),
                                       cmocka_unit_test(test_shared),
                                       cmocka_unit_test(test_shared_without_sinks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
