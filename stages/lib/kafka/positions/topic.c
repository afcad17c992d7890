#include "stages/lib/kafka/positions/topic.h"

#include "core/clock.h"
#include "core/helper/helper.h"
#include "stages/lib/kafka/librdkafka/settings.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdlib.h>
#include <string.h>

#define PURPOSE "a reader of positions"
#define OWNER_BYTES 96U
#define KEY_BYTES 256U /* longer than any key that a sink writes */
#define TEXT_BYTES 512U
#define PATIENCE_NS (60 * PS_NS_PER_S) /* limit without progress; longer than most transactions last */
#define ASK_MS 5000
#define POLICY_MS                                                                                            \
    5000 /* limit for an answer that only a check needs: a silent broker must not use up PATIENCE_NS */
#define LOOK_MS 100
/* Size of the topic's segments: the last segment is not compacted, and each start reads all of it. Kafka's default is
 * 1 GiB. */
#define SEGMENT_BYTES "16777216"
#define ROOM 4U

/* One reading of the topic. The worker owns it, except while the thread has it. */
struct job {
    char owner[OWNER_BYTES];
    json_t *positions;
    char warning[TEXT_BYTES];
    struct ps_err err;
};

/* A reader with a thread of its own; the thread frees it. */
struct reader {
    struct ps_helper *helper;
    char *topic;
    rd_kafka_conf_t *connection; /* the properties of the producer's connections */
    char *servers;
    uint64_t end_ns;          /* when the reader gives up; postponed with each record that is read */
    char trouble[TEXT_BYTES]; /* the library's last error */
};

/* ---- clients ---- */

static void on_error(rd_kafka_t *, int, const char *reason, void *reader_)
{
    struct reader *reader = reader_;
    snprintf(reader->trouble, sizeof reader->trouble, "%s", reason);
}

static void no_log(const rd_kafka_t *, int, const char *, const char *)
{
}

/* Returns whether this property of the producer is about the connection to brokers. */
static bool is_of_connection(const char *name)
{
    static const char *const prefixes[] = {"bootstrap.", "security.",  "ssl.",    "sasl.",       "socket.",
                                           "client.",    "reconnect.", "broker.", "connections."};
    for (size_t i = 0; i < PS_COUNT_OF(prefixes); i++)
        if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

static rd_kafka_t *client_make(struct reader *reader, const char *isolation, struct ps_err *err)
{
    const struct ps_pair own[] = {{.key = "isolation.level", .value = isolation},
                                  {.key = "enable.partition.eof", .value = "true"},
                                  {.key = "enable.auto.commit", .value = "false"},
                                  {.key = "check.crcs", .value = "true"},
                                  {.key = "fetch.wait.max.ms", .value = "50"}};
    char text[TEXT_BYTES];
    enum ps_status status = PS_OK;
    rd_kafka_conf_t *conf = rd_kafka_conf_dup(reader->connection);
    rd_kafka_conf_set_opaque(conf, reader);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, no_log);
    for (size_t i = 0; i < PS_COUNT_OF(own) && status == PS_OK; i++)
        status = ps_kafka_conf_set(conf, own[i].key, own[i].value, err);
    if (status == PS_OK) {
        rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
        if (client != NULL)
            return client;
        ps_err_set(err, "%s", text);
    }
    rd_kafka_conf_destroy(conf);
    return NULL;
}

/* ---- time ---- */

static bool is_over(const struct reader *reader)
{
    return ps_clock_now().mono_ns >= reader->end_ns || ps_helper_is_cancelled(reader->helper);
}

static enum ps_status silent(const struct reader *reader, rd_kafka_resp_err_t code, struct ps_err *err)
{
    return ps_err_set(err, "the topic %s of positions cannot be read: %s", reader->topic,
                      reader->trouble[0] != '\0' ? reader->trouble : rd_kafka_err2str(code));
}

/* ---- the topic ---- */

static rd_kafka_event_t *answer_of(const struct reader *reader, rd_kafka_queue_t *queue)
{
    rd_kafka_event_t *event;
    do
        event = rd_kafka_queue_poll(queue, LOOK_MS);
    while (event == NULL && !is_over(reader));
    return event;
}

static enum ps_status not_created(const struct reader *reader, const char *reason, struct ps_err *err)
{
    return ps_err_set(
        err,
        "the topic %s of positions does not exist and cannot be created: %s; create it: "
        "kafka-topics.sh --bootstrap-server %s --create --topic %s --partitions 1 "
        "--replication-factor 3 --config cleanup.policy=compact --config segment.bytes=" SEGMENT_BYTES,
        reader->topic, reason, reader->servers, reader->topic);
}

