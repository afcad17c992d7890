/* Every source that answers its clients has batches refused and accepted in turn. The second and third refusal are like the first: the
 * same answer, the same memory, descriptors and connections, and the next event is accepted as before. The other sources have a full
 * channel, and those that read files or ask a server have failures of these, in the same way. At the end nothing is open. */
#define PS_TEST_CALLS_OF_ALL_THREADS

#include "tests/stages/conformance_source.h"
#include "tests/support/system_calls.h"

#include <limits.h>

#define ROUNDS 3U
#define ANSWER_BYTES 4096U
#define TURN_EVENTS 10U /* of each batch */
#define FAILING_CALLS 3U
#define FULL_MS 50U     /* time for which a channel is full */
#define QUIET_TURNS 20U /* after a round, for files that are open for a moment */
#define ROUNDS_MAX 10U  /* a round may be slow because a thread had no CPU; not each of them */
#define PHASE_MS 2000U  /* by which the source's timers may differ from those of the first round */

/* What a source counts in each round alike; others depend on how many reads an event came in. */
static const enum ps_counter counters[] = {
    PS_COUNTER_EventReceivedCount,  PS_COUNTER_EventReadFail, PS_COUNTER_GenericProcessingFail,
    PS_COUNTER_OpenConnectionCount, PS_COUNTER_malformed,     PS_COUNTER_dropped,
    PS_COUNTER_duplicated,          PS_COUNTER_failures};

/* One outcome, as seen from outside. */
struct picture {
    size_t answer_length;
    char answer[ANSWER_BYTES];
    uint64_t used_bytes, connections;
    unsigned fds;
    uint64_t ms;                            /* of the fake clock, until the events came */
    uint64_t counts[PS_COUNT_OF(counters)]; /* by this round */
};

/* Returns whether the source answers clients of the test. */
static bool answers(const struct ps_test_source_adapter *adapter)
{
    return adapter->ops->source->refused != NULL && adapter->send != NULL && adapter->asked_elsewhere == NULL;
}

static bool waits(const struct ps_test_source_adapter *adapter)
{
    return adapter->ops->source->refused == NULL && adapter->send != NULL && adapter->asked_elsewhere == NULL;
}

static void test_all_are_asked(void **unused)
{
    for (size_t i = 0; i < ps_test_source_adapter_count; i++) {
        const struct ps_test_source_adapter *adapter = &ps_test_source_adapters[i];
        if (adapter->asked_elsewhere != NULL)
            ps_test_asked_elsewhere(adapter->ops, adapter->asked_elsewhere);
        else if (!answers(adapter) && !waits(adapter))
            fail_msg("%s: nobody sends it events: set send or asked_elsewhere in "
                     "tests/support/conformance_sources.c",
                     adapter->ops->name);
    }
}

static void start(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage)
{
    ps_test_source_delivered = 0;
    if (adapter->prepare != NULL)
        adapter->prepare();
    ps_test_stage_start(stage, adapter->ops, adapter->keys);
    if (adapter->begin != NULL)
        adapter->begin(adapter, stage);
}

static void finish(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage)
{
    if (adapter->end != NULL)
        adapter->end();
    const uint64_t until = ps_test_patience_end_ns();
    for (unsigned turn = 0; ps_test_stage_counter(stage, PS_COUNTER_OpenConnectionCount) > 0; turn++) {
        if (turn >= 200 && ps_test_patient_ns() > until)
            break;
        (void)ps_test_source_work(stage);
        ps_test_stage_pass_ms(stage, turn < 200 ? 10 : 0); /* no time-out of the source ends the connection */
        usleep(1000);
    }
    ps_test_source_close_batch(stage);
    assert_int_equal(ps_test_stage_counter(stage, PS_COUNTER_OpenConnectionCount), 0);
    ps_test_stage_close_all(stage);
    ps_test_stage_fini(stage);
}

