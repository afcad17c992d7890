/* The native client against brokers that keep sequence numbers and misbehave: each record is written once, in the order in
 * which it was submitted to its partition, and reported once, as delivered. */
#include "stages/lib/kafka/cluster/native.h"
#include "stages/lib/kafka/cluster/native_internal.h"

#include <stdlib.h>

#include "tests/support/kafka/fake_brokers.h"
#include "tests/support/kafka/settings.h"
#include "tests/support/support.h"

#define RECORDS 3000U
#define RUN_MAX 64U
#define TURN_NS (2 * PS_NS_PER_MS)
#define TURNS_MAX 400000U

extern const struct ps_kafka_engine ps_kafka_native;

struct run {
    struct ps_test_brokers *brokers;
    struct ps_kafka_producer *producer;
    struct ps_kafka_topic *topic;
    uint32_t numbers[RECORDS];
    uint8_t reported[RECORDS];
    uint32_t submitted, report_count, errors;
    struct ps_now now;
};

static void on_report(void *argument, const struct ps_kafka_report *report)
{
    struct run *run = argument;
    for (uint32_t i = 0; i < report->count; i++) {
        uintptr_t number = (uintptr_t)report->tokens[i] - 1;
        assert_in_range(number, 0, RECORDS - 1);
        assert_int_equal(run->reported[number]++, 0);
        run->errors += report->error != 0;
    }
    run->report_count += report->count;
}

static void on_notice(void *argument, const struct ps_kafka_notice *notice)
{
    (void)argument;
    if (notice->kind == PS_KAFKA_NOTICE_FATAL)
        fail_msg("the producer gave up: %s", notice->text);
}

static void turn(struct run *run)
{
    const struct ps_kafka_listener listener = {
        .report = on_report, .notice = on_notice, .argument = run, .now = run->now};
    ps_kafka_native.poll(run->producer, &listener, UINT32_MAX);
    ps_test_brokers_serve(run->brokers);
    run->now.mono_ns += TURN_NS;
}

static void begin(struct run *run, uint64_t seed, unsigned faults, int32_t sequence, const char *timeout_ms)
{
    struct ps_err err = {0};
    *run = (struct run){.brokers = ps_test_brokers_start(seed, faults, sequence),
                        .now = {.mono_ns = PS_NS_PER_S}};
    const struct ps_pair pairs[] = {
        {.key = "bootstrap.servers", .value = ps_test_brokers_bootstrap(run->brokers)},
        {.key = "enable.idempotence", .value = "true"},
        {.key = "batch.num.messages", .value = "40"},
        {.key = "reconnect.backoff.ms", .value = "10"},
        {.key = "reconnect.backoff.max.ms", .value = "40"},
        {.key = "retry.backoff.ms", .value = "10"},
        {.key = "socket.timeout.ms", .value = timeout_ms},
        {.key = "topic.metadata.refresh.interval.ms", .value = "100"},
    };
    struct ps_kafka_settings *settings = ps_test_settings(pairs, PS_COUNT_OF(pairs));
    const struct ps_kafka_producer_config config = {.settings = settings, .wake_fd = -1, .epoll_fd = -1};
    settings->spread = PS_KAFKA_SPREAD_EVENLY;
    run->producer = ps_kafka_native.create(&config, &err);
    if (run->producer == NULL)
        fail_msg("%s", err.text);
    run->topic = ps_kafka_native.topic(run->producer, "t", 1);
    assert_non_null(run->topic);
}

/* Moves the producer to this sequence number, which is near the largest one. */
static void go_to(struct run *run, int32_t sequence)
{
    struct ps_kafka_native_topic *topic = (struct ps_kafka_native_topic *)run->topic;
    while (topic->partition_count == 0)
        turn(run);
    for (int32_t i = 0; i < topic->partition_count; i++)
        topic->partitions[i]->next_sequence = sequence;
}

static void end(struct run *run)
{
    ps_kafka_native.destroy(run->producer);
    ps_test_brokers_stop(run->brokers);
}

static void submit(struct run *run, uint32_t count)
{
    struct ps_kafka_record records[RUN_MAX];
    int error;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = run->submitted + i;
        run->numbers[number] = number;
        records[i] = (struct ps_kafka_record){.value = (const char *)&run->numbers[number],
                                              .value_length = sizeof(uint32_t),
                                              .partition = PS_KAFKA_PARTITION_ANY,
                                              .timestamp_ms = PS_KAFKA_TIMESTAMP_NONE,
                                              .token = (void *)(uintptr_t)(number + 1)};
    }
    uint32_t taken = ps_kafka_native.submit(run->producer, run->topic, records, count, &error);
    assert_true(taken == count || error == PS_KAFKA_FULL);
    run->submitted += taken;
}

