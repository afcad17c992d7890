/* The sender's transactions over the native client, against a broker that keeps transactions and misbehaves
 * (tests/support/kafka/transaction_broker.h): readers of committed records see each record of the input once and in order,
 * and the committed offsets say so. */
#include "tests/support/kafka/transaction_run.h"

#include <stdio.h>

#define TURNS_MAX 400000U
#define LOSSES_MAX 6U
#define KEY_PRODUCE 0
#define KEY_METADATA 3
#define KEY_COORDINATOR 10
#define KEY_VERSIONS 18
#define KEY_PRODUCER_ID 22
#define KEY_PARTITIONS 24
#define KEY_GROUP 25
#define KEY_END 26
#define KEY_COMMIT_OFFSETS 28
#define ERROR_COORDINATOR_LOADS 14
#define ERROR_NOT_COORDINATOR 16
#define ERROR_NOT_AUTHORIZED 53

static bool is_complete(const struct run *run)
{
    for (unsigned i = 0; i < PS_TEST_IN_PARTITIONS; i++)
        if (ps_test_coordinator_offset(run->broker, i) < (int64_t)run->records)
            return false;
    return run->waiting_from == run->waiting_end && run->stage.done_count == run->waiting_end;
}

/* Errors of the first two partitions of a request. */
struct refusal {
    int16_t key, errors[2];
};

struct trial {
    /* Numbers of faults in 1,000 requests, and of the other two in 1,000 turns. */
    unsigned faults, reassignments, recalls;
    uint64_t bytes_max; /* of a transaction; 0: no limit */
    /* One fault at a given request, in a run of FEW_RECORDS. `met` tells whether the run had such a request. */
    const struct ps_test_loss *loss;
    const struct refusal *refusal;
    uint64_t failing; /* number of the allocation that fails; 0: none */
    bool *met;
};

#define FEW_RECORDS 60U
#define TIME_MAX_NS                                                                                          \
    (20 *                                                                                                    \
     PS_NS_PER_S) /* less than delivery.timeout.ms, after which a producer is given up and all is well again */

/* Orders the trial's fault. */
static void order(const struct run *run, const struct trial *trial)
{
    if (trial->loss != NULL)
        ps_test_coordinator_lose(run->broker, trial->loss);
    if (trial->refusal != NULL)
        ps_test_coordinator_refuse(run->broker, trial->refusal->key, trial->refusal->errors[0],
                                   trial->refusal->errors[1]);
}

static struct ps_test_coordinator_counts run_trial(uint64_t seed, const struct trial *trial)
{
    static struct run run;
    begin(&run, seed, trial->faults);
    if (trial->bytes_max != 0)
        run.plan.transaction.bytes_max = trial->bytes_max;
    if (seed % 3 == 0) /* many transactions that fail are old, so that the next ones have fewer leases */
        run.plan.transaction.timeout_ns = 8 * PS_NS_PER_MS;
    run.generation = -1;
    run.records = trial->met != NULL ? FEW_RECORDS : RECORDS;
    order(&run, trial);
    run.failing = trial->failing;
    uint64_t begun_ns = run.stage.now.mono_ns;
    for (unsigned turns = 0; !is_complete(&run); turns++) {
        read_some(&run);
        if (trial->reassignments > 0 && run.generation > 0 && draw(&run, 1000) < trial->reassignments)
            run.generation = -ps_test_coordinator_reassign(run.broker);
        if (trial->recalls > 0 && draw(&run, 1000) < trial->recalls)
            recall(&run);
        turn(&run);
        bool late = trial->met != NULL && run.stage.now.mono_ns - begun_ns > TIME_MAX_NS;
        if (turns > TURNS_MAX || late)
            fail_msg("offsets %lld and %lld after %u turns",
                     (long long)ps_test_coordinator_offset(run.broker, 0),
                     (long long)ps_test_coordinator_offset(run.broker, 1), turns);
    }
    verify(&run);
    struct ps_test_coordinator_counts counts = ps_test_coordinator_counts(run.broker);
    if (trial->met != NULL)
        *trial->met = ps_test_coordinator_has_lost(run.broker) ||
                      ps_test_coordinator_has_refused(run.broker) || (trial->failing > 0 && run.failing == 0);
    end(&run);
    return counts;
}

