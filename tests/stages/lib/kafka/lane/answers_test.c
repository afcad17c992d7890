/* The native lane against one broker whose answers are written here: what follows from each outcome, and that a failure
 * leaves nothing behind which the next one would meet. Time is the test's: a turn is a millisecond. */
#include "stages/lib/kafka/lane/lane.h"

#include <stdio.h>

#include "tests/support/kafka/scripted_broker.h"
#include "tests/support/support.h"

#define TURNS_MAX 100000U
#define REPORTS_MAX 16U
#define METADATA_REST_TURNS 100U /* after them the lane may ask for metadata again */
#define KEY_PRODUCE 0
#define KEY_METADATA 3
#define KEY_VERSIONS 18
#define KEY_PRODUCER_ID 22
#define ERROR_NOT_LEADER 6
#define ERROR_UNKNOWN_TOPIC 3
#define LIBRARY_UNKNOWN_TOPIC (-188)
#define LIBRARY_UNKNOWN_PARTITION (-190)
#define LIBRARY_PURGED_IN_FLIGHT (-151)
#define LIBRARY_PURGED_QUEUE (-152)
#define SEQUENCE_AT 53 /* of a record set's base sequence */

/* What the broker says about topic `t`. */
struct cluster {
    int16_t error;
    int32_t partitions, leader, epoch;
};

struct run {
    struct ps_test_broker broker;
    struct cluster cluster;
    struct ps_kafka_producer *producer;
    struct ps_now now;
    struct {
        int error;
        bool perhaps_written;
        uint32_t count;
        char topic[8];
        uint64_t at_ns;
    } reports[REPORTS_MAX];
    unsigned report_count;
};

/* A produce request with one topic. */
struct produced {
    struct ps_test_request request;
    uint32_t sets, bytes; /* bytes: of the sets */
    int32_t partition;    /* of the first set, */
    int32_t sequence;     /* and its base sequence */
};

static void on_report(void *argument, const struct ps_kafka_report *report)
{
    struct run *run = argument;
    assert_in_range(run->report_count, 0, REPORTS_MAX - 1);
    run->reports[run->report_count].error = report->error;
    run->reports[run->report_count].perhaps_written = report->perhaps_written;
    run->reports[run->report_count].count = report->count;
    run->reports[run->report_count].at_ns = run->now.mono_ns;
    snprintf(run->reports[run->report_count].topic, sizeof run->reports[0].topic, "%s", report->topic);
    run->report_count++;
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
    run->now.mono_ns += PS_NS_PER_MS;
}

static void begin(struct run *run, const char *key, const char *value)
{
    char servers[32];
    struct ps_err err = {0};
    *run = (struct run){.cluster = {.partitions = 1}, .now = {.mono_ns = 1000 * PS_NS_PER_S}};
    ps_test_broker_start(&run->broker);
    snprintf(servers, sizeof servers, "127.0.0.1:%u", run->broker.port);
    const struct ps_pair pairs[] = {
        {.key = "bootstrap.servers", .value = servers},  {.key = "enable.idempotence", .value = "true"},
        {.key = "reconnect.backoff.ms", .value = "100"}, {.key = "reconnect.backoff.max.ms", .value = "6400"},
        {.key = "retry.backoff.ms", .value = "10"},      {.key = key, .value = value},
    };
    const struct ps_kafka_producer_config config = {.pairs = pairs,
                                                    .pair_count = PS_COUNT_OF(pairs),
                                                    .spread = PS_KAFKA_SPREAD_EVENLY,
                                                    .wake_fd = -1,
                                                    .epoll_fd = -1};
    run->producer = ps_kafka_native.create(&config, &err);
    if (run->producer == NULL)
        fail_msg("%s", err.text);
}

static void end(struct run *run)
{
    ps_kafka_native.destroy(run->producer);
    ps_test_broker_stop(&run->broker);
}

/* ---- the broker ---- */