static void verify(const struct run *run)
{
    uint32_t total = 0;
    for (unsigned p = 0; p < PS_TEST_PARTITIONS_MAX; p++) {
        const uint32_t *numbers;
        uint32_t count = ps_test_brokers_log(run->brokers, p, &numbers);
        for (uint32_t i = 1; i < count; i++)
            if (numbers[i] <= numbers[i - 1])
                fail_msg("partition %u: %u comes after %u", p, numbers[i], numbers[i - 1]);
        total += count;
    }
    assert_int_equal(total, RECORDS);
    assert_int_equal(run->report_count, RECORDS);
    assert_int_equal(run->errors, 0);
}

static void run_one(uint64_t seed, unsigned faults, int32_t sequence)
{
    static struct run run;
    uint64_t random = seed ^ UINT64_C(0x9e3779b97f4a7c15);
    begin(&run, seed, faults, sequence, "500");
    go_to(&run, sequence);
    for (unsigned turns = 0; run.report_count < RECORDS; turns++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407U;
        uint32_t want = (uint32_t)(random >> 33) % (RUN_MAX + 1), left = RECORDS - run.submitted;
        if (want > 0 && left > 0)
            submit(&run, want < left ? want : left);
        turn(&run);
        if (turns > TURNS_MAX)
            fail_msg("%u of %u records were reported", run.report_count, RECORDS);
    }
    verify(&run);
    end(&run);
}

static void test_calm(void **state)
{
    run_one(1, 0, 0);
}

static void test_faults(void **state)
{
    uint64_t seed = ps_test_seed();
    for (unsigned i = 0; i < 40; i++) {
        print_message("seed %llu\n", (unsigned long long)(seed + i));
        run_one(seed + i, 5 + i * 5, i % 2 == 0 ? 0 : INT32_MAX - 500);
    }
}

/* Partitions are added while there is always a record to be sent: they get records, too. */
static void run_added(uint64_t seed, unsigned faults)
{
    static struct run run;
    const uint32_t *numbers;
    begin(&run, seed, faults, 0, "500");
    go_to(&run, 0);
    for (unsigned turns = 0; run.report_count < RECORDS; turns++) {
        if (run.submitted >= RECORDS / 6)
            ps_test_brokers_widen(run.brokers, PS_TEST_PARTITIONS_MAX);
        uint32_t left = RECORDS - run.submitted;
        if (left > 0)
            submit(&run, left < 5 ? left : 5);
        turn(&run);
        if (turns > TURNS_MAX)
            fail_msg("%u of %u records were reported", run.report_count, RECORDS);
    }
    verify(&run);
    for (unsigned p = PS_TEST_PARTITIONS; p < PS_TEST_PARTITIONS_MAX; p++)
        assert_true(ps_test_brokers_log(run.brokers, p, &numbers) > 0);
    end(&run);
}

static void test_added_partitions(void **state)
{
    uint64_t seed = ps_test_seed();
    run_added(1, 0);
    for (unsigned i = 0; i < 20; i++) {
        print_message("seed %llu\n", (unsigned long long)(seed + i));
        run_added(seed + i, 5 + i * 5);
    }
}

/* ---- metadata of a broker that is behind, while batches are in flight ---- */

static uint32_t in_flight(const struct run *run)
{
    const struct ps_kafka_native_topic *topic = (const struct ps_kafka_native_topic *)run->topic;
    uint32_t count = 0;
    for (int32_t i = 0; i < topic->partition_count; i++)
        count += topic->partitions[i]->in_flight;
    return count;
}

static void turns_until_reported(struct run *run, uint32_t count)
{
    for (unsigned turns = 0; run->report_count < count; turns++) {
        if (turns > TURNS_MAX)
            fail_msg("%u of %u records were reported", run->report_count, count);
        turn(run);
    }
}

/* Submits runs of records until each partition has several batches in flight. */
static void fill(struct run *run)
{
    for (unsigned turns = 0; in_flight(run) < 2 * PS_TEST_PARTITIONS; turns++) {
        assert_in_range(turns, 0, 100);
        submit(run, RUN_MAX);
        turn(run);
    }
}

struct lies {
    const char *what;
    enum ps_test_metadata kinds[2];
    unsigned count;
    bool forgets; /* the client does not know the leader epochs then */
};

/* Broker 1 leads, and has batches in flight, when the other broker gives wrong answers. `moves`: the other broker has
 * become the leader by then, which the client does not know. */
