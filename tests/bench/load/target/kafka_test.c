/* Target kafka against librdkafka's mock cluster: the records that arrive, their partitions and keys; brokers
 * that are absent, disappear and come back, refuse for a while or for good, and end the producer. */
#include "bench/load/targets.h"
#include "core/clock.h"
#include "tests/support/fake_lane.h"
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/reader.h"

#include <inttypes.h>
#include <stdio.h>

static const struct ps_test_event_size size = {60, 200};
static struct ps_lane lane;
static unsigned topic_number;
static char topic[32];

static int begin(void **state)
{
    lane = (struct ps_lane){.unordered = true};
    snprintf(topic, sizeof topic, "t%u", topic_number++);
    ps_test_topic(topic, 4);
    return 0;
}

static void open_lane(const char *keys)
{
    char url[512];
    snprintf(url, sizeof url, "kafka://%s/%s%s", ps_test_cluster.bootstrap, topic, keys);
    ps_test_lane_open(&lane, &ps_target_kafka, url);
}

static uint64_t sequence_of(const struct ps_test_record *record)
{
    char wanted[512];
    uint64_t sequence = strtoull(record->value + 2, NULL, 10);
    uint32_t length = ps_test_lane_event(sequence, size, PS_FRAMING_NONE, wanted);
    assert_int_equal(record->value_length, length);
    assert_memory_equal(record->value, wanted, length);
    return sequence;
}

/* Reads the topic: every event but the failed ones, in order within its partition; `exactly`: once. Returns
 * the number of partitions with events. */
static unsigned check_topic(uint64_t count, bool exactly)
{
    struct ps_test_records records =
        ps_test_records_read(ps_test_cluster.bootstrap, topic, 4, count - lane.failed);
    uint8_t *seen = calloc(count, 1);
    unsigned used = 0;
    uint64_t highest = 0;
    for (size_t i = 0; i < lane.failed_count; i++)
        seen[lane.failed_list[i]] = 2;
    for (size_t i = 0; i < records.count; i++) {
        uint64_t sequence = sequence_of(&records.items[i]);
        bool first = i == 0 || records.items[i].partition != records.items[i - 1].partition;
        used |= 1U << records.items[i].partition;
        assert_true(sequence < count);
        if (exactly) {
            assert_int_equal(seen[sequence], 0);
            assert_true(first || sequence > highest);
        }
        highest = first || sequence > highest ? sequence : highest;
        seen[sequence] = 1;
    }
    for (uint64_t i = 0; i < count; i++)
        assert_int_not_equal(seen[i], 0);
    ps_test_records_free(&records);
    free(seen);
    return (unsigned)__builtin_popcount(used);
}

static bool is_up(void *argument)
{
    return lane.up;
}

static bool is_down(void *argument)
{
    return lane.downs > 0 && !lane.up;
}

/* ---- cases ---- */

static void test_brings_every_event(void **state)
{
    open_lane("");
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, is_up, NULL));
    assert_true(ps_test_lane_send(&lane, 20000, 1000, size, PS_TEST_PATIENCE_MS));
    assert_int_equal(lane.completed, 20000);
    assert_int_equal(lane.downs, 0);
    assert_true(ps_test_lane_finish(&lane, PS_TEST_PATIENCE_MS));
    ps_test_lane_close(&lane);
    assert_true(check_topic(20000, true) > 1); /* spread */
}

static void test_many_small_blocks(void **state)
{
    open_lane("?kafka.linger.ms=1");
    assert_true(ps_test_lane_send(&lane, 3000, 1, size, PS_TEST_PATIENCE_MS));
    ps_test_lane_close(&lane);
    check_topic(3000, true);
}

static void test_without_idempotence(void **state)
{
    open_lane("?kafka.acks=1&kafka.linger.ms=0&waves=0");
    assert_true(ps_test_lane_send(&lane, 5000, 100, size, PS_TEST_PATIENCE_MS));
    ps_test_lane_close(&lane);
    check_topic(5000, true);
}

