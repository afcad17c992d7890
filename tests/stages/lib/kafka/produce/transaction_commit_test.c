/* The steps of a commit of the native client, against a broker that keeps transactions: a commit that begins before the producer has
 * its id, an answer that comes after the commit was withdrawn, how much memory the next transaction has, and positions of a topic that
 * was deleted. */
#include "tests/support/kafka/listener.h"
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
        assert_true(ps_kafka_native_withdraw(run.sender->producer));
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

/* ---- recall ---- */

enum obstacle { ANSWER_TO_PRODUCE, COORDINATOR_OF_THE_GROUP, FAILED_PRODUCER, OBSTACLES };

/* Takes batches until a transaction is open, and cannot be committed because of the obstacle. */
static void open_transaction(struct run *run, enum obstacle obstacle)
{
    struct ps_test_limits slow = {.turn_bytes = 1};
    open_source(run);
    read_batch(run, 0);
    serve_until(run, 1, 5000);
    if (obstacle != ANSWER_TO_PRODUCE)
        ps_test_coordinator_load_group(run->broker, true);
    read_batch(run, 0);
    read_batch(run, 1);
    while (!ps_test_coordinator_is_open(run->broker))
        turn(run);
    if (obstacle == ANSWER_TO_PRODUCE)
        ps_test_coordinator_limit(run->broker, &slow);
    read_batch(run, 0);
    for (unsigned turns = 0; turns < 100; turns++)
        turn(run);
    assert_true(ps_test_coordinator_is_open(run->broker));
    assert_int_equal(run->stage.done_count, 1);
    run->sender->fatal = obstacle == FAILED_PRODUCER;
}

/* A sink that gives its leases back leaves no open transaction, for whose end readers would wait: whether a record has no
 * answer yet, a commit is under way that cannot end, or the producer has failed. What it gave back is delivered once. */
static void test_recall_of_an_open_transaction(void **state)
{
    static struct run run;
    for (unsigned i = 0; i < 2 * OBSTACLES; i++) {
        print_message("obstacle %u, protocol %u\n", i / 2, 1 + i % 2);
        begin(&run, 1 + i % 2, 0);
        open_transaction(&run, (enum obstacle)(i / 2));
        unsigned waiting = run.waiting_from;
        recall(&run);
        assert_true(run.waiting_from < waiting);
        assert_false(ps_test_coordinator_is_open(run.broker));
        ps_test_coordinator_limit(run.broker, &(struct ps_test_limits){0});
        ps_test_coordinator_load_group(run.broker, false);
        serve_until(&run, run.waiting_end, 20000);
        for (unsigned p = 0; p < PS_TEST_IN_PARTITIONS; p++)
            assert_int_equal(ps_test_coordinator_offset(run.broker, p), run.read[p]);
        end(&run);
    }
}

/* Recalls the sender without serving the broker, and drops what it gives back. Returns how long that takes. */
static uint64_t recall_unanswered(struct run *run)
{
    struct ps_lease *back = NULL;
    uint64_t begun_ns = run->stage.now.mono_ns;
    while (!ps_kafka_sender_recall(run->sender, &back, &run->stage.now)) {
        ps_test_stage_pass_ms(&run->stage, 2);
        assert_true(run->stage.now.mono_ns - begun_ns < 60 * PS_NS_PER_S);
    }
    assert_non_null(back);
    while (back != NULL) {
        struct ps_lease *lease = back;
        back = lease->next;
        lease->next = NULL;
        ps_lease_settle_all(lease);
        ps_port_done(&run->stage.port, &lease);
    }
    return run->stage.now.mono_ns - begun_ns;
}

/* A coordinator that does not answer delays the recall only a while. A sink without an open transaction asks for nothing. */
static void test_recall_without_a_coordinator(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(&run, seed, 0);
        open_transaction(&run, ANSWER_TO_PRODUCE);
        assert_true(recall_unanswered(&run) < 5 * PS_NS_PER_S);
        end(&run);
    }
}

/* The transaction is committed, and its coordinator does not answer any more. At a stop the source finds out at the next start what was
 * committed, so the sink waits as long as for any answer. Else another sink would deliver the events again: it waits for longer. */