static struct ps_test_coordinator_counts run_one(uint64_t seed, unsigned faults, unsigned reassignments)
{
    const struct trial trial = {.faults = faults, .reassignments = reassignments};
    return run_trial(seed, &trial);
}

/* A transaction that is full is committed at once, and what was committed is not in the next one. */
static void test_full(void **state)
{
    const struct trial calm = {.bytes_max = 3 * LEASE_BYTES};
    struct ps_test_coordinator_counts counts = run_trial(2, &calm);
    assert_in_range(counts.commits, 20, 1000);
    assert_int_equal(counts.aborts, 0);
    uint64_t seed = ps_test_seed();
    for (unsigned i = 0; i < 10; i++) {
        const struct trial trial = {.faults = 4 + 3 * i, .bytes_max = 3 * LEASE_BYTES};
        print_message("seed %llu\n", (unsigned long long)(seed + i));
        run_trial(seed + i, &trial);
    }
}

/* Here no answer of the coordinator is lost for good: a recall without an answer gives events back after 30 s, which
 * may duplicate them. */
static void test_recalls(void **state)
{
    uint64_t seed = ps_test_seed();
    for (unsigned i = 0; i < 12; i++) {
        const struct trial trial = {
            .faults = i, .recalls = 2 + i % 5, .bytes_max = i % 3 == 0 ? 3 * LEASE_BYTES : 0};
        print_message("seed %llu\n", (unsigned long long)(seed + i));
        run_trial(seed + i, &trial);
    }
}

static void test_calm(void **state)
{
    for (unsigned seed = 1; seed <= 2; seed++) {
        struct ps_test_coordinator_counts counts = run_one(seed, 0, 0);
        assert_in_range(counts.commits, 1, 1000);
        assert_int_equal(counts.aborts, 0);
        assert_int_equal(counts.fenced, 0);
    }
}

static bool has_each_kind(const struct ps_test_coordinator_counts *all)
{
    return all->aborts > 0 && all->fenced > 0 && all->timed_out > 0 && all->unconfirmed > 0 &&
           all->resolved > 0 && all->spoilt > 0;
}

/* Twenty trials, and more until each kind of end was seen. Packets and the sender's clock are not in step on a busy machine, so that a seed
 * alone does not say which kinds its trial has. */
static void test_faults(void **state)
{
    struct ps_test_coordinator_counts all = {0};
    uint64_t seed = ps_test_seed();
    for (unsigned i = 0; i < 20 || (i < 400 && !has_each_kind(&all)); i++) {
        print_message("seed %llu\n", (unsigned long long)(seed + i));
        struct ps_test_coordinator_counts counts = run_one(seed + i, 4 + i % 20 * 3, 0);
        all.aborts += counts.aborts;
        all.fenced += counts.fenced;
        all.timed_out += counts.timed_out;
        all.unconfirmed += counts.unconfirmed;
        all.resolved += counts.resolved;
        all.spoilt += counts.spoilt;
    }
    print_message(
        "aborted %u, fenced %u, timed out %u, ends not confirmed %u, resolved %u, to be aborted %u\n",
        all.aborts, all.fenced, all.timed_out, all.unconfirmed, all.resolved, all.spoilt);
    assert_true(has_each_kind(&all));
}

static void test_reassignments(void **state)
{
    unsigned stale = 0;
    uint64_t seed = ps_test_seed();
    for (unsigned i = 0; i < 20; i++) {
        print_message("seed %llu\n", (unsigned long long)(seed + i));
        stale += run_one(seed + i, i, 1 + i % 4).stale;
    }
    assert_true(stale > 0);
}

static bool is_of_first_protocol(int16_t key)
{
    return key == KEY_PARTITIONS || key == KEY_GROUP;
}

/* Loses each of the first requests of this kind in turn. A seed that is even has the second protocol. */
static void lose_each(uint64_t seed, int16_t key, bool carried_out)
{
    struct ps_test_loss loss = {.key = key, .carried_out = carried_out};
    bool met = true;
    const struct trial trial = {.loss = &loss, .met = &met};
    for (; met && loss.nth < LOSSES_MAX; loss.nth++) {
        print_message("seed %u, request %u of kind %d, carried out: %d\n", (unsigned)seed, loss.nth, key,
                      carried_out);
        struct ps_test_coordinator_counts counts = run_trial(seed, &trial);
        assert_int_equal(counts.aborts, 0);
        assert_int_equal(counts.fenced, 0);
        assert_true(met || loss.nth > 0);
    }
}

