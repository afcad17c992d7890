/* Dead letters into a channel, with stages of the test's own: an event that is given up arrives once at that channel's
 * sink; while the channel is full no event is settled and no worker spins; a stop counts each event once. */
#include "core/log/log.h"
#include "tests/support/letter_source.h"

#include <stdio.h>
#include <stdlib.h>

static struct {
    unsigned attempts;
    uint64_t tried_ns[16];
    bool closed;    /* the sink of the letters takes nothing */
    bool sound;     /* the sink also delivers an 'x' */
    bool settles;   /* before it fails the sink settles the other events */
    uint32_t large; /* the last letter's body, if that is longer than a byte */
    char delivered[64], letters[64];
    unsigned delivered_count, letter_count;
} script;

static struct ps_test_small_agent agent;

static bool is_bad(const struct ps_lease *lease, uint32_t position)
{
    return !script.sound && ps_lease_event(lease, position)->body[0] == 'x';
}

/* Fails with a lease that has an 'x' in it. */
static enum ps_result sink_work(const void *p, void *state, struct ps_lease **lease, const struct ps_now *at)
{
    bool fails = false;
    for (uint32_t i = 0; i < (*lease)->count; i++)
        fails |= is_bad(*lease, i);
    for (uint32_t i = 0; i < (*lease)->count && (!fails || script.settles); i++) {
        if (is_bad(*lease, i) || ps_lease_is_settled(*lease, i))
            continue;
        script.delivered[script.delivered_count++] = ps_lease_event(*lease, i)->body[0];
        ps_lease_settle(*lease, i);
    }
    if (!fails)
        return PS_DONE;
    assert_in_range(script.attempts, 0, PS_COUNT_OF(script.tried_ns) - 1);
    script.tried_ns[script.attempts++] = at->mono_ns;
    return PS_RETRY;
}

static const struct ps_sink_ops sink_ops = {.work = sink_work};
static const struct ps_stage_ops sink = {.kind = PS_KIND_SINK, .name = "sink", .sink = &sink_ops};

static void expect_header(const struct ps_batch *batch, const struct ps_event *event, const char *name,
                          const char *value)
{
    struct ps_slice found;
    assert_true(ps_event_header(batch, event, ps_name_intern(name), &found));
    assert_int_equal(found.length, strlen(value));
    assert_memory_equal(found.data, value, found.length);
}

/* Each letter names the component that gave the event up, the reason and the number of attempts; no event was a letter before. */
static enum ps_result letters_work(const void *p, void *state, struct ps_lease **lease,
                                   const struct ps_now *at)
{
    if (script.closed)
        return PS_RETRY;
    for (uint32_t i = 0; i < (*lease)->count; i++) {
        const struct ps_event *event = ps_lease_event(*lease, i);
        const struct ps_batch *batch = (*lease)->batch;
        bool of_source = event->body[0] == '!';
        if (event->body_length > 1)
            script.large = event->body_length;
        expect_header(batch, event, "penstock.deadletter.agent", "a1");
        expect_header(batch, event, "penstock.deadletter.component", of_source ? "source r1" : "sink k1");
        expect_header(batch, event, "penstock.deadletter.reason",
                      of_source ? "malformed" : "attempts-exhausted");
        expect_header(batch, event, "penstock.deadletter.attempts", of_source ? "0" : "3");
        expect_header(batch, event, "penstock.deadletter.count", "1");
        script.letters[script.letter_count++] = event->body[0];
    }
    ps_lease_settle_all(*lease);
    return PS_DONE;
}

static const struct ps_sink_ops letters_ops = {.work = letters_work};
static const struct ps_stage_ops letters = {.kind = PS_KIND_SINK, .name = "letters", .sink = &letters_ops};

static void start(unsigned workers, const char *capacity)
{
    const struct ps_test_small_stages stages = {.source = &ps_test_letter_source,
                                                .interceptor = &ps_test_letter_chain,
                                                .sink = &sink,
                                                .second_sink = &letters,
                                                .second_capacity = capacity,
                                                .letters = true};
    memset(&script, 0, sizeof script);
    ps_test_letters = (struct ps_test_letter_script){0};
    ps_test_small_agent_start(&agent, &stages, workers, "100");
    agent.plan->spec->sinks[0].common =
        (struct ps_sink_common){.retry_max = 3, .backoff_step_ms = 100, .backoff_max_ms = 150};
}

