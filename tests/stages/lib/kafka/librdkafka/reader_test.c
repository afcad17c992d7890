/* A reader of topics whose brokers do not answer: each time, it reports the reason from then until the next record. It
 * waits for the leaders of a new topic, and ends at the first leader that does not answer.
 * tests/e2e/verify_faults_test.c tests the records. */
#include "stages/lib/kafka/librdkafka/reader.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "core/clock.h"
#include "tests/support/kafka/cluster.h"

#define TOPIC "numbers"

static unsigned records;

static void on_record(void *unused, const struct ps_kafka_reader_record *record)
{
    char text[16];
    int length = snprintf(text, sizeof text, "%u", records++);
    assert_int_equal(record->length, length);
    assert_memory_equal(record->value, text, record->length);
}

static rd_kafka_t *producer_make(void)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", ps_test_cluster.bootstrap, text, sizeof text);
    rd_kafka_conf_set(conf, "linger.ms", "1", text, sizeof text);
    rd_kafka_conf_set(conf, "reconnect.backoff.max.ms", "100", text, sizeof text);
    rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text);
    assert_non_null(producer);
    return producer;
}

static void produce(rd_kafka_t *producer, unsigned number)
{
    char text[16];
    int length = snprintf(text, sizeof text, "%u", number);
    assert_int_equal(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(TOPIC),
                                       RD_KAFKA_V_VALUE(text, (size_t)length),
                                       RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(producer, PS_TEST_PATIENCE_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
}

static void test_brokers_go_and_come_back(void **state)
{
    struct ps_err err = {.length = 0};
    const char *const topics[] = {TOPIC};
    const struct ps_pair pairs[] = {{.key = "reconnect.backoff.max.ms", .value = "100"}};
    const struct ps_kafka_reader_options options = {.brokers = ps_test_cluster.bootstrap,
                                                    .topics = topics,
                                                    .topic_count = 1,
                                                    .pairs = pairs,
                                                    .pair_count = 1};
    ps_test_topic(TOPIC, 1);
    rd_kafka_t *producer = producer_make();
    struct ps_kafka_reader *reader = ps_kafka_reader_open(&options, &err);
    assert_non_null(reader);
    for (unsigned round = 0; round < 3; round++) {
        uint64_t until_ns = ps_test_patience_end_ns();
        produce(producer, round);
        while (records <= round) {
            ps_kafka_reader_read(reader, 10, on_record, NULL);
            assert_true(ps_test_patient_ns() < until_ns);
        }
        assert_null(ps_kafka_reader_silence(reader));
        rd_kafka_mock_broker_set_down(ps_test_cluster.handle, 1);
        while (ps_kafka_reader_silence(reader) == NULL) {
            assert_int_equal(ps_kafka_reader_read(reader, 10, on_record, NULL), 0);
            assert_true(ps_test_patient_ns() < until_ns);
        }
        assert_non_null(strstr(ps_kafka_reader_silence(reader), "down"));
        rd_kafka_mock_broker_set_up(ps_test_cluster.handle, 1);
    }
    assert_null(ps_kafka_reader_failure(reader));
    assert_int_equal(ps_kafka_reader_expired(reader), 0);
    ps_kafka_reader_close(reader);
    rd_kafka_destroy(producer);
}

#define LEADERLESS "leaderless"
#define LEADER_AFTER_US 500000

static void *elect(void *)
{
    usleep(LEADER_AFTER_US);
    rd_kafka_mock_partition_set_leader(ps_test_cluster.handle, LEADERLESS, 1, 1);
    return NULL;
}

static void test_partition_without_leader(void **state)
{
    const char *const topics[] = {LEADERLESS};
    struct ps_kafka_reader_options options = {
        .brokers = ps_test_cluster.bootstrap, .topics = topics, .topic_count = 1, .patience_ms = 300};
    struct ps_err err = {.length = 0};
    pthread_t thread;
    ps_test_topic(LEADERLESS, 2);
    rd_kafka_mock_partition_set_leader(ps_test_cluster.handle, LEADERLESS, 1, -1);
    assert_null(ps_kafka_reader_open(&options, &err));
    while (strstr(err.text, "topic " LEADERLESS ", partition 1: it has no leader") == NULL) {
        options.patience_ms *= 2; /* the cluster did not answer within the patience */
        assert_true(options.patience_ms < PS_TEST_PATIENCE_MS);
        err = (struct ps_err){.length = 0};
        assert_null(ps_kafka_reader_open(&options, &err));
    }

    err = (struct ps_err){.length = 0};
    options.patience_ms = PS_TEST_PATIENCE_MS;
    assert_int_equal(pthread_create(&thread, NULL, elect, NULL), 0);
    struct ps_kafka_reader *reader = ps_kafka_reader_open(&options, &err);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_non_null(reader);
    ps_kafka_reader_close(reader);
}

#define SCATTERED "scattered"
#define SCATTERED_COUNT 8U
#define API_FETCH 1
#define API_LIST_OFFSETS 2
#define REPORTS_US 100000 /* so that several reports wait at each read */

static unsigned scattered;

static void on_scattered(void *, const struct ps_kafka_reader_record *)
{
    scattered++;
}

static void scatter(rd_kafka_t *producer)
{
    for (int32_t i = 0; i < (int32_t)SCATTERED_COUNT; i++)
        assert_int_equal(rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(SCATTERED), RD_KAFKA_V_PARTITION(i),
                                           RD_KAFKA_V_VALUE("x", 1), RD_KAFKA_V_END),
                         RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(rd_kafka_flush(producer, PS_TEST_PATIENCE_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
}

/* Positions of many partitions are out of range, and the leader of the first one answers with an error. The reader
 * reports this error, and does not ask the other leaders, whose errors would replace it. A query makes two requests:
 * for the first offset and for the last. */
static void test_first_failure_counts(void **state)
{
    const char *const topics[] = {SCATTERED};
    const struct ps_kafka_reader_options options = {.brokers = ps_test_cluster.bootstrap,
                                                    .topics = topics,
                                                    .topic_count = 1,
                                                    .patience_ms = PS_TEST_PATIENCE_MS};
    struct ps_err err = {.length = 0};
    uint64_t until_ns = ps_test_patience_end_ns();
    ps_test_topic(SCATTERED, SCATTERED_COUNT);
    rd_kafka_t *producer = producer_make();
    struct ps_kafka_reader *reader = ps_kafka_reader_open(&options, &err);
    assert_non_null(reader);
    scatter(producer);
    while (scattered < SCATTERED_COUNT) { /* then each answer is for all partitions */
        ps_kafka_reader_read(reader, 10, on_scattered, NULL);
        assert_true(ps_test_patient_ns() < until_ns);
    }
    rd_kafka_mock_push_request_errors(ps_test_cluster.handle, API_LIST_OFFSETS, 2,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                                      RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    for (unsigned i = 0; i < 1000; i++)
        rd_kafka_mock_push_request_errors(ps_test_cluster.handle, API_LIST_OFFSETS, 1,
                                          RD_KAFKA_RESP_ERR_INVALID_REQUEST);
    while (ps_kafka_reader_failure(reader) == NULL) { /* librdkafka may drop an answer */
        rd_kafka_mock_push_request_errors(ps_test_cluster.handle, API_FETCH, 1,
                                          RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE);
        scatter(producer);
        usleep(REPORTS_US);
        ps_kafka_reader_read(reader, 10, on_scattered, NULL);
        assert_true(ps_test_patient_ns() < until_ns);
    }
    assert_non_null(strstr(ps_kafka_reader_failure(reader),
                           rd_kafka_err2str(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)));
    rd_kafka_mock_clear_request_errors(ps_test_cluster.handle, API_LIST_OFFSETS);
    rd_kafka_mock_clear_request_errors(ps_test_cluster.handle, API_FETCH);
    ps_kafka_reader_close(reader);
    rd_kafka_destroy(producer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_brokers_go_and_come_back),
        cmocka_unit_test(test_partition_without_leader),
        cmocka_unit_test(test_first_failure_counts),
    };
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