/* Each request of the first transactions is lost, or its answer: it is sent again, and nothing is aborted for it. */
static void test_each_loss(void **state)
{
    static const int16_t keys[] = {KEY_PRODUCE,  KEY_METADATA,    KEY_COORDINATOR,
                                   KEY_VERSIONS, KEY_PRODUCER_ID, KEY_PARTITIONS,
                                   KEY_GROUP,    KEY_END,         KEY_COMMIT_OFFSETS};
    for (size_t i = 0; i < 4 * PS_COUNT_OF(keys); i++) {
        uint64_t seed = 1 + i % 2;
        if (seed == 1 || !is_of_first_protocol(keys[i / 4]))
            lose_each(seed, keys[i / 4], i / 2 % 2 == 1);
    }
}

/* The errors of two partitions in one answer, in either order: a permanent one ends the transaction, else a temporary one is
 * tried again, and no commit leaves out what was refused. */
static void test_each_pair_of_errors(void **state)
{
    static const int16_t errors[] = {0, ERROR_COORDINATOR_LOADS, ERROR_NOT_COORDINATOR, ERROR_NOT_AUTHORIZED};
    static const struct {
        uint64_t seed; /* an even one has the second protocol */
        int16_t key;
    } kinds[] = {{1, KEY_PARTITIONS}, {1, KEY_COMMIT_OFFSETS}, {2, KEY_COMMIT_OFFSETS}};
    for (size_t i = 0; i < PS_COUNT_OF(kinds) * PS_COUNT_OF(errors) * PS_COUNT_OF(errors); i++) {
        size_t kind = i % PS_COUNT_OF(kinds), pair = i / PS_COUNT_OF(kinds);
        const struct refusal refusal = {
            .key = kinds[kind].key,
            .errors = {errors[pair % PS_COUNT_OF(errors)], errors[pair / PS_COUNT_OF(errors)]}};
        bool met, permanent =
                      refusal.errors[0] == ERROR_NOT_AUTHORIZED || refusal.errors[1] == ERROR_NOT_AUTHORIZED;
        const struct trial trial = {.refusal = &refusal, .met = &met};
        print_message("seed %u, kind %d: errors %d and %d\n", (unsigned)kinds[kind].seed, refusal.key,
                      refusal.errors[0], refusal.errors[1]);
        struct ps_test_coordinator_counts counts = run_trial(kinds[kind].seed, &trial);
        assert_true(met);
        assert_int_equal(counts.producers > 1, permanent);
        assert_true(permanent || counts.aborts == 0);
    }
}

/* Each allocation of a few transactions fails once: what had no memory is tried again, and the transactions go on. */
static void test_each_allocation(void **state)
{
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("the sanitizer has its own allocator");
    for (uint64_t seed = 1; seed <= 2; seed++) {
        bool met = true;
        uint64_t number = 1;
        for (; met; number++) {
            const struct trial trial = {.failing = number, .met = &met};
            print_message("seed %u, allocation %u\n", (unsigned)seed, (unsigned)number);
            run_trial(seed, &trial);
            assert_true(number < 1000);
        }
        assert_true(number > 5);
    }
}

/* ---- linger.ms ---- */

/* A transaction that wants to commit does not wait for linger.ms, nor does a sink that drains or is recalled. */
static void test_linger(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(&run, seed, 0);
        run.settings->linger_ns = 60 * PS_NS_PER_S;
        ps_kafka_sender_close(run.sender);
        struct ps_err err = {0};
        memset(run.sender, 0, sizeof *run.sender);
        assert_int_equal(ps_kafka_sender_open(run.sender, &run.plan, &run.stage.port, &err), PS_OK);
        open_source(&run);
        read_batch(&run, 0);
        serve_until(&run, 1, 5000); /* it also connects */
        read_batch(&run, 1);
        read_batch(&run, 0);
        serve_until(&run, 3, 500);
        run.plan.transaction.interval_ns = 3600 * PS_NS_PER_S;
        /* A new lease each 20 ms keeps the transaction open. */
        for (unsigned i = 0; i < 10; i++) {
            read_batch(&run, i % 2);
            for (unsigned turns = 0; turns < 10; turns++)
                turn(&run);
        }
        assert_int_equal(run.stage.done_count, 3);
        assert_false(ps_kafka_sender_drain(run.sender, &run.stage.now));
        serve_until(&run, 13, 500);
        assert_true(ps_kafka_sender_drain(run.sender, &run.stage.now));
        end(&run);
    }
}

