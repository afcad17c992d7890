/* An interceptor that can make a batch only of few events, in the chain of a source that can neither refuse its batch nor read it
 * again: the engine halves the batch until the interceptor can handle it. No event is lost, doubled, or out of order. */
#include "tests/support/small_agent.h"

#include <stdlib.h>

#define EVENTS 100U

static struct {
    unsigned make, number; /* events */
    unsigned most;         /* with more events than this the interceptor makes too much; 0: it handles none */
    unsigned works, opened;
    bool dead;  /* the sink delivers nothing */
    bool drops; /* the interceptor drops each third event, when it sees it first */
    bool is_promised;
    unsigned accepted, tickets_accepted, refused;
    unsigned arrived;
    unsigned bodies[4 * EVENTS];
    bool headers_good;
    struct ps_port *port;
    struct ps_batch *whole; /* that was filtered */
} script;

static enum ps_result source_work(const void *, void *, struct ps_batch *batch, const struct ps_now *)
{
    unsigned made = 0;
    char text[16];
    for (; script.make > 0 && batch->count < batch->capacity; made++, script.make--) {
        int length = snprintf(text, sizeof text, "%u", script.number++);
        struct ps_event *event = ps_batch_add_copy(batch, text, (uint32_t)length);
        assert_non_null(event);
        assert_true(ps_batch_ticket(batch, script.number, 1));
        const struct ps_name *own = ps_name_intern("own");
        char *value = ps_batch_alloc(batch, (uint32_t)length);
        memcpy(value, text, (size_t)length);
        assert_true(ps_batch_header_add(batch, event, own, value, (uint32_t)length));
    }
    if (made > 0)
        assert_true(ps_batch_shared_set(batch, ps_name_intern("all"), "same", 4, false));
    batch->promised = script.is_promised;
    batch->flush = true;
    return made > 0 ? PS_DONE : PS_IDLE;
}

static bool source_drain(const void *, void *, const struct ps_now *)
{
    return script.make == 0;
}

static enum ps_status source_open(const void *, void *, struct ps_port *, struct ps_err *)
{
    script.opened++;
    return PS_OK;
}

static void source_accepted(const void *, void *, const struct ps_batch *batch, const struct ps_now *)
{
    script.accepted++;
    for (const struct ps_ticket *ticket = batch->tickets; ticket != NULL; ticket = ticket->next)
        script.tickets_accepted++;
}

static void source_refused(const void *, void *, const struct ps_batch *batch, const char *,
                           const struct ps_now *)
{
    script.refused += batch->count;
}

static void source_delivered(const void *, void *, const struct ps_batch *, const struct ps_now *)
{
}

static const struct ps_source_ops waiting_ops = {.needs = PS_LEVEL_ACCEPTED,
                                                 .when_full = PS_WAIT,
                                                 .work = source_work,
                                                 .drain = source_drain,
                                                 .accepted = source_accepted};
static const struct ps_source_ops refusing_ops = {.needs = PS_LEVEL_ACCEPTED,
                                                  .when_full = PS_REFUSE,
                                                  .work = source_work,
                                                  .drain = source_drain,
                                                  .accepted = source_accepted,
                                                  .refused = source_refused};
static const struct ps_source_ops replayable_ops = {.needs = PS_LEVEL_DELIVERED,
                                                    .when_full = PS_WAIT,
                                                    .work = source_work,
                                                    .drain = source_drain,
                                                    .accepted = source_accepted,
                                                    .delivered = source_delivered};
static const struct ps_stage_ops waiting = {
    .kind = PS_KIND_SOURCE, .name = "waiting", .open = source_open, .source = &waiting_ops};
static const struct ps_stage_ops refusing = {
    .kind = PS_KIND_SOURCE, .name = "refusing", .open = source_open, .source = &refusing_ops};
static const struct ps_stage_ops replayable = {
    .kind = PS_KIND_SOURCE, .name = "replayable", .open = source_open, .source = &replayable_ops};

static enum ps_status chain_open(const void *, void *, struct ps_port *port, struct ps_err *)
{
    script.port = port;
    return PS_OK;
}

/* Drops each third event of a batch that the source has made. */
static void drop_thirds(struct ps_lease *lease)
{
    uint64_t keep[PS_BATCH_EVENTS_MAX / 64] = {0};
    for (uint32_t row = 0; row < lease->batch->count; row++)
        keep[row / 64] |= (uint64_t)(row % 3 != 0) << (row % 64);
    assert_true(ps_lease_filter_bits(lease, keep));
}