static void test_recall_while_the_end_has_no_answer(void **state)
{
    static struct run run;
    for (unsigned i = 0; i < 4; i++) {
        const struct ps_test_loss loss = {.key = 26, .carried_out = true};
        bool ends = i % 2 == 0;
        begin(&run, 1 + i / 2, 0);
        open_source(&run);
        read_batch(&run, 0);
        serve_until(&run, 1, 5000);
        ps_test_coordinator_lose(run.broker, &loss);
        read_batch(&run, 0);
        while (!ps_test_coordinator_has_lost(run.broker))
            turn(&run);
        assert_int_equal(ps_test_coordinator_offset(run.broker, 0), run.read[0]);
        run.stage.port.ends = ends;
        assert_in_range(recall_unanswered(&run) / PS_NS_PER_MS, ends ? 1000 : 30000, ends ? 2500 : 32500);
        end(&run);
    }
}

#define MIB (UINT32_C(1) << 20)

/* Times of one transaction: from its first lease to its commit, and of the commit. */
struct times {
    uint64_t busy_ns, pause_ns;
};

/* The times that the test gives a transaction. */
struct plan {
    uint64_t filling_ms; /* from its first lease to its second, which is the last */
    uint64_t closing_ms; /* until the broker answers; 0: nothing is sent */
    uint64_t pause_ms;   /* until the broker answers the commit's first request */
};

static void take_two(struct run *run, uint32_t memory_bytes, const struct plan *plan)
{
    struct ps_test_stage *stage = &run->stage;
    for (unsigned i = 0; i < 2; i++) {
        if (i == 1 && plan->closing_ms > 0)
            read_batch(run, 1);
        else
            read_dropped(run, 0);
        run->waiting[run->waiting_end - 1]->memory_bytes = memory_bytes / 2;
        assert_int_equal(ps_kafka_sender_take(run->sender, &run->waiting[run->waiting_from], &stage->now),
                         PS_TAKEN);
        run->waiting_from++;
        ps_test_stage_pass_ms(stage, i == 0 ? plan->filling_ms : 0);
    }
}

static struct times commit_one(struct run *run, uint32_t memory_bytes, const struct plan *plan)
{
    struct ps_test_stage *stage = &run->stage;
    const struct ps_kafka_transaction *transaction = &run->sender->transaction;
    unsigned commits = ps_test_coordinator_counts(run->broker).commits;
    uint64_t begun_ns = stage->now.mono_ns, ending_ns = 0;
    take_two(run, memory_bytes, plan);
    ps_test_stage_pass_ms(stage, memory_bytes >= transaction->full_bytes ? 0 : 50);
    (void)ps_kafka_sender_tick(run->sender, &stage->now);
    assert_int_equal(transaction->phase,
                     plan->closing_ms > 0 ? PS_KAFKA_TRANSACTION_CLOSING : PS_KAFKA_TRANSACTION_COMMITTING);
    ps_test_stage_pass_ms(stage, plan->closing_ms);
    for (unsigned turns = 0; transaction->phase != PS_KAFKA_TRANSACTION_FILLING; turns++) {
        assert_in_range(turns, 0, 20000);
        if (ending_ns == 0 && transaction->phase == PS_KAFKA_TRANSACTION_COMMITTING) {
            ending_ns = stage->now.mono_ns;
            ps_test_stage_pass_ms(stage, plan->pause_ms);
        }
        (void)ps_test_coordinator_serve(run->broker);
        ps_test_stage_pass_ms(stage, turns % 16 == 15); /* the kernel may deliver packets late */
        (void)ps_kafka_sender_tick(run->sender, &stage->now);
        usleep(20);
    }
    assert_int_equal(ps_test_coordinator_counts(run->broker).commits, commits + 1);
    return (struct times){.busy_ns = ending_ns - begun_ns, .pause_ns = stage->now.mono_ns - ending_ns};
}

/* Draws a transaction of a time in which commits are slow, or fast, or now and then slow. */
static struct plan draw_plan(struct run *run, unsigned kind)
{
    bool slow = kind == 0 || (kind == 2 && draw(run, 4) == 0);
    bool writes = run->read[1] + (int64_t)RUN_MAX < (int64_t)run->records && draw(run, 3) == 0;
    return (struct plan){.filling_ms = slow ? 1 + draw(run, 200) : 20000 + draw(run, 9000),
                         .closing_ms = !writes ? 0
                                       : slow  ? 1 + draw(run, 100)
                                               : 6000 + draw(run, 4000),
                         .pause_ms = slow ? 100 + draw(run, 500) : 0};
}

/* A full transaction has twice the memory the next time if the commits of eight full ones in a row each took more
 * than an eighth of the time before them, and half of it if less than a thirty-second; at least 16 MiB, and at most
 * the plan's limit. The time in which the broker writes what was sent does not count as commit time. */
