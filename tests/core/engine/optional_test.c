/* Optional channels: full, without a sink that opens, with a sink that fails. They never hold up the source or its required
 * channel; events that they do not take are counted as dropped, and events that they took are delivered. */
#include "tests/support/small_agent.h"

#include <stdio.h>

#define KEPT_MAX 64U

/* The orders for the stages, and their records. The body of an event is one letter, which says where it goes:
 * a: c1; b: c1, and c2 optional; o: c2 optional; n: nowhere; d: the interceptor drops it. */
static struct {
    const char *make; /* the letters of the events that the next call of the source's `work` makes */
    bool accepting;   /* the source needs ACCEPTED, else DELIVERED */
    enum ps_result first_answer, second_answer; /* of k1 and k2 */
    unsigned second_open_failures;

    unsigned accepted, paused;
    int64_t made, delivered;      /* events */
    char first[256], second[256]; /* what k1 and k2 settled */
    struct ps_lease *kept[KEPT_MAX];
    unsigned kept_count;
    struct ps_port *second_port;
} script;

static struct ps_test_small_agent agent;

/* ---- stages ---- */

static enum ps_result source_work(const void *p, void *state, struct ps_batch *batch, const struct ps_now *at)
{
    if (*script.make == '\0')
        return PS_IDLE;
    for (; *script.make != '\0'; script.make++) {
        assert_non_null(ps_batch_add_copy(batch, script.make, 1));
        script.made++;
    }
    if (!script.accepting)
        assert_true(ps_batch_span(batch, 0, 1, script.made, NULL));
    batch->flush = true;
    return PS_DONE;
}

static void source_accepted(const void *p, void *state, const struct ps_batch *batch, const struct ps_now *at)
{
    script.accepted += batch->count;
}

static void source_delivered(const void *p, void *state, const struct ps_batch *batch,
                             const struct ps_now *at)
{
    script.delivered = batch->spans[0].position;
}

static void source_paused(const void *p, void *state, bool paused, const struct ps_now *at)
{
    script.paused += paused;
}

#define SOURCE(level)                                                                                        \
    {                                                                                                        \
        .needs = (level), .when_full = PS_WAIT, .work = source_work, .accepted = source_accepted,            \
        .delivered = source_delivered, .paused = source_paused                                               \
    }
static const struct ps_source_ops accepting_ops = SOURCE(PS_LEVEL_ACCEPTED);
static const struct ps_source_ops replayable_ops = SOURCE(PS_LEVEL_DELIVERED);
static const struct ps_stage_ops accepting = {
    .kind = PS_KIND_SOURCE, .name = "accepting", .source = &accepting_ops};
static const struct ps_stage_ops replayable = {
    .kind = PS_KIND_SOURCE, .name = "replayable", .source = &replayable_ops};

static char letter(const struct ps_lease *lease, uint32_t position)
{
    return ps_lease_event(lease, position)->body[0];
}

static enum ps_result chain_work(const void *p, void *state, struct ps_lease *lease, const struct ps_now *at)
{
    uint64_t keep[PS_BATCH_EVENTS_MAX / 64] = {0};
    for (uint32_t i = 0; i < lease->count; i++) {
        uint16_t row = ps_lease_row(lease, i);
        keep[row / 64] |= (uint64_t)(letter(lease, i) != 'd') << (row % 64);
    }
    return ps_lease_filter_bits(lease, keep) ? PS_DONE : PS_RETRY;
}

static enum ps_result select_work(const void *p, void *state, const struct ps_lease *lease,
                                  struct ps_route *route, const struct ps_now *at)
{
    for (uint32_t i = 0; i < lease->count; i++) {
        if (letter(lease, i) == 'a' || letter(lease, i) == 'b')
            ps_route_row(route, 0, true, ps_lease_row(lease, i));
        if (letter(lease, i) == 'b' || letter(lease, i) == 'o')
            ps_route_row(route, 1, false, ps_lease_row(lease, i));
    }
    return PS_DONE;
}

static void settle_lease(struct ps_lease *lease, char *settled)
{
    for (uint32_t i = 0; i < lease->count; i++)
        snprintf(settled + strlen(settled), 2, "%c", letter(lease, i));
    ps_lease_settle_all(lease);
}

static enum ps_result first_work(const void *p, void *state, struct ps_lease **lease, const struct ps_now *at)
{
    if (script.first_answer == PS_DONE)
        settle_lease(*lease, script.first);
    return script.first_answer;
}

static enum ps_status second_open(const void *p, void *state, struct ps_port *port, struct ps_err *err)
{
    script.second_port = port;
    if (script.second_open_failures == 0)
        return PS_OK;
    script.second_open_failures--;
    return ps_err_set(err, "not yet");
}

static enum ps_result second_work(const void *p, void *state, struct ps_lease **lease,
                                  const struct ps_now *at)
{
    if (script.second_answer == PS_DONE) {
        settle_lease(*lease, script.second);
    } else if (script.second_answer == PS_TAKEN) {
        assert_true(script.kept_count < KEPT_MAX);
        script.kept[script.kept_count++] = *lease;
        *lease = NULL;
    }
    return script.second_answer;
}

