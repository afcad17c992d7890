/* The steps of a commit of the native client, against a broker that keeps transactions: a commit that begins before the producer has
 * its id, an answer that comes after the commit was withdrawn, how much memory the next transaction has, and positions of a topic that
 * was deleted. */
#include "tests/support/kafka/transaction_run.h"

/* Takes batches and ticks until a commit is under way. The broker answers none of the commit's requests; `served`: it answers those
 * before the commit. */
static void begin_commit(struct run *run, bool served)
{
    struct ps_test_stage *stage = &run->stage;
    for (unsigned turns = 0; run->sender->transaction.phase != PS_KAFKA_TRANSACTION_COMMITTING; turns++) {
        assert_in_range(turns, 0, 1000);
        if (served && run->waiting_from < run->waiting_end)
            (void)ps_test_coordinator_serve(run->broker);
        if (run->waiting_from < run->waiting_end && (!served || turns > 200))
            run->waiting_from +=
                ps_kafka_sender_take(run->sender, &run->waiting[run->waiting_from], &stage->now) == PS_TAKEN;
        (void)ps_kafka_sender_tick(run->sender, &stage->now);
        ps_test_stage_pass_ms(stage, 2);
        usleep(served ? 100 : 0);
    }
    for (unsigned turns = 0; turns < 5; turns++) {
        (void)ps_kafka_sender_tick(run->sender, &stage->now);
        ps_test_stage_pass_ms(stage, 2);
    }
}

/* A batch without events is committed before the producer has its id, and so before its protocol is known. */
static void test_commit_before_the_protocol(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(&run, seed, 0);
        open_source(&run);
        read_dropped(&run, 0);
        begin_commit(&run, false);
        serve_until(&run, 1, 5000);
        assert_int_equal(ps_test_coordinator_offset(run.broker, 0), 1);
        end(&run);
    }
}

static void on_withdrawn_end(void *argument, const struct ps_kafka_end *end)
{
    fail_msg("a commit that was withdrawn has ended: %s", end->text);
}

/* The answer to a step comes after the commit was withdrawn: no other step follows. */
static void test_answer_after_withdrawal(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(&run, seed, 0);
        open_source(&run);
        read_dropped(&run, 0);
        begin_commit(&run, true);
        assert_true(ps_kafka_native.withdraw(run.sender->producer));
        for (unsigned turns = 0; turns < 300; turns++) {
            const struct ps_kafka_listener listener = {.ended = on_withdrawn_end, .now = run.stage.now};
            (void)ps_kafka_native.poll(run.sender->producer, &listener, UINT32_MAX);
            (void)ps_test_coordinator_serve(run.broker);
            ps_test_stage_pass_ms(&run.stage, 2);
            usleep(100);
        }
        assert_int_equal(ps_test_coordinator_counts(run.broker).commits, 0);
        recall(&run);
        serve_until(&run, 1, 5000);
        assert_int_equal(ps_test_coordinator_offset(run.broker, 0), 1);
        end(&run);
    }
}

#define MIB (UINT32_C(1) << 20)

/* One transaction: two leases, of which the second comes `filling_ms` after the first; then a commit that takes `pause_ms` or a few
 * milliseconds more. Returns the time from the second lease, or from the end of the wait for a third one, to the commit's end. */
static uint64_t commit_one(struct run *run, uint32_t memory_bytes, uint64_t filling_ms, uint64_t pause_ms)
{
    struct ps_test_stage *stage = &run->stage;
    const struct ps_kafka_transaction *transaction = &run->sender->transaction;
    unsigned commits = ps_test_coordinator_counts(run->broker).commits;
    for (unsigned i = 0; i < 2; i++) {
        read_dropped(run, 0);
        run->waiting[run->waiting_end - 1]->memory_bytes = memory_bytes / 2;
        assert_int_equal(ps_kafka_sender_take(run->sender, &run->waiting[run->waiting_from], &stage->now),
                         PS_TAKEN);
        run->waiting_from++;
        ps_test_stage_pass_ms(stage, i == 0 ? filling_ms : 0);
    }
    ps_test_stage_pass_ms(stage, memory_bytes >= transaction->full_bytes ? 0 : 50);
    uint64_t closing_ns = stage->now.mono_ns;
    (void)ps_kafka_sender_tick(run->sender, &stage->now);
    assert_true(transaction->phase >= PS_KAFKA_TRANSACTION_CLOSING);
    ps_test_stage_pass_ms(stage, pause_ms);
    for (unsigned turns = 0; transaction->phase != PS_KAFKA_TRANSACTION_FILLING; turns++) {
        assert_in_range(turns, 0, 10000);
        (void)ps_test_coordinator_serve(run->broker);
        (void)ps_kafka_sender_tick(run->sender, &stage->now);
        if (transaction->phase != PS_KAFKA_TRANSACTION_FILLING)
            ps_test_stage_pass_ms(stage, turns % 4 == 0);
        usleep(20);
    }
    assert_int_equal(ps_test_coordinator_counts(run->broker).commits, commits + 1);
    return stage->now.mono_ns - closing_ns;
}

/* A transaction that is full has twice the memory the next time if its commit took more than a sixteenth of the time that it was
 * filled, and half of it if less than a hundred and twenty-eighth; at least 16 MiB, and at most what the plan says. */
