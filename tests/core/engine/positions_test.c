/* Positions travel with their batch: a sink that commits them gets every batch that has some, in order, even
 * those whose events the chain drops; other sinks, and batches without positions, cost no lease. */
#include "tests/support/small_agent.h"

#include <stdio.h>
#include <string.h>

/* The script of the stages, and their records. The body of an event is one letter; the interceptor drops `d`. */
static struct {
    const char *make;    /* the letters of the events that the next call of the source's `work` makes */
    bool alone;          /* that call notes a position without events, */
    bool without;        /* or events without a position */
    bool holds;          /* the sink takes nothing */
    int64_t made;        /* the last position */
    int64_t delivered;   /* the position of the last `delivered` */
    int64_t seen[16];    /* of each lease that the sink got, */
    uint32_t events[16]; /* number of events of each lease that the sink got */
    unsigned count;
} script;

static struct ps_test_small_agent agent;

/* The texts are in the source's memory, which it overwrites with the next ones. */
static void note_position(struct ps_batch *batch)
{
    static char group[16], topic[16];
    snprintf(group, sizeof group, "group %d", (int)++script.made);
    snprintf(topic, sizeof topic, "topic %d", (int)script.made);
    const struct ps_stream_name name = {.system = "test",
                                        .group = {group, (uint32_t)strlen(group)},
                                        .name = {topic, (uint32_t)strlen(topic)},
                                        .part = 7};
    assert_true(ps_batch_span(batch, 3, 1, script.made, &name));
}

static enum ps_result source_work(const void *p, void *state, struct ps_batch *batch, const struct ps_now *at)
{
    if (*script.make == '\0' && !script.alone)
        return PS_IDLE;
    for (; *script.make != '\0'; script.make++)
        assert_non_null(ps_batch_add_copy(batch, script.make, 1));
    if (!script.without)
        note_position(batch);
    script.alone = false;
    batch->flush = true;
    return PS_DONE;
}

static void source_delivered(const void *p, void *state, const struct ps_batch *batch,
                             const struct ps_now *at)
{
    if (batch->span_count > 0)
        script.delivered = batch->spans[0].position;
}

static enum ps_result chain_work(const void *p, void *state, struct ps_lease *lease, const struct ps_now *at)
{
    uint64_t keep[PS_BATCH_EVENTS_MAX / 64] = {0};
    for (uint32_t i = 0; i < lease->count; i++) {
        uint16_t row = ps_lease_row(lease, i);
        keep[row / 64] |= (uint64_t)(ps_lease_event(lease, i)->body[0] != 'd') << (row % 64);
    }
    return ps_lease_filter_bits(lease, keep) ? PS_DONE : PS_RETRY;
}

static void assert_text(struct ps_slice slice, const char *word, int64_t number)
{
    char expected[16];
    snprintf(expected, sizeof expected, "%s %d", word, (int)number);
    assert_int_equal(slice.length, strlen(expected));
    assert_memory_equal(slice.data, expected, slice.length);
}

/* Asserts that the span still has the texts of its position. */
static void assert_named(const struct ps_span *span)
{
    assert_string_equal(span->name->system, "test");
    assert_text(span->name->group, "group", span->position);
    assert_text(span->name->name, "topic", span->position);
    assert_int_equal(span->name->part, 7);
}

static enum ps_result sink_work(const void *p, void *state, struct ps_lease **lease, const struct ps_now *at)
{
    const struct ps_batch *batch = (*lease)->batch;
    if (script.holds)
        return PS_LATER;
    assert_true(script.count < PS_COUNT_OF(script.seen));
    if (batch->span_count > 0)
        assert_named(&batch->spans[0]);
    script.seen[script.count] = batch->span_count > 0 ? batch->spans[0].position : -1;
    script.events[script.count++] = (*lease)->count;
    ps_lease_settle_all(*lease);
    return PS_DONE;
}

static const struct ps_source_ops source_ops = {
    .needs = PS_LEVEL_DELIVERED, .when_full = PS_WAIT, .work = source_work, .delivered = source_delivered};
static const struct ps_interceptor_ops chain_ops = {.work = chain_work};
static const struct ps_sink_ops plain_ops = {.work = sink_work};
static const struct ps_sink_ops commits_ops = {.work = sink_work, .commits = true};
static const struct ps_stage_ops source = {PS_STAGE(PS_KIND_SOURCE), .name = "source", .source = &source_ops};
static const struct ps_stage_ops chain = {PS_STAGE(PS_KIND_INTERCEPTOR), .name = "chain",
                                          .interceptor = &chain_ops};
static const struct ps_stage_ops plain = {PS_STAGE(PS_KIND_SINK), .name = "plain", .sink = &plain_ops};
static const struct ps_stage_ops commits = {PS_STAGE(PS_KIND_SINK), .name = "commits", .sink = &commits_ops};

static void start(const struct ps_stage_ops *sink, unsigned workers)
{
    const struct ps_test_small_stages stages = {.source = &source, .interceptor = &chain, .sink = sink};
    ps_log_set_level(PS_LOG_OFF);
    memset(&script, 0, sizeof script);
    script.make = "";
    ps_test_small_agent_start(&agent, &stages, workers, "1000");
    ps_test_small_agent_settle(&agent);
}

/* Makes one batch and lets the agent run for 2 s: a second is the longest that an idle worker parks. */
static void make(const char *letters)
{
    script.make = letters;
    script.alone = *letters == '\0';
    ps_test_small_agent_run(&agent, 2 * PS_NS_PER_S);
    assert_int_equal(*script.make, '\0');
}

static void test_a_sink_that_commits_sees_every_position(void **state)
{
    static const uint32_t events[] = {1, 0, 2, 0, 1};
    for (unsigned workers = 1; workers <= 2; workers++) {
        start(&commits, workers);
        make("a");
        make("dd"); /* nothing is left */
        make("ada");
        make(""); /* a position alone */
        make("a");
        assert_int_equal(script.count, PS_COUNT_OF(events));
        for (unsigned i = 0; i < script.count; i++) {
            assert_int_equal(script.seen[i], i + 1);
            assert_int_equal(script.events[i], events[i]);
        }
        assert_int_equal(script.delivered, 5);
        ps_test_small_agent_stop(&agent, true);
        assert_int_equal(agent.lost.events, 0);
    }
}

/* The source gets a position only when the sink has settled its lease, even a lease without events. */
static void test_nothing_overtakes(void **state)
{
    start(&commits, 1);
    script.holds = true;
    make("dd");
    make("d");
    assert_int_equal(script.delivered, 0);
    script.holds = false;
    make("a");
    assert_int_equal(script.delivered, 3);
    assert_int_equal(script.count, 3);
    ps_test_small_agent_stop(&agent, true);
}

static void test_others_get_no_empty_lease(void **state)
{
    start(&plain, 1);
    make("dd");
    make("");
    assert_int_equal(script.count, 0);
    assert_int_equal(script.delivered, 2); /* the source moves on by itself */
    make("a");
    assert_int_equal(script.count, 1);
    assert_int_equal(script.seen[0], 3);
    ps_test_small_agent_stop(&agent, true);

    start(&commits, 1);
    script.without = true;
    make("dd"); /* no position: nothing to commit */
    assert_int_equal(script.count, 0);
    ps_test_small_agent_stop(&agent, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sink_that_commits_sees_every_position),
        cmocka_unit_test(test_nothing_overtakes),
        cmocka_unit_test(test_others_get_no_empty_lease),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
