/* A run of the native client against one broker whose answers the test writes. Time is the test's: a turn is a millisecond. */
#pragma once

#include "stages/lib/kafka/cluster/native.h"

#include <stdio.h>

#include "tests/support/kafka/scripted_broker.h"
#include "tests/support/kafka/settings.h"
#include "tests/support/support.h"

#define TURNS_MAX 100000U
#define REPORTS_MAX 80U
#define METADATA_REST_TURNS 100U /* after them the native client may ask for metadata again */
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
#define SEQUENCE_AT 53 /* of a record batch's base sequence */

/* The broker's metadata of topic `t`. */
struct cluster {
    int16_t error;
    int32_t partitions, leader, epoch;
    bool last_has_none; /* the last partition has no leader */
};

struct run {
    struct ps_test_broker broker;
    struct cluster cluster;
    int16_t id_error;        /* of the next answer to InitProducerId */
    int16_t produce_version; /* the newest that the broker has; 0: 3 */
    int fatal;               /* why the producer gave up; 0: it did not, and must not unless `may_die` */
    bool may_die;
    uint64_t turn_ns; /* how long a turn is; 0: a millisecond */
    char told[256];   /* the last error that was reported */
    unsigned tolds;   /* how many were */
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
    uint32_t batches, bytes; /* bytes: of the batches */
    int32_t partition;       /* of the first batch, */
    int32_t sequence;        /* and its base sequence */
};

static inline void on_report(void *argument, const struct ps_kafka_report *report)
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

static inline void on_notice(void *argument, const struct ps_kafka_notice *notice)
{
    struct run *run = argument;
    snprintf(run->told, sizeof run->told, "%s", notice->text);
    run->tolds++;
    if (notice->kind != PS_KAFKA_NOTICE_FATAL)
        return;
    run->fatal = notice->code;
    if (!run->may_die)
        fail_msg("the producer gave up: %s", notice->text);
}

static inline void turn(struct run *run)
{
    const struct ps_kafka_listener listener = {
        .report = on_report, .notice = on_notice, .argument = run, .now = run->now};
    ps_kafka_native.poll(run->producer, &listener, UINT32_MAX);
    run->now.mono_ns += run->turn_ns != 0 ? run->turn_ns : PS_NS_PER_MS;
}

#define OPTIONS_MAX 8U

/* Begins with these settings in addition to those of all tests. */
static inline void begin_with(struct run *run, const char *servers, const struct ps_pair *more, size_t count)
{
    char own[32];
    struct ps_err err = {0};
    *run = (struct run){.cluster = {.partitions = 1}, .now = {.mono_ns = 1000 * PS_NS_PER_S}};
    ps_test_broker_start(&run->broker);
    snprintf(own, sizeof own, "%s:%u", servers, run->broker.port);
    struct ps_pair pairs[OPTIONS_MAX + 5] = {
        {.key = "bootstrap.servers", .value = own},      {.key = "enable.idempotence", .value = "true"},
        {.key = "reconnect.backoff.ms", .value = "100"}, {.key = "reconnect.backoff.max.ms", .value = "6400"},
        {.key = "retry.backoff.ms", .value = "10"},
    };
    assert_in_range(count, 0, OPTIONS_MAX);
    for (size_t i = 0; i < count; i++)
        pairs[5 + i] = more[i];
    struct ps_kafka_settings *settings = ps_test_settings(pairs, 5 + count);
    const struct ps_kafka_producer_config config = {.settings = settings, .wake_fd = -1, .epoll_fd = -1};
    settings->spread = PS_KAFKA_SPREAD_EVENLY;
    run->producer = ps_kafka_native.create(&config, &err);
    if (run->producer == NULL)
        fail_msg("%s", err.text);
}

static inline void begin(struct run *run, const char *key, const char *value)
{
    const struct ps_pair pair = {.key = key, .value = value};
    begin_with(run, "127.0.0.1", &pair, 1);
}

static inline void end(struct run *run)
{
    ps_kafka_native.destroy(run->producer);
    ps_test_broker_stop(&run->broker);
}