/* Works without closing the batch, until it has this number of events. Returns the time by the source's clock, which moves by `step_ms`
 * in each turn. */
static uint64_t fill(struct ps_test_stage *stage, uint32_t count, unsigned step_ms)
{
    const struct ps_source_ops *ops = stage->ops->source;
    uint64_t until = ps_test_patience_end_ns(), ms = 0;
    while (stage->batch == NULL || stage->batch->count < count) {
        if (ps_test_patient_ns() > until)
            fail_msg("%s: %u events came, not %u", stage->ops->name,
                     stage->batch != NULL ? stage->batch->count : 0, count);
        if (ops->tick != NULL)
            (void)ops->tick(stage->plan, stage->state, &stage->now);
        ps_test_source_read(stage);
        ps_test_stage_pass_ms(stage, step_ms);
        ms += step_ms;
        usleep(step_ms == 1 ? 1000 : 200);
    }
    assert_int_equal(stage->batch->count, count);
    return ms;
}

/* Reads the answer to the last batch, if the source gives one: waits until it is as long as that to the first batch, which is NULL for the
 * first one itself. */
static void take_answer(struct ps_test_stage *stage, struct picture *picture, const struct picture *first)
{
    picture->answer_length = 0;
    const uint64_t until =
        ps_test_patient_ns() + (first != NULL ? PS_TEST_PATIENCE_MS : 50) * (uint64_t)PS_NS_PER_MS;
    for (unsigned turn = 0; turn < 50 || ps_test_patient_ns() < until; turn++) {
        if (turn >= 50 && first != NULL && picture->answer_length >= first->answer_length)
            break;
        (void)ps_test_source_work(stage);
        ps_test_stage_pass_ms(stage, turn < 50);
        usleep(200);
        picture->answer_length += ps_test_source_answer(picture->answer + picture->answer_length,
                                                        ANSWER_BYTES - picture->answer_length);
    }
    assert_true(stage->batch == NULL || stage->batch->count == 0);
}

/* Two answers to the same request differ in their date alone. */
static void mask_date(struct picture *picture)
{
    static const char name[] = "\r\nDate: ";
    char *end = picture->answer + picture->answer_length,
         *at = memmem(picture->answer, picture->answer_length, name, sizeof name - 1);
    if (at == NULL)
        return;
    for (at += sizeof name - 1; at < end && *at != '\r'; at++)
        *at = '#';
}

static void look(struct ps_test_stage *stage, struct picture *picture)
{
    ps_test_source_close_batch(stage);
    mask_date(picture);
    picture->used_bytes = ps_depot_used_bytes(stage->depot);
    picture->connections = ps_test_stage_counter(stage, PS_COUNTER_OpenConnectionCount);
    picture->fds = ps_test_open_fds();
}

static void assert_same(const struct ps_test_stage *stage, const struct picture *now,
                        const struct picture *first, const char *what, unsigned round)
{
    if (now->answer_length != first->answer_length || now->connections != first->connections ||
        now->fds > first->fds || now->used_bytes > first->used_bytes)
        fail_msg("%s, %s, round %u: %zu bytes of answer, %llu connections, %u descriptors, %llu bytes; in "
                 "the first one %zu, %llu, %u, %llu",
                 stage->ops->name, what, round, now->answer_length, (unsigned long long)now->connections,
                 now->fds, (unsigned long long)now->used_bytes, first->answer_length,
                 (unsigned long long)first->connections, first->fds, (unsigned long long)first->used_bytes);
    for (size_t i = 0; i < now->answer_length; i++) {
        if (now->answer[i] != first->answer[i])
            fail_msg("%s, %s, round %u: the answer differs from the first one from byte %zu on: \"%.*s\", "
                     "not \"%.*s\"",
                     stage->ops->name, what, round, i, (int)(now->answer_length - i), now->answer + i,
                     (int)(now->answer_length - i), first->answer + i);
    }
}

