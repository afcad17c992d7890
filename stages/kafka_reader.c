#include "stages/kafka_reader.h"

#include <stdlib.h>

#include <librdkafka/rdkafka.h>

#define READ_MAX 1000
#define ANSWER_MS 10000

struct ps_kafka_reader {
    rd_kafka_t *client;
    rd_kafka_queue_t *queue;
    rd_kafka_topic_t **topics;
    unsigned topic_count;
    rd_kafka_message_t *messages[READ_MAX];
};

/* The mock cluster answers an empty fetch only when its time is up: short times, or latency is the fetch's.
 */
static const char *const settings[][2] = {
    {"socket.nagle.disable", "true"},  {"fetch.wait.max.ms", "5"},      {"fetch.error.backoff.ms", "5"},
    {"auto.offset.reset", "earliest"}, {"enable.auto.commit", "false"}, {"queued.min.messages", "1000000"},
};

static rd_kafka_t *client_make(const char *brokers, struct ps_err *err)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    bool good = rd_kafka_conf_set(conf, "bootstrap.servers", brokers, text, sizeof text) == RD_KAFKA_CONF_OK;
    for (size_t i = 0; good && i < PS_COUNT_OF(settings); i++)
        good = rd_kafka_conf_set(conf, settings[i][0], settings[i][1], text, sizeof text) == RD_KAFKA_CONF_OK;
    rd_kafka_t *client = good ? rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof text) : NULL;
    if (client == NULL) {
        rd_kafka_conf_destroy(conf);
        ps_err_set(err, "reader: %s", text);
    }
    return client;
}

/* Every partition of the topic, from its beginning, into the one queue. */
static enum ps_status topic_start(struct ps_kafka_reader *reader, const char *name, struct ps_err *err)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(reader->client, name, NULL);
    if (topic == NULL)
        return ps_err_set(err, "reader: topic %s: %s", name, rd_kafka_err2str(rd_kafka_last_error()));
    reader->topics[reader->topic_count++] = topic;
    rd_kafka_resp_err_t failed = rd_kafka_metadata(reader->client, 0, topic, &metadata, ANSWER_MS);
    if (failed != RD_KAFKA_RESP_ERR_NO_ERROR)
        return ps_err_set(err, "reader: topic %s: %s", name, rd_kafka_err2str(failed));
    int count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    if (count == 0)
        return ps_err_set(err, "reader: topic %s does not exist", name);
    for (int32_t partition = 0; partition < count; partition++) {
        if (rd_kafka_consume_start_queue(topic, partition, RD_KAFKA_OFFSET_BEGINNING, reader->queue) != 0)
            return ps_err_set(err, "reader: topic %s: %s", name, rd_kafka_err2str(rd_kafka_last_error()));
    }
    return PS_OK;
}

struct ps_kafka_reader *ps_kafka_reader_open(const char *brokers, const char *const *topics,
                                             unsigned topic_count, struct ps_err *err)
{
    struct ps_kafka_reader *reader = calloc(1, sizeof *reader);
    PS_ASSERT(reader != NULL);
    reader->topics = calloc(topic_count, sizeof *reader->topics);
    PS_ASSERT(reader->topics != NULL);
    reader->client = client_make(brokers, err);
    if (reader->client != NULL) {
        reader->queue = rd_kafka_queue_new(reader->client);
        unsigned started = 0;
        while (started < topic_count && topic_start(reader, topics[started], err) == PS_OK)
            started++;
        if (started == topic_count)
            return reader;
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
    for (unsigned i = 0; i < reader->topic_count; i++)
        rd_kafka_topic_destroy(reader->topics[i]);
    if (reader->client != NULL)
        rd_kafka_destroy(reader->client);
    free(reader->topics);
    free(reader);
}

static unsigned topic_number(const struct ps_kafka_reader *reader, const rd_kafka_topic_t *topic)
{
    for (unsigned i = 0; i < reader->topic_count; i++)
        if (reader->topics[i] == topic)
            return i;
    return reader->topic_count;
}

unsigned ps_kafka_reader_read(struct ps_kafka_reader *reader, int timeout_ms,
                              void (*record)(void *argument, const struct ps_kafka_record *record),
                              void *argument)
{
    ssize_t count = rd_kafka_consume_batch_queue(reader->queue, timeout_ms, reader->messages, READ_MAX);
    unsigned records = 0;
    for (ssize_t i = 0; i < count; i++) {
        rd_kafka_message_t *message = reader->messages[i];
        unsigned topic = topic_number(reader, message->rkt);
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && topic < reader->topic_count) {
            record(argument, &(struct ps_kafka_record){.topic = topic,
                                                       .partition = message->partition,
                                                       .offset = message->offset,
                                                       .value = message->payload,
                                                       .length = message->len});
            records++;
        }
        rd_kafka_message_destroy(message);
    }
    return records;
}