/* ---- the broker ---- */

static inline char *put_metadata(const struct run *run, char *at)
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
        at = ps_wire_put_int32(at, run->cluster.last_has_none && i == count - 1 ? -1 : run->cluster.leader);
        at = ps_wire_put_int32(at, run->cluster.epoch);
        for (int list = 0; list < 3; list++)
            at = ps_wire_put_int32(at, 0);
    }
    return at;
}

/* Answers the requests that come before records are sent. */
static inline void answer(struct run *run, const struct ps_test_request *request, uint32_t part)
{
    const int16_t most[][2] = {{KEY_PRODUCE, run->produce_version != 0 ? run->produce_version : 3},
                               {KEY_METADATA, 7},
                               {KEY_PRODUCER_ID, 1}};
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
        at = ps_wire_put_int16(at, run->id_error);
        at = ps_wire_put_int64(at, run->id_error == 0 ? 77 : -1);
        at = ps_wire_put_int16(at, 0);
        run->id_error = 0;
    }
    ps_test_broker_answer(&run->broker, request, body, (uint32_t)(at - body), part);
}

/* Waits for a request of this kind; answers the others. */
static inline struct ps_test_request expect(struct run *run, int16_t key)
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

static inline struct produced expect_produce(struct run *run)
{
    struct produced produced = {.request = expect(run, KEY_PRODUCE), .partition = -1};
    struct ps_wire_in in = produced.request.body;
    uint32_t length;
    (void)ps_wire_get_string(&in, &length); /* transaction */
    (void)ps_wire_get_int16(&in);
    (void)ps_wire_get_int32(&in);
    produced.batches = ps_wire_get_count(&in, 8);
    for (uint32_t i = 0; i < produced.batches; i++) { /* each with its topic */
        (void)ps_wire_get_string(&in, &length);
        assert_int_equal(ps_wire_get_count(&in, 8), 1);
        int32_t partition = ps_wire_get_int32(&in), bytes = ps_wire_get_int32(&in);
        const char *batch = ps_wire_take(&in, (size_t)bytes);
        assert_non_null(batch);
        produced.bytes += (uint32_t)bytes;
        struct ps_wire_in head = {.at = batch + SEQUENCE_AT, .end = batch + bytes};
        if (i == 0) {
            produced.partition = partition;
            produced.sequence = ps_wire_get_int32(&head);
        }
    }
    assert_false(in.failed);
    return produced;
}

/* Answers for the first batch alone. */
static inline void answer_produce(struct run *run, const struct produced *produced, int16_t error,
                                  int32_t throttle_ms)
{
    char body[128], *at = body;
    assert_int_equal(produced->batches, 1);
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_string(at, "t", 1);
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_int32(at, produced->partition);
    at = ps_wire_put_int16(at, error);
    at = ps_wire_put_int64(at, 0);
    at = ps_wire_put_int64(at, -1);
    if (run->produce_version >= 8) { /* where the log begins, no refused records, no text */
        at = ps_wire_put_int64(at, 0);
        at = ps_wire_put_int16(ps_wire_put_int32(at, 0), -1);
    }
    at = ps_wire_put_int32(at, throttle_ms);
    ps_test_broker_answer(&run->broker, &produced->request, body, (uint32_t)(at - body), UINT32_MAX);
}

/* ---- the sink ---- */

/* Returns 0, or why the record was not taken. */
static inline int submit_of(struct run *run, const char *value, uint32_t length, int32_t partition)
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

static inline void submit(struct run *run)
{
    assert_int_equal(submit_of(run, "value", 5, PS_KAFKA_PARTITION_ANY), 0);
}

static inline void wait_for_reports(struct run *run, unsigned count)
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
static inline void deliver(struct run *run)
{
    unsigned before = run->report_count;
    submit(run);
    const struct produced produced = expect_produce(run);
    answer_produce(run, &produced, 0, 0);
    wait_for_reports(run, before + 1);
    assert_int_equal(run->reports[before].error, 0);
    assert_string_equal(run->reports[before].topic, "t");
}