/* Sends one event, which is accepted. */
static void take_one(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage,
                     unsigned number, struct picture *picture, const struct picture *first)
{
    adapter->send(number);
    (void)fill(stage, 1, 1);
    ps_test_source_close_batch(stage);
    assert_int_equal(stage->event_count, 1);
    adapter->expect(&stage->events[0], number);
    ps_test_source_clear(stage);
    take_answer(stage, picture, first);
}

#define REFUSED 20U
#define TAKEN 21U

/* Batches are refused and accepted in turn: each refusal has the same answer, and so has each acceptance. The requests of all rounds are
 * the same, with the number that a protocol's answer repeats. */
static void test_refused_and_taken_in_turns(void **unused)
{
    for (size_t i = 0; i < ps_test_source_adapter_count; i++) {
        const struct ps_test_source_adapter *adapter = &ps_test_source_adapters[i];
        if (!answers(adapter))
            continue;
        static struct picture refused[ROUNDS], taken[ROUNDS];
        struct ps_test_stage stage;
        start(adapter, &stage);
        take_one(adapter, &stage, 19, &taken[0], NULL); /* with the connection's greeting */
        for (unsigned round = 0; round < ROUNDS; round++) {
            adapter->send(REFUSED);
            (void)fill(&stage, 1, 1);
            ps_test_source_refuse_batch(&stage, "the channel is full");
            take_answer(&stage, &refused[round], round > 0 ? &refused[0] : NULL);
            assert_true(refused[round].answer_length > 0);
            look(&stage, &refused[round]);
            assert_same(&stage, &refused[round], &refused[0], "refused", round);
            take_one(adapter, &stage, TAKEN, &taken[round], round > 0 ? &taken[0] : NULL);
            look(&stage, &taken[round]);
            assert_same(&stage, &taken[round], &taken[0], "taken", round);
        }
        finish(adapter, &stage);
    }
}

/* ---- sources that answer nobody ---- */

/* Reads the batch of events that begins with this one, and delivers it. */
static void deliver_next(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage,
                         unsigned first_event)
{
    ps_test_source_close_batch(stage);
    assert_int_equal(stage->event_count, TURN_EVENTS);
    for (unsigned i = 0; i < TURN_EVENTS; i++)
        adapter->expect(&stage->events[i], first_event + i);
    ps_test_source_clear(stage);
    ps_test_source_delivered = first_event + TURN_EVENTS;
    if (adapter->position != NULL)
        await_position(adapter, stage, true, ps_test_source_delivered);
}

/* The channel is full, with a batch that waits for it; more events come meanwhile. */
static void wait_for_channel(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage,
                             unsigned first_event)
{
    const struct ps_source_ops *ops = stage->ops->source;
    if (ops->paused != NULL)
        ops->paused(stage->plan, stage->state, true, &stage->now);
    give(adapter, first_event, TURN_EVENTS);
    for (unsigned i = 0; i < FULL_MS; i++) {
        if (ops->tick != NULL)
            (void)ops->tick(stage->plan, stage->state, &stage->now);
        ps_test_stage_pass_ms(stage, 1);
        usleep(1000);
    }
    if (ops->paused != NULL)
        ops->paused(stage->plan, stage->state, false, &stage->now);
}

static void refuse(const struct ps_test_source_adapter *adapter)
{
    ps_test_call_broken = adapter->failing_call;
    ps_test_call_broken_left = FAILING_CALLS;
    ps_test_calls_count = adapter->failing_call != NULL;
    if (adapter->refuse != NULL)
        adapter->refuse();
}

static bool has_refused(const struct ps_test_source_adapter *adapter)
{
    ps_test_calls_count = false;
    return adapter->refuse != NULL ? adapter->refused() : ps_test_call_broken == NULL;
}