static void test_keys(void **state)
{
    lane.number = 7;
    open_lane("?key=source");
    assert_true(ps_test_lane_send(&lane, 500, 100, size, PS_TEST_PATIENCE_MS));
    ps_test_lane_close(&lane);
    assert_int_equal(check_topic(500, true), 1);
    struct ps_test_records records = ps_test_records_read(ps_test_cluster.bootstrap, topic, 4, 500);
    for (size_t i = 0; i < records.count; i++)
        assert_string_equal(records.items[i].key, "7");
    ps_test_records_free(&records);

    begin(NULL);
    open_lane("?key=sequence");
    assert_true(ps_test_lane_send(&lane, 500, 100, size, PS_TEST_PATIENCE_MS));
    ps_test_lane_close(&lane);
    assert_int_equal(check_topic(500, true), 4);
    records = ps_test_records_read(ps_test_cluster.bootstrap, topic, 4, 500);
    for (size_t i = 0; i < records.count; i++)
        assert_int_equal(strtoull(records.items[i].key, NULL, 10), sequence_of(&records.items[i]));
    ps_test_records_free(&records);
}

static int32_t only_partition(const char *keys, uint32_t number)
{
    begin(NULL);
    lane.number = number;
    open_lane(keys);
    assert_true(ps_test_lane_send(&lane, 300, 100, size, PS_TEST_PATIENCE_MS));
    ps_test_lane_close(&lane);
    assert_int_equal(check_topic(300, true), 1);
    struct ps_test_records records = ps_test_records_read(ps_test_cluster.bootstrap, topic, 4, 300);
    int32_t partition = records.items[0].partition;
    ps_test_records_free(&records);
    return partition;
}

static void test_partitions(void **state)
{
    assert_int_equal(only_partition("?partition=2", 0), 2);
    assert_int_equal(only_partition("?partition=source", 5), 1); /* of four */
    assert_int_equal(only_partition("?partition=source&key=sequence", 3), 3);
}

static void test_nobody_there_at_first(void **state)
{
    rd_kafka_mock_broker_set_down(ps_test_cluster.handle, 1);
    open_lane("?kafka.reconnect.backoff.ms=20&kafka.reconnect.backoff.max.ms=50");
    ps_test_lane_give(&lane, 10, size);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, is_down, NULL));
    assert_non_null(strstr(lane.reason, "refused"));
    assert_int_equal(lane.completed, 0);
    rd_kafka_mock_broker_set_up(ps_test_cluster.handle, 1);
    ps_test_lane_give(&lane, 10, size);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, NULL, NULL));
    assert_true(lane.up);
    ps_test_lane_close(&lane);
    check_topic(20, true);
}

static void test_the_broker_vanishes_and_comes_back(void **state)
{
    open_lane("?kafka.reconnect.backoff.ms=20&kafka.reconnect.backoff.max.ms=50");
    assert_true(ps_test_lane_send(&lane, 1000, 100, size, PS_TEST_PATIENCE_MS));
    rd_kafka_mock_broker_set_down(ps_test_cluster.handle, 1);
    while (!is_down(NULL)) {
        if (ps_test_lane_has_room(&lane))
            ps_test_lane_give(&lane, 10, size);
        ps_test_lane_turn(&lane, 5);
    }
    uint64_t before = lane.completed;
    while (ps_test_lane_has_room(&lane))
        ps_test_lane_give(&lane, 10, size);
    for (unsigned i = 0; i < 50; i++)
        ps_test_lane_turn(&lane, 5);
    assert_int_equal(lane.completed, before);
    rd_kafka_mock_broker_set_up(ps_test_cluster.handle, 1);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, NULL, NULL));
    assert_true(lane.up);
    assert_int_equal(lane.completed, lane.given);
    ps_test_lane_close(&lane);
    check_topic(lane.given, false); /* the mock does not deduplicate */
}