static char *put_metadata(const struct run *run, char *at)
{
    at = ps_wire_put_int32(at, 0); /* throttle time */
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_int32(at, 0);
    at = ps_wire_put_string(at, "127.0.0.1", 9);
    at = ps_wire_put_int32(at, (int32_t)run->broker.port);
    at = ps_wire_put_int16(at, -1); /* rack, */
    at = ps_wire_put_int16(at, -1); /* cluster */
    at = ps_wire_put_int32(at, 0);
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_int16(at, run->cluster.error);
    at = ps_wire_put_string(at, "t", 1);
    at = ps_wire_put_int8(at, 0);
    int32_t count = run->cluster.error == 0 ? run->cluster.partitions : 0;
    at = ps_wire_put_int32(at, count);
    for (int32_t i = 0; i < count; i++) {
        at = ps_wire_put_int16(at, 0);
        at = ps_wire_put_int32(at, i);
        at = ps_wire_put_int32(at, run->cluster.leader);
        at = ps_wire_put_int32(at, run->cluster.epoch);
        for (int list = 0; list < 3; list++)
            at = ps_wire_put_int32(at, 0);
    }
    return at;
}

/* Answers what is asked before records are sent. */
static void answer(struct run *run, const struct ps_test_request *request, uint32_t part)
{
    static const int16_t most[][2] = {{KEY_PRODUCE, 3}, {KEY_METADATA, 7}, {KEY_PRODUCER_ID, 1}};
    char body[512], *at = body;
    if (request->key == KEY_VERSIONS) {
        at = ps_wire_put_int16(at, 0);
        at = ps_wire_put_int32(at, PS_COUNT_OF(most));
        for (size_t i = 0; i < PS_COUNT_OF(most); i++) {
            at = ps_wire_put_int16(at, most[i][0]);
            at = ps_wire_put_int16(at, 0);
            at = ps_wire_put_int16(at, most[i][1]);
        }
    } else if (request->key == KEY_METADATA) {
        at = put_metadata(run, at);
    } else {
        assert_int_equal(request->key, KEY_PRODUCER_ID);
        at = ps_wire_put_int32(at, 0);
        at = ps_wire_put_int16(at, 0);
        at = ps_wire_put_int64(at, 77);
        at = ps_wire_put_int16(at, 0);
    }
    ps_test_broker_answer(&run->broker, request, body, (uint32_t)(at - body), part);
}

/* Waits for a request of this kind; answers the others. */
static struct ps_test_request expect(struct run *run, int16_t key)
{
    struct ps_test_request request;
    for (unsigned turns = 0; turns < TURNS_MAX; turns++) {
        turn(run);
        while (ps_test_broker_ask(&run->broker, &request)) {
            if (request.key == key)
                return request;
            answer(run, &request, UINT32_MAX);
        }
    }
    fail_msg("no request of kind %d came", key);
    return request;
}

static struct produced expect_produce(struct run *run)
{
    struct produced produced = {.request = expect(run, KEY_PRODUCE), .partition = -1};
    struct ps_wire_in in = produced.request.body;
    uint32_t length;
    (void)ps_wire_get_string(&in, &length); /* transaction */
    (void)ps_wire_get_int16(&in);
    (void)ps_wire_get_int32(&in);
    assert_int_equal(ps_wire_get_count(&in, 1), 1);
    (void)ps_wire_get_string(&in, &length);
    produced.sets = ps_wire_get_count(&in, 8);
    for (uint32_t i = 0; i < produced.sets; i++) {
        int32_t partition = ps_wire_get_int32(&in), bytes = ps_wire_get_int32(&in);
        const char *set = ps_wire_take(&in, (size_t)bytes);
        assert_non_null(set);
        produced.bytes += (uint32_t)bytes;
        struct ps_wire_in head = {.at = set + SEQUENCE_AT, .end = set + bytes};
        if (i == 0) {
            produced.partition = partition;
            produced.sequence = ps_wire_get_int32(&head);
        }
    }
    assert_false(in.failed);
    return produced;
}