/* Creates the topic with the brokers' default replication factor (KIP-464, Kafka 2.4). */
static enum ps_status create_topic(const struct reader *reader, rd_kafka_t *client, struct ps_err *err)
{
    char text[TEXT_BYTES] = "";
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(reader->topic, 1, -1, text, sizeof text);
    if (topic == NULL)
        return not_created(reader, text, err);
    rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "compact");
    rd_kafka_NewTopic_set_config(topic, "segment.bytes", SEGMENT_BYTES);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_CreateTopics(client, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = answer_of(reader, queue);
    const rd_kafka_CreateTopics_result_t *result =
        event != NULL ? rd_kafka_event_CreateTopics_result(event) : NULL;
    enum ps_status status = PS_OK;
    if (result == NULL || rd_kafka_event_error(event) != 0) {
        status = not_created(reader, event != NULL ? rd_kafka_event_error_string(event) : "no answer", err);
    } else {
        size_t count;
        const rd_kafka_topic_result_t *const *topics = rd_kafka_CreateTopics_result_topics(result, &count);
        rd_kafka_resp_err_t code = count > 0 ? rd_kafka_topic_result_error(topics[0]) : 0;
        if (code != 0 && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            const char *reason = rd_kafka_topic_result_error_string(topics[0]);
            status = not_created(reader, reason != NULL ? reason : rd_kafka_err2str(code), err);
        }
    }
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
    return status;
}

/* Warns if the topic has a single replica in a cluster with several brokers: the positions are lost with the
 * broker of that replica. */
static void look_at_replicas(const struct reader *reader, const struct rd_kafka_metadata *metadata,
                             struct job *job)
{
    const struct rd_kafka_metadata_partition *partition = &metadata->topics[0].partitions[0];
    if (partition->replica_cnt == 1 && metadata->broker_cnt > 1)
        snprintf(job->warning, sizeof job->warning,
                 "the topic %s of positions has one replica: events come twice when it is lost; raise its "
                 "replication factor (kafka-reassign-partitions.sh)",
                 reader->topic);
}

/* Waits for the topic's first partition to have a leader; creates the topic if it does not exist. */
static enum ps_status need_topic(struct reader *reader, rd_kafka_t *client, rd_kafka_topic_t *topic,
                                 struct job *job)
{
    bool created = false;
    rd_kafka_resp_err_t code;
    do {
        const struct rd_kafka_metadata *metadata = NULL;
        code = rd_kafka_metadata(client, 0, topic, &metadata, ASK_MS);
        rd_kafka_poll(client, 0);
        bool there = false;
        if (code == 0 && metadata->topic_cnt == 1) {
            code = metadata->topics[0].err;
            there = code == 0 && metadata->topics[0].partition_cnt > 0 &&
                    metadata->topics[0].partitions[0].leader >= 0;
        }
        if (there)
            look_at_replicas(reader, metadata, job);
        if (metadata != NULL)
            rd_kafka_metadata_destroy(metadata);
        if (there)
            return PS_OK;
        bool missing =
            code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
        if (missing && !created && create_topic(reader, client, &job->err) != PS_OK)
            return PS_FAIL;
        created |= missing;
        if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED || code == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION)
            break;
        (void)rd_kafka_poll(client, LOOK_MS);
    } while (!is_over(reader));
    return silent(reader, code, &job->err);
}

static const char *policy_of(rd_kafka_event_t *event)
{
    const rd_kafka_DescribeConfigs_result_t *result = event != NULL && rd_kafka_event_error(event) == 0
                                                          ? rd_kafka_event_DescribeConfigs_result(event)
                                                          : NULL;
    size_t count = 0, entry_count = 0;
    const rd_kafka_ConfigResource_t **resources =
        result != NULL ? rd_kafka_DescribeConfigs_result_resources(result, &count) : NULL;
    const rd_kafka_ConfigEntry_t **entries =
        count > 0 ? rd_kafka_ConfigResource_configs(resources[0], &entry_count) : NULL;
    for (size_t i = 0; i < entry_count; i++)
        if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), "cleanup.policy") == 0)
            return rd_kafka_ConfigEntry_value(entries[i]);
    return NULL;
}

/* Returns the answer to DescribeConfigs; NULL if the thread must stop. */
static rd_kafka_event_t *ask_policy(const struct reader *reader, rd_kafka_t *client)
{
    char text[TEXT_BYTES];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
    rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, reader->topic);
    rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    (void)rd_kafka_AdminOptions_set_request_timeout(options, POLICY_MS, text, sizeof text);
    rd_kafka_DescribeConfigs(client, &resource, 1, options, queue);
    rd_kafka_event_t *event = answer_of(reader, queue);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_ConfigResource_destroy(resource);
    rd_kafka_queue_destroy(queue);
    return event;
}