static void test_memory_follows_commits(void **state)
{
    static struct run run;
    uint64_t seed = ps_test_seed(), expected = 16 * MIB;
    unsigned grown = 0, shrunk = 0, kept = 0, slow = 0, fast = 0;
    print_message("seed %llu\n", (unsigned long long)seed);
    begin(&run, seed, 0);
    run.plan.transaction.interval_ns = 1000 * PS_NS_PER_S;
    run.plan.transaction.bytes_max = 50 * MIB;
    open_source(&run);
    read_dropped(&run, 0);
    serve_until(&run, 1, 5000); /* the producer has its id */
    for (unsigned i = 0; i < 120; i++) {
        uint32_t memory = draw(&run, 8) == 0 ? (uint32_t)expected - 2 : (uint32_t)expected + draw(&run, 2);
        const struct plan plan = draw_plan(&run, i / 20 % 3);
        struct times took = commit_one(&run, memory, &plan);
        uint64_t before = expected;
        if (memory >= expected) {
            slow = took.pause_ns > took.busy_ns / 8 ? slow + 1 : 0;
            fast = took.pause_ns < took.busy_ns / 32 ? fast + 1 : 0;
        }
        if (slow == 8)
            expected = expected < 25 * MIB ? 2 * expected : 50 * MIB;
        else if (fast == 8 && expected >= 32 * MIB)
            expected /= 2;
        slow %= 8;
        fast %= 8;
        if (run.sender->transaction.full_bytes != expected)
            fail_msg("transaction %u, filled and written in %llu ns, commit %llu ns: %llu bytes, not %llu", i,
                     (unsigned long long)took.busy_ns, (unsigned long long)took.pause_ns,
                     (unsigned long long)run.sender->transaction.full_bytes, (unsigned long long)expected);
        grown += expected > before;
        shrunk += expected < before;
        kept += expected == before;
    }
    assert_true(grown > 1 && shrunk > 1 && kept > 0);
    end(&run);
}

/* One topic of two was deleted. Its positions delay those of the other topic for 10 s, in case the coordinator only lags behind, but not longer. */
static void test_deleted_topic(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(&run, seed, 0);
        open_source(&run);
        read_batch(&run, 0);
        serve_until(&run, 1, 5000);
        ps_test_coordinator_remove(run.broker, 1, true);
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
        uint64_t warned = ps_log_count(PS_LOG_WARN);
        serve_until(&run, 5, 2000);
        assert_true(ps_log_count(PS_LOG_WARN) >
                    warned); /* that the offset of the deleted topic is not committed */
        assert_int_equal(ps_test_coordinator_offset(run.broker, 0), run.read[0]);
        assert_int_equal(ps_test_coordinator_counts(run.broker).aborts, 0);
        assert_int_equal(ps_test_coordinator_counts(run.broker).producers, 1);
        end(&run);
    }
}

/* The group's coordinator does not know a partition for longer than 10 s, which the cluster has: its position is waited for, and not
 * left out, because its records would come twice. Then the partition is deleted, and the transaction ends without it. */
static void test_a_coordinator_that_lags(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(&run, seed, 0);
        open_source(&run);
        read_batch(&run, 0);
        serve_until(&run, 1, 5000);
        ps_test_coordinator_lag(run.broker, 1, true);
        read_batch(&run, 1);
        read_batch(&run, 0);
        uint64_t since_ns = run.stage.now.mono_ns;
        while (run.stage.now.mono_ns - since_ns < 12 * PS_NS_PER_S)
            turn(&run);
        assert_int_equal(run.stage.done_count, 1);
        ps_test_coordinator_lag(run.broker, 1, false);
        serve_until(&run, 3, 5000);
        for (unsigned i = 0; i < PS_TEST_IN_PARTITIONS; i++)
            assert_int_equal(ps_test_coordinator_offset(run.broker, i), run.read[i]);
        ps_test_coordinator_lag(run.broker, 1, true);
        read_batch(&run, 1);
        read_batch(&run, 0);
        since_ns = run.stage.now.mono_ns;
        while (run.stage.now.mono_ns - since_ns < 12 * PS_NS_PER_S)
            turn(&run);
        assert_int_equal(run.stage.done_count, 3);
        ps_test_coordinator_remove(run.broker, 1, true);
        serve_until(&run, 5, 5000);
        assert_int_equal(ps_test_coordinator_offset(run.broker, 0), run.read[0]);
        end(&run);
    }
}

