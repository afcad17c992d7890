/* The steps of a commit of the native client, against a broker that keeps transactions: a commit that begins before the producer has
 * its id, and an answer that comes after the commit was withdrawn. */
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commit_before_the_protocol),
        cmocka_unit_test(test_answer_after_withdrawal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
