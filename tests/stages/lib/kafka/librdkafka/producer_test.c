/* The librdkafka producer behind stages/lib/kafka/produce/seam.h with the embedded cluster: its reports, the effects of
 * purge, its topics, and the partitions of records without a key. */
#include "stages/lib/kafka/produce/seam.h"
#include "core/clock.h"
#include "tests/support/conformance.h"
#include "tests/support/kafka/settings.h"
#include "tests/support/kafka/cluster.h"

#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BROKER 1
#define RECORDS 10U
#define LINGER_MS "500" /* records wait for so long, also on a busy machine */
#define SENT_MS 6000U   /* ready records are sent within this time, also on a busy machine */

static const struct ps_kafka_engine *const engine = &ps_kafka_librdkafka;

/* The reports since `expect_reports`. */
static struct {
    unsigned count, calls, perhaps_written;
    int error; /* of the last */
    uint32_t group_count;
    uint64_t group_bytes;
    uintptr_t next_token; /* deliveries of one partition are reported in order; purged records need not be */
} reported;

static void on_report(void *argument, const struct ps_kafka_report *report)
{
    for (uint32_t i = 0; i < report->count; i++, reported.next_token++)
        assert_true(report->error != 0 || (uintptr_t)report->tokens[i] == reported.next_token);
    reported.count += report->count;
    reported.calls++;
    reported.perhaps_written += report->perhaps_written ? report->count : 0;
    reported.error = report->error;
    reported.group_count = report->group_count;
    reported.group_bytes = report->group_bytes;
}

static void on_notice(void *argument, const struct ps_kafka_notice *notice)
{
}

/* Polls until `count` records are reported, or for `patience_ms`. */
static void poll_reports(struct ps_kafka_producer *producer, unsigned count, unsigned patience_ms)
{
    const struct ps_kafka_listener listener = {.report = on_report, .notice = on_notice};
    for (uint64_t until_ns = ps_test_wait_ns(patience_ms) + patience_ms * PS_NS_PER_MS;
         reported.count < count && ps_test_wait_ns(patience_ms) < until_ns;) {
        engine->poll(producer, &listener, 10000);
        usleep(1000);
    }
}

static struct ps_kafka_producer *create(void)
{
    struct ps_err err = {0};
    const struct ps_pair pairs[] = {{.key = "bootstrap.servers", .value = ps_test_cluster.bootstrap},
                                    {.key = "enable.idempotence", .value = "true"},
                                    {.key = "linger.ms", .value = LINGER_MS},
                                    {.key = "log_level", .value = "0"}};
    struct ps_kafka_producer *producer = engine->create(
        &(struct ps_kafka_producer_config){.settings = ps_test_settings(pairs, PS_COUNT_OF(pairs)),
                                           .wake_fd = -1},
        &err);
    if (producer == NULL)
        fail_msg("%s", err.text);
    memset(&reported, 0, sizeof reported);
    return producer;
}

/* Submits records for partition 0 with tokens from `first` on; their value is five bytes. */
static void submit(struct ps_kafka_producer *producer, const char *topic, uintptr_t first, unsigned count)
{
    struct ps_kafka_record records[RECORDS];
    int error;
    assert_true(count <= RECORDS);
    for (unsigned i = 0; i < count; i++)
        records[i] = (struct ps_kafka_record){.value = "value",
                                              .value_length = 5,
                                              .timestamp_ms = PS_KAFKA_TIMESTAMP_NONE,
                                              .token = (void *)(first + i)};
    struct ps_kafka_topic *found = engine->topic(producer, topic, (uint32_t)strlen(topic));
    assert_non_null(found);
    assert_int_equal(engine->submit(producer, found, records, count, &error), count);
    assert_int_equal(error, 0);
}

/* Connects: the first record is delivered. */
static struct ps_kafka_producer *connected(const char *topic)
{
    struct ps_kafka_producer *producer = create();
    submit(producer, topic, 0, 1);
    poll_reports(producer, 1, PS_TEST_PATIENCE_MS);
    assert_int_equal(reported.count, 1);
    assert_int_equal(reported.error, 0);
    return producer;
}

static void test_report(void **state)
{
    ps_test_topic("report", 1);
    struct ps_kafka_producer *producer = connected("report");
    submit(producer, "report", 1, RECORDS);
    poll_reports(producer, 1 + RECORDS, PS_TEST_PATIENCE_MS);
    assert_int_equal(reported.count, 1 + RECORDS);
    assert_int_equal(reported.calls, 2);
    assert_int_equal(reported.group_count, RECORDS);
    assert_int_equal(reported.group_bytes, 5 * RECORDS);
    assert_int_equal(reported.perhaps_written, 0);
    engine->destroy(producer);
}

