/* Prints the values of partition 0 of a topic, a line each: crash_topic_lines BOOTSTRAP TOPIC [follow]. It ends at the end of the
 * topic; with `follow` it continues, and flushes what it has printed each time that it has reached the end. */
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static rd_kafka_t *consumer_make(const char *bootstrap)
{
    const char *const settings[][2] = {
        {"bootstrap.servers", bootstrap}, {"group.id", "crash"},       {"enable.auto.commit", "false"},
        {"enable.partition.eof", "true"}, {"fetch.wait.max.ms", "10"}, {"log_level", "3"},
        {"auto.offset.reset", "error"},
    };
    char reason[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1], reason, sizeof reason) !=
            RD_KAFKA_CONF_OK) {
            fprintf(stderr, "%s\n", reason);
            exit(1);
        }
    }
    rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof reason);
    if (consumer == NULL) {
        fprintf(stderr, "%s\n", reason);
        exit(1);
    }
    rd_kafka_poll_set_consumer(consumer);
    return consumer;
}

/* Prints a record. A hole in the offsets is an error: the topic keeps too little. */
static void print_value(const rd_kafka_message_t *message)
{
    static int64_t next;
    if (message->offset != next) {
        fprintf(stderr, "record %lld comes after %lld\n", (long long)message->offset, (long long)next - 1);
        exit(1);
    }
    next++;
    fwrite(message->payload, 1, message->len, stdout);
    putchar('\n');
}

static bool is_fatal(const rd_kafka_message_t *message, bool follow)
{
    if (message == NULL)
        return !follow;
    return message->err != RD_KAFKA_RESP_ERR_NO_ERROR && message->err != RD_KAFKA_RESP_ERR__PARTITION_EOF &&
           (!follow || message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET);
}

/* Returns false at the end of the topic. */
static bool print_next(rd_kafka_t *consumer, bool follow)
{
    rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 15000);
    if (is_fatal(message, follow)) {
        fprintf(stderr, "%s\n", message != NULL ? rd_kafka_message_errstr(message) : "nothing came in 15 s");
        exit(1);
    }
    if (message == NULL)
        return true;
    bool more = message->err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (more)
        print_value(message);
    else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
        fflush(stdout);
    rd_kafka_message_destroy(message);
    return more;
}

int main(int argc, char **argv)
{
    bool follow = argc == 4 && strcmp(argv[3], "follow") == 0;
    if (argc != 3 && !follow) {
        fprintf(stderr, "usage: crash_topic_lines BOOTSTRAP TOPIC [follow]\n");
        return 2;
    }
    rd_kafka_t *consumer = consumer_make(argv[1]);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, argv[2], 0)->offset = RD_KAFKA_OFFSET_BEGINNING;
    if (rd_kafka_assign(consumer, list) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 1;
    rd_kafka_topic_partition_list_destroy(list);
    while (print_next(consumer, follow) || follow) {
    }
    rd_kafka_consumer_close(consumer);
    rd_kafka_destroy(consumer);
    return 0;
}