static void feed(const char *bodies)
{
    ps_test_letter_feed(&agent, bodies);
}

static uint64_t counted(const struct ps_counters *counters, enum ps_counter counter)
{
    return ps_counter_read(counters, counter);
}

static void run(void)
{
    ps_test_small_agent_run(&agent, 10 * PS_NS_PER_S);
}

/* Each letter is put once, and its put counts as one attempt, however often the channel had no room. */
static void expect_puts(uint64_t attempts, uint64_t successes)
{
    const struct ps_channel_plan *channel = &agent.plan->channels[1];
    uint64_t attempted = 0, succeeded = 0;
    for (unsigned i = 0; i < channel->producer_count; i++) {
        attempted += counted(&channel->counters[i], PS_COUNTER_EventPutAttemptCount);
        succeeded += counted(&channel->counters[i], PS_COUNTER_EventPutSuccessCount);
    }
    assert_int_equal(attempted, attempts);
    assert_int_equal(succeeded, successes);
}

static void test_letters_arrive(void **state)
{
    for (unsigned workers = 1; workers <= 3; workers++) {
        start(workers, "100");
        feed("ab");
        feed("cx!");
        feed("!de");
        run();
        assert_int_equal(script.attempts, 3);
        assert_string_equal(script.delivered, "abde");
        assert_int_equal(ps_test_letters.accepted, 6);
        assert_int_equal(script.letter_count, 4);
        expect_puts(4, 4);
        const struct ps_counters *sink_counters = ps_test_small_agent_sink(&agent)->base.counters;
        assert_int_equal(counted(sink_counters, PS_COUNTER_deadletter), 2);
        assert_int_equal(counted(sink_counters, PS_COUNTER_EventDrainSuccessCount), 4);
        assert_int_equal(counted(ps_test_small_agent_source(&agent)->base.counters, PS_COUNTER_deadletter),
                         2);
        assert_int_equal(ps_test_small_agent_fill(&agent, 0), 0);
        assert_int_equal(ps_test_small_agent_fill(&agent, 1), 0);
        ps_test_small_agent_stop(&agent, true);
        assert_int_equal(agent.lost.events, 0);
    }
}

/* penstock.retry.max, .backoff and .backoff.max: each lease has all its attempts, and backs off as long as the one before. */
static void test_each_lease_is_tried(void **state)
{
    start(1, "100");
    for (unsigned lease = 1; lease <= 3; lease++) {
        feed("x");
        run();
        assert_int_equal(script.attempts, 3 * lease);
        const uint64_t *tried_ns = &script.tried_ns[3 * (lease - 1)];
        assert_int_equal(tried_ns[1] - tried_ns[0], 100 * PS_NS_PER_MS);
        assert_int_equal(tried_ns[2] - tried_ns[1], 150 * PS_NS_PER_MS);
        expect_puts(lease, lease);
    }
    assert_string_equal(script.letters, "xxx");
    ps_test_small_agent_stop(&agent, true);
}

/* Attempts are those in a row with one lease: failures before a delivery count for nothing, and the backoffs start again at the
 * first. */
static void test_attempts_in_a_row(void **state)
{
    start(1, "100");
    for (unsigned round = 0; round < 2; round++) {
        unsigned before = script.attempts;
        feed("x");
        while (script.attempts < before + 2)
            ps_test_small_agent_advance(&agent);
        script.sound = true;
        run();
        assert_int_equal(script.attempts, before + 2);
        assert_int_equal(script.letter_count, round);
        script.sound = false;
        feed("x");
        run();
        assert_int_equal(script.attempts, before + 5);
        const uint64_t *tried_ns = &script.tried_ns[before + 2];
        assert_int_equal(tried_ns[1] - tried_ns[0], 100 * PS_NS_PER_MS);
        assert_int_equal(tried_ns[2] - tried_ns[1], 150 * PS_NS_PER_MS);
        assert_int_equal(script.letter_count, round + 1);
    }
    assert_string_equal(script.delivered, "xx");
    assert_int_equal(counted(ps_test_small_agent_sink(&agent)->base.counters, PS_COUNTER_deadletter), 2);
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(agent.lost.events, 0);
}

