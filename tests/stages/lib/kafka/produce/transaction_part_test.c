/* Transactions that do not have all leases that the sender holds: after one that was too slow for its timeout, and after one that
 * failed because of an event. The broker keeps transactions (tests/support/kafka/transaction_broker.h). */
#include "tests/support/dead_letters.h"
#include "tests/support/folder.h"
#include "tests/support/kafka/transaction_run.h"

#define TURN_MS 2U /* of the sender's clock */
#define EACH 450U  /* records of each input partition */
#define TIMEOUT_TURNS 500U
#define TURN_BYTES 10U /* of a slow line: it takes too few in TIMEOUT_TURNS */

/* Reads batches until each input partition is read this far. Returns how many. */
static unsigned read_until(struct run *run, uint32_t records)
{
    unsigned before = run->waiting_end;
    run->records = records;
    for (unsigned i = 1; run->read[0] < records || run->read[1] < records; i++) {
        if (run->read[i % 2] < records)
            read_batch(run, i % 2);
    }
    return run->waiting_end - before;
}

/* Asserts that the committed offsets are those of the committed records, without gaps. */
static void expect_positions(const struct run *run)
{
    static uint32_t numbers[PS_TEST_IN_PARTITIONS * RECORDS + 1];
    uint32_t counts[PS_TEST_IN_PARTITIONS] = {0}, next[PS_TEST_IN_PARTITIONS] = {0};
    for (unsigned p = 0; p < PS_TEST_OUT_PARTITIONS; p++) {
        uint32_t count = ps_test_coordinator_committed(run->broker, p, numbers, PS_COUNT_OF(numbers));
        for (uint32_t i = 0; i < count; i++) {
            uint32_t from = numbers[i] / RECORDS, place = numbers[i] % RECORDS;
            counts[from]++;
            next[from] = place >= next[from] ? place + 1 : next[from];
        }
    }
    for (unsigned i = 0; i < PS_TEST_IN_PARTITIONS; i++) {
        assert_int_equal(next[i], counts[i]);
        assert_int_equal(ps_test_coordinator_offset(run->broker, i), counts[i]);
    }
}

/* As serve_until, and looks at each commit. */
static void serve_commits(struct run *run, size_t done, uint64_t within_ms)
{
    uint64_t since_ns = run->stage.now.mono_ns;
    unsigned commits = 0;
    while (run->stage.done_count < done) {
        turn(run);
        if (commits != ps_test_coordinator_counts(run->broker).commits)
            expect_positions(run);
        commits = ps_test_coordinator_counts(run->broker).commits;
        if (run->stage.now.mono_ns - since_ns > within_ms * PS_NS_PER_MS)
            fail_msg("%zu of %zu leases are done after %llu ms", run->stage.done_count, done,
                     (unsigned long long)within_ms);
    }
}

static void begin_with_timeout(struct run *run, uint64_t seed)
{
    begin(run, seed, 0);
    run->plan.transaction.timeout_ns = (uint64_t)TIMEOUT_TURNS * TURN_MS * PS_NS_PER_MS;
    run->plan.transaction.interval_ns = 3600 * PS_NS_PER_S; /* it closes when no lease comes */
    open_source(run);
    read_batch(run, 0);
    serve_until(run, 1, 5000); /* the producer has its id */
}

/* What is held needs longer than a transaction may take. It is committed in parts, each record once; when the line is fast
 * again, so are transactions. */
static void test_slow_line(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin_with_timeout(&run, seed);
        struct ps_test_limits limits = {.turn_bytes = TURN_BYTES, .timeout_turns = TIMEOUT_TURNS};
        ps_test_coordinator_limit(run.broker, &limits);
        unsigned count = read_until(&run, EACH);
        assert_in_range(count, 30, 200);
        serve_commits(&run, 1 + count, 40 * TIMEOUT_TURNS * TURN_MS);
        struct ps_test_coordinator_counts counts = ps_test_coordinator_counts(run.broker);
        print_message("%u leases, %u commits, %u timed out, %u producers\n", count, counts.commits,
                      counts.timed_out, counts.producers);
        assert_in_range(counts.timed_out, 1, 5);
        assert_in_range(counts.commits, 3, 20);
        uint32_t leases_max = run.sender->transaction.leases_max;
        assert_in_range(leases_max, 1, count / 2);
        verify(&run);
        limits.turn_bytes = 0;
        ps_test_coordinator_limit(run.broker, &limits);
        count += read_until(&run, RECORDS);
        serve_commits(&run, 1 + count, 40 * TIMEOUT_TURNS * TURN_MS);
        verify(&run);
        assert_int_equal(ps_test_coordinator_counts(run.broker).timed_out, counts.timed_out);
        assert_in_range(run.sender->transaction.leases_max, 2 * leases_max, 16 * leases_max);
        end(&run);
    }
}