static void settle_kept(void)
{
    for (unsigned i = 0; i < script.kept_count; i++) {
        settle_lease(script.kept[i], script.second);
        ps_port_done(script.second_port, &script.kept[i]);
    }
    script.kept_count = 0;
}

static bool second_recall(const void *p, void *state, struct ps_lease **back, const struct ps_now *at)
{
    struct ps_lease **end = back;
    for (unsigned i = 0; i < script.kept_count; i++) {
        *end = script.kept[i];
        end = &(*end)->next;
        *end = NULL;
    }
    script.kept_count = 0;
    return true;
}

static const struct ps_interceptor_ops chain_ops = {.work = chain_work};
static const struct ps_selector_ops select_ops = {.work = select_work};
static const struct ps_sink_ops first_ops = {.work = first_work};
static const struct ps_sink_ops second_ops = {.work = second_work, .recall = second_recall};
static const struct ps_stage_ops
    chain = {.kind = PS_KIND_INTERCEPTOR, .name = "chain", .interceptor = &chain_ops},
    by_letter = {.kind = PS_KIND_SELECTOR, .name = "by-letter", .selector = &select_ops},
    first = {.kind = PS_KIND_SINK, .name = "first", .sink = &first_ops},
    second = {.kind = PS_KIND_SINK, .name = "second", .open = second_open, .sink = &second_ops};

/* ---- helpers ---- */

static void start_with(bool is_accepting, unsigned workers, const char *capacity, const char *second_capacity)
{
    const struct ps_test_small_stages stages = {.source = is_accepting ? &accepting : &replayable,
                                                .interceptor = &chain,
                                                .sink = &first,
                                                .selector = &by_letter,
                                                .second_sink = &second,
                                                .second_capacity = second_capacity};
    unsigned open_failures = script.second_open_failures;
    enum ps_result answer = script.second_answer;
    ps_log_set_level(PS_LOG_OFF);
    memset(&script, 0, sizeof script);
    script.make = "";
    script.accepting = is_accepting;
    script.first_answer = PS_DONE;
    script.second_answer = answer;
    script.second_open_failures = open_failures;
    ps_test_small_agent_start(&agent, &stages, workers, capacity);
    ps_test_small_agent_settle(&agent);
}

static void start(bool is_accepting, unsigned workers, const char *second_capacity)
{
    start_with(is_accepting, workers, "1000", second_capacity);
}

/* Makes one batch and lets the agent run for 2 s: a second is the longest that an idle worker parks. */
static void make(const char *letters)
{
    script.make = letters;
    ps_test_small_agent_run(&agent, 2 * PS_NS_PER_S);
    assert_string_equal(script.make, "");
}

static uint64_t dropped(void)
{
    return ps_counter_read(ps_test_small_agent_source(&agent)->base.counters, PS_COUNTER_dropped);
}

/* Returns the batches in use, without the source's open one. */
static uint64_t batches_away(void)
{
    return ps_engine_batches_out(agent.engine) - (ps_test_small_agent_source(&agent)->batch != NULL);
}

/* All that was made is accepted and reported as delivered; the source never had to wait. */
static void assert_source_goes_on(void)
{
    assert_int_equal(script.accepted, script.made);
    assert_int_equal(script.delivered, script.accepting ? 0 : script.made);
    assert_int_equal(script.paused, 0);
    assert_false(ps_test_small_agent_source(&agent)->waiting);
}

/* ---- tests ---- */

/* The optional channel is full: its share of a batch is dropped, for good, and counted; the batch continues
 * immediately. When there is room again, later events get in. */
static void test_full(void **state)
{
    for (unsigned variant = 0; variant < 4; variant++) {
        script.second_answer = PS_LATER;
        start(variant & 1, variant & 2 ? 3 : 1, "16"); /* batches of at most 4 events */
        make("b");                                     /* offered to k2 */
        for (unsigned i = 0; i < 4; i++)
            make("bbbb"); /* in c2 */
        assert_int_equal(ps_test_small_agent_fill(&agent, 1), 16);
        assert_int_equal(dropped(), 0);
        make("abo");
        make("bbbb");
        make("o"); /* to no other channel */
        assert_int_equal(dropped(), 2 + 4 + 1);
        assert_int_equal(ps_test_small_agent_fill(&agent, 1), 16);
        assert_string_equal(script.first, "bbbbbbbbbbbbbbbbbabbbbb");
        assert_source_goes_on();
        const struct ps_counters *side = &agent.plan->channels[1].counters[0];
        assert_int_equal(ps_counter_read(side, PS_COUNTER_EventPutAttemptCount), 17 + 7);
        assert_int_equal(ps_counter_read(side, PS_COUNTER_EventPutSuccessCount), 17);
        assert_int_equal(batches_away(), 5); /* the leases of k2 and c2; the others were returned */
        script.second_answer = PS_DONE;
        ps_test_small_agent_run(&agent, 2 * PS_NS_PER_S);
        assert_string_equal(script.second, "bbbbbbbbbbbbbbbbb");
        assert_int_equal(batches_away(), 0);
        make("ob");
        assert_string_equal(script.second, "bbbbbbbbbbbbbbbbbob");
        assert_int_equal(dropped(), 7);
        assert_source_goes_on();
        ps_test_small_agent_stop(&agent, true);
    }
}