/* Refuses a topic whose records are deleted by age or size: it would lose positions, and events would come twice. */
static enum ps_status check_policy(const struct reader *reader, rd_kafka_t *client, struct job *job)
{
    rd_kafka_event_t *event = ask_policy(reader, client);
    const char *policy = policy_of(event);
    enum ps_status status = PS_OK;
    if (event != NULL && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__TIMED_OUT)
        snprintf(job->warning, sizeof job->warning,
                 "no broker has said within %d s whether the topic %s of positions is compacted "
                 "(cleanup.policy)",
                 POLICY_MS / 1000, reader->topic);
    else if (policy == NULL)
        snprintf(job->warning, sizeof job->warning,
                 "this client may not see whether the topic %s of positions is compacted (cleanup.policy): "
                 "grant it "
                 "DESCRIBE_CONFIGS on it",
                 reader->topic);
    else if (strcmp(policy, "compact") != 0)
        status =
            ps_err_set(&job->err,
                       "the topic %s of positions has cleanup.policy=%s, which deletes positions: "
                       "kafka-configs.sh --bootstrap-server %s --alter --entity-type topics --entity-name %s "
                       "--add-config cleanup.policy=compact",
                       reader->topic, policy, reader->servers, reader->topic);
    if (event != NULL)
        rd_kafka_event_destroy(event);
    return status;
}

/* Sets *end to the offset of the next record to be written. The client must be read_uncommitted: a read_committed
 * client would get the last stable offset as the end. Requests metadata again after an error, because librdkafka's
 * query does not: if the last metadata had no leader, the query returns an error immediately. */
static enum ps_status end_of(struct reader *reader, rd_kafka_t *client, rd_kafka_topic_t *topic,
                             struct job *job, int64_t *end)
{
    for (;;) {
        int64_t low;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
            client, reader->topic, PS_KAFKA_POSITIONS_PARTITION, &low, end, ASK_MS);
        (void)rd_kafka_poll(client, code == 0 ? 0 : LOOK_MS);
        if (code == 0)
            return PS_OK;
        if (is_over(reader))
            return silent(reader, code, &job->err);
        if (need_topic(reader, client, topic, job) != PS_OK)
            return PS_FAIL;
    }
}

/* Creates and checks the topic. Sets *end to the end of its records. The policy is requested last, because a broker
 * that does not answer this request holds back the answers to later requests of the client. */
static enum ps_status look(struct reader *reader, struct job *job, int64_t *end)
{
    rd_kafka_t *client = client_make(reader, "read_uncommitted", &job->err);
    if (client == NULL)
        return PS_FAIL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, reader->topic, NULL);
    enum ps_status status = topic != NULL
                                ? need_topic(reader, client, topic, job)
                                : ps_err_set(&job->err, "%s is not a legal name of a topic", reader->topic);
    if (status == PS_OK)
        status = end_of(reader, client, topic, job, end);
    if (status == PS_OK)
        status = check_policy(reader, client, job);
    if (topic != NULL)
        rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client);
    return status;
}

/* ---- records ---- */

/* Notes the value of a key of the owner; a record without a value removes the key. */
static void note(struct job *job, const rd_kafka_message_t *message)
{
    size_t length = strlen(job->owner);
    char key[KEY_BYTES];
    if (message->key == NULL || message->key_len >= sizeof key)
        return;
    snprintf(key, sizeof key, "%.*s", (int)message->key_len, (const char *)message->key);
    if (strncmp(key, job->owner, length) != 0 || (key[length] != '\0' && key[length] != '/'))
        return;
    if (message->payload == NULL)
        (void)json_object_del(job->positions, key);
    else if (json_object_set_new_nocheck(job->positions, key,
                                         json_stringn_nocheck(message->payload, message->len)) != 0)
        ps_out_of_memory(message->len, PURPOSE);
}

/* Takes a record. Returns the offset up to which the topic is read, or -1 after an error. */
static int64_t take(struct job *job, const rd_kafka_message_t *message)
{
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        return message->offset;
    if (message->err != 0)
        return -1; /* the library tries again */
    note(job, message);
    return message->offset + 1;
}