/* A transaction leaves the position of a deleted topic out. The topic is created again, which the group's coordinator does not know yet:
 * what the brokers said before is not true of the next transaction, which waits for the coordinator. */
static void test_a_topic_that_comes_back(void **state)
{
    static struct run run;
    begin(&run, 1, 0);
    open_source(&run);
    read_batch(&run, 0);
    serve_until(&run, 1, 5000);
    ps_test_coordinator_remove(run.broker, 1, true);
    read_batch(&run, 1);
    read_batch(&run, 0);
    uint64_t since_ns = run.stage.now.mono_ns;
    while (run.stage.now.mono_ns - since_ns < 9 * PS_NS_PER_S)
        turn(&run);
    serve_until(&run, 3, 5000);
    ps_test_coordinator_lag(run.broker, 1, true);
    ps_test_coordinator_remove(run.broker, 1, false);
    read_batch(&run, 1);
    read_batch(&run, 0);
    since_ns = run.stage.now.mono_ns;
    while (run.stage.now.mono_ns - since_ns < 9 * PS_NS_PER_S)
        turn(&run);
    assert_int_equal(run.stage.done_count, 3);
    ps_test_coordinator_lag(run.broker, 1, false);
    serve_until(&run, 5, 5000);
    for (unsigned i = 0; i < PS_TEST_IN_PARTITIONS; i++)
        assert_int_equal(ps_test_coordinator_offset(run.broker, i), run.read[i]);
    end(&run);
}

/* Lets time pass in large steps, until so many leases are done or this time is over. */
static void pass_until(struct run *run, size_t done, uint64_t most_s)
{
    uint64_t end_ns = run->stage.now.mono_ns + most_s * PS_NS_PER_S;
    while (run->stage.done_count < done && run->stage.now.mono_ns < end_ns) {
        turn(run);
        ps_test_stage_pass_ms(&run->stage, 20);
    }
}

/* A topic was deleted, and the group's coordinator is the only node that can be reached: the other one refuses connections, or takes
 * them and never answers. Its position is waited for, because the coordinator alone may lag behind, but not for ever. */
static void test_a_coordinator_that_is_alone(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        unsigned port;
        int listener = ps_test_listen(&port);
        if (seed == 1)
            close(listener);
        begin(&run, seed, 0);
        ps_test_coordinator_name_other(run.broker, port);
        open_source(&run);
        read_batch(&run, 0);
        serve_until(&run, 1, 5000);
        ps_test_coordinator_remove(run.broker, 1, true);
        read_batch(&run, 1);
        read_batch(&run, 0);
        pass_until(&run, 3, 12);
        assert_int_equal(run.stage.done_count, 1);
        pass_until(&run, 3, 40);
        assert_int_equal(run.stage.done_count, 3);
        assert_int_equal(ps_test_coordinator_offset(run.broker, 0), run.read[0]);
        assert_int_equal(ps_test_coordinator_offset(run.broker, 1), 0);
        assert_int_equal(ps_test_coordinator_counts(run.broker).producers, 1);
        read_batch(&run, 1);
        read_batch(&run, 0);
        serve_until(&run, 5, 5000); /* the next transaction does not wait again */
        end(&run);
        if (seed == 2)
            close(listener);
    }
}

static char told[512]; /* the last reason that the sink gave */

static void record_trouble(struct ps_port *, const struct ps_err *reason)
{
    snprintf(told, sizeof told, "%.500s", reason->text);
}

/* The coordinator does not get the last transaction to its end, before the producer has its id, and then before a commit: the sink
 * names this, and goes on when it has passed. */