/* A batch that a sink of an optional channel holds does not hold back the position, nor a later one. */
static void test_held(void **state)
{
    script.second_answer = PS_TAKEN;
    start(false, 2, "100");
    make("b");
    make("ob");
    make("a");
    assert_int_equal(script.kept_count, 2);
    assert_source_goes_on();
    assert_int_equal(batches_away(), 2);
    settle_kept();
    ps_test_small_agent_settle(&agent);
    assert_int_equal(batches_away(), 0);
    assert_string_equal(script.second, "bob");
    make("b"); /* held at the end: given back, and given up by the stop */
    assert_int_equal(script.kept_count, 1);
    ps_test_small_agent_stop(&agent, false);
    assert_string_equal(script.second, "bob");
}

/* The sink of the optional channel does not open for a while, then rolls back: c2 loses only the events for which it
 * had no room. */
static void test_failing(void **state)
{
    script.second_open_failures = 4;
    script.second_answer = PS_RETRY;
    start(true, 1, "2");
    make("b");
    make("b");
    make("b"); /* no room */
    ps_test_small_agent_run(&agent, 60 * PS_NS_PER_S);
    assert_int_equal(dropped(), 1);
    assert_string_equal(script.first, "bbb");
    assert_string_equal(script.second, "");
    assert_int_equal(ps_test_small_agent_fill(&agent, 1), 2);
    assert_source_goes_on();
    script.second_answer = PS_DONE;
    ps_test_small_agent_run(&agent, 6 * PS_NS_PER_S);
    assert_string_equal(script.second, "bb");
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(script.second_open_failures, 0);
}

/* The required channel is full: the source waits, and the optional one gets its share once, immediately. */
static void test_required_is_full(void **state)
{
    for (unsigned is_accepting = 0; is_accepting < 2; is_accepting++) {
        script.second_answer = PS_DONE;
        start_with(is_accepting, 2, "8", "1000"); /* batches of at most 2 events */
        script.first_answer = PS_LATER;
        make("a"); /* offered to k1 */
        for (unsigned i = 0; i < 4; i++)
            make("ao"); /* fills c1 with one event each */
        make("aa");
        make("aa");
        assert_int_equal(ps_test_small_agent_fill(&agent, 0), 8);
        assert_int_equal(script.paused, 0);
        make("ab");
        assert_int_equal(script.paused, 1);
        assert_int_equal(ps_test_small_agent_fill(&agent, 0), 8);
        assert_string_equal(script.second, "oooob");
        ps_test_small_agent_run(&agent, 10 * PS_NS_PER_S);
        assert_string_equal(script.second, "oooob");
        assert_int_equal(script.delivered, 0);
        assert_int_equal(script.accepted, script.made - 2);
        script.first_answer = PS_DONE;
        ps_test_small_agent_run(&agent, 2 * PS_NS_PER_S);
        assert_string_equal(script.first, "aaaaaaaaaab");
        assert_string_equal(script.second, "oooob");
        assert_int_equal(script.accepted, script.made);
        assert_int_equal(dropped(), 0);
        ps_test_small_agent_stop(&agent, true);
    }
}

/* Events that go nowhere are counted once, whether the interceptor drops them, the selector gives them no route, or the
 * optional channel is full; a batch of nothing else is accepted. */
static void test_dropped(void **state)
{
    static const struct {
        const char *letters;
        unsigned dropped;
    } batches[] = {{"a", 0},  {"n", 1},     {"d", 1},   {"nnn", 3},     {"dd", 2},
                   {"dn", 2}, {"andbn", 3}, {"nod", 2}, {"aadnnbb", 3}, {"o", 0}};
    for (unsigned is_accepting = 0; is_accepting < 2; is_accepting++) {
        uint64_t expected = 0;
        script.second_answer = PS_DONE;
        start(is_accepting, 1, "1000");
        for (size_t i = 0; i < PS_COUNT_OF(batches); i++) {
            make(batches[i].letters);
            expected += batches[i].dropped;
            assert_int_equal(dropped(), expected);
            assert_source_goes_on();
        }
        assert_string_equal(script.first, "aabaabb");
        assert_string_equal(script.second, "bobbo");
        assert_int_equal(batches_away(), 0);
        ps_test_small_agent_stop(&agent, true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full),    cmocka_unit_test(test_held),
        cmocka_unit_test(test_failing), cmocka_unit_test(test_required_is_full),
        cmocka_unit_test(test_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