/* A transaction that fails when it is young has all its leases the next time. */
static void test_young_failure(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin_with_timeout(&run, seed);
        unsigned count = read_until(&run, EACH);
        ps_test_coordinator_refuse(run.broker, 26, 120, 0); /* its end */
        serve_commits(&run, 1 + count, 20000);
        assert_true(ps_test_coordinator_has_refused(run.broker));
        assert_int_equal(ps_test_coordinator_counts(run.broker).commits, 2);
        assert_int_equal(run.sender->transaction.leases_max, 0);
        verify(&run);
        end(&run);
    }
}

/* A recall gives back all leases, those of the next transactions, too. */
static void test_recall_of_a_part(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin_with_timeout(&run, seed);
        struct ps_test_limits limits = {.turn_bytes = TURN_BYTES, .timeout_turns = TIMEOUT_TURNS};
        ps_test_coordinator_limit(run.broker, &limits);
        unsigned count = read_until(&run, EACH);
        for (unsigned turns = 0; run.sender->transaction.end == NULL; turns++) {
            assert_in_range(turns, 0, 4 * TIMEOUT_TURNS);
            turn(&run);
        }
        recall(&run);
        assert_null(run.sender->transaction.end);
        assert_int_equal(run.sender->window.held.count, 0);
        serve_commits(&run, 1 + count, 40 * TIMEOUT_TURNS * TURN_MS);
        verify(&run);
        end(&run);
    }
}

/* A recall comes before the new producer that a lost assignment asks for. The next failure counts as one, and is followed by a
 * pause. */
static void test_recall_of_a_lost_assignment(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin_with_timeout(&run, seed);
        read_batch(&run, 0);
        run.generation = ps_test_coordinator_reassign(run.broker);
        for (unsigned turns = 0; !run.sender->transaction.renews; turns++) {
            assert_in_range(turns, 0, 10000);
            turn(&run);
        }
        recall(&run);
        size_t done = run.stage.done_count;
        for (unsigned i = 0; i < PS_TEST_IN_PARTITIONS; i++)
            run.read[i] = ps_test_coordinator_offset(run.broker, i);
        uint64_t failures = ps_test_stage_counter(&run.stage, PS_COUNTER_RollbackCount);
        read_batch(&run, 0);
        ps_test_coordinator_refuse(run.broker, 26, 120, 0); /* its end */
        uint64_t since_ns = run.stage.now.mono_ns;
        serve_until(&run, done + 1, 20000);
        assert_true(ps_test_coordinator_has_refused(run.broker));
        assert_int_equal(ps_test_stage_counter(&run.stage, PS_COUNTER_RollbackCount), failures + 1);
        assert_true(run.stage.now.mono_ns - since_ns >= PS_NS_PER_S);
        end(&run);
    }
}

/* ---- an event that is refused ---- */

#define LARGE_BYTES 1000U
#define REFUSED (RECORDS + EACH - 5) /* one of the last of the second partition */

/* Returns the number of leases in the channel before the one that has the refused event. */
static unsigned leases_before_refused(const struct run *run)
{
    for (unsigned i = run->waiting_from; i < run->waiting_end; i++) {
        const struct ps_lease *lease = run->waiting[i];
        for (uint32_t position = 0; position < lease->count; position++) {
            uint32_t number;
            memcpy(&number, ps_lease_event(lease, position)->body, sizeof number);
            if (number == REFUSED)
                return i - run->waiting_from;
        }
    }
    fail();
    return 0;
}

/* Reads all batches; the broker refuses one of the last events. Returns how many batches were read before it. */
static unsigned begin_refused(struct run *run, uint64_t seed)
{
    const struct ps_test_limits limits = {.timeout_turns = TIMEOUT_TURNS};
    begin_with_timeout(run, seed);
    run->plan.transaction.timeout_ns = 0; /* so that no transaction is small because it was slow */
    ps_test_coordinator_limit(run->broker, &limits);
    ps_test_coordinator_refuse_record(run->broker, REFUSED);
    (void)read_until(run, EACH);
    return leases_before_refused(run);
}