/* Answers for the first set alone. */
static void answer_produce(struct run *run, const struct produced *produced, int16_t error,
                           int32_t throttle_ms)
{
    char body[128], *at = body;
    assert_int_equal(produced->sets, 1);
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_string(at, "t", 1);
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_int32(at, produced->partition);
    at = ps_wire_put_int16(at, error);
    at = ps_wire_put_int64(at, 0);
    at = ps_wire_put_int64(at, -1);
    at = ps_wire_put_int32(at, throttle_ms);
    ps_test_broker_answer(&run->broker, &produced->request, body, (uint32_t)(at - body), UINT32_MAX);
}

/* ---- the sink ---- */

/* Returns 0, or why the record was not taken. */
static int submit_of(struct run *run, const char *value, uint32_t length, int32_t partition)
{
    int error;
    struct ps_kafka_topic *topic = ps_kafka_native.topic(run->producer, "t", 1);
    const struct ps_kafka_record record = {.value = value,
                                           .value_length = length,
                                           .partition = partition,
                                           .timestamp_ms = PS_KAFKA_TIMESTAMP_NONE,
                                           .token = run};
    assert_non_null(topic);
    uint32_t taken = ps_kafka_native.submit(run->producer, topic, &record, 1, &error);
    return taken == 1 ? 0 : error;
}

static void submit(struct run *run)
{
    assert_int_equal(submit_of(run, "value", 5, PS_KAFKA_PARTITION_ANY), 0);
}

static void wait_for_reports(struct run *run, unsigned count)
{
    struct ps_test_request request;
    for (unsigned turns = 0; run->report_count < count; turns++) {
        if (turns > TURNS_MAX)
            fail_msg("%u reports came, not %u", run->report_count, count);
        turn(run);
        while (ps_test_broker_ask(&run->broker, &request))
            answer(run, &request, UINT32_MAX);
    }
    assert_int_equal(run->report_count, count);
}

/* One record is sent and written. */
static void deliver(struct run *run)
{
    unsigned before = run->report_count;
    submit(run);
    const struct produced produced = expect_produce(run);
    answer_produce(run, &produced, 0, 0);
    wait_for_reports(run, before + 1);
    assert_int_equal(run->reports[before].error, 0);
    assert_string_equal(run->reports[before].topic, "t");
}

/* ---- connections that are lost ---- */

/* The broker goes in the middle of an answer: the first bytes of it are no part of the next connection's. */
static void test_torn_answer(void **state)
{
    struct run run;
    begin(&run, "client.id", "c");
    submit(&run);
    const struct ps_test_request request = expect(&run, KEY_METADATA);
    answer(&run, &request, 10);
    turn(&run);
    ps_test_broker_hang_up(&run.broker);
    const struct produced produced = expect_produce(&run);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 1);
    assert_int_equal(run.reports[0].error, 0);
    assert_int_equal(run.broker.connections, 2);
    end(&run);
}

/* More connections are lost than requests may be under way: each of them with a request that nobody answers. */
static void test_lost_requests(void **state)
{
    struct run run;
    begin(&run, "client.id", "c");
    submit(&run);
    for (unsigned i = 0; i < 12; i++) {
        const struct produced lost = expect_produce(&run);
        assert_int_equal(lost.sequence, 0);
        ps_test_broker_hang_up(&run.broker);
    }
    const struct produced produced = expect_produce(&run);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 1);
    assert_int_equal(run.reports[0].error, 0);
    deliver(&run);
    end(&run);
}

