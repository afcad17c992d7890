/* The upper limit for bench/peers: a bare librdkafka loop with the payload and settings of its subjects.
 *
 *   bench_kafka_bare --brokers LIST --topic T [--events 1000000] [--bytes 120] [--compression none|lz4|..]
 *
 * It calls rd_kafka_produce_batch with 1,024 messages per call on one partition after the other and reads
 * every delivery report, as the Kafka sink does. acks=all, idempotent, no copies. Prints one JSON line:
 * events delivered, seconds, CPU-seconds, peak memory. */
#include "bench/suite/kafka/loop.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PER_CALL 1024
#define PARTITIONS 4

static void produce(const char *brokers, const char *topic_name, uint64_t events, size_t bytes,
                    const char *compression)
{
    rd_kafka_t *client = ps_kafka_loop_producer(brokers, compression, "5");
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, topic_name, NULL);
    rd_kafka_message_t messages[PER_CALL];
    char *payload = ps_must_alloc(1, bytes, "the payload");
    PS_ASSERT(topic != NULL);
    memset(payload, 'x', bytes);
    struct ps_usage before = ps_usage_self();
    int32_t partition = 0;
    for (uint64_t sent = 0; sent < events;) {
        int count = events - sent < PER_CALL ? (int)(events - sent) : PER_CALL;
        for (int i = 0; i < count; i++)
            messages[i] = (rd_kafka_message_t){.payload = payload, .len = bytes};
        ps_kafka_loop_produce(client, topic, partition, messages, count);
        sent += (uint64_t)count;
        partition = (partition + 1) % PARTITIONS;
    }
    while (ps_kafka_loop_reported < events)
        rd_kafka_poll(client, 10);
    struct ps_usage after = ps_usage_self();
    printf("{\"events\":%llu,\"seconds\":%.3f,\"cpu_seconds\":%.3f,\"rss_bytes\":%llu}\n",
           (unsigned long long)events, after.wall_s - before.wall_s, after.cpu_s - before.cpu_s,
           (unsigned long long)after.rss_bytes);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(client);
    free(payload);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"brokers", 1, NULL, 'b'},     {"topic", 1, NULL, 't'},
                                            {"events", 1, NULL, 'e'},      {"bytes", 1, NULL, 's'},
                                            {"compression", 1, NULL, 'z'}, {NULL, 0, NULL, 0}};
    const char *brokers = NULL, *topic = NULL, *compression = "none";
    uint64_t events = 1000000;
    size_t bytes = 120;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'b':
            brokers = optarg;
            break;
        case 't':
            topic = optarg;
            break;
        case 'e':
            events = strtoull(optarg, NULL, 10);
            break;
        case 's':
            bytes = (size_t)strtoul(optarg, NULL, 10);
            break;
        case 'z':
            compression = optarg;
            break;
        default:
            return 2;
        }
    }
    if (brokers == NULL || topic == NULL) {
        fprintf(stderr,
                "usage: bench_kafka_bare --brokers B --topic T [--events N] [--bytes N] [--compression C]\n");
        return 2;
    }
    produce(brokers, topic, events, bytes, compression);
    return 0;
}