/* The search for the refused event is over before its transaction times out, although there are many events before it. */
static void test_dead_letter(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        ps_test_folder_setup(state);
        (void)begin_refused(&run, seed);
        ps_test_dead_letters_open(&run.stage);
        serve_until(&run, run.waiting_end, 20000);
        assert_int_equal(ps_test_dead_letters_with("record-refused"), 1);
        assert_int_equal(ps_test_coordinator_counts(run.broker).timed_out, 0);
        verify_but(&run, REFUSED);
        end(&run);
        ps_test_dead_letters_close(&run.stage);
        ps_test_folder_teardown(state);
    }
}

static void pass_turns(struct run *run, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++)
        turn(run);
}

/* A transaction that fails because of its event, and not because of its age, is not divided, however old it is. */
static void test_refused_event_of_an_old_transaction(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin_with_timeout(&run, seed);
        struct ps_test_limits limits = {.turn_bytes = TURN_BYTES};
        ps_test_coordinator_limit(run.broker, &limits);
        ps_test_coordinator_refuse_record(run.broker, REFUSED);
        (void)read_until(&run, EACH);
        uint64_t since_ns = run.stage.now.mono_ns;
        for (unsigned turns = 0; ps_test_stage_counter(&run.stage, PS_COUNTER_RollbackCount) == 0; turns++) {
            assert_in_range(turns, 0, 10000);
            turn(&run);
        }
        assert_true(run.stage.now.mono_ns - since_ns > run.plan.transaction.timeout_ns);
        assert_int_equal(run.sender->transaction.leases_max, 0);
        ps_test_coordinator_refuse_record(run.broker, PS_TEST_NO_NUMBER);
        serve_until(&run, run.waiting_end, 20000);
        verify(&run);
        end(&run);
    }
}

/* What is before the refused event is committed, and is not written again with each attempt. */
static void test_refused_event_waits(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        unsigned before = begin_refused(&run, seed);
        serve_commits(&run, 1 + before, 20000);
        pass_turns(&run, 10000); /* 20 s, some attempts */
        assert_int_equal(run.stage.done_count, 1 + before);
        assert_int_equal(ps_test_stage_counter(&run.stage, PS_COUNTER_refused), 1);
        assert_int_equal(ps_test_coordinator_counts(run.broker).timed_out, 0);
        ps_test_coordinator_refuse_record(run.broker, PS_TEST_NO_NUMBER);
        serve_until(&run, run.waiting_end, 20000);
        verify(&run);
        end(&run);
    }
}

/* The lease of the refused event is a transaction of its own after the one before it, also when the event is accepted at once. */
static void test_refused_event_is_alone(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        (void)begin_refused(&run, seed);
        for (unsigned turns = 0; run.sender->transaction.end == NULL; turns++) {
            assert_in_range(turns, 0, 10000);
            turn(&run);
        }
        const struct ps_lease *suspect = run.sender->transaction.end;
        assert_ptr_not_equal(run.sender->window.held.first, suspect);
        assert_non_null(suspect->next);
        ps_test_coordinator_refuse_record(run.broker, PS_TEST_NO_NUMBER);
        for (unsigned turns = 0; run.sender->window.held.first != suspect; turns++) {
            assert_in_range(turns, 0, 10000);
            turn(&run);
        }
        assert_ptr_equal(run.sender->transaction.end, suspect->next);
        serve_until(&run, run.waiting_end, 20000);
        verify(&run);
        end(&run);
    }
}

/* Puts a batch of one event into the channel: the partition's next number, with a body of this length. */
static void read_sized(struct run *run, unsigned partition, uint32_t bytes)
{
    char body[2 * LARGE_BYTES] = "";
    uint32_t number = partition * RECORDS + (uint32_t)run->read[partition]++;
    struct ps_batch *batch = ps_test_stage_take_batch(&run->stage);
    assert_non_null(batch);
    memcpy(body, &number, sizeof number);
    assert_in_range(bytes, sizeof number, sizeof body);
    assert_non_null(ps_batch_add_copy(batch, body, bytes));
    put_batch(run, partition, batch);
}