/* An error that the library retries by itself does not count as a failure. */
static void test_refused_for_a_while(void **state)
{
    open_lane("?kafka.retry.backoff.ms=10");
    rd_kafka_mock_push_request_errors(ps_test_cluster.handle, 0, 3, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
                                      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
    assert_true(ps_test_lane_send(&lane, 1000, 100, size, PS_TEST_PATIENCE_MS));
    assert_int_equal(lane.completed, 1000);
    ps_test_lane_close(&lane);
    rd_kafka_mock_clear_request_errors(ps_test_cluster.handle, 0);
    check_topic(1000, true);
}

static void test_refused_for_good(void **state)
{
    open_lane("?partition=0&kafka.linger.ms=1000"); /* a hundred events: one request, however slowly made */
    assert_true(ps_test_lane_send(&lane, 100, 100, size, PS_TEST_PATIENCE_MS));
    rd_kafka_mock_push_request_errors(ps_test_cluster.handle, 0, 1, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    assert_true(ps_test_lane_send(&lane, 100, 100, size, PS_TEST_PATIENCE_MS));
    assert_int_equal(lane.failed, 100);
    assert_non_null(strstr(lane.failure, "MESSAGE_TOO_LARGE"));
    assert_true(ps_test_lane_send(&lane, 100, 100, size, PS_TEST_PATIENCE_MS));
    assert_int_equal(lane.completed, 200);
    ps_test_lane_close(&lane);
    rd_kafka_mock_clear_request_errors(ps_test_cluster.handle, 0);
    check_topic(300, true);
}

/* A fatal error ends a producer: a new one sends what was not delivered. */
static void test_a_fatal_error(void **state)
{
    open_lane("?partition=0");
    assert_true(ps_test_lane_send(&lane, 100, 100, size, PS_TEST_PATIENCE_MS));
    rd_kafka_mock_push_request_errors(ps_test_cluster.handle, 0, 1,
                                      RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_true(ps_test_lane_send(&lane, 1000, 100, size, PS_TEST_PATIENCE_MS));
    assert_int_equal(lane.completed, 1100);
    assert_int_equal(lane.failed, 0);
    assert_true(lane.downs > 0);
    assert_true(lane.up);
    ps_test_lane_close(&lane);
    rd_kafka_mock_clear_request_errors(ps_test_cluster.handle, 0);
    check_topic(1100, false);
}

/* No permission to write: an outage with Kafka's reason, until the permission is given. */
static void test_not_authorized_for_a_while(void **state)
{
    open_lane("?partition=1");
    rd_kafka_mock_push_request_errors(ps_test_cluster.handle, 0, 1,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    ps_test_lane_give(&lane, 100, size);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, is_down, NULL));
    assert_non_null(strstr(lane.reason, "grant WRITE"));
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, NULL, NULL));
    assert_int_equal(lane.completed, 100);
    assert_true(lane.up);
    ps_test_lane_close(&lane);
    rd_kafka_mock_clear_request_errors(ps_test_cluster.handle, 0);
    check_topic(100, true);
}

static void test_records_too_large(void **state)
{
    open_lane("?kafka.message.max.bytes=1100");
    static const struct ps_test_event_size large = {900, 1300};
    assert_true(ps_test_lane_send(&lane, 400, 90, large, PS_TEST_PATIENCE_MS));
    assert_in_range(lane.failed, 100, 300);
    assert_int_equal(lane.completed + lane.failed, 400);
    assert_non_null(strstr(lane.failure, "message.max.bytes"));
    for (size_t i = 0; i < lane.failed_count; i++) {
        char text[2048];
        assert_true(ps_test_lane_event(lane.failed_list[i], large, PS_FRAMING_NONE, text) > 1000);
    }
    ps_test_lane_close(&lane);
}

static void test_given_up_after_the_users_time(void **state)
{
    open_lane("?kafka.message.timeout.ms=300");
    assert_true(ps_test_lane_send(&lane, 10, 10, size, PS_TEST_PATIENCE_MS));
    /* on a busy machine even a broker that is there may need longer than 300 ms */
    uint64_t late = lane.failed;
    rd_kafka_mock_broker_set_down(ps_test_cluster.handle, 1);
    ps_test_lane_give(&lane, 10, size);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, NULL, NULL));
    rd_kafka_mock_broker_set_up(ps_test_cluster.handle, 1);
    assert_int_equal(lane.failed - late, 10);
    assert_non_null(strstr(lane.failure, "message.timeout.ms"));
    ps_test_lane_close(&lane);
}