static void test_memory_follows_commits(void **state)
{
    static struct run run;
    uint64_t seed = ps_test_seed();
    unsigned grown = 0, shrunk = 0, kept = 0;
    print_message("seed %llu\n", (unsigned long long)seed);
    begin(&run, seed, 0);
    run.plan.transaction.interval_ns = 1000 * PS_NS_PER_S;
    run.plan.transaction.bytes_max = 50 * MIB;
    open_source(&run);
    read_dropped(&run, 0);
    serve_until(&run, 1, 5000); /* the producer has its id */
    uint64_t expected = 16 * MIB;
    for (unsigned i = 0; i < 60; i++) {
        uint32_t memory = draw(&run, 4) == 0 ? (uint32_t)expected - 2 : (uint32_t)expected + draw(&run, 2);
        uint64_t filling_ms = draw(&run, 2) == 0 ? 1 + draw(&run, 800) : 3000 + draw(&run, 9000);
        uint64_t pause_ns = commit_one(&run, memory, filling_ms, draw(&run, 3) == 0 ? draw(&run, 600) : 0);
        uint64_t filling_ns = filling_ms * PS_NS_PER_MS, before = expected;
        if (memory >= expected && pause_ns * 16 > filling_ns)
            expected = expected < 25 * MIB ? 2 * expected : 50 * MIB;
        else if (memory >= expected && pause_ns * 128 < filling_ns && expected >= 32 * MIB)
            expected /= 2;
        if (run.sender->transaction.full_bytes != expected)
            fail_msg("transaction %u, filled for %llu ms, commit %llu ns: %llu bytes, not %llu", i,
                     (unsigned long long)filling_ms, (unsigned long long)pause_ns,
                     (unsigned long long)run.sender->transaction.full_bytes, (unsigned long long)expected);
        grown += expected > before;
        shrunk += expected < before;
        kept += expected == before;
    }
    assert_true(grown > 0 && shrunk > 0 && kept > 0);
    end(&run);
}

/* One topic of two was deleted. Its positions hold up the other one's for 10 s, in case the coordinator only lags behind, and no longer. */
static void test_deleted_topic(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(&run, seed, 0);
        open_source(&run);
        read_batch(&run, 0);
        serve_until(&run, 1, 5000);
        ps_test_coordinator_remove(run.broker, 1);
        read_batch(&run, 1);
        read_batch(&run, 0);
        uint64_t since_ns = run.stage.now.mono_ns;
        while (run.stage.now.mono_ns - since_ns < 9 * PS_NS_PER_S)
            turn(&run);
        assert_int_equal(run.stage.done_count, 1);
        serve_until(&run, 3, 5000);
        assert_int_equal(ps_test_coordinator_offset(run.broker, 0), run.read[0]);
        assert_int_equal(ps_test_coordinator_offset(run.broker, 1), 0);
        read_batch(&run, 1);
        read_batch(&run, 0);
        serve_until(&run, 5, 2000);
        assert_int_equal(ps_test_coordinator_offset(run.broker, 0), run.read[0]);
        assert_int_equal(ps_test_coordinator_counts(run.broker).aborts, 0);
        assert_int_equal(ps_test_coordinator_counts(run.broker).producers, 1);
        end(&run);
    }
}

static void on_resolved(void *argument, const struct ps_kafka_end *end)
{
    *(enum ps_kafka_ending *)argument = end->ending;
}

static enum ps_kafka_ending resolve(struct run *run, struct ps_kafka_position *positions, uint32_t count)
{
    enum ps_kafka_ending ending = PS_KAFKA_END_UNKNOWN;
    ps_kafka_native.resolve(run->sender->producer, positions, count);
    for (unsigned turns = 0; ending == PS_KAFKA_END_UNKNOWN; turns++) {
        assert_in_range(turns, 0, 5000);
        const struct ps_kafka_listener listener = {
            .ended = on_resolved, .argument = &ending, .now = run->stage.now};
        (void)ps_kafka_native.poll(run->sender->producer, &listener, UINT32_MAX);
        (void)ps_test_coordinator_serve(run->broker);
        ps_test_stage_pass_ms(&run->stage, 2);
        usleep(100);
    }
    return ending;
}

/* A commit whose answer is lost is found by the positions that were in it; by none of them, it is not taken for one. */
static void test_end_without_a_deleted_topic(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(&run, seed, 0);
        open_source(&run);
        read_batch(&run, 0);
        serve_until(&run, 1, 5000);
        ps_test_coordinator_remove(run.broker, 1);
        struct ps_stream_name names[PS_TEST_IN_PARTITIONS];
        struct ps_kafka_position positions[PS_TEST_IN_PARTITIONS];
        for (unsigned i = 0; i < PS_TEST_IN_PARTITIONS; i++) {
            names[i] = (struct ps_stream_name){.system = "kafka",
                                               .group = {"g", 1},
                                               .name = {"in", 2},
                                               .part = i,
                                               .member = {"m", 1},
                                               .assignment = run.assignment,
                                               .cluster = {"here", 4}};
            positions[i] = (struct ps_kafka_position){.name = &names[i], .next = 7, .left_out = i == 1};
        }
        positions[0].next = run.read[0];
        assert_int_equal(resolve(&run, positions, 2), PS_KAFKA_END_COMMITTED);
        assert_int_equal(resolve(&run, &positions[1], 1), PS_KAFKA_END_ABORTED);
        positions[0].next++;
        assert_int_equal(resolve(&run, positions, 2), PS_KAFKA_END_ABORTED);
        end(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commit_before_the_protocol),  cmocka_unit_test(test_answer_after_withdrawal),
        cmocka_unit_test(test_memory_follows_commits),      cmocka_unit_test(test_deleted_topic),
        cmocka_unit_test(test_end_without_a_deleted_topic),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
