#include "tests/support/kafka/tail.h"

#include "core/clock.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>

#define PATIENCE_MS PS_TEST_PATIENCE_MS

struct ps_test_tail {
    rd_kafka_t *client;
    rd_kafka_topic_t *topic;
    int64_t mark;
};

void ps_test_tail_mark(struct ps_test_tail *tail)
{
    int64_t start;
    assert_int_equal(rd_kafka_query_watermark_offsets(tail->client, rd_kafka_topic_name(tail->topic), 0,
                                                      &start, &tail->mark, PATIENCE_MS),
                     RD_KAFKA_RESP_ERR_NO_ERROR);
}

void ps_test_tail_read(struct ps_test_tail *tail, char *text, size_t room)
{
    size_t used = 0;
    bool ended = false;
    uint64_t until = ps_test_patience_end_ns();
    assert_int_equal(rd_kafka_consume_start(tail->topic, 0, tail->mark), 0);
    while (!ended) {
        assert_true(ps_test_patient_ns() < until);
        rd_kafka_message_t *message = rd_kafka_consume(tail->topic, 0, 100);
        if (message == NULL)
            continue;
        ended = message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            assert_true(used + message->len + 2 <= room);
            used += (size_t)sprintf(text + used, "%.*s\n", (int)message->len, (const char *)message->payload);
        }
        rd_kafka_message_destroy(message);
    }
    assert_int_equal(rd_kafka_consume_stop(tail->topic, 0), 0);
    text[used] = '\0';
}

struct ps_test_tail *ps_test_tail_open(const char *bootstrap, const char *topic)
{
    char reason[256], text[1];
    const char *const settings[][2] = {{"bootstrap.servers", bootstrap},
                                       {"enable.partition.eof", "true"},
                                       {"fetch.wait.max.ms", "10"},
                                       {"log_level", "0"}};
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        assert_int_equal(rd_kafka_conf_set(conf, settings[i][0], settings[i][1], reason, sizeof reason),
                         RD_KAFKA_CONF_OK);
    struct ps_test_tail *tail = calloc(1, sizeof *tail);
    assert_non_null(tail);
    tail->client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    assert_non_null(tail->client);
    tail->topic = rd_kafka_topic_new(tail->client, topic, NULL);
    assert_non_null(tail->topic);
    ps_test_tail_mark(tail);
    ps_test_tail_read(tail, text, sizeof text);
    return tail;
}

void ps_test_tail_close(struct ps_test_tail *tail)
{
    rd_kafka_topic_destroy(tail->topic);
    rd_kafka_destroy(tail->client);
    free(tail);
}
