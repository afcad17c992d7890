/* Names of topics, and the partition of a key, which is chosen by Java's default partitioner
 * (org.apache.kafka.clients.producer.internals.BuiltInPartitioner.partitionForKey), so that Flume and penstock
 * write a key to the same partition. Pure functions; any thread. */
#pragma once

#include "core/base.h"

/* MurmurHash2, 32 bits, seed 0x9747b28c, as Kafka's Utils.murmur2. */
uint32_t ps_kafka_murmur2(const void *data, size_t length);

/* Returns the key's partition, 0 to partition_count - 1. */
static inline int32_t ps_kafka_partition_of_key(const void *key, size_t length, int32_t partition_count)
{
    return (int32_t)((ps_kafka_murmur2(key, length) & 0x7fffffffU) % (uint32_t)partition_count);
}

#define PS_KAFKA_TOPIC_LENGTH_MAX 249U /* Kafka's limit */

/* Returns whether Kafka takes the name: 1 to 249 of [a-zA-Z0-9._-], not "." or "..". */
bool ps_kafka_topic_name_is_legal(const char *name, uint32_t length);
