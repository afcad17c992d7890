/* Topic handles of one producer, by name. Topics come from headers, so the cache is bounded: the topic that came
 * first is removed. Only the library allocates memory for a new topic. Only kafka/librdkafka/producer.c uses
 * this cache. Thread: the producer's. */
#pragma once

#include "stages/lib/kafka/produce/partition.h"

#include <librdkafka/rdkafka.h>

#define PS_KAFKA_TOPICS_MAX 1024U

struct ps_kafka_topic {
    rd_kafka_topic_t *handle;
    char name[PS_KAFKA_TOPIC_LENGTH_MAX + 1];
    uint32_t length, hash;
    int32_t partition_end;      /* only partitions below this number may have been used */
    bool known;                 /* its partitions were known at the last check */
    int32_t sticky_partition;   /* the current partition of records without key; -1: to be chosen */
    uint32_t sticky_bytes_left; /* bytes until another partition is chosen */
    uint32_t turn;              /* partition to try first next time */
    uint16_t chain;             /* index of the next item in its bucket */
};

struct ps_kafka_topic_cache {
    rd_kafka_t *client;
    struct ps_kafka_topic *items; /* 1 .. count, in the order in which they came; items[0] is no topic */
    uint32_t count, removed;
    uint16_t buckets[2 * PS_KAFKA_TOPICS_MAX];
};

void ps_kafka_topic_cache_init(struct ps_kafka_topic_cache *cache, rd_kafka_t *client);
/* Destroys every handle. */
void ps_kafka_topic_cache_fini(struct ps_kafka_topic_cache *cache);

/* Returns NULL if the name is not legal in Kafka (1 to 249 of [a-zA-Z0-9._-], not "." or ".."), or if there is no
 * memory. */
struct ps_kafka_topic *ps_kafka_topic_cache_get(struct ps_kafka_topic_cache *cache, const char *name,
                                                uint32_t length);