static enum ps_status read_to(struct reader *reader, struct job *job, rd_kafka_topic_t *topic, int64_t end)
{
    int64_t at = -1;
    while (at < end && !is_over(reader)) {
        rd_kafka_message_t *message = rd_kafka_consume(topic, PS_KAFKA_POSITIONS_PARTITION, LOOK_MS);
        if (message == NULL)
            continue;
        int64_t next = take(job, message);
        if (next < 0)
            snprintf(reader->trouble, sizeof reader->trouble, "%s", rd_kafka_message_errstr(message));
        if (next > at) { /* progress: reading a long topic may take longer than PATIENCE_NS */
            at = next;
            reader->trouble[0] = '\0';
            reader->end_ns = ps_clock_now().mono_ns + PATIENCE_NS;
        }
        rd_kafka_message_destroy(message);
    }
    if (at >= end)
        return PS_OK;
    return ps_err_set(
        &job->err,
        "the topic %s of positions was read only to offset %" PRId64 ", and ends at %" PRId64 ": %s",
        reader->topic, at, end,
        reader->trouble[0] != '\0' ? reader->trouble : "a transaction of another producer is open there");
}

static enum ps_status read_records(struct reader *reader, struct job *job, int64_t end)
{
    rd_kafka_t *client = client_make(reader, "read_committed", &job->err);
    if (client == NULL)
        return PS_FAIL;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, reader->topic, NULL);
    enum ps_status status = PS_FAIL;
    if (topic == NULL ||
        rd_kafka_consume_start(topic, PS_KAFKA_POSITIONS_PARTITION, RD_KAFKA_OFFSET_BEGINNING) != 0) {
        (void)silent(reader, rd_kafka_last_error(), &job->err);
    } else {
        status = read_to(reader, job, topic, end);
        rd_kafka_consume_stop(topic, PS_KAFKA_POSITIONS_PARTITION);
    }
    if (topic != NULL)
        rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client);
    return status;
}

/* ---- the thread ---- */

static void run(void *reader_, void *job_)
{
    struct reader *reader = reader_;
    struct job *job = job_;
    int64_t end = 0;
    reader->trouble[0] = '\0';
    reader->end_ns = ps_clock_now().mono_ns + PATIENCE_NS;
    if (look(reader, job, &end) == PS_OK && end > 0)
        (void)read_records(reader, job, end);
}

static void job_free(struct job *job)
{
    json_decref(job->positions);
    free(job);
}

static void discard(void *, void *job)
{
    job_free(job);
}

static void reader_free(void *reader_)
{
    struct reader *reader = reader_;
    rd_kafka_conf_destroy(reader->connection);
    free(reader->servers);
    free(reader->topic);
    free(reader);
}

/* ---- the worker ---- */

static void *topic_open(const struct ps_kafka_positions_settings *settings, int wake_fd, struct ps_err *err)
{
    struct reader *reader = ps_must_alloc(1, sizeof *reader, PURPOSE);
    reader->topic = ps_must_copy_text(settings->topic, PURPOSE);
    const char *servers = settings->producer->texts.servers;
    reader->servers = ps_must_copy_text(servers != NULL ? servers : "HOST:9092", PURPOSE);
    reader->connection = rd_kafka_conf_new();
    if (ps_kafka_settings_apply(settings->producer, is_of_connection, reader->connection, err) != PS_OK) {
        reader_free(reader);
        return NULL;
    }
    const struct ps_helper_settings helper = {.name = "kafka-positions",
                                              .room = ROOM,
                                              .wake_fd = wake_fd,
                                              .run = run,
                                              .discard = discard,
                                              .end = reader_free,
                                              .argument = reader};
    reader->helper = ps_helper_create(&helper, err);
    if (reader->helper != NULL)
        return reader;
    reader_free(reader);
    return NULL;
}

static void topic_close(void *reader)
{
    (void)ps_helper_destroy(((struct reader *)reader)->helper, 0);
}

static void topic_ask(void *reader, const char *owner)
{
    struct job *job = ps_must_alloc(1, sizeof *job, PURPOSE);
    snprintf(job->owner, sizeof job->owner, "%s", owner);
    job->positions = json_object();
    if (job->positions == NULL)
        ps_out_of_memory(sizeof *job, PURPOSE);
    bool has_room = ps_helper_ask(((struct reader *)reader)->helper, job);
    PS_ASSERT(has_room);
}

static json_t *topic_reply(void *reader, char warning[512], struct ps_err *err)
{
    struct job *job = ps_helper_answer(((struct reader *)reader)->helper);
    if (job == NULL)
        return NULL;
    json_t *positions = json_incref(job->positions);
    memcpy(warning, job->warning, sizeof job->warning);
    *err = job->err;
    job_free(job);
    return positions;
}

const struct ps_kafka_positions_ops ps_kafka_positions_topic = {
    .open = topic_open, .close = topic_close, .ask = topic_ask, .reply = topic_reply};
