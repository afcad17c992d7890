/* Which member of a consumer group reads which partition: what Java's RangeAssignor and RoundRobinAssignor do, and the bytes
 * in which members tell their topics and get their partitions (ConsumerProtocolSubscription, ConsumerProtocolAssignment).
 * The group's leader decides for all members, of whatever client. Allocates, and so runs only in a rebalance. Any thread. */
#pragma once

#include "core/base.h"
#include "stages/lib/kafka/native/wire.h"

/* A member of the group, as the coordinator describes it to the leader. */
struct ps_kafka_group_member {
    struct ps_slice id, instance; /* instance: empty: it has none */
    struct ps_slice *topics;      /* to which it is subscribed */
    uint32_t topic_count;
};

struct ps_kafka_group_topic {
    struct ps_slice name;
    int32_t partition_count;
};

/* One partition of a member. */
struct ps_kafka_group_share {
    uint32_t member, topic; /* indexes */
    int32_t partition;
};

struct ps_kafka_group_shares {
    struct ps_kafka_group_share *items;
    uint32_t count;
};

/* Reads the topics of a member's subscription; `topics` is allocated. Returns false if the bytes cannot be read. */
bool ps_kafka_subscription_read(const char *bytes, size_t length, struct ps_slice **topics, uint32_t *count);
/* Returns the length of a subscription, and writes it to `at` if that is not NULL. */
size_t ps_kafka_subscription_write(char *at, const struct ps_slice *topics, uint32_t count);

/* Sorts members as Java does: those with an instance id before the others. */
void ps_kafka_group_sort(struct ps_kafka_group_member *members, uint32_t count);
/* Sorts topics by name. */
void ps_kafka_group_topics_sort(struct ps_kafka_group_topic *topics, uint32_t count);

/* Of each topic consecutive partitions for each subscribed member; the first ones get one more. Members and topics are
 * sorted. The caller frees `items`. */
struct ps_kafka_group_shares ps_kafka_group_range(const struct ps_kafka_group_member *members,
                                                  uint32_t member_count,
                                                  const struct ps_kafka_group_topic *topics,
                                                  uint32_t topic_count);
/* All partitions, one after the other, to the next subscribed member. */
struct ps_kafka_group_shares ps_kafka_group_round_robin(const struct ps_kafka_group_member *members,
                                                        uint32_t member_count,
                                                        const struct ps_kafka_group_topic *topics,
                                                        uint32_t topic_count);

/* Returns the length of a member's assignment, and writes it to `at` if that is not NULL. */
size_t ps_kafka_assignment_write(char *at, const struct ps_kafka_group_shares *shares, uint32_t member,
                                 const struct ps_kafka_group_topic *topics);

/* Calls `add` for each partition of an assignment. Returns false if the bytes cannot be read; partitions before the damage
 * were added. An empty assignment has no bytes. */
bool ps_kafka_assignment_read(const char *bytes, size_t length,
                              void (*add)(void *argument, struct ps_slice topic, int32_t partition),
                              void *argument);
