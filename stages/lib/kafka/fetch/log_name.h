/* The name of a partition's log in the identities of its events (core/flow/identity.h): the topic's id (a topic that is
 * made again gets another), and the epoch of the leader that wrote the record, because after an unclean election other records
 * get the offsets of those that are lost (KIP-320). The number of the cluster stands beside it. Thread: the source's worker. */
#pragma once

#include "core/flow/identity.h"
#include "stages/lib/kafka/cluster/partition.h"

#define PS_KAFKA_LOG_NAME_BYTES                                                                              \
    36U /* 22 characters of the id, as Kafka's tools print it, a slash, and the epoch */

/* The name that was made last. All zeros: none. */
struct ps_kafka_log_name {
    char topic_id[PS_KAFKA_NATIVE_TOPIC_ID_BYTES];
    int32_t epoch;
    uint32_t length;
    char text[PS_KAFKA_LOG_NAME_BYTES];
};

/* Sets the name and the store of the identity; the name is valid until the next call. Returns false if the event has no
 * identity: `topic_id` NULL, `cluster` 0 or `epoch` below 0, which are not known. */
bool ps_kafka_log_name_find(struct ps_kafka_log_name *last, const char *topic_id, uint64_t cluster,
                            int32_t epoch, struct ps_identity *identity);