static enum ps_result chain_work(const void *, void *, struct ps_lease *lease, const struct ps_now *)
{
    script.works++;
    if (script.drops && script.whole == NULL) {
        script.whole = lease->batch;
        drop_thirds(lease);
    }
    if (lease->count > script.most) {
        script.port->is_too_large = lease->count > 1;
        return PS_BACKOFF;
    }
    for (uint32_t i = 0; i < lease->count; i++)
        assert_true(
            ps_batch_header_set(lease->batch, ps_lease_event(lease, i), ps_name_intern("by"), "chain", 5));
    assert_true(ps_batch_shared_set(lease->batch, ps_name_intern("all"), "other", 5, true));
    return PS_DONE;
}

static const struct ps_interceptor_ops chain_ops = {.work = chain_work};
static const struct ps_stage_ops chain = {
    .kind = PS_KIND_INTERCEPTOR, .name = "chain", .open = chain_open, .interceptor = &chain_ops};

/* The interceptor of the next configuration. */
static const struct ps_stage_ops other_chain = {
    .kind = PS_KIND_INTERCEPTOR, .name = "other chain", .open = chain_open, .interceptor = &chain_ops};

static bool has(const struct ps_batch *batch, const struct ps_event *event, const char *name,
                const char *wanted, size_t length)
{
    struct ps_slice value;
    return ps_event_header(batch, event, ps_name_intern(name), &value) && value.length == length &&
           memcmp(value.data, wanted, length) == 0;
}

static enum ps_result sink_work(const void *, void *, struct ps_lease **lease, const struct ps_now *)
{
    const struct ps_batch *batch = (*lease)->batch;
    if (script.dead)
        return PS_RETRY;
    assert_true((*lease)->count <= script.most);
    for (uint32_t i = 0; i < (*lease)->count; i++) {
        const struct ps_event *event = ps_lease_event(*lease, i);
        char text[16] = "";
        memcpy(text, event->body, event->body_length);
        script.bodies[script.arrived++] = (unsigned)atoi(text);
        script.headers_good &= has(batch, event, "own", event->body, event->body_length) &&
                               has(batch, event, "all", "other", 5) && has(batch, event, "by", "chain", 5);
    }
    ps_lease_settle_all(*lease);
    return PS_DONE;
}

static const struct ps_sink_ops sink_ops = {.work = sink_work};
static const struct ps_stage_ops sink = {.kind = PS_KIND_SINK, .name = "sink", .sink = &sink_ops};

static struct ps_test_small_agent agent;

static void start_with(const struct ps_stage_ops *source, unsigned most, const char *capacity)
{
    const struct ps_test_small_stages stages = {.source = source, .interceptor = &chain, .sink = &sink};
    script.most = most;
    script.make = EVENTS;
    script.headers_good = true;
    ps_test_small_agent_start(&agent, &stages, 1, capacity);
}

static void start(const struct ps_stage_ops *source, unsigned most)
{
    start_with(source, most, "1000");
}

static int setup(void **unused)
{
    memset(&script, 0, sizeof script);
    return 0;
}

static void assert_all_arrived(void)
{
    assert_int_equal(script.arrived, EVENTS);
    for (unsigned i = 0; i < EVENTS; i++)
        assert_int_equal(script.bodies[i], i);
    assert_true(script.headers_good);
    assert_int_equal(script.tickets_accepted, EVENTS);
}

static void test_halves(void **unused)
{
    start(&waiting, 7);
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    assert_all_arrived();
    assert_int_equal(script.opened, 1);
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(agent.dropped, 0);
}

static void test_one_at_a_time(void **unused)
{
    start(&waiting, 1);
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    assert_all_arrived();
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(agent.lost.events, 0);
}

/* The source adapts: what comes later is not read in batches that must be halved. */
static void test_later_batches_are_small(void **unused)
{
    start(&waiting, 7);
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    unsigned works = script.works;
    script.make = 6;
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    assert_true(script.works - works <= 6);
    assert_int_equal(script.arrived, EVENTS + 6);
    ps_test_small_agent_stop(&agent, true);
}

/* Events that are promised are not refused, although the source can refuse others. */
static void test_promised(void **unused)
{
    script.is_promised = true;
    start(&refusing, 7);
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    assert_all_arrived();
    assert_int_equal(script.refused, 0);
    ps_test_small_agent_stop(&agent, true);
}