/* The rest before a new connection grows with failures in a row, and begins again after a connection that worked. */
static void test_rest_begins_again(void **state)
{
    struct run run;
    begin(&run, "client.id", "c");
    submit(&run);
    for (unsigned i = 0; i < 10; i++) {
        (void)expect(&run, KEY_VERSIONS);
        ps_test_broker_hang_up(&run.broker);
    }
    const struct produced produced = expect_produce(&run);
    assert_true(run.now.mono_ns > 1010 * PS_NS_PER_S); /* 100 ms, 200 ms, .., 6.4 s, less a fifth */
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 1);
    submit(&run);
    (void)expect_produce(&run);
    ps_test_broker_hang_up(&run.broker);
    uint64_t lost_ns = run.now.mono_ns;
    (void)expect(&run, KEY_VERSIONS);
    assert_in_range(run.now.mono_ns - lost_ns, 80 * PS_NS_PER_MS, 130 * PS_NS_PER_MS);
    end(&run);
}

/* ---- what was sent, and what was not ---- */

/* A record whose request was sent may be in the log; the one behind it is not. */
static void test_purge_says_what_was_sent(void **state)
{
    struct run run;
    begin(&run, "max.in.flight.requests.per.connection", "1");
    submit(&run);
    (void)expect_produce(&run);
    submit(&run);
    ps_test_broker_hang_up(&run.broker);
    for (unsigned i = 0; i < 5; i++)
        turn(&run);
    ps_kafka_native.purge(run.producer, false);
    wait_for_reports(&run, 2);
    assert_int_equal(run.reports[0].error, LIBRARY_PURGED_IN_FLIGHT);
    assert_true(run.reports[0].perhaps_written);
    assert_int_equal(run.reports[1].error, LIBRARY_PURGED_QUEUE);
    assert_false(run.reports[1].perhaps_written);
    end(&run);
}

/* A set that was being sent again is purged: the partition goes on with the next. */
static void test_purge_of_repetition(void **state)
{
    struct run run;
    begin(&run, "client.id", "c");
    submit(&run);
    (void)expect_produce(&run);
    ps_test_broker_hang_up(&run.broker);
    (void)expect_produce(&run);
    ps_kafka_native.purge(run.producer, true);
    wait_for_reports(&run, 1);
    assert_int_equal(run.reports[0].error, LIBRARY_PURGED_IN_FLIGHT);
    assert_true(run.reports[0].perhaps_written);
    deliver(&run);
    end(&run);
}

/* ---- topics and partitions ---- */

/* The first partition that does not exist, before the topic is known and after. */
static void test_partition_behind_the_last(void **state)
{
    struct run run;
    begin(&run, "client.id", "c");
    run.cluster.partitions = 3;
    assert_int_equal(submit_of(&run, "a", 1, 3), 0);
    wait_for_reports(&run, 1);
    assert_int_equal(run.reports[0].error, LIBRARY_UNKNOWN_PARTITION);
    assert_string_equal(run.reports[0].topic, "t");
    assert_int_equal(submit_of(&run, "a", 1, 3), LIBRARY_UNKNOWN_PARTITION);
    assert_int_equal(submit_of(&run, "a", 1, 2), 0);
    const struct produced produced = expect_produce(&run);
    assert_int_equal(produced.partition, 2);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 2);
    assert_int_equal(run.reports[1].error, 0);
    end(&run);
}

/* Nobody knows the topic: each record waits for it as long as the first one did. */
static void test_unknown_topic_is_waited_for_each_time(void **state)
{
    struct run run;
    begin(&run, "topic.metadata.propagation.max.ms", "2000");
    run.cluster.error = ERROR_UNKNOWN_TOPIC;
    for (unsigned i = 0; i < 3; i++) {
        uint64_t since_ns = run.now.mono_ns;
        submit(&run);
        wait_for_reports(&run, i + 1);
        assert_int_equal(run.reports[i].error, LIBRARY_UNKNOWN_TOPIC);
        assert_string_equal(run.reports[i].topic, "t");
        assert_in_range(run.reports[i].at_ns - since_ns, 1990 * PS_NS_PER_MS, 2200 * PS_NS_PER_MS);
    }
    end(&run);
}

