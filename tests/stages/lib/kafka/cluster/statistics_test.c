/* What the native client measures, compared with answers that the test remembers one by one. */
#include "stages/lib/kafka/cluster/native_internal.h"

#include "tests/support/support.h"

#define ANSWERS 3000U

static struct ps_kafka_native client;
static uint64_t trips_us[ANSWERS];
static uint32_t trip_count;
static struct ps_kafka_measured told;
static unsigned told_count;
static uint64_t random_state;

static void take_notice(void *argument, const struct ps_kafka_notice *notice)
{
    assert_ptr_equal(argument, &client);
    assert_int_equal(notice->kind, PS_KAFKA_NOTICE_STATISTICS);
    assert_int_equal(notice->code, 0);
    told = *notice->measured;
    told_count++;
}

static const struct ps_kafka_listener listener = {.notice = take_notice, .argument = &client};

static void start(void)
{
    memset(&client, 0, sizeof client);
    client.listener = &listener;
    client.settings.statistics_ns = PS_NS_PER_S;
    client.settings.queue_records_max = 12345;
    client.now.mono_ns = UINT64_C(1) << 50;
    trip_count = told_count = 0;
}

static void answer(uint64_t us)
{
    const struct ps_kafka_native_request request = {.sent_ns = client.now.mono_ns - us * 1000};
    ps_kafka_native_count_answer(&client, &request);
    trips_us[trip_count++] = us;
}

static int compare(const void *one_, const void *other_)
{
    const uint64_t *one = one_, *other = other_;
    return (*one > *other) - (*one < *other);
}

static void assert_told(uint64_t in_flight)
{
    uint64_t sum = 0, p99 = 0;
    for (uint32_t i = 0; i < trip_count; i++)
        sum += trips_us[i];
    qsort(trips_us, trip_count, sizeof *trips_us, compare);
    if (trip_count > 0)
        p99 = trips_us[trip_count - 1 - trip_count / 100];
    ps_kafka_native_tell_statistics(&client);
    assert_int_equal(told_count, 1);
    assert_int_equal(told.queue_records, client.queued.records);
    assert_int_equal(told.queue_bytes, client.queued.bytes);
    assert_int_equal(told.queue_records_max, 12345);
    assert_int_equal(told.requests, client.statistics.requests);
    assert_int_equal(told.request_bytes, client.statistics.bytes);
    assert_int_equal(told.requests_in_flight, in_flight);
    assert_int_equal(told.round_trip_us, trip_count > 0 ? sum / trip_count : 0);
    assert_in_range(told.round_trip_p99_us, p99, p99 + p99 / 128);
    told_count = trip_count = 0;
}

/* Reports one after the other: the numbers of answers begin again with each, those of requests and bytes do not. */
static void test_drawn(void **state)
{
    random_state = ps_test_seed() | 1;
    start();
    for (unsigned report = 0; report < 50; report++) {
        uint64_t count = report % 5 == 0 ? report / 5 : ps_test_random(&random_state) % ANSWERS;
        unsigned bits = (unsigned)(ps_test_random(&random_state) % 30);
        for (uint64_t i = 0; i < count; i++)
            answer(ps_test_random(&random_state) & ((UINT64_C(1) << bits) - 1));
        client.statistics.requests += ps_test_random(&random_state) % 1000;
        client.statistics.bytes += ps_test_random(&random_state) % 1000000;
        client.queued.records = ps_test_random(&random_state) % 100;
        client.queued.bytes = client.queued.records * 10;
        client.now.mono_ns += PS_NS_PER_S;
        assert_told(0);
    }
}

/* Percentiles: 99 of 100 and 100 of 100 values, and neighbouring buckets. */
static void test_percentile(void **state)
{
    for (uint64_t us = 0; us < 70; us++) {
        start();
        answer(us);
        assert_told(0);
    }
    for (uint32_t count = 98; count <= 202; count++) {
        start();
        for (uint32_t i = 0; i + 2 < count; i++)
            answer(10);
        answer(1000);
        answer(100000);
        assert_told(0);
    }
    start();
    answer(UINT64_C(1) << 36); /* longer than any bucket: 19 hours */
    ps_kafka_native_tell_statistics(&client);
    assert_int_equal(told.round_trip_us, UINT64_C(1) << 36);
}

/* If the clock went back, the round trip counts as 0. */
static void test_clock(void **state)
{
    start();
    const struct ps_kafka_native_request request = {.sent_ns = client.now.mono_ns + 5000};
    ps_kafka_native_count_answer(&client, &request);
    trips_us[trip_count++] = 0;
    assert_told(0);
}

static void test_in_flight(void **state)
{
    struct ps_kafka_native_request requests[3] = {{.next = &requests[1]}, {.next = NULL}, {.next = NULL}};
    struct ps_kafka_native_broker *brokers = calloc(3, sizeof *brokers);
    assert_non_null(brokers);
    start();
    brokers[0].first = &requests[0]; /* two requests, none, and one */
    brokers[0].next = &brokers[1];
    brokers[1].next = &brokers[2];
    brokers[2].first = &requests[2];
    client.brokers = &brokers[0];
    assert_told(3);
    free(brokers);
}

/* The report comes at its time and not before; a client with nothing to tell needs no turn for it. */
static void test_due(void **state)
{
    start();
    assert_true(ps_kafka_native_statistics_due_ns(&client) == PS_NEVER);
    ps_kafka_native_tell_statistics(&client);
    assert_int_equal(told_count, 1);
    uint64_t due_ns = client.now.mono_ns + PS_NS_PER_S;
    assert_true(ps_kafka_native_statistics_due_ns(&client) == PS_NEVER);
    client.queued.records = 1;
    assert_true(ps_kafka_native_statistics_due_ns(&client) == due_ns);
    client.queued.records = 0;
    answer(5);
    assert_true(ps_kafka_native_statistics_due_ns(&client) == due_ns);
    client.now.mono_ns = due_ns - 1;
    ps_kafka_native_tell_statistics(&client);
    assert_int_equal(told_count, 1);
    client.now.mono_ns = due_ns;
    told_count = 0;
    assert_told(0);
    client.settings.statistics_ns = 0; /* no metrics are wanted */
    client.now.mono_ns += 100 * PS_NS_PER_S;
    answer(5);
    ps_kafka_native_tell_statistics(&client);
    assert_int_equal(told_count, 0);
    assert_true(ps_kafka_native_statistics_due_ns(&client) == PS_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawn),     cmocka_unit_test(test_percentile), cmocka_unit_test(test_clock),
        cmocka_unit_test(test_in_flight), cmocka_unit_test(test_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