static void test_others_are_refused(void **unused)
{
    start(&refusing, 7);
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    assert_true(script.refused > 0);
    assert_int_equal(script.refused + script.arrived, EVENTS);
    for (unsigned i = 0; i < 10 && script.arrived == 0;
         i++) { /* its clients repeat them, and its batches become small enough */
        script.make = EVENTS;
        ps_test_small_agent_run(&agent, PS_NS_PER_S);
    }
    assert_true(script.arrived > 0);
    assert_int_equal(script.refused + script.arrived, script.number);
    assert_int_equal(script.opened, 1);
    ps_test_small_agent_stop(&agent, true);
}

/* It is opened again, reads the events again, and makes smaller batches. */
static void test_replayable_is_opened_again(void **unused)
{
    start(&replayable, 7);
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    assert_int_equal(script.arrived, 0);
    for (unsigned i = 0; i < 10 && script.arrived == 0; i++) {
        script.make = EVENTS;
        ps_test_small_agent_run(&agent, 4 * PS_NS_PER_S);
    }
    assert_true(script.opened > 1);
    assert_true(script.arrived > 0);
    ps_test_small_agent_stop(&agent, true);
}

/* Events that were dropped before stay dropped, and the others are not mistaken for them. */
static void test_behind_a_filter(void **unused)
{
    script.drops = true;
    start(&waiting, 7);
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    unsigned next = 0, first = script.whole != NULL ? 64 : 0;
    for (unsigned i = 0; i < EVENTS; i++) {
        if (i < first && i % 3 == 0)
            continue;
        assert_int_equal(script.bodies[next++], i);
    }
    assert_int_equal(script.arrived, next);
    assert_true(script.headers_good);
    ps_test_small_agent_stop(&agent, true);
}

/* A stop waits for all halves; one that cannot wait counts what it gives up, once. */
static void test_stop(void **unused)
{
    start(&waiting, 7);
    while (script.arrived == 0)
        ps_test_small_agent_run(&agent, PS_NS_PER_MS);
    assert_true(script.arrived < EVENTS);
    ps_test_small_agent_stop(&agent, true);
    assert_all_arrived();
    assert_int_equal(agent.dropped, 0);
}

static void test_stop_without_waiting(void **unused)
{
    start(&waiting, 7);
    while (script.arrived == 0)
        ps_test_small_agent_run(&agent, PS_NS_PER_MS);
    script.most = 0;
    ps_test_small_agent_stop(&agent, false);
    assert_int_equal(script.arrived + agent.dropped + agent.lost.events + script.make, EVENTS);
    assert_true(agent.dropped > 0);
}

/* A reload that exchanges the interceptor ends although a dead sink keeps the halves from the channel. */
static void test_reload(void **unused)
{
    const struct ps_test_small_stages stages = {
        .source = &waiting, .interceptor = &other_chain, .sink = &sink};
    script.dead = true;
    start_with(&waiting, 7, "10");
    ps_test_small_agent_run(&agent, PS_NS_PER_S);
    assert_true(ps_test_small_agent_fill(&agent, 0) > 0);
    uint64_t began_ns = agent.now.mono_ns, number = ps_test_small_agent_exchange(&agent, &stages, "10");
    while (!ps_engine_reached(agent.engine, number)) {
        assert_true(agent.now.mono_ns - began_ns < 60 * PS_NS_PER_S);
        ps_test_small_agent_advance(&agent);
    }
    ps_test_small_agent_retire(&agent, number);
    assert_int_equal(script.arrived, 0);
    script.dead = false;
    ps_test_small_agent_run(&agent, 20 * PS_NS_PER_S);
    assert_all_arrived();
    assert_int_equal(script.opened, 1);
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(agent.dropped, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_halves, setup),
        cmocka_unit_test_setup(test_one_at_a_time, setup),
        cmocka_unit_test_setup(test_later_batches_are_small, setup),
        cmocka_unit_test_setup(test_promised, setup),
        cmocka_unit_test_setup(test_others_are_refused, setup),
        cmocka_unit_test_setup(test_replayable_is_opened_again, setup),
        cmocka_unit_test_setup(test_behind_a_filter, setup),
        cmocka_unit_test_setup(test_stop, setup),
        cmocka_unit_test_setup(test_stop_without_waiting, setup),
        cmocka_unit_test_setup(test_reload, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