/* A broker that is behind tells of an older leader epoch: the leader stays (KIP-320). */
static void test_late_metadata(void **state)
{
    struct run run;
    begin(&run, "client.id", "c");
    run.cluster.epoch = 5;
    submit(&run);
    struct produced produced = expect_produce(&run);
    run.cluster.epoch = 4;
    run.cluster.leader = -1;
    for (unsigned i = 0; i < METADATA_REST_TURNS; i++)
        turn(&run);
    answer_produce(&run, &produced, ERROR_NOT_LEADER, 0);
    const struct ps_test_request request = expect(&run, KEY_METADATA);
    answer(&run, &request, UINT32_MAX);
    produced = expect_produce(&run);
    assert_int_equal(produced.sequence, 0);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 1);
    assert_int_equal(run.reports[0].error, 0);
    end(&run);
}

/* Topics come from headers: more of them than are kept. One that was written to stays, because its sequence goes on. */
static void test_sequence_outlives_other_topics(void **state)
{
    struct run run;
    char name[16];
    begin(&run, "client.id", "c");
    deliver(&run);
    for (unsigned i = 0; i < 1200; i++) {
        int length = snprintf(name, sizeof name, "x%u", i);
        assert_non_null(ps_kafka_native.topic(run.producer, name, (uint32_t)length));
    }
    submit(&run);
    const struct produced produced = expect_produce(&run);
    assert_int_equal(produced.sequence, 1);
    end(&run);
}

/* ---- limits ---- */

/* Two sets that are longer than a request may be go in two requests. */
static void test_request_limit(void **state)
{
    static char value[500];
    struct run run;
    begin(&run, "message.max.bytes", "1000");
    run.cluster.partitions = 2;
    assert_int_equal(submit_of(&run, value, sizeof value, 0),
                     0); /* alone: the partitions are not known yet */
    struct produced produced = expect_produce(&run);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 1);
    assert_int_equal(submit_of(&run, value, sizeof value, 0), 0);
    assert_int_equal(submit_of(&run, value, sizeof value, 1), 0);
    for (unsigned i = 0; i < 2; i++) {
        produced = expect_produce(&run);
        assert_int_equal(produced.sets, 1);
        assert_in_range(produced.bytes, sizeof value, 1000);
        answer_produce(&run, &produced, 0, 0);
    }
    wait_for_reports(&run, 3);
    end(&run);
}

/* The broker asks for a rest: nothing is sent before its end, and the lane asks to be called then. */
static void test_throttle(void **state)
{
    struct run run;
    begin(&run, "client.id", "c");
    deliver(&run);
    for (unsigned i = 0; i < 2; i++) {
        submit(&run);
        struct produced produced = expect_produce(&run);
        answer_produce(&run, &produced, 0, 700);
        wait_for_reports(&run, run.report_count + 1);
        uint64_t until_ns = run.now.mono_ns - PS_NS_PER_MS + 700 * PS_NS_PER_MS; /* since the last turn */
        submit(&run);
        turn(&run);
        assert_int_equal(ps_kafka_native.due_ns(run.producer), until_ns);
        produced = expect_produce(&run);
        assert_in_range(run.now.mono_ns, until_ns, until_ns + 2 * PS_NS_PER_MS);
        answer_produce(&run, &produced, 0, 0);
        wait_for_reports(&run, run.report_count + 1);
    }
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_torn_answer),
        cmocka_unit_test(test_lost_requests),
        cmocka_unit_test(test_rest_begins_again),
        cmocka_unit_test(test_purge_says_what_was_sent),
        cmocka_unit_test(test_purge_of_repetition),
        cmocka_unit_test(test_partition_behind_the_last),
        cmocka_unit_test(test_unknown_topic_is_waited_for_each_time),
        cmocka_unit_test(test_late_metadata),
        cmocka_unit_test(test_sequence_outlives_other_topics),
        cmocka_unit_test(test_request_limit),
        cmocka_unit_test(test_throttle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
