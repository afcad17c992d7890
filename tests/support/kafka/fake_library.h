/* librdkafka's consumer as source kafka calls it, under the control of a test: the test sends group events and
 * records, and the source's calls of the library are recorded. One file of a program includes it: it defines
 * functions of the library, and the program uses these instead. Configurations and lists of partitions are the
 * library's own.
 *
 * Also runs the source under the fake clock, and holds its batches back until the test delivers them. One thread. */
#pragma once

#include "tests/support/stage.h"

#include <librdkafka/rdkafka.h>
#include <stdarg.h>
#include <stdio.h>

#define FAKE_EVENTS_MAX 256U
#define FAKE_RECORDS_MAX 8192U

struct fake_event {
    rd_kafka_event_type_t type;
    rd_kafka_resp_err_t error;
    rd_kafka_topic_partition_list_t *list;
    char text[160]; /* of errors and log lines; the facility of a log line is CGRPJOINSTATE */
};

struct fake_topic {
    char name[32];
};

struct fake_record {
    rd_kafka_message_t message;
    char value[48];  /* "<topic>-<partition>-<offset>" */
    char header[48]; /* the same, of the header "h" */
    char *large;     /* replaces `value`; or NULL */
};

static struct {
    const char *protocol; /* "EAGER" or "COOPERATIVE" */
    bool lost;            /* answer of rd_kafka_assignment_lost */
    bool closes_at_once;  /* otherwise the test sets `closed` */
    bool closing, closed;
    rd_kafka_resp_err_t fatal;
    char instance_id[64]; /* group.instance.id of the consumer made last */
    struct fake_event *events[FAKE_EVENTS_MAX];
    size_t event_count, event_next;
    struct fake_record *records[FAKE_RECORDS_MAX];
    size_t record_count, record_next;
    bool yielded;
    rd_kafka_topic_partition_list_t *commit; /* the commit that waits for its answer; NULL: none */
    unsigned commit_count;
    char calls[1024]; /* "assign a-0 a-1; unassign a-0; " */
    struct fake_topic topics[8];
    int queues[3];
} fake;

/* ---- the library ---- */

static void fake_add_call(const char *format, ...)
{
    va_list arguments;
    size_t used = strlen(fake.calls);
    va_start(arguments, format);
    vsnprintf(fake.calls + used, sizeof fake.calls - used, format, arguments); /* cut when it is too long */
    va_end(arguments);
}

static void fake_call(const char *what, const rd_kafka_topic_partition_list_t *list)
{
    fake_add_call("%s", what);
    for (int i = 0; list != NULL && i < list->cnt; i++)
        fake_add_call(" %s-%d", list->elems[i].topic, list->elems[i].partition);
    fake_add_call("; ");
}

rd_kafka_t *rd_kafka_new(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *reason, size_t size)
{
    size_t room = sizeof fake.instance_id;
    if (rd_kafka_conf_get(conf, "group.instance.id", fake.instance_id, &room) != RD_KAFKA_CONF_OK)
        fake.instance_id[0] = '\0';
    rd_kafka_conf_destroy(conf);
    return (rd_kafka_t *)&fake;
}

void rd_kafka_destroy_flags(rd_kafka_t *client, int flags)
{
}