/* Waiting records were not written; records sent without an answer may have been. */
static void test_purge(void **state)
{
    ps_test_topic("purge", 1);
    struct ps_kafka_producer *producer = connected("purge");
    submit(producer, "purge", 1, 3);
    engine->purge(producer, false);
    poll_reports(producer, 4, PS_TEST_PATIENCE_MS);
    assert_int_equal(reported.count, 4);
    assert_int_equal(reported.error, RD_KAFKA_RESP_ERR__PURGE_QUEUE);
    assert_int_equal(reported.perhaps_written, 0);
    engine->destroy(producer);

    producer = connected("purge");
    assert_int_equal(rd_kafka_mock_broker_set_rtt(ps_test_cluster.handle, BROKER, PS_TEST_PATIENCE_MS), 0);
    submit(producer, "purge", 1, 3);
    poll_reports(producer, 2, SENT_MS); /* it is sent */
    assert_int_equal(reported.count, 1);
    engine->purge(producer, false);
    poll_reports(producer, 2, 300);
    assert_int_equal(reported.count, 1);
    engine->purge(producer, true);
    poll_reports(producer, 4, PS_TEST_PATIENCE_MS);
    assert_int_equal(rd_kafka_mock_broker_set_rtt(ps_test_cluster.handle, BROKER, 0), 0);
    assert_int_equal(reported.count, 4);
    assert_int_equal(reported.error, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT);
    assert_int_equal(reported.perhaps_written, 3);
    engine->destroy(producer);
}

/* Topics come from headers: more of them than a producer keeps. */
static void test_many_topics(void **state)
{
    char name[32];
    ps_test_topic("many", 1);
    struct ps_kafka_producer *producer = connected("many");
    for (unsigned i = 0; i < 1100; i++) {
        uint32_t length = (uint32_t)snprintf(name, sizeof name, "many-%u", i);
        struct ps_kafka_topic *topic = engine->topic(producer, name, length);
        assert_non_null(topic);
        assert_ptr_equal(engine->topic(producer, name, length), topic);
    }
    assert_null(engine->topic(producer, "many/1", 6));
    submit(producer, "many", 1, RECORDS);
    poll_reports(producer, 1 + RECORDS, PS_TEST_PATIENCE_MS);
    assert_int_equal(reported.count, 1 + RECORDS);
    assert_int_equal(reported.error, 0);
    engine->destroy(producer);
}

/* A producer that could not wake its worker is not made: it is tried again when there is a descriptor. */
static void test_no_descriptor_to_wake(void **unused)
{
    struct ps_err err = {0};
    const struct ps_pair pairs[] = {{.key = "bootstrap.servers", .value = ps_test_cluster.bootstrap}};
    struct ps_kafka_producer_config config = {.settings = ps_test_settings(pairs, PS_COUNT_OF(pairs)),
                                              .wake_fd = 1000000}; /* it cannot be copied */
    assert_null(engine->create(&config, &err));
    assert_non_null(strstr(err.text, "cannot copy a file descriptor: Bad file descriptor"));
}

/* A producer gives its descriptors back: one that is destroyed, and one that could not be made after its copy of the worker's. The first
 * test: mock brokers close their ends of connections later. */
static void test_descriptors_come_back(void **unused)
{
    static const struct {
        struct ps_pair pair;
        const char *refused; /* NULL: the producer is made */
    } rows[] = {{{.key = "enable.idempotence", .value = "true"}, NULL},
                {{.key = "no.such.property", .value = "x"}, "no.such.property"},
                {{.key = "acks", .value = "1"}, "`acks`"}}; /* the client refuses it with idempotence */
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    unsigned before = 0;
    for (size_t i = 0; i < 3 * PS_COUNT_OF(rows); i++) {
        size_t row = i % PS_COUNT_OF(rows);
        const struct ps_pair pairs[] = {{.key = "bootstrap.servers", .value = "127.0.0.1:1"},
                                        {.key = "enable.idempotence", .value = "true"},
                                        {.key = "log_level", .value = "0"},
                                        rows[row].pair};
        struct ps_err err = {0};
        const struct ps_kafka_producer_config config = {
            .settings = ps_test_settings(pairs, PS_COUNT_OF(pairs)), .wake_fd = wake_fd};
        struct ps_kafka_producer *producer = engine->create(&config, &err);
        assert_int_equal(producer != NULL, rows[row].refused == NULL);
        if (producer != NULL)
            engine->destroy(producer);
        else if (strstr(err.text, rows[row].refused) == NULL)
            fail_msg("\"%s\" does not say %s", err.text, rows[row].refused);
        if (i == 0) /* the first one may open what the library keeps */
            before = ps_test_open_fds();
        assert_int_equal(ps_test_open_fds(), before);
    }
    close(wake_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors_come_back),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_purge),
        cmocka_unit_test(test_many_topics),
        cmocka_unit_test(test_no_descriptor_to_wake),
    };
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
