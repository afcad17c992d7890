/* The topics that the Kafka sources of this process read, as the sources' cluster describes them. A sink that commits a
 * source's positions asks before it takes a topic for deleted: its own brokers may be those of another cluster, although
 * both have the same id. Thread: any. */
#pragma once

#include "stages/lib/kafka/wire/slice.h"

#define PS_KAFKA_READ_TOPIC_BYTES 256U

struct ps_kafka_read_topic {
    char name[PS_KAFKA_READ_TOPIC_BYTES];
    int32_t partitions; /* 0: the topic does not exist */
};

/* The topics of one source. */
struct ps_kafka_read_topics {
    const char *group; /* the source's consumer group */
    struct ps_kafka_read_topic *topics;
    uint32_t count;
    bool asked; /* a sink has asked since the source looked here; atomic */
    struct ps_kafka_read_topics *next;
};

/* Makes `topics` the topics of the source: allocated by malloc, and owned by `own` from now on. */
void ps_kafka_read_topics_set(struct ps_kafka_read_topics *own, struct ps_kafka_read_topic *topics,
                              uint32_t count);

/* Removes the source. It may have no topics. */
void ps_kafka_read_topics_remove(struct ps_kafka_read_topics *own);

/* Returns whether a source with this group reads the topic, and its cluster has the partition, as far as the source knows. Makes
 * the source ask its cluster again: it may rest, because the sink that asks takes nothing. */
bool ps_kafka_read_topics_have(struct ps_slice group, struct ps_slice topic, int64_t partition);
