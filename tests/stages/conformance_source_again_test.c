/* Every source that answers its clients has batches refused and accepted in turn. The second and third refusal are like the first: the
 * same answer, the same memory, descriptors and connections, and the next event is accepted as before. At the end nothing is open. */
#include "tests/support/conformance.h"
#include "tests/support/conformance_sources.h"

#include <stdio.h>
#include <unistd.h>

#define ROUNDS 3U
#define ANSWER_BYTES 4096U

/* One outcome, as seen from outside. */
struct picture {
    size_t answer_length;
    char answer[ANSWER_BYTES];
    uint64_t used_bytes, connections;
    unsigned fds;
};

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
    const uint64_t until = ps_test_patient_ns() + PS_TEST_PATIENCE_MS * PS_NS_PER_MS;
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

/* Works without closing the batch, until it has this number of events. */
static void fill(struct ps_test_stage *stage, uint32_t count)
{
    const struct ps_source_ops *ops = stage->ops->source;
    uint64_t until = ps_test_patient_ns() + PS_TEST_PATIENCE_MS * PS_NS_PER_MS;
    while (stage->batch == NULL || stage->batch->count < count) {
        if (ps_test_patient_ns() > until)
            fail_msg("%s: %u events came, not %u", stage->ops->name,
                     stage->batch != NULL ? stage->batch->count : 0, count);
        if (ops->tick != NULL)
            (void)ops->tick(stage->plan, stage->state, &stage->now);
        ps_test_source_read(stage);
        ps_test_stage_pass_ms(stage, 1);
        usleep(1000);
    }
    assert_int_equal(stage->batch->count, count);
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
        now->fds != first->fds || now->used_bytes > first->used_bytes)
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
    fill(stage, 1);
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
        if (adapter->ops->source->refused == NULL || adapter->send == NULL || adapter->joins ||
            adapter->answers_elsewhere)
            continue;
        static struct picture refused[ROUNDS], taken[ROUNDS];
        struct ps_test_stage stage;
        start(adapter, &stage);
        take_one(adapter, &stage, 19, &taken[0], NULL); /* with the connection's greeting */
        for (unsigned round = 0; round < ROUNDS; round++) {
            adapter->send(REFUSED);
            fill(&stage, 1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_refused_and_taken_in_turns)};
    return cmocka_run_group_tests(tests, ps_test_sources_start, ps_test_sources_stop);
}
