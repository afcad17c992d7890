#include "stages/lib/kafka/librdkafka/reader.h"
#include "core/clock.h"
#include "stages/lib/kafka/librdkafka/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#define READ_MAX 4096
#define WAIT_US 100000U
#define LOOKS 10U
#define TEXT_BYTES 512

struct topic {
    rd_kafka_topic_t *handle;
    const char *name; /* the library's */
    unsigned first_stream;
    int32_t partition_count;
    int64_t *next; /* by partition: the offset to be read next */
};

struct ps_kafka_reader {
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    struct topic *topics;
    unsigned topic_count, stream_count;
    uint64_t patience_ns, patience_end_ns, expired;
    char failure[TEXT_BYTES], silence[TEXT_BYTES], trouble[TEXT_BYTES];

    /* set during one call of ps_kafka_reader_read */
    void (*record)(void *argument, const struct ps_kafka_reader_record *record);
    void *argument;
    unsigned records;
    const struct topic *last;
    struct lost { /* a position that is, or was, out of the log's range; each is noted once */
        struct topic *topic;
        int32_t partition;
    } * lost;
    unsigned lost_count;
};

/* Defaults. The mock cluster answers an empty fetch only after its wait time, so a short time keeps the latency low.
 * `auto.offset.reset=error` (below) reports a position out of range, which means that records are missing. */
static const char *const defaults[][2] = {
    {"socket.nagle.disable", "true"},
    {"fetch.wait.max.ms", "5"},
    {"fetch.error.backoff.ms", "5"},
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"queued.min.messages", "1000000"},
    {"topic.metadata.refresh.interval.ms", "10000"},
};

/* Set after the user's properties, because the reader depends on these values. */
static const char *const fixed[][2] = {
    {"auto.offset.reset", "error"},
    {"enable.partition.eof", "false"},
};

/* ---- callbacks of the client ---- */

/* Thread: the reader's, inside rd_kafka_poll. */
static void on_error(rd_kafka_t *, int error, const char *reason, void *reader_)
{
    struct ps_kafka_reader *reader = reader_;
    snprintf(reader->trouble, sizeof reader->trouble, "%s", reason);
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        snprintf(reader->silence, sizeof reader->silence, "%s", reason);
}

/* Drops log lines: on_error gets the reasons, and lines on stderr would disturb a display. */
static void on_log(const rd_kafka_t *, int, const char *, const char *)
{
}

static bool set(rd_kafka_conf_t *conf, const char *name, const char *value, struct ps_err *err)
{
    char text[TEXT_BYTES];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK)
        return true;
    ps_err_set(err, "reader: %s=%s: %s", name, value, text);
    return false;
}

static bool set_all(rd_kafka_conf_t *conf, const struct ps_kafka_reader_options *options, struct ps_err *err)
{
    bool good =
        set(conf, "bootstrap.servers", options->brokers, err) &&
        set(conf, "isolation.level", options->uncommitted ? "read_uncommitted" : "read_committed", err);
    for (size_t i = 0; good && i < PS_COUNT_OF(defaults); i++)
        good = set(conf, defaults[i][0], defaults[i][1], err);
    bool debug = false;
    for (size_t i = 0; good && i < options->pair_count; i++) {
        good = set(conf, options->pairs[i].key, options->pairs[i].value, err);
        debug = debug || strcmp(options->pairs[i].key, "debug") == 0;
    }
    for (size_t i = 0; good && i < PS_COUNT_OF(fixed); i++)
        good = set(conf, fixed[i][0], fixed[i][1], err);
    if (!debug)
        rd_kafka_conf_set_log_cb(conf, on_log);
    return good;
}

static rd_kafka_t *client_make(struct ps_kafka_reader *reader, const struct ps_kafka_reader_options *options,
                               struct ps_err *err)
{
    char text[TEXT_BYTES];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, reader);
    rd_kafka_conf_set_error_cb(conf, on_error);
    if (!set_all(conf, options, err)) {
        rd_kafka_conf_destroy(conf);
        return NULL;
    }
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text);
    if (client == NULL) {
        rd_kafka_conf_destroy(conf);
        ps_err_set(err, "reader: %s", text);
    }
    return client;
}

/* ---- opening ---- */

static int time_left_ms(const struct ps_kafka_reader *reader)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    return now_ns >= reader->patience_end_ns ? 0
                                             : (int)((reader->patience_end_ns - now_ns) / PS_NS_PER_MS) + 1;
}

/* Asks for the number of partitions, which is 0 if the topic does not exist. Some brokers answer for a new
 * topic before they know its partitions. `handle` NULL: asks for all topics, because brokers make a topic that a client asks
 * for by name, the old ones whatever the request says. */
