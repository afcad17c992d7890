#include "tests/support/kafka/reader.h"

#include "core/clock.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>

static rd_kafka_t *make_consumer(const char *bootstrap)
{
    char reason[256];
    const char *const settings[][2] = {
        {"bootstrap.servers", bootstrap},
        {"group.id", "reader"},
        {"enable.auto.commit", "false"},
        {"auto.offset.reset", "earliest"},
        {"enable.partition.eof", "true"},
        {"fetch.wait.max.ms", "10"},
        {"log_level", "3"},
    };
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        assert_int_equal(rd_kafka_conf_set(conf, settings[i][0], settings[i][1], reason, sizeof reason),
                         RD_KAFKA_CONF_OK);
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    assert_non_null(consumer);
    rd_kafka_poll_set_consumer(consumer);
    return consumer;
}

static char *copy_bytes(const void *data, size_t length)
{
    char *copy = malloc(length + 1);
    assert_non_null(copy);
    if (length > 0)
        memcpy(copy, data, length);
    copy[length] = 0;
    return copy;
}

static void keep(struct ps_test_records *records, const rd_kafka_message_t *message)
{
    rd_kafka_timestamp_type_t type;
    if ((records->count & (records->count - 1)) == 0) { /* 0, 1, 2, 4, ..: full */
        size_t room = records->count == 0 ? 1 : 2 * records->count;
        records->items = realloc(records->items, room * sizeof *records->items);
        assert_non_null(records->items);
    }
    struct ps_test_record *record = &records->items[records->count++];
    *record = (struct ps_test_record){
        .partition = message->partition,
        .offset = message->offset,
        .timestamp_ms = rd_kafka_message_timestamp(message, &type),
        .value = copy_bytes(message->payload, message->len),
        .value_length = message->len,
    };
    if (message->key != NULL) {
        record->key = copy_bytes(message->key, message->key_len);
        record->key_length = message->key_len;
    }
    rd_kafka_headers_t *headers;
    size_t used = 0, size;
    const char *name;
    const void *value;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; i++)
        used += (size_t)snprintf(record->headers + used, sizeof record->headers - used, "%s=%.*s,", name,
                                 (int)size, (const char *)value);
}

static int compare(const void *a_, const void *b_)
{
    const struct ps_test_record *a = a_, *b = b_;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

struct ps_test_records ps_test_records_read(const char *bootstrap, const char *topic, int partition_count,
                                            size_t count)
{
    struct ps_test_records records = {0};
    rd_kafka_t *consumer = make_consumer(bootstrap);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partition_count);
    for (int i = 0; i < partition_count; i++)
        rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
    assert_int_equal(rd_kafka_assign(consumer, list), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_topic_partition_list_destroy(list);

    bool ended[1024] = {false};
    int ended_count = 0;
    uint64_t deadline_ns = ps_test_patience_end_ns();
    while (ended_count < partition_count || records.count < count) {
        if (ps_test_patient_ns() > deadline_ns)
            fail_msg("topic %s: %zu records instead of %zu, %d of %d partitions read to their end", topic,
                     records.count, count, ended_count, partition_count);
        rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
        if (message == NULL)
            continue;
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            ended_count += ended[message->partition] ? 0 : 1;
            ended[message->partition] = true;
        } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            keep(&records, message);
        }
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    if (records.count > 0)
        qsort(records.items, records.count, sizeof *records.items, compare);
    return records;
}

void ps_test_records_free(struct ps_test_records *records)
{
    for (size_t i = 0; i < records->count; i++) {
        free(records->items[i].key);
        free(records->items[i].value);
    }
    free(records->items);
    *records = (struct ps_test_records){0};
}
