/* The identity of a consumer in its group: its member id, the number of the group's assignment (Kafka:
 * generation), its static name, and the cluster. A transaction that commits offsets sends the membership with
 * them, so that the broker refuses offsets of a member that has lost its partitions (KIP-447). Thread: the
 * source's worker. */
#pragma once

#include "core/flow/batch.h"

#include <librdkafka/rdkafka.h>

struct ps_kafka_membership {
    char *bytes; /* the group's metadata as the library writes it; `member` and `instance` point into it */
    char *cluster_id;
    struct ps_slice member, instance, cluster;
    int32_t assignment; /* -1: not known */
};

/* Reads the membership from a client to which partitions were just assigned. Waits for the library's main
 * thread (tens of microseconds). Returns false, and clears `membership`, if the library does not report the
 * membership. */
bool ps_kafka_membership_read(struct ps_kafka_membership *membership, rd_kafka_t *client);

/* Parses the metadata that librdkafka 2 writes (rd_kafka_consumer_group_metadata_write); the library has no accessors before
 * 2.7. `membership` points into `bytes`. */
bool ps_kafka_membership_parse(struct ps_kafka_membership *membership, const char *bytes, size_t length);

void ps_kafka_membership_fini(struct ps_kafka_membership *membership);