static rd_kafka_resp_err_t partitions_ask(rd_kafka_t *client, const char *name, rd_kafka_topic_t *handle,
                                          int timeout_ms, int32_t *count)
{
    const struct rd_kafka_metadata *metadata;
    *count = 0;
    rd_kafka_resp_err_t failed =
        rd_kafka_metadata(client, handle == NULL, handle, &metadata, timeout_ms < 100 ? 100 : timeout_ms);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        return failed;
    failed = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    for (int i = 0; i < metadata->topic_cnt; i++) {
        if (strcmp(metadata->topics[i].topic, name) != 0)
            continue;
        failed = metadata->topics[i].err;
        *count = failed == RD_KAFKA_RESP_ERR_NO_ERROR ? metadata->topics[i].partition_cnt : 0;
    }
    rd_kafka_metadata_destroy(metadata);
    return failed;
}

static bool is_final(rd_kafka_resp_err_t failed)
{
    return failed == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
           failed == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION || failed == RD_KAFKA_RESP_ERR__INVALID_ARG;
}

static enum ps_status partitions_wait(struct ps_kafka_reader *reader, const char *name, int32_t *count,
                                      struct ps_err *err)
{
    for (;;) {
        rd_kafka_resp_err_t failed = partitions_ask(reader->client, name, NULL, time_left_ms(reader), count);
        rd_kafka_poll(reader->client, 0);
        if (*count > 0)
            return PS_OK;
        if (is_final(failed))
            return ps_err_set(err, "reader: topic %s: %s", name, rd_kafka_err2str(failed));
        if (time_left_ms(reader) == 0) {
            if (failed == RD_KAFKA_RESP_ERR_NO_ERROR || failed == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
                failed == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
                return ps_err_set(err, "reader: topic %s does not exist, or this user may not see it", name);
            return ps_err_set(err, "reader: no broker answers for topic %s: %s", name,
                              reader->trouble[0] != '\0' ? reader->trouble : rd_kafka_err2str(failed));
        }
        usleep(WAIT_US);
    }
}

static enum ps_status limits_failed(const struct topic *topic, int32_t partition, rd_kafka_resp_err_t failed,
                                    struct ps_err *err)
{
    bool leaderless =
        failed == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || failed == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
    return ps_err_set(err, "reader: topic %s, partition %d: %s", topic->name, partition,
                      leaderless ? "it has no leader: see which brokers are down" : rd_kafka_err2str(failed));
}

/* Waits until the partition's leader answers: a new partition has no leader for a moment, and its leader may not know
 * of it yet. rd_kafka_query_watermark_offsets() fails for a partition that had no leader in the last metadata, so
 * each try requests metadata first. */
static enum ps_status limits_wait(struct ps_kafka_reader *reader, const struct topic *topic,
                                  int32_t partition, int64_t *low, int64_t *high, struct ps_err *err)
{
    for (;;) {
        int32_t count;
        int left_ms = time_left_ms(reader);
        rd_kafka_resp_err_t failed = rd_kafka_query_watermark_offsets(
            reader->client, topic->name, partition, low, high, left_ms < 1000 ? 1000 : left_ms);
        if (failed == RD_KAFKA_RESP_ERR_NO_ERROR)
            return PS_OK;
        if (is_final(failed) || left_ms == 0)
            return limits_failed(topic, partition, failed, err);
        usleep(WAIT_US);
        (void)partitions_ask(reader->client, topic->name, topic->handle, time_left_ms(reader), &count);
    }
}

/* Requests the positions now, so that all records written after `open` are read, even with `latest`. */
static enum ps_status partition_start(struct ps_kafka_reader *reader, struct topic *topic, int32_t partition,
                                      bool latest, struct ps_err *err)
{
    int64_t low, high;
    if (limits_wait(reader, topic, partition, &low, &high, err) != PS_OK)
        return PS_FAIL;
    if (!latest && low < high)
        reader->expired += (uint64_t)low;
    topic->next[partition] = latest ? high : low;
    if (rd_kafka_consume_start_queue(topic->handle, partition, topic->next[partition], reader->queue) == 0)
        return PS_OK;
    return ps_err_set(err, "reader: topic %s, partition %d: %s", topic->name, partition,
                      rd_kafka_err2str(rd_kafka_last_error()));
}

static enum ps_status topic_start(struct ps_kafka_reader *reader, const char *name, bool latest,
                                  struct ps_err *err)
{
    int32_t count;
    if (partitions_wait(reader, name, &count, err) != PS_OK)
        return PS_FAIL;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(reader->client, name, NULL);
    if (handle == NULL)
        return ps_err_set(err, "reader: topic %s: %s", name, rd_kafka_err2str(rd_kafka_last_error()));
    struct topic *topic = &reader->topics[reader->topic_count++];
    *topic = (struct topic){.handle = handle, .name = rd_kafka_topic_name(handle)};
    if ((unsigned)count > PS_KAFKA_READER_STREAMS_MAX - reader->stream_count)
        return ps_err_set(err, "reader: more than %u partitions", PS_KAFKA_READER_STREAMS_MAX);
    topic->first_stream = reader->stream_count;
    topic->partition_count = count;
    topic->next = ps_must_alloc((size_t)count, sizeof *topic->next, "a reader of topics");
    reader->stream_count += (unsigned)count;
    for (int32_t partition = 0; partition < count; partition++)
        if (partition_start(reader, topic, partition, latest, err) != PS_OK)
            return PS_FAIL;
    return PS_OK;
}

struct ps_kafka_reader *ps_kafka_reader_open(const struct ps_kafka_reader_options *options,
                                             struct ps_err *err)
{
    struct ps_kafka_reader *reader = ps_must_alloc(1, sizeof *reader, "a reader of topics");
    reader->topics = ps_must_alloc(options->topic_count, sizeof *reader->topics, "a reader of topics");
    reader->patience_ns =
        (options->patience_ms > 0 ? options->patience_ms : PS_KAFKA_READER_PATIENCE_MS) * PS_NS_PER_MS;
    reader->patience_end_ns = ps_clock_now().mono_ns + reader->patience_ns;
    reader->client = client_make(reader, options, err);
    if (reader->client != NULL) {
        reader->queue = rd_kafka_queue_new(reader->client);
        unsigned started = 0;
        while (started < options->topic_count &&
               topic_start(reader, options->topics[started], options->latest, err) == PS_OK)
            started++;
        if (started == options->topic_count) {
            reader->lost = ps_must_alloc(reader->stream_count, sizeof *reader->lost, "a reader of topics");
            return reader;
        }
    }
    ps_kafka_reader_close(reader);
    return NULL;
}

void ps_kafka_reader_close(struct ps_kafka_reader *reader)
{
    if (reader == NULL)
        return;
    if (reader->queue != NULL)
        rd_kafka_queue_destroy(reader->queue);
    for (unsigned i = 0; i < reader->topic_count; i++) {
        rd_kafka_topic_destroy(reader->topics[i].handle);
        free(reader->topics[i].next);
    }
    if (reader->client != NULL)
        rd_kafka_destroy(reader->client);
    free(reader->lost);
    free(reader->topics);
    free(reader);
}

/* ---- reading ---- */

static struct topic *topic_of(struct ps_kafka_reader *reader, const rd_kafka_message_t *message)
{
    for (unsigned i = 0; i < reader->topic_count; i++)
        if (reader->topics[i].handle == message->rkt && message->partition >= 0 &&
            message->partition < reader->topics[i].partition_count)
            return &reader->topics[i];
    return NULL;
}

/* Notes that the position is out of the log's range. The library may report it more than once, see `reposition`. */
static void note_lost(struct ps_kafka_reader *reader, struct topic *topic, int32_t partition)
{
    for (unsigned i = 0; i < reader->lost_count; i++)
        if (reader->lost[i].topic == topic && reader->lost[i].partition == partition)
            return;
    reader->lost[reader->lost_count++] = (struct lost){topic, partition};
}

static void on_trouble(struct ps_kafka_reader *reader, const rd_kafka_message_t *message)
{
    struct topic *topic = topic_of(reader, message);
    switch (message->err) {
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        if (topic != NULL)
            note_lost(reader, topic, message->partition);
        return;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        snprintf(reader->failure, sizeof reader->failure, "topic %s, partition %d: %s",
                 topic != NULL ? topic->name : "?", message->partition, rd_kafka_err2str(message->err));
        return;
    default: /* the client retries */
        return;
    }
}

static void on_message(rd_kafka_message_t *message, void *reader_)
{
    struct ps_kafka_reader *reader = reader_;
    if (PS_UNLIKELY(message->err != RD_KAFKA_RESP_ERR_NO_ERROR)) {
        on_trouble(reader, message);
        return;
    }
    const struct topic *topic = reader->last;
    if (topic == NULL || topic->handle != message->rkt)
        topic = reader->last = topic_of(reader, message);
    PS_ASSERT(topic != NULL && message->partition < topic->partition_count);
    if (PS_UNLIKELY(message->offset < topic->next[message->partition]))
        return; /* fetched again, see `reposition` */
    topic->next[message->partition] = message->offset + 1;
    reader->record(reader->argument, &(struct ps_kafka_reader_record){
                                         .topic = (unsigned)(topic - reader->topics),
                                         .stream = topic->first_stream + (unsigned)message->partition,
                                         .partition = message->partition,
                                         .offset = message->offset,
                                         .value = message->payload,
                                         .length = message->len});
    if (++reader->records >= READ_MAX)
        rd_kafka_yield(reader->client);
}

/* Continues with the oldest record that exists and counts the missing ones before it. If the log now ends before the
 * position, the records after its end were deleted: continues at the end.
 *
 * A position that is in the log is not changed. librdkafka's broker thread passes an "out of range" answer to its
 * main thread. If the main thread has not handled it after fetch.error.backoff.ms, the broker thread fetches again
 * from the offset at which the partition was last started. So records may come again, and a second report of the same
 * position may come after it was moved. */
static void reposition(struct ps_kafka_reader *reader, const struct lost *lost)
{
    int64_t low, high, next = lost->topic->next[lost->partition];
    struct ps_err err = {.length = 0};
    rd_kafka_consume_stop(lost->topic->handle, lost->partition);
    reader->patience_end_ns = ps_clock_now().mono_ns + reader->patience_ns;
    if (limits_wait(reader, lost->topic, lost->partition, &low, &high, &err) != PS_OK) {
        snprintf(reader->failure, sizeof reader->failure, "%.*s", TEXT_BYTES - 1, err.text);
        return;
    }
    int64_t from = next < low ? low : next > high ? high : next;
    reader->expired += (uint64_t)(next < from ? from - next : next - from);
    lost->topic->next[lost->partition] = from;
    if (rd_kafka_consume_start_queue(lost->topic->handle, lost->partition, from, reader->queue) != 0)
        snprintf(reader->failure, sizeof reader->failure, "topic %s, partition %d: %s", lost->topic->name,
                 lost->partition, rd_kafka_err2str(rd_kafka_last_error()));
}

/* Uses the callback interface: it takes a whole queue under one lock. rd_kafka_consume_batch_queue locks for
 * each message, which doubles the cost. */
unsigned ps_kafka_reader_read(struct ps_kafka_reader *reader, int timeout_ms,
                              void (*record)(void *argument, const struct ps_kafka_reader_record *record),
                              void *argument)
{
    reader->record = record;
    reader->argument = argument;
    reader->records = 0;
    rd_kafka_consume_callback_queue(reader->queue, timeout_ms, on_message, reader);
    rd_kafka_poll(reader->client, 0);
    if (reader->records > 0)
        reader->silence[0] = '\0';
    /* Each partition waits for its leader. If one of them fails, the reading is over. */
    for (unsigned i = 0; i < reader->lost_count && reader->failure[0] == '\0'; i++)
        reposition(reader, &reader->lost[i]);
    reader->lost_count = 0;
    return reader->records;
}

uint64_t ps_kafka_reader_expired(const struct ps_kafka_reader *reader)
{
    return reader->expired;
}

const char *ps_kafka_reader_failure(const struct ps_kafka_reader *reader)
{
    return reader->failure[0] != '\0' ? reader->failure : NULL;
}

const char *ps_kafka_reader_silence(const struct ps_kafka_reader *reader)
{
    return reader->silence[0] != '\0' ? reader->silence : NULL;
}

/* ---- the number of partitions ---- */

static rd_kafka_t *producer_make(const struct ps_kafka_settings *settings, struct ps_err *err)
{
    char reason[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (ps_kafka_settings_apply(settings, NULL, conf, err) == PS_OK &&
        ps_kafka_conf_set(conf, "log_level", "0", err) == PS_OK) { /* the reason is in `err` */
        rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
        if (client != NULL)
            return client;
        ps_err_set(err, "%s", reason);
    }
    rd_kafka_conf_destroy(conf);
    return NULL;
}

enum ps_status ps_kafka_partition_count(const struct ps_kafka_settings *settings, const char *topic,
                                        bool may_create, int timeout_ms, int32_t *count, struct ps_err *err)
{
    rd_kafka_t *client = producer_make(settings, err);
    if (client == NULL)
        return PS_FAIL;
    rd_kafka_topic_t *handle = may_create ? rd_kafka_topic_new(client, topic, NULL) : NULL;
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
    bool may_come = !may_create || handle != NULL;
    for (unsigned looks = 0; may_come && looks < LOOKS; looks++) {
        if (looks > 0)
            usleep(WAIT_US);
        error = partitions_ask(client, topic, handle, timeout_ms, count);
        /* a broker may not know yet of a topic that was just made */
        may_come = error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
                   error == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE ||
                   (error == RD_KAFKA_RESP_ERR_NO_ERROR && *count == 0);
    }
    if (handle != NULL)
        rd_kafka_topic_destroy(handle);
    rd_kafka_destroy(client);
    if (error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return ps_err_set(
            err, "topic %s does not exist, or this user may not see it: create it, or grant DESCRIBE on it",
            topic);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR || *count == 0)
        return ps_err_set(err, "cannot get the partitions of topic %s: %s", topic, rd_kafka_err2str(error));
    return PS_OK;
}