rd_kafka_resp_err_t rd_kafka_set_log_queue(rd_kafka_t *client, rd_kafka_queue_t *queue)
{
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_poll_set_consumer(rd_kafka_t *client)
{
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_subscribe(rd_kafka_t *client, const rd_kafka_topic_partition_list_t *list)
{
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_queue_t *rd_kafka_queue_get_consumer(rd_kafka_t *client)
{
    return (rd_kafka_queue_t *)&fake.queues[0];
}

rd_kafka_queue_t *rd_kafka_queue_new(rd_kafka_t *client)
{
    return (rd_kafka_queue_t *)&fake.queues[1];
}

rd_kafka_queue_t *rd_kafka_queue_get_partition(rd_kafka_t *client, const char *topic, int32_t partition)
{
    return (rd_kafka_queue_t *)&fake.queues[2];
}

void rd_kafka_queue_forward(rd_kafka_queue_t *from, rd_kafka_queue_t *to)
{
    assert_ptr_equal(from, &fake.queues[2]);
    assert_ptr_equal(to, &fake.queues[1]);
}

void rd_kafka_queue_destroy(rd_kafka_queue_t *queue)
{
}

void rd_kafka_queue_io_event_enable(rd_kafka_queue_t *queue, int fd, const void *payload, size_t size)
{
}

size_t rd_kafka_queue_length(rd_kafka_queue_t *queue)
{
    return fake.record_count - fake.record_next;
}

rd_kafka_event_t *rd_kafka_queue_poll(rd_kafka_queue_t *queue, int timeout_ms)
{
    const int *which = (const int *)(const void *)queue;
    assert_true(which == &fake.queues[0] ||
                which == &fake.queues[1]); /* a client that closes: the same events */
    return fake.event_next < fake.event_count ? (rd_kafka_event_t *)fake.events[fake.event_next++] : NULL;
}

rd_kafka_event_type_t rd_kafka_event_type(const rd_kafka_event_t *event)
{
    return ((const struct fake_event *)event)->type;
}

rd_kafka_resp_err_t rd_kafka_event_error(rd_kafka_event_t *event)
{
    return ((const struct fake_event *)event)->error;
}

const char *rd_kafka_event_error_string(rd_kafka_event_t *event)
{
    return ((const struct fake_event *)event)->text;
}

rd_kafka_topic_partition_list_t *rd_kafka_event_topic_partition_list(rd_kafka_event_t *event)
{
    return ((const struct fake_event *)event)->list;
}

int rd_kafka_event_log(rd_kafka_event_t *event, const char **facility, const char **text, int *level)
{
    *facility = "CGRPJOINSTATE";
    *text = ((const struct fake_event *)event)->text;
    *level = 7;
    return 0;
}

void rd_kafka_event_destroy(rd_kafka_event_t *event_)
{
    struct fake_event *event = (struct fake_event *)event_;
    if (event->list != NULL)
        rd_kafka_topic_partition_list_destroy(event->list);
    free(event);
}

int rd_kafka_consume_callback_queue(rd_kafka_queue_t *queue, int timeout_ms,
                                    void (*record)(rd_kafka_message_t *message, void *argument),
                                    void *argument)
{
    int count = 0;
    assert_ptr_equal(queue, &fake.queues[1]);
    for (fake.yielded = false; !fake.yielded && fake.record_next < fake.record_count; count++) {
        struct fake_record *next = fake.records[fake.record_next++];
        record(&next->message, argument);
        if (next->large != NULL)
            memset(next->large, '!', next->message.len); /* its bytes are the library's again */
        memset(next->value, '!', sizeof next->value - 1);
        memset(next->header, '!', sizeof next->header - 1);
    }
    return count;
}

void rd_kafka_yield(rd_kafka_t *client)
{
    fake.yielded = true;
}

int64_t rd_kafka_message_timestamp(const rd_kafka_message_t *message, rd_kafka_timestamp_type_t *type)
{
    *type = RD_KAFKA_TIMESTAMP_CREATE_TIME;
    return 1000;
}

rd_kafka_resp_err_t rd_kafka_message_headers(const rd_kafka_message_t *message, rd_kafka_headers_t **headers)
{
    *headers = (rd_kafka_headers_t *)(uintptr_t)message; /* the record begins with it */
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t rd_kafka_header_get_last(const rd_kafka_headers_t *headers, const char *name,
                                             const void **value, size_t *size)
{
    const struct fake_record *record = (const struct fake_record *)headers;
    if (strcmp(name, "h") != 0)
        return RD_KAFKA_RESP_ERR__NOENT;
    *value = record->header;
    *size = strlen(record->header);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

const char *rd_kafka_topic_name(const rd_kafka_topic_t *topic)
{
    return ((const struct fake_topic *)topic)->name;
}

rd_kafka_resp_err_t rd_kafka_metadata(rd_kafka_t *client, int all, rd_kafka_topic_t *topic,
                                      const struct rd_kafka_metadata **metadata, int timeout_ms)
{
    return RD_KAFKA_RESP_ERR__TIMED_OUT;
}

rd_kafka_resp_err_t rd_kafka_commit_queue(rd_kafka_t *client, const rd_kafka_topic_partition_list_t *list,
                                          rd_kafka_queue_t *queue,
                                          void (*callback)(rd_kafka_t *client, rd_kafka_resp_err_t error,
                                                           rd_kafka_topic_partition_list_t *list,
                                                           void *argument),
                                          void *argument)
{
    assert_null(callback);
    assert_null(fake.commit); /* one at a time */
    fake.commit = rd_kafka_topic_partition_list_copy(list);
    fake.commit_count++;
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

const char *rd_kafka_rebalance_protocol(rd_kafka_t *client)
{
    return fake.protocol;
}

int rd_kafka_assignment_lost(rd_kafka_t *client)
{
    return fake.lost;
}

rd_kafka_resp_err_t rd_kafka_assign(rd_kafka_t *client, const rd_kafka_topic_partition_list_t *list)
{
    assert_string_equal(fake.protocol, "EAGER");
    fake_call(list != NULL ? "assign" : "unassign all", list);
    return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_error_t *rd_kafka_incremental_assign(rd_kafka_t *client, const rd_kafka_topic_partition_list_t *list)
{
    assert_string_equal(fake.protocol, "COOPERATIVE");
    fake_call("add", list);
    return NULL;
}

rd_kafka_error_t *rd_kafka_incremental_unassign(rd_kafka_t *client,
                                                const rd_kafka_topic_partition_list_t *list)
{
    assert_string_equal(fake.protocol, "COOPERATIVE");
    fake_call("remove", list);
    return NULL;
}

rd_kafka_error_t *rd_kafka_consumer_close_queue(rd_kafka_t *client, rd_kafka_queue_t *queue)
{
    fake_call("close", NULL);
    fake.closing = true;
    return NULL;
}

int rd_kafka_consumer_closed(rd_kafka_t *client)
{
    return fake.closed || (fake.closing && fake.closes_at_once);
}

rd_kafka_resp_err_t rd_kafka_fatal_error(rd_kafka_t *client, char *text, size_t size)
{
    if (size > 0)
        snprintf(text, size, "fatal");
    return fake.fatal;
}

/* ---- what the library has for the source ---- */

/* Makes a list of partitions from "a-0 a-1 b-12"; a number after a colon is an offset. */
static rd_kafka_topic_partition_list_t *fake_list(const char *text)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
    char topic[16];
    int partition, used;
    for (; sscanf(text, " %15[a-z]-%d%n", topic, &partition, &used) == 2; text += used)
        rd_kafka_topic_partition_list_add(list, topic, partition);
    return list;
}

static struct fake_event *fake_push(rd_kafka_event_type_t type, rd_kafka_resp_err_t error)
{
    struct fake_event *event = calloc(1, sizeof *event);
    assert_non_null(event);
    assert_true(fake.event_count < FAKE_EVENTS_MAX);
    *event = (struct fake_event){.type = type, .error = error};
    fake.events[fake.event_count++] = event;
    return event;
}

static inline void fake_assigned(const char *partitions)
{
    fake_push(RD_KAFKA_EVENT_REBALANCE, RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)->list = fake_list(partitions);
}

static inline void fake_revoked(const char *partitions)
{
    fake_push(RD_KAFKA_EVENT_REBALANCE, RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS)->list = fake_list(partitions);
}

/* Answers the commit under way: `error` for all partitions, or `one` for its first one. */
static inline void fake_commit_answered(rd_kafka_resp_err_t error, rd_kafka_resp_err_t one)
{
    assert_non_null(fake.commit);
    fake.commit->elems[0].err = one;
    fake_push(RD_KAFKA_EVENT_OFFSET_COMMIT, error)->list = fake.commit;
    fake.commit = NULL;
}

static inline void fake_error(rd_kafka_resp_err_t error)
{
    snprintf(fake_push(RD_KAFKA_EVENT_ERROR, error)->text, 32, "an error");
}

static inline void fake_join_state(const char *state)
{
    struct fake_event *event = fake_push(RD_KAFKA_EVENT_LOG, RD_KAFKA_RESP_ERR_NO_ERROR);
    snprintf(event->text, sizeof event->text, "Group \"g\" changed join state steady -> %s (state up)",
             state);
}

/* Adds records `first` to `first + count - 1` of a partition; `large_bytes`: the size of each, 0: as long as
 * its text. The key, or NULL, must stay valid. */
static inline void fake_records_with(const char *topic, int32_t partition, int64_t first, unsigned count,
                                     size_t large_bytes, const char *key)
{
    struct fake_topic *found = NULL;
    for (size_t i = 0; i < PS_COUNT_OF(fake.topics) && found == NULL; i++) {
        if (fake.topics[i].name[0] == '\0')
            snprintf(fake.topics[i].name, sizeof fake.topics[i].name, "%s", topic);
        if (strcmp(fake.topics[i].name, topic) == 0)
            found = &fake.topics[i];
    }
    assert_non_null(found);
    for (unsigned i = 0; i < count; i++) {
        struct fake_record *record = calloc(1, sizeof *record);
        assert_non_null(record);
        int length = snprintf(record->value, sizeof record->value, "%s-%d-%lld", topic, partition,
                              (long long)(first + i));
        memcpy(record->header, record->value, sizeof record->header);
        record->message = (rd_kafka_message_t){.rkt = (rd_kafka_topic_t *)found,
                                               .partition = partition,
                                               .offset = first + i,
                                               .payload = record->value,
                                               .len = (size_t)length,
                                               .key = (void *)(uintptr_t)key,
                                               .key_len = key != NULL ? strlen(key) : 0};
        if (large_bytes > 0) {
            record->large = malloc(large_bytes);
            assert_non_null(record->large);
            memset(record->large, '.', large_bytes);
            memcpy(record->large, record->value, (size_t)length);
            record->message.payload = record->large;
            record->message.len = large_bytes;
        }
        assert_true(fake.record_count < FAKE_RECORDS_MAX);
        fake.records[fake.record_count++] = record;
    }
}

static inline void fake_records(const char *topic, int32_t partition, int64_t first, unsigned count)
{
    fake_records_with(topic, partition, first, count, 0, NULL);
}

/* Asserts the calls of the library since the last assertion. */
static inline void fake_assert_calls(const char *expected)
{
    assert_string_equal(fake.calls, expected);
    fake.calls[0] = '\0';
}

/* Asserts the commit under way: "a-0:10 a-1:3"; "": none. */
static inline void fake_assert_commit(const char *expected)
{
    char text[256] = "";
    for (int i = 0; fake.commit != NULL && i < fake.commit->cnt; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s-%d:%lld", i > 0 ? " " : "",
                 fake.commit->elems[i].topic, fake.commit->elems[i].partition,
                 (long long)fake.commit->elems[i].offset);
    assert_string_equal(text, expected);
}

/* ---- the source ---- */

static struct {
    struct ps_test_stage stage;
    struct ps_batch *held[256]; /* in order */
    size_t held_count;
    char received
        [65536]; /* the first 40 bytes of the bodies, "a-0-0 a-0-1 ": since the last fake_assert_received */
    uint64_t due_ns; /* the result of the last tick */
} source;

/* Builds the source with these keys besides broker and topics; does not open it. */
static inline void fake_build(const char *protocol, const char *const *keys)
{
    extern const struct ps_stage_ops ps_source_kafka;
    const char *all[32] = {"kafka.bootstrap.servers", "b:1",       "kafka.topics", "a,b",
                           "penstock.engine",         "librdkafka"};
    size_t count = 6;
    memset(&fake, 0, sizeof fake);
    memset(&source, 0, sizeof source);
    fake.protocol = protocol;
    fake.closes_at_once = true;
    if (protocol[0] == 'C') {
        all[count++] = "kafka.consumer.partition.assignment.strategy";
        all[count++] = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
    }
    for (; *keys != NULL; keys++)
        all[count++] = *keys;
    ps_test_stage_init(&source.stage, &ps_source_kafka);
    if (ps_test_stage_bind(&source.stage, all) != PS_OK || ps_test_stage_build(&source.stage) != PS_OK)
        fail_msg("%s", source.stage.err.text);
}

static inline void fake_start(const char *protocol, const char *const *keys)
{
    fake_build(protocol, keys);
    assert_int_equal(ps_test_stage_open(&source.stage), PS_OK);
}

static inline void fake_stop(void)
{
    ps_test_stage_fini(&source.stage);
    while (fake.event_next < fake.event_count)
        rd_kafka_event_destroy((rd_kafka_event_t *)fake.events[fake.event_next++]);
    for (size_t i = 0; i < fake.record_count; i++) {
        free(fake.records[i]->large);
        free(fake.records[i]);
    }
    if (fake.commit != NULL)
        rd_kafka_topic_partition_list_destroy(fake.commit);
}

static inline void fake_tick(void)
{
    struct ps_test_stage *stage = &source.stage;
    source.due_ns = stage->ops->source->tick(stage->plan, stage->state, &stage->now);
}

/* Runs one cycle of a worker; a batch with events is closed and held. */
static inline void fake_cycle(void)
{
    struct ps_test_stage *stage = &source.stage;
    fake_tick();
    if (stage->batch == NULL) {
        stage->batch = ps_batch_take(&stage->bump, stage->now);
        assert_non_null(stage->batch);
        stage->batches[stage->batch_count++] = stage->batch;
    }
    struct ps_batch *batch = stage->batch;
    stage->ops->source->work(stage->plan, stage->state, batch, &stage->now);
    if (batch->count == 0)
        return;
    stage->batch = NULL;
    ps_batch_close(batch);
    for (uint32_t row = 0; row < batch->count; row++) {
        size_t used = strlen(source.received);
        uint32_t length =
            (uint32_t)strnlen(batch->events[row].body,
                              batch->events[row].body_length < 40 ? batch->events[row].body_length : 40);
        snprintf(source.received + used, sizeof source.received - used, "%.*s ", (int)length,
                 batch->events[row].body);
    }
    stage->ops->source->accepted(stage->plan, stage->state, batch, &stage->now);
    assert_true(source.held_count < PS_COUNT_OF(source.held));
    source.held[source.held_count++] = batch;
}

/* Runs cycles, a millisecond apart. */
static inline void fake_cycles(unsigned count)
{
    while (count-- > 0) {
        fake_cycle();
        ps_test_stage_pass_ms(&source.stage, 1);
    }
}

/* Delivers the oldest `count` held batches. */
static inline void fake_deliver(size_t count)
{
    struct ps_test_stage *stage = &source.stage;
    assert_true(count <= source.held_count);
    for (size_t i = 0; i < count; i++) {
        struct ps_batch *batch = source.held[i];
        stage->ops->source->delivered(stage->plan, stage->state, batch, &stage->now);
        size_t at = 0;
        while (stage->batches[at] != batch)
            at++;
        stage->batches[at] = stage->batches[--stage->batch_count];
        ps_batch_give(batch);
    }
    source.held_count -= count;
    memmove(source.held, source.held + count, source.held_count * sizeof source.held[0]);
}

/* Asserts which bodies came since the last call. */
static inline void fake_assert_received(const char *expected)
{
    assert_string_equal(source.received, expected);
    source.received[0] = '\0';
}

static inline bool fake_drain(void)
{
    struct ps_test_stage *stage = &source.stage;
    return stage->ops->source->drain(stage->plan, stage->state, &stage->now);
}

static inline uint64_t fake_counted(enum ps_counter counter)
{
    return ps_test_stage_counter(&source.stage, counter);
}
