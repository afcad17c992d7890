/* The identity of a consumer in its group: its member id, the group's generation, its
 * static name, and the cluster. A transaction that commits offsets sends the membership with them, so that the broker
 * refuses offsets of a member that has lost its partitions (KIP-447). The client of the group owns the texts. Thread: the
 * worker of that client. */
#pragma once

#include "core/base.h"

struct ps_kafka_membership {
    struct ps_slice member, instance, cluster;
    int32_t generation; /* -1: not known */
};