static void test_a_transaction_that_does_not_end(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(&run, seed, 0);
        run.stage.port.troubled = record_trouble;
        open_source(&run);
        for (unsigned round = 1; round <= 2; round++) {
            told[0] = '\0';
            ps_test_coordinator_end_slowly(run.broker, 1000000);
            read_batch(&run, 0);
            pass_until(&run, round, 14);
            assert_int_equal(run.stage.done_count, round - 1);
            /* the second protocol has no request to join: a leader refuses the records */
            assert_non_null(
                strstr(told, round == 2 && seed == 2 ? "NOT_ENOUGH_REPLICAS" : "CONCURRENT_TRANSACTIONS"));
            assert_true((strstr(told, "producer id") != NULL) == (round == 1));
            ps_test_coordinator_end_slowly(run.broker, 0);
            serve_until(&run, round, 5000);
        }
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
    ps_kafka_native_resolve(run->sender->producer, positions, count);
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

/* When the answer to a commit is lost, its positions show whether it took place. If none of them can show this, it does
 * not count as committed. */
static void test_end_without_a_deleted_topic(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(&run, seed, 0);
        open_source(&run);
        read_batch(&run, 0);
        serve_until(&run, 1, 5000);
        ps_test_coordinator_remove(run.broker, 1, true);
        struct ps_stream_name names[PS_TEST_IN_PARTITIONS];
        struct ps_kafka_position positions[PS_TEST_IN_PARTITIONS];
        for (unsigned i = 0; i < PS_TEST_IN_PARTITIONS; i++) {
            names[i] = (struct ps_stream_name){.system = "kafka",
                                               .group = {"g", 1},
                                               .name = {"in", 2},
                                               .part = i,
                                               .member = {"m", 1},
                                               .generation = run.generation,
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

static void on_notice(void *, const struct ps_kafka_notice *)
{
}

/* A commit whose positions the coordinator lacks is withdrawn, and the client loses the coordinator: the events are committed when they
 * come again. */
static void test_positions_after_withdrawal(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(&run, seed, 0);
        open_source(&run);
        read_batch(&run, 0);
        serve_until(&run, 1, 5000);
        ps_test_coordinator_lag(run.broker, 1, true);
        read_batch(&run, 1);
        for (unsigned turns = 0; turns < 500; turns++)
            turn(&run);
        assert_int_equal(run.sender->transaction.phase, PS_KAFKA_TRANSACTION_COMMITTING);
        assert_true(ps_kafka_native_withdraw(run.sender->producer));
        const struct ps_test_loss loss = {.key = 22};
        ps_test_coordinator_lose(run.broker, &loss);
        for (unsigned turns = 0; turns < 1000; turns++) {
            const struct ps_kafka_listener listener = {.notice = on_notice, .now = run.stage.now};
            if (ps_kafka_native_abort(run.sender->producer))
                break;
            (void)ps_kafka_native.poll(run.sender->producer, &listener, UINT32_MAX);
            (void)ps_test_coordinator_serve(run.broker);
            ps_test_stage_pass_ms(&run.stage, 2);
            usleep(100);
        }
        assert_true(ps_test_coordinator_has_lost(run.broker));
        recall(&run);
        ps_test_coordinator_lag(run.broker, 1, false);
        serve_until(&run, 2, 20000);
        end(&run);
    }
}

/* An id that has no room for the number of an instance behind it is refused; the longest one has all its letters. */
static void test_the_longest_id(void **state)
{
    enum { MOST = PS_KAFKA_TRANSACTIONAL_ID_BYTES - 32 };
    static struct run run;
    char id[MOST + 2], whole[PS_KAFKA_TRANSACTIONAL_ID_BYTES];
    begin(&run, 1, 0);
    ps_kafka_sender_close(run.sender);
    run.plan.transaction.id = id;
    run.stage.port.instance = UINT32_MAX;
    for (unsigned length = MOST + 1; length >= MOST; length--) {
        struct ps_err err = {0};
        memset(id, 'i', length);
        id[length] = '\0';
        memset(run.sender, 0, sizeof *run.sender);
        assert_int_equal(ps_kafka_sender_open(run.sender, &run.plan, &run.stage.port, &err),
                         length <= MOST ? PS_OK : PS_FAIL);
        if (length > MOST)
            assert_string_equal(err.text, "penstock.transaction.id is too long");
    }
    snprintf(whole, sizeof whole, "%s-%u", id, UINT32_MAX);
    assert_string_equal(run.sender->transaction.id, whole);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commit_before_the_protocol),
        cmocka_unit_test(test_answer_after_withdrawal),
        cmocka_unit_test(test_recall_of_an_open_transaction),
        cmocka_unit_test(test_recall_without_a_coordinator),
        cmocka_unit_test(test_recall_while_the_end_has_no_answer),
        cmocka_unit_test(test_memory_follows_commits),
        cmocka_unit_test(test_deleted_topic),
        cmocka_unit_test(test_a_topic_that_comes_back),
        cmocka_unit_test(test_a_coordinator_that_lags),
        cmocka_unit_test(test_a_coordinator_that_is_alone),
        cmocka_unit_test(test_a_transaction_that_does_not_end),
        cmocka_unit_test(test_end_without_a_deleted_topic),
        cmocka_unit_test(test_positions_after_withdrawal),
        cmocka_unit_test(test_the_longest_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