static void test_closing_with_events_outstanding(void **state)
{
    open_lane("?kafka.linger.ms=60000");
    ps_test_lane_turn(&lane, 1);
    for (unsigned i = 0; i < 5; i++)
        ps_test_lane_give(&lane, 1000, size);
    for (unsigned i = 0; i < 20; i++)
        ps_test_lane_turn(&lane, 1);
    assert_true(lane.outstanding > 0);
    ps_test_lane_close(&lane);
    begin(NULL);
    rd_kafka_mock_broker_set_down(ps_test_cluster.handle, 1); /* and no broker to send them to */
    open_lane("");
    ps_test_lane_give(&lane, 1000, size);
    for (unsigned i = 0; i < 20; i++)
        ps_test_lane_turn(&lane, 1);
    ps_test_lane_close(&lane);
    rd_kafka_mock_broker_set_up(ps_test_cluster.handle, 1);
}

static void test_urls_that_cannot_be(void **state)
{
    char url[256];
    ps_test_lane_refused(&ps_target_kafka, "kafka://127.0.0.1:9", "TOPIC");
    ps_test_lane_refused(&ps_target_kafka, "kafka:///topic", "HOST:PORT");
    ps_test_lane_refused(&ps_target_kafka, "kafka://127.0.0.1:9/a/b", "TOPIC");
    ps_test_lane_refused(&ps_target_kafka, "kafka://127.0.0.1:9/t?kafka.lingr.ms=5", "lingr.ms");
    ps_test_lane_refused(&ps_target_kafka, "kafka://127.0.0.1:9/t?kafka.linger.ms=soon", "linger.ms");
    ps_test_lane_refused(&ps_target_kafka, "kafka://127.0.0.1:9/t?key=random", "sequence");
    ps_test_lane_refused(&ps_target_kafka, "kafka://127.0.0.1:9/t?partition=some", "source");
    ps_test_lane_refused(&ps_target_kafka, "kafka://127.0.0.1:9/t?kafka.transactional.id=x", "transactions");
    ps_test_lane_refused(&ps_target_kafka, "kafka://127.0.0.1:9/t?parttion=1", "partition");
    snprintf(url, sizeof url, "kafka://%s/not%%20a%%20topic", ps_test_cluster.bootstrap);
    ps_test_lane_refused(&ps_target_kafka, url, "not a valid topic name");
    snprintf(url, sizeof url, "kafka://%s/misspelt?partition=source", ps_test_cluster.bootstrap);
    ps_test_lane_refused(&ps_target_kafka, url, "topic misspelt does not exist");
    assert_false(ps_test_topic_exists(&ps_test_cluster, "misspelt")); /* a look makes none */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_brings_every_event, begin),
        cmocka_unit_test_setup(test_many_small_blocks, begin),
        cmocka_unit_test_setup(test_without_idempotence, begin),
        cmocka_unit_test_setup(test_keys, begin),
        cmocka_unit_test_setup(test_partitions, begin),
        cmocka_unit_test_setup(test_nobody_there_at_first, begin),
        cmocka_unit_test_setup(test_the_broker_vanishes_and_comes_back, begin),
        cmocka_unit_test_setup(test_refused_for_a_while, begin),
        cmocka_unit_test_setup(test_refused_for_good, begin),
        cmocka_unit_test_setup(test_a_fatal_error, begin),
        cmocka_unit_test_setup(test_not_authorized_for_a_while, begin),
        cmocka_unit_test_setup(test_records_too_large, begin),
        cmocka_unit_test_setup(test_given_up_after_the_users_time, begin),
        cmocka_unit_test_setup(test_closing_with_events_outstanding, begin),
        cmocka_unit_test_setup(test_urls_that_cannot_be, begin),
    };
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