/* The sender itself refuses an event, which is too large: what is before it is committed, and what is after it waits. */
static void test_too_large_event_waits(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        begin_with_timeout(&run, seed);
        const struct ps_test_limits limits = {.timeout_turns = 10 * TIMEOUT_TURNS};
        ps_test_coordinator_limit(run.broker, &limits);
        run.plan.record_bytes_max = 512 + LARGE_BYTES;
        unsigned before = read_until(&run, EACH);
        run.records = EACH + 1;
        read_sized(&run, 1, LARGE_BYTES + 1);
        read_batch(&run, 0);
        serve_commits(&run, 1 + before, 8000);
        unsigned commits = ps_test_coordinator_counts(run.broker).commits,
                 producers = ps_test_coordinator_counts(run.broker).producers;
        pass_turns(&run, 2000); /* 4 s, some attempts */
        assert_int_equal(run.stage.done_count, 1 + before);
        assert_int_equal(ps_test_stage_counter(&run.stage, PS_COUNTER_refused), 1);
        assert_int_equal(ps_test_coordinator_counts(run.broker).commits, commits);
        assert_int_equal(ps_test_coordinator_counts(run.broker).producers, producers);
        assert_int_equal(ps_test_coordinator_counts(run.broker).timed_out, 0);
        run.plan.record_bytes_max = 1000000;
        serve_until(&run, run.waiting_end, 20000);
        verify(&run);
        end(&run);
    }
}

static bool is_complete(const struct run *run)
{
    for (unsigned i = 0; i < PS_TEST_IN_PARTITIONS; i++)
        if (ps_test_coordinator_offset(run->broker, i) < (int64_t)run->records)
            return false;
    return run->waiting_from == run->waiting_end && run->stage.done_count == run->waiting_end;
}

/* The group assigns the partitions again while the refused event is searched for: that event is not waited for any more. */
static void test_refused_event_of_others(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        (void)begin_refused(&run, seed);
        for (unsigned turns = 0; run.sender->search.fence == NULL; turns++) {
            assert_in_range(turns, 0, 10000);
            turn(&run);
        }
        assert_true(run.stage.done_count < run.waiting_end);
        run.generation = -ps_test_coordinator_reassign(run.broker);
        serve_until(&run, run.waiting_end, 20000);
        assert_int_not_equal(ps_test_coordinator_counts(run.broker).stale, 0);
        ps_test_coordinator_refuse_record(run.broker, PS_TEST_NO_NUMBER);
        for (unsigned turns = 0; !is_complete(&run); turns++) {
            assert_in_range(turns, 0, 10000);
            read_some(&run);
            turn(&run);
        }
        verify(&run);
        end(&run);
    }
}

/* Each attempt to write to a topic counts, also one that fails before a record is sent. */
static void test_attempts(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        ps_test_folder_setup(state);
        begin_with_timeout(&run, seed);
        ps_test_dead_letters_open(&run.stage);
        run.stage.port.retry_max = 2;
        ps_test_coordinator_deny(run.broker, true);
        int64_t read = run.read[0];
        read_batch(&run, 0);
        serve_until(&run, 2, 20000);
        assert_int_equal(ps_test_dead_letters_with("attempts-exhausted"), run.read[0] - read);
        assert_int_equal(ps_test_dead_letters_with("grant WRITE"), run.read[0] - read);
        assert_int_equal(ps_test_coordinator_counts(run.broker).producers, 3);
        assert_int_equal(ps_test_coordinator_offset(run.broker, 0), run.read[0]);
        ps_test_coordinator_deny(run.broker, false);
        read_batch(&run, 0);
        serve_until(&run, 3, 20000);
        assert_int_equal(ps_test_coordinator_offset(run.broker, 0), run.read[0]);
        end(&run);
        ps_test_dead_letters_close(&run.stage);
        ps_test_folder_teardown(state);
    }
}

static void read_one(struct run *run)
{
    run->records = (uint32_t)run->read[0] + 1;
    read_batch(run, 0);
}