/* Leases come one after the other, so that the transaction stays open until it is full. */
static void read_leases(struct run *run, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        read_batch(run, i % 2);
        for (unsigned turns = 0; turns < 10; turns++)
            turn(run);
    }
}

/* The limit of a transaction's memory holds for the first transaction, and for each one after a commit. */
static void test_memory_of_each(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(&run, seed, 0);
        open_source(&run);
        read_batch(&run, 0);
        serve_until(&run, 1, 5000);
        run.plan.transaction.interval_ns = 3600 * PS_NS_PER_S;
        run.plan.transaction.bytes_max = 6 * LEASE_BYTES;
        for (unsigned round = 0; round < 2; round++) {
            size_t done = run.stage.done_count;
            read_leases(&run, 5);
            assert_int_equal(run.stage.done_count, done);
            read_leases(&run, 1);
            serve_until(&run, done + 6, 500);
        }
        end(&run);
    }
}

/* Every error with which the coordinator can answer a commit: either it has refused and the transaction is given up, or it may
 * still end the transaction and is asked again. */
static void test_each_error_of_the_end(void **state)
{
    static const struct {
        int16_t error;
        bool refuses;
    } rows[] = {{-1, false}, {7, false}, {14, false}, {15, false}, {16, false}, {51, false}, {58, false},
                {47, true},  {48, true}, {49, true},  {53, true},  {90, true},  {120, true}};
    for (size_t i = 0; i < 2 * PS_COUNT_OF(rows); i++) {
        uint64_t seed = 1 + i % 2; /* an even one has the second protocol */
        const struct refusal refusal = {.key = KEY_END, .errors = {rows[i / 2].error, 0}};
        bool met;
        const struct trial trial = {.refusal = &refusal, .met = &met};
        print_message("seed %u: error %d\n", (unsigned)seed, rows[i / 2].error);
        struct ps_test_coordinator_counts counts = run_trial(seed, &trial);
        assert_true(met);
        assert_int_equal(counts.producers > 1, rows[i / 2].refuses);
        assert_int_equal(counts.aborts > 0, rows[i / 2].refuses);
    }
}

static void run_until_complete(struct run *run, uint64_t within_ns)
{
    uint64_t since_ns = run->stage.now.mono_ns;
    while (!is_complete(run)) {
        read_some(run);
        turn(run);
        if (run->stage.now.mono_ns - since_ns > within_ns)
            fail_msg("offsets %lld and %lld", (long long)ps_test_coordinator_offset(run->broker, 0),
                     (long long)ps_test_coordinator_offset(run->broker, 1));
    }
}

/* The topic is created again with fewer partitions: no partition can be added to a transaction with the removed ones.
 * The producer ends, and the next one knows the topic as it is. */
static void test_removed_partitions(void **state)
{
    static struct run run;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        begin(&run, seed, 0);
        run.generation = -1;
        run.records = FEW_RECORDS;
        run_until_complete(&run, TIME_MAX_NS);
        ps_test_coordinator_shrink(run.broker, 1);
        run.records = 2 * FEW_RECORDS;
        run_until_complete(&run, 60 * PS_NS_PER_S);
        verify(&run);
        assert_true(ps_test_coordinator_counts(run.broker).producers > 1);
        end(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calm),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_recalls),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_reassignments),
        cmocka_unit_test(test_each_loss),
        cmocka_unit_test(test_each_pair_of_errors),
        cmocka_unit_test(test_each_allocation),
        cmocka_unit_test(test_memory_of_each),
        cmocka_unit_test(test_linger),
        cmocka_unit_test(test_each_error_of_the_end),
        cmocka_unit_test(test_removed_partitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
