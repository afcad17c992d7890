/* Sink kafka with librdkafka and brokers at a distance: how much it keeps in flight. Real clock: librdkafka measures the round trip
 * over five seconds. */
#include "stages/lib/kafka/produce/statistics.h"
#include "tests/support/kafka/sink.h"

#define EVENTS 16U
#define EVENT_BYTES 8000U
#define MIB (UINT64_C(1) << 20)
#define BUDGET_BYTES (UINT64_C(768) << 20)

static struct ps_test_kafka_sink kafka;

static void start(uint32_t round_trip_ms, const char *most)
{
    kafka = (struct ps_test_kafka_sink){.topic = "far", .partition_count = 4, .haste = 1};
    ps_test_cluster_start(&kafka.cluster, 1);
    ps_test_cluster_topic(&kafka.cluster, "far", 4);
    ps_mock_broker_round_trip(kafka.cluster.mock, round_trip_ms);
    ps_test_stage_init_sized(&kafka.stage, &ps_sink_kafka, BUDGET_BYTES);
    assert_int_equal(
        ps_test_stage_bind(&kafka.stage,
                           PS_KEYS("kafka.bootstrap.servers", kafka.cluster.bootstrap, "kafka.topic", "far",
                                   "penstock.in.flight.max", most, "penstock.engine", "librdkafka")),
        PS_OK);
    assert_int_equal(ps_test_stage_build(&kafka.stage), PS_OK);
    assert_int_equal(ps_test_stage_open(&kafka.stage), PS_OK);
    kafka.stage.now.mono_ns = ps_clock_now().mono_ns;
}

static uint64_t gauge(enum ps_kafka_gauge which)
{
    return ps_test_kafka_sink_counter(&kafka, (enum ps_counter)(PS_COUNTER_extra + which));
}

/* Sends one event at a time, until the round trip is known. */
static void wait_for_statistics(void)
{
    for (unsigned i = 0; i < 1000 && gauge(PS_KAFKA_GAUGE_rtt_avg_us) == 0; i++) {
        ps_test_kafka_sink_send(&kafka, 1, 1);
        ps_test_kafka_sink_wait(&kafka, PS_TEST_PATIENCE_MS);
        ps_test_kafka_sink_pass(&kafka, 10);
    }
    assert_true(gauge(PS_KAFKA_GAUGE_rtt_avg_us) > 0);
}

/* Returns the bytes of bodies that were taken and not delivered. */
static uint64_t held_bytes(void)
{
    return (kafka.lease_count - kafka.stage.done_count) * EVENTS * EVENT_BYTES;
}

/* Sends until the sink takes no more. Returns the maximum number of bytes of bodies that were taken and not delivered. */
static uint64_t press(unsigned leases, uint64_t enough)
{
    uint64_t most = 0;
    for (unsigned i = 0; i < leases && most < enough; i++) {
        ps_test_kafka_sink_offer(&kafka, ps_test_kafka_sink_lease(&kafka, EVENTS, EVENT_BYTES));
        most = held_bytes() > most ? held_bytes() : most;
    }
    ps_test_kafka_sink_wait(&kafka, PS_TEST_PATIENCE_MS);
    assert_int_equal(kafka.stage.done_count, kafka.lease_count);
    return most;
}

/* Three waves, each of which ends with the lease that fills it. */
#define THREE_WAVES (3 * (MIB + EVENTS * EVENT_BYTES))

/* A recall of a window that has grown: every lease comes back, in order, or was delivered. */
static void recall(void)
{
    size_t back_count = 0;
    uint64_t before = 0;
    /* On a busy machine the broker may answer the first leases before the window is full. */
    for (unsigned i = 0; i < 2000 && held_bytes() <= MIB; i++) {
        if (kafka.waiting == NULL)
            kafka.waiting = ps_test_kafka_sink_lease(&kafka, EVENTS, EVENT_BYTES);
        ps_test_kafka_sink_turn(&kafka);
    }
    assert_true(held_bytes() > MIB);
    for (struct ps_lease *lease = ps_test_sink_recall(&kafka.stage); lease != NULL; lease = lease->next) {
        uint64_t number = strtoull(ps_lease_event(lease, 0)->body, NULL, 10);
        assert_true(number > before);
        before = number;
        back_count++;
    }
    assert_int_equal(back_count + kafka.stage.done_count, kafka.lease_count);
}

static void test_more_is_in_flight_over_a_long_line(void **state)
{
    start(100, "64m");
    assert_true(press(60, UINT64_MAX) <= THREE_WAVES); /* the round trip is not known yet */
    wait_for_statistics();
    assert_in_range(gauge(PS_KAFKA_GAUGE_rtt_avg_us), 90000, 60000000);
    assert_true(press(2500, 4 * MIB + MIB / 2) >= 4 * MIB + MIB / 2);
    assert_true(gauge(PS_KAFKA_GAUGE_in_flight_limit_bytes) >= 5 * MIB);
    recall();
    ps_test_kafka_sink_stop(&kafka);
}

static void test_an_operator_limits_it(void **state)
{
    start(100, "3m");
    wait_for_statistics();
    assert_true(press(150, UINT64_MAX) <= THREE_WAVES);
    assert_int_equal(gauge(PS_KAFKA_GAUGE_in_flight_limit_bytes), 3 * MIB);
    ps_test_kafka_sink_stop(&kafka);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_more_is_in_flight_over_a_long_line),
        cmocka_unit_test(test_an_operator_limits_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