/* Two events are in one transaction, and the second one may not be written: only the second one is given up. */
static void test_attempts_of_the_second(void **state)
{
    static struct run run;
    static uint32_t numbers[RECORDS];
    for (uint64_t seed = 1; seed <= 2; seed++) {
        ps_test_folder_setup(state);
        begin_with_timeout(&run, seed);
        ps_test_dead_letters_open(&run.stage);
        run.stage.port.retry_max = 1;
        read_one(&run);
        uint32_t denied = (uint32_t)run.read[0], count = 0;
        read_one(&run);
        ps_test_coordinator_deny(run.broker, true);
        ps_test_coordinator_refuse_record(run.broker, denied);
        serve_until(&run, 3, 20000);
        assert_int_equal(ps_test_dead_letters_with("attempts-exhausted"), 1);
        for (unsigned p = 0; p < PS_TEST_OUT_PARTITIONS; p++) {
            uint32_t more = ps_test_coordinator_committed(run.broker, p, numbers, PS_COUNT_OF(numbers));
            for (uint32_t i = 0; i < more; i++)
                assert_int_not_equal(numbers[i], denied);
            count += more;
        }
        assert_int_equal(count, denied);
        assert_int_equal(ps_test_coordinator_offset(run.broker, 0), denied + 1);
        end(&run);
        ps_test_dead_letters_close(&run.stage);
        ps_test_folder_teardown(state);
    }
}

/* Turns until the sender has had so many failures. */
static void fail_until(struct run *run, uint64_t failures)
{
    for (unsigned turns = 0; ps_test_stage_counter(&run->stage, PS_COUNTER_RollbackCount) < failures;
         turns++) {
        assert_in_range(turns, 0, 10000);
        turn(run);
    }
}

/* An event that arrives damaged is delivered at the third attempt, and its transaction is aborted: when the event is sent again, it
 * may arrive damaged twice more before it is refused. */
static void test_damaged_again(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin_with_timeout(&run, seed);
        uint32_t damaged = (uint32_t)run.read[0];
        read_one(&run);
        ps_test_coordinator_damage(run.broker, true);
        ps_test_coordinator_refuse_record(run.broker, damaged);
        fail_until(&run, 2);
        ps_test_coordinator_refuse_record(run.broker, PS_TEST_NO_NUMBER);
        ps_test_coordinator_refuse(run.broker, 26, 120, 0); /* its end */
        fail_until(&run, 3);
        assert_true(ps_test_coordinator_has_refused(run.broker));
        ps_test_coordinator_refuse_record(run.broker, damaged);
        fail_until(&run, 5);
        ps_test_coordinator_refuse_record(run.broker, PS_TEST_NO_NUMBER);
        serve_until(&run, 2, 20000);
        assert_int_equal(ps_test_stage_counter(&run.stage, PS_COUNTER_refused), 0);
        assert_int_equal(ps_test_coordinator_offset(run.broker, 0), damaged + 1);
        end(&run);
    }
}

/* The attempts of the second event are used up, and then the first one is refused for good: each letter has its own reason. */
static void test_two_reasons(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        ps_test_folder_setup(state);
        begin_with_timeout(&run, seed);
        ps_test_dead_letters_open(&run.stage);
        run.stage.port.retry_max = 1;
        uint32_t refused = (uint32_t)run.read[0];
        read_one(&run);
        read_one(&run);
        ps_test_coordinator_deny(run.broker, true);
        ps_test_coordinator_refuse_record(run.broker, refused + 1);
        for (unsigned turns = 0; run.sender->letters.exhausted == NULL; turns++) {
            assert_in_range(turns, 0, 10000);
            turn(&run);
        }
        ps_test_coordinator_deny(run.broker, false);
        ps_test_coordinator_refuse_record(run.broker, refused);
        serve_until(&run, 3, 20000);
        assert_int_equal(ps_test_dead_letters_with("record-refused"), 1);
        assert_int_equal(ps_test_dead_letters_with("INVALID_RECORD"), 1);
        assert_int_equal(ps_test_dead_letters_with("attempts-exhausted"), 1);
        assert_int_equal(ps_test_dead_letters_with("grant WRITE"), 1);
        end(&run);
        ps_test_dead_letters_close(&run.stage);
        ps_test_folder_teardown(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_line),
        cmocka_unit_test(test_young_failure),
        cmocka_unit_test(test_recall_of_a_part),
        cmocka_unit_test(test_recall_of_a_lost_assignment),
        cmocka_unit_test(test_dead_letter),
        cmocka_unit_test(test_refused_event_waits),
        cmocka_unit_test(test_refused_event_of_an_old_transaction),
        cmocka_unit_test(test_refused_event_is_alone),
        cmocka_unit_test(test_too_large_event_waits),
        cmocka_unit_test(test_refused_event_of_others),
        cmocka_unit_test(test_attempts),
        cmocka_unit_test(test_attempts_of_the_second),
        cmocka_unit_test(test_two_reasons),
        cmocka_unit_test(test_damaged_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
