/* librdkafka's statistics as counters. */
#include "stages/lib/kafka/librdkafka/statistics.h"
#include "stages/lib/kafka/produce/statistics.h"
#include "tests/support/support.h"

static uint64_t read_gauge(const struct ps_counters *counters, enum ps_kafka_gauge gauge)
{
    return ps_counter_read(counters, (enum ps_counter)(PS_COUNTER_extra + gauge));
}

static bool take(struct ps_kafka_statistics *statistics, const char *json)
{
    struct ps_kafka_measured measured;
    if (!ps_kafka_librdkafka_measured(json, &measured))
        return false;
    ps_kafka_statistics_take(statistics, &measured);
    return true;
}

static void test_read(void **state)
{
    static struct ps_counters counters;
    struct ps_kafka_statistics statistics = {.counters = &counters};
    assert_true(take(&statistics,
                     "{\"msg_cnt\": 7, \"msg_size\": 700, \"msg_max\": 5000, \"tx\": 12, \"tx_bytes\": 3400, "
                     "\"brokers\": {"
                     "\"a:1/1\": {\"waitresp_cnt\": 2, \"rtt\": {\"avg\": 100, \"p99\": 900, \"cnt\": 3}},"
                     "\"b:1/2\": {\"waitresp_cnt\": 1, \"rtt\": {\"avg\": 500, \"p99\": 700, \"cnt\": 1}},"
                     "\"c:1/bootstrap\": {\"waitresp_cnt\": -1}}}"));
    assert_int_equal(read_gauge(&counters, PS_KAFKA_GAUGE_queue_messages), 7);
    assert_int_equal(read_gauge(&counters, PS_KAFKA_GAUGE_queue_limit_messages), 5000);
    assert_int_equal(read_gauge(&counters, PS_KAFKA_GAUGE_queue_bytes), 700);
    assert_int_equal(read_gauge(&counters, PS_KAFKA_GAUGE_requests_in_flight), 3);
    assert_int_equal(read_gauge(&counters, PS_KAFKA_GAUGE_requests_sent), 12);
    assert_int_equal(read_gauge(&counters, PS_KAFKA_GAUGE_rtt_avg_us), 200);
    assert_int_equal(read_gauge(&counters, PS_KAFKA_GAUGE_rtt_p99_us), 900);
    ps_kafka_statistics_renew(&statistics); /* another producer counts from zero */
    assert_true(take(&statistics, "{\"tx\": 3, \"tx_bytes\": 100}"));
    assert_int_equal(read_gauge(&counters, PS_KAFKA_GAUGE_requests_sent), 15);
    assert_int_equal(read_gauge(&counters, PS_KAFKA_GAUGE_request_bytes_sent), 3500);
    assert_false(take(&statistics, "no JSON"));
    assert_true(take(&statistics, "[1]"));
    assert_int_equal(read_gauge(&counters, PS_KAFKA_GAUGE_rtt_p99_us), 0);
}

/* Each number of the library comes through as it is, also one that 32 bits do not hold; one below 0 counts as 0. Those that grow are
 * added to what earlier producers have reached. */
static void test_each_number(void **state)
{
    static const struct {
        const char *text;
        enum ps_kafka_gauge gauge;
        bool grows;
    } rows[] = {
        {"{\"msg_cnt\": %lld}", PS_KAFKA_GAUGE_queue_messages, false},
        {"{\"msg_size\": %lld}", PS_KAFKA_GAUGE_queue_bytes, false},
        {"{\"msg_max\": %lld}", PS_KAFKA_GAUGE_queue_limit_messages, false},
        {"{\"tx\": %lld}", PS_KAFKA_GAUGE_requests_sent, true},
        {"{\"tx_bytes\": %lld}", PS_KAFKA_GAUGE_request_bytes_sent, true},
        {"{\"brokers\": {\"a\": {\"waitresp_cnt\": %lld}}}", PS_KAFKA_GAUGE_requests_in_flight, false},
        {"{\"brokers\": {\"a\": {\"rtt\": {\"cnt\": 1, \"avg\": %lld}}}}", PS_KAFKA_GAUGE_rtt_avg_us, false},
        {"{\"brokers\": {\"a\": {\"rtt\": {\"p99\": %lld}}}}", PS_KAFKA_GAUGE_rtt_p99_us, false},
    };
    static const long long numbers[] = {0, 1, INT32_MAX, (1LL << 31), 1LL << 32, 5000000000, 1LL << 53, -1};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_counters counters = {0};
        struct ps_kafka_statistics statistics = {.counters = &counters};
        uint64_t before = 0;
        for (size_t j = 0; j < PS_COUNT_OF(numbers); j++) {
            char json[200];
            uint64_t wanted = numbers[j] > 0 ? (uint64_t)numbers[j] : 0;
            snprintf(json, sizeof json, rows[i].text, numbers[j]);
            assert_true(take(&statistics, json));
            for (int gauge = 0; gauge < PS_KAFKA_GAUGE_COUNT; gauge++) {
                if (gauge == (int)rows[i].gauge)
                    assert_int_equal(read_gauge(&counters, rows[i].gauge), before + wanted);
                else
                    assert_int_equal(read_gauge(&counters, (enum ps_kafka_gauge)gauge), 0);
            }
            ps_kafka_statistics_renew(&statistics);
            before += rows[i].grows ? wanted : 0;
        }
    }
}

static void test_reaches(void **state)
{
    struct ps_kafka_measured measured;
    assert_true(ps_kafka_librdkafka_measured(
        "{\"brokers\": {\"a\": {\"state\": \"DOWN\"}, \"b\": {\"state\": \"INIT\"}}}", &measured));
    assert_false(measured.reaches);
    assert_true(ps_kafka_librdkafka_measured(
        "{\"brokers\": {\"a\": {\"state\": \"DOWN\"}, \"b\": {\"state\": \"UP\"}}}", &measured));
    assert_true(measured.reaches);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_each_number),
        cmocka_unit_test(test_reaches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