/* A lease was delivered in part: only the rest becomes dead letters, and is counted as such. */
static void test_delivered_in_part(void **state)
{
    start(1, "1");
    script.settles = true;
    feed("axbxc");
    run();
    assert_int_equal(script.attempts, 3);
    assert_string_equal(script.delivered, "abc");
    assert_string_equal(script.letters, "xx");
    const struct ps_counters *counters = ps_test_small_agent_sink(&agent)->base.counters;
    assert_int_equal(counted(counters, PS_COUNTER_deadletter), 2);
    assert_int_equal(counted(counters, PS_COUNTER_EventDrainSuccessCount), 3);
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(agent.lost.events, 0);
}

/* The channel of the letters has room for one: further letters wait. */
static void test_full_channel(void **state)
{
    start(2, "1");
    script.closed = true;
    feed("xxx");
    feed("b");
    run();
    assert_int_equal(script.attempts, 3);
    assert_int_equal(ps_test_small_agent_fill(&agent, 1), 1);
    assert_non_null(ps_test_small_agent_sink(&agent)->offered);
    assert_int_equal(ps_test_small_agent_sink(&agent)->offered->settled, 1);
    assert_string_equal(script.delivered, "");
    assert_int_equal(counted(ps_test_small_agent_sink(&agent)->base.counters, PS_COUNTER_deadletter), 1);
    expect_puts(2, 1);
    script.closed = false;
    run();
    expect_puts(3, 3);
    assert_string_equal(script.letters, "xxx");
    assert_string_equal(script.delivered, "b");
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(agent.lost.events, 0);
}

/* A sink gives up an event of half the memory budget. The event and its letter are in memory together, so the letter's
 * body is cut until both have room. */
static void test_large_event(void **state)
{
    start(1, "100");
    uint64_t budget = agent.plan->block_budget_bytes;
    char *body = malloc(budget / 2);
    assert_non_null(body);
    memset(body, 'x', budget / 2);
    ps_test_letters.large = body;
    ps_test_letters.large_length = (uint32_t)(budget / 2);
    feed("");
    run();
    assert_int_equal(script.attempts, 3);
    assert_string_equal(script.letters, "x");
    assert_in_range(script.large, budget / 4, budget / 2 - 1);
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(agent.lost.events, 0);
    free(body);
}

/* No client gets an answer before the channel has the letters. */
static void test_source_waits(void **state)
{
    start(1, "1");
    script.closed = true;
    feed("a!!!b");
    run();
    assert_int_equal(ps_test_letters.accepted, 0);
    assert_string_equal(script.delivered, "");
    script.closed = false;
    run();
    assert_int_equal(ps_test_letters.accepted, 2);
    assert_string_equal(script.delivered, "ab");
    assert_string_equal(script.letters, "!!!");
    ps_test_small_agent_stop(&agent, true);
}

/* A stop that does not wait: the letter in its channel, and the events that are in none, are each counted
 * once. Events that the source gave up and its channel did not take are counted as well. */
static void test_stop_counts_once(void **state)
{
    start(2, "1");
    script.closed = true;
    feed("xxxx");
    run();
    ps_test_small_agent_stop(&agent, false);
    assert_int_equal(agent.lost.events, 4);
    assert_int_equal(script.letter_count, 0);
    start(2, "1");
    script.closed = true;
    feed("!!!");
    run();
    ps_test_small_agent_stop(&agent, false);
    assert_int_equal(agent.lost.events, 3);
}

/* A stop waits for the letters as for everything else. */
static void test_stop_waits(void **state)
{
    start(3, "100");
    feed("x!");
    ps_test_small_agent_stop(&agent, true);
    assert_int_equal(script.letter_count + agent.lost.events, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters_arrive),    cmocka_unit_test(test_each_lease_is_tried),
        cmocka_unit_test(test_attempts_in_a_row), cmocka_unit_test(test_delivered_in_part),
        cmocka_unit_test(test_full_channel),      cmocka_unit_test(test_source_waits),
        cmocka_unit_test(test_large_event),       cmocka_unit_test(test_stop_counts_once),
        cmocka_unit_test(test_stop_waits),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