static void mislead(uint64_t seed, const struct lies *lies, enum ps_test_hold hold, bool moves)
{
    static struct run run;
    print_message("%s, seed %llu, hold %d, moves %d\n", lies->what, (unsigned long long)seed, hold, moves);
    begin(&run, seed, 0, 0, "20000");
    ps_test_brokers_lead(run.brokers, 1);
    go_to(&run, 0);
    for (unsigned i = 0; i < 4; i++) { /* the leader knows the producer */
        submit(&run, RUN_MAX);
        turns_until_reported(&run, run.submitted);
    }
    ps_test_brokers_hold(run.brokers, 1, hold);
    fill(&run);
    if (moves)
        ps_test_brokers_lead(run.brokers, 0);
    ps_test_brokers_mislead(run.brokers, lies->kinds, lies->count);
    for (unsigned turns = 0; ps_test_brokers_to_mislead(run.brokers) > 0; turns++) {
        assert_in_range(turns, 0, 2000);
        turn(&run);
    }
    turn(&run); /* it reads the answer */
    assert_true(in_flight(&run) >= 2 * PS_TEST_PARTITIONS);
    submit(&run, RUN_MAX);
    turn(&run);
    ps_test_brokers_hold(run.brokers, 1, PS_TEST_HOLD_NOTHING);
    while (run.submitted < RECORDS) {
        submit(&run, RECORDS - run.submitted < RUN_MAX ? RECORDS - run.submitted : RUN_MAX);
        turn(&run);
    }
    turns_until_reported(&run, RECORDS);
    verify(&run);
    bool knows_better = ps_test_brokers_have_epochs(run.brokers) && !lies->forgets;
    if (knows_better && !moves)
        assert_int_equal(ps_test_brokers_denied(run.brokers), 0);
    if (hold == PS_TEST_HOLD_BATCHES && moves) /* the batches in flight were denied */
        assert_true(ps_test_brokers_denied(run.brokers) >= 2 * PS_TEST_PARTITIONS);
    end(&run);
}

static void test_late_metadata_with_sets_in_flight(void **state)
{
    static const struct lies all[] = {
        {"an older leader", {PS_TEST_METADATA_OLDER}, 1, false},
        {"no topic", {PS_TEST_METADATA_NO_TOPIC}, 1, false},
        {"fewer partitions", {PS_TEST_METADATA_FEWER}, 1, false},
        {"no topic, then an older leader", {PS_TEST_METADATA_NO_TOPIC, PS_TEST_METADATA_OLDER}, 2, true},
        {"an older leader, then fewer partitions",
         {PS_TEST_METADATA_OLDER, PS_TEST_METADATA_FEWER},
         2,
         false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(all); i++)
        for (uint64_t seed = 1; seed <= 10; seed++) /* they draw the versions of requests */
            for (enum ps_test_hold hold = PS_TEST_HOLD_BATCHES; hold <= PS_TEST_HOLD_ANSWERS; hold++)
                for (unsigned moves = 0; moves < 2; moves++)
                    mislead(seed, &all[i], hold, moves == 1);
}

/* While no broker can be reached, the client asks to be called again later, not at once. Returns how often it asks to be called
 * at once in 5,000 ms. */
static unsigned count_due(const struct ps_pair *pairs, size_t count)
{
    struct ps_err err = {0};
    struct run run = {.now = {.mono_ns = PS_NS_PER_S}};
    const struct ps_kafka_producer_config config = {
        .settings = ps_test_settings(pairs, count), .wake_fd = -1, .epoll_fd = -1};
    const struct ps_kafka_listener listener = {.report = on_report, .notice = on_notice, .argument = &run};
    run.producer = ps_kafka_native.create(&config, &err);
    assert_non_null(run.producer);
    assert_non_null(ps_kafka_native.topic(run.producer, "t", 1));
    unsigned due = 0, turns = 5000;
    for (unsigned i = 0; i < turns; i++) {
        struct ps_kafka_listener now = listener;
        now.now = run.now;
        ps_kafka_native.poll(run.producer, &now, UINT32_MAX);
        due += ps_kafka_native.due_ns(run.producer) <= run.now.mono_ns;
        run.now.mono_ns += PS_NS_PER_MS;
    }
    ps_kafka_native.destroy(run.producer);
    return due;
}

static void test_no_broker(void **state)
{
    const struct ps_pair pairs[] = {{.key = "bootstrap.servers", .value = "127.0.0.1:1,127.0.0.1:2"},
                                    {.key = "enable.idempotence", .value = "true"},
                                    {.key = "reconnect.backoff.ms", .value = "0"},
                                    {.key = "reconnect.backoff.max.ms", .value = "0"}};
    assert_in_range(count_due(pairs, 2), 0, 100);
    assert_in_range(count_due(pairs, 3), 0, 100);
    assert_in_range(count_due(pairs, 4), 0, 2000); /* every 10 ms, of two brokers */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calm),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_added_partitions),
        cmocka_unit_test(test_late_metadata_with_sets_in_flight),
        cmocka_unit_test(test_no_broker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
