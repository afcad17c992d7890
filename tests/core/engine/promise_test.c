/* A channel that promises later than it takes: when sources learn of it, in which order, and what happens when it gives
 * a batch up, or when a source fails, drains or is closed meanwhile. */
#include "core/flow/engine_channel.h"
#include "tests/support/small_agent.h"
#include "tests/support/small_stages.h"

#include <stdio.h>

#define HELD_MAX 16U

/* The script of the stages, and their records. */
static struct {
    uint32_t make; /* batches of one event that the next calls of the source's `work` make */
    bool full;     /* the channel takes nothing */
    bool later;    /* puts return PS_PUT_LATER */
    bool source_fails;
    unsigned promise; /* how many held leases the channel returns at its next tick, oldest first */
    bool give_up;     /* it marks them failed */

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

static void source_delivered(const void *p, void *state, const struct ps_batch *batch,
                             const struct ps_now *at)
{
    tell('=', batch);
}

#define SOURCE(level, when)                                                                                  \
    {                                                                                                        \
        .needs = (level), .when_full = (when), .work = source_work, .accepted = source_accepted,             \
        .refused = source_refused, .delivered = source_delivered                                             \
    }
static const struct ps_source_ops waiting_ops = SOURCE(PS_LEVEL_ACCEPTED, PS_WAIT);
static const struct ps_source_ops refusing_ops = SOURCE(PS_LEVEL_ACCEPTED, PS_REFUSE);
static const struct ps_source_ops replayable_ops = SOURCE(PS_LEVEL_DELIVERED, PS_WAIT);
#define SOURCE_STAGE(ops_)                                                                                   \
    {                                                                                                        \
        .kind = PS_KIND_SOURCE, .name = "source", .open = source_open, .close = source_close,                \
        .source = (ops_)                                                                                     \
    }
static const struct ps_stage_ops waiting = SOURCE_STAGE(&waiting_ops);
static const struct ps_stage_ops refusing = SOURCE_STAGE(&refusing_ops);
static const struct ps_stage_ops replayable = SOURCE_STAGE(&replayable_ops);

/* ---- the channel ---- */

static enum ps_put channel_put(void *p, unsigned producer, struct ps_lease **lease, const struct ps_now *at)
{
    assert_int_equal(producer, 0);
    if (script.full)
        return PS_PUT_FULL;
    assert_true(script.held_count < HELD_MAX);
    script.held[script.held_count++] = *lease;
    script.held_most = script.held_count > script.held_most ? script.held_count : script.held_most;
    *lease = NULL;
    return script.later ? PS_PUT_LATER : PS_PUT_OK;
}

static uint64_t channel_tick(void *p, unsigned producer, struct ps_port *port, const struct ps_now *at)
{
    unsigned gone = script.promise < script.held_count ? script.promise : script.held_count;
    assert_int_equal(producer, 0);
    for (unsigned i = 0; i < gone; i++) {
        script.held[i]->failed = script.give_up;
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

/* A channel whose put returns whether the put is the promise, or the promise comes later. */
static const struct ps_channel_ops mixed_ops = {
    .promises = PS_LEVEL_ACCEPTED,
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
static const struct ps_stage_ops mixed = {.kind = PS_KIND_CHANNEL, .name = "mixed", .channel = &mixed_ops};

/* ---- the sink, which gets nothing here ---- */

static enum ps_result sink_work(const void *p, void *state, struct ps_lease **lease, const struct ps_now *at)
{
    fail_msg("the channel gave the sink a lease");
    return PS_DONE;
}
static const struct ps_sink_ops sink_ops = {.work = sink_work};
static const struct ps_stage_ops sink = {.kind = PS_KIND_SINK, .name = "sink", .sink = &sink_ops};

/* ---- helpers ---- */

static void start_with(const struct ps_stage_ops *source, const struct ps_stage_ops *the_channel)
{
    const struct ps_test_small_stages stages = {
        .source = source, .interceptor = &ps_test_small_interceptor, .sink = &sink, .channel = the_channel};
    ps_log_set_level(PS_LOG_OFF);
    memset(&script, 0, sizeof script);
    script.next = 'a';
    ps_test_small_agent_start(&agent, &stages, 1, NULL);
    ps_test_small_agent_settle(&agent);
}

static void start(const struct ps_stage_ops *source)
{
    start_with(source, &channel);
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

static uint64_t counted(enum ps_counter counter)
{
    return ps_counter_read(ps_test_small_agent_source(&agent)->base.counters, counter);
}

/* ---- tests ---- */

/* Several batches are between put and promise; the source learns of each when it is promised, in order. */
static void test_promised_later(void **state)
{
    static const struct ps_stage_ops *const sources[] = {&waiting, &refusing};
    for (size_t i = 0; i < PS_COUNT_OF(sources); i++) {
        start(sources[i]);
        make(3);
        assert_int_equal(script.held_count, 3);
        assert_string_equal(script.story, "");
        assert_int_equal(counted(PS_COUNTER_EventAcceptedCount), 0);
        promise(2);
        assert_string_equal(script.story, "+a+b");
        assert_int_equal(counted(PS_COUNTER_EventAcceptedCount), 2);
        make(1);
        promise(2);
        assert_string_equal(script.story, "+a+b+c+d");
        assert_int_equal(counted(PS_COUNTER_EventAcceptedCount), 4);
        ps_test_small_agent_stop(&agent, true);
    }
}

/* The promise is made while the worker is about to sleep: it does not sleep before the source has learned of it. */
static void test_promised_before_a_sleep(void **state)
{
    start(&refusing);
    make(2);
    struct ps_worker *worker = ps_engine_worker(agent.engine, 0);
    for (unsigned i = 0; i < 2; i++) {
        script.promise = 1;
        assert_false(ps_worker_park(worker, &agent.now)); /* it looks at everything once more */
        ps_worker_unpark(worker);
        ps_test_small_agent_settle(&agent);
        assert_string_equal(script.story, i == 0 ? "+a" : "+a+b");
        assert_true(ps_worker_park(worker, &agent.now));
        ps_worker_unpark(worker);
    }
    ps_test_small_agent_stop(&agent, true);
}

/* A channel that promises some leases by the put, and others later. */
static void test_some_promised_later(void **state)
{
    start_with(&refusing, &mixed);
    make(1);
    assert_string_equal(script.story, "+a");
    script.later = true;
    make(2);
    script.later = false;
    make(1);
    assert_string_equal(script.story, "+a"); /* d is promised, but not before b and c */
    promise(2);
    assert_string_equal(script.story, "+a+b");
    script.give_up = true;
    promise(1);
    assert_string_equal(script.story, "+a+b-c+d");
    script.give_up = false;
    promise(1);
    assert_string_equal(script.story, "+a+b-c+d");
    ps_test_small_agent_stop(&agent, true);
}

/* A replayable source learns of the put and of the promise; its position moves with the promise. */
static void test_positions(void **state)
{
    start(&replayable);
    make(2);
    assert_string_equal(script.story, "+a+b");
    promise(1);
    assert_string_equal(script.story, "+a+b=a");
    promise(1);
    assert_string_equal(script.story, "+a+b=a=b");
    ps_test_small_agent_stop(&agent, true);
}

/* The same with a channel that promises some leases by the put, and others later: a position moves with each of them, once. */
static void test_positions_of_some_later(void **state)
{
    start_with(&replayable, &mixed);
    for (unsigned i = 0; i < 4; i++) {
        script.later = i % 2 != 0;
        make(1);
    }
    assert_string_equal(script.story, "+a+b+c+d");
    promise(2);
    assert_string_equal(script.story, "+a+b+c+d=a=b");
    promise(2);
    assert_string_equal(script.story, "+a+b+c+d=a=b=c=d");
    ps_test_small_agent_stop(&agent, true);
}

/* The channel gives up what it has taken: the clients are refused, each once, and what comes later is accepted. */
static void test_given_up(void **state)
{
    start(&refusing);
    make(2);
    assert_true(script.held[0]->refusable);
    script.give_up = true;
    promise(1);
    assert_string_equal(script.story, "-a");
    assert_int_equal(counted(PS_COUNTER_ChannelWriteFail), 1);
    script.give_up = false;
    promise(1);
    assert_string_equal(script.story, "-a+b");
    assert_int_equal(counted(PS_COUNTER_EventAcceptedCount), 1);
    ps_test_small_agent_stop(&agent, true);
}

/* A batch is refused before its put, while earlier batches wait for their promise: the source learns of that
 * immediately. */
static void test_full(void **state)
{
    start(&refusing);
    make(1);
    script.full = true;
    make(1);
    assert_string_equal(script.story, "-b");
    script.full = false;
    make(1);
    promise(2);
    assert_string_equal(script.story, "-b+a+c");
    ps_test_small_agent_stop(&agent, true);
}

/* A channel may only give up what its source can refuse. */
static void test_who_may_be_refused(void **state)
{
    start(&waiting);
    make(1);
    assert_false(script.held[0]->refusable);
    promise(1);
    ps_test_small_agent_stop(&agent, true);
}

/* The source fails: it is closed when everything that it has read is promised, so that no answer reaches the state
 * of the source that is opened next. */
static void test_failed_source_waits(void **state)
{
    start(&refusing);
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
    start(&refusing);
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
        cmocka_unit_test(test_promised_later),
        cmocka_unit_test(test_promised_before_a_sleep),
        cmocka_unit_test(test_some_promised_later),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_positions_of_some_later),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_who_may_be_refused),
        cmocka_unit_test(test_failed_source_waits),
        cmocka_unit_test(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