/* Looks when no file is open for a moment only: the first time at the least of some looks, later when there is no more than at first. */
static void look_when_quiet(struct ps_test_stage *stage, struct picture *now, const struct picture *first)
{
    const struct ps_source_ops *ops = stage->ops->source;
    uint64_t until = ps_test_patience_end_ns();
    unsigned least = now == first ? UINT_MAX : first->fds;
    look(stage, now);
    for (unsigned turn = 0; turn < QUIET_TURNS || (now->fds > least && ps_test_patient_ns() < until);
         turn++) {
        if (ops->tick != NULL)
            (void)ops->tick(stage->plan, stage->state, &stage->now);
        ps_test_stage_pass_ms(stage, 1);
        usleep(1000);
        unsigned fds = ps_test_open_fds();
        now->fds = fds < now->fds ? fds : now->fds;
    }
}

/* Reads a batch for which the source has to try again (`fails`), and one that comes while the channel is full. Returns the
 * number of the next event. */
static unsigned pass_round(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage,
                           unsigned first_event, bool fails, struct picture *now, const struct picture *first)
{
    now->answer_length = 0;
    for (size_t i = 0; i < PS_COUNT_OF(counters); i++)
        now->counts[i] = ps_test_stage_counter(stage, counters[i]);
    if (fails)
        refuse(adapter);
    give(adapter, first_event, TURN_EVENTS);
    now->ms = fill(stage, TURN_EVENTS, fails && adapter->rest_step_ms > 0 ? adapter->rest_step_ms : 1);
    if (fails)
        assert_true(has_refused(adapter));
    wait_for_channel(adapter, stage, first_event + TURN_EVENTS);
    deliver_next(adapter, stage, first_event);
    now->ms += fill(stage, TURN_EVENTS, 1);
    deliver_next(adapter, stage, first_event + TURN_EVENTS);
    look_when_quiet(stage, now, first);
    assert_same(stage, now, first, "waiting", first_event / TURN_EVENTS / 2);
    for (size_t i = 0; i < PS_COUNT_OF(counters); i++) {
        now->counts[i] = ps_test_stage_counter(stage, counters[i]) - now->counts[i];
        if (now->counts[i] != first->counts[i])
            fail_msg("%s: %s grows by %llu at first, then by %llu", stage->ops->name,
                     ps_counter_name(counters[i]), (unsigned long long)first->counts[i],
                     (unsigned long long)now->counts[i]);
    }
    return first_event + 2 * TURN_EVENTS;
}

/* The channel is full several times, and the files or the server fail several times: each time the same events come, after no longer a
 * rest, with the same memory and counters. */
static void test_waits_in_turns(void **unused)
{
    for (size_t i = 0; i < ps_test_source_adapter_count; i++) {
        const struct ps_test_source_adapter *adapter = &ps_test_source_adapters[i];
        bool fails = adapter->failing_call != NULL || adapter->refuse != NULL;
        struct ps_test_stage stage;
        static struct picture warm, first, later;
        if (!waits(adapter))
            continue;
        print_message("%s\n", adapter->ops->name);
        start(adapter, &stage);
        unsigned sent = pass_round(adapter, &stage, 0, false, &warm, &warm);
        sent = pass_round(adapter, &stage, sent, fails, &first, &first);
        unsigned rounds = 1;
        do
            sent = pass_round(adapter, &stage, sent, fails, &later, &first);
        while (++rounds < ROUNDS || (later.ms > 2 * first.ms + PHASE_MS && rounds < ROUNDS_MAX));
        if (later.ms > 2 * first.ms + PHASE_MS)
            fail_msg("%s: the events came after %llu ms at first, and after %llu ms in round %u",
                     adapter->ops->name, (unsigned long long)first.ms, (unsigned long long)later.ms, rounds);
        finish(adapter, &stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_are_asked),
                                       cmocka_unit_test(test_refused_and_taken_in_turns),
                                       cmocka_unit_test(test_waits_in_turns)};
    return cmocka_run_group_tests(tests, ps_test_sources_start, ps_test_sources_stop);
}
