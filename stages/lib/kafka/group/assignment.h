/* Assigns partitions to the members of a consumer group as Java's RangeAssignor, RoundRobinAssignor and
 * CooperativeStickyAssignor (sticky.c) do. Encodes and decodes the bytes with which members report their topics
 * and get their partitions (ConsumerProtocolSubscription, ConsumerProtocolAssignment). The group's leader decides
 * for all members, whatever clients they use. Allocates memory, so it runs only in a rebalance. Any thread. */
#pragma once

#include "core/base.h"
#include "stages/lib/kafka/wire/wire.h"

/* A partition that a member says it has. */
struct ps_kafka_group_claim {
    struct ps_slice topic;
    int32_t partition;
};

/* A member of the group, as the coordinator describes it to the leader. */
struct ps_kafka_group_member {
    struct ps_slice id, instance; /* `instance` is empty if the member has no instance id */
    struct ps_slice *topics;      /* the topics to which the member is subscribed */
    uint32_t topic_count;
    struct ps_kafka_group_claim
        *claims; /* with cooperative assignors: the partitions that the member continues to read */
    uint32_t claim_count;
    int32_t generation; /* generation in which the member got its claims; -1: not reported */
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

/* Sorted by member. */
struct ps_kafka_group_shares {
    struct ps_kafka_group_share *items;
    uint32_t count;
};

/* Reads a member's subscription: writes its topics and claims to `member`. ps_kafka_group_member_fini frees them.
 * Returns false if the bytes cannot be read. */
bool ps_kafka_subscription_read(const char *bytes, size_t length, struct ps_kafka_group_member *member);
void ps_kafka_group_member_fini(struct ps_kafka_group_member *member);
/* Returns the length in bytes of a subscription to the member's topics, and writes the subscription to `at` if
 * `at` is not NULL. */
size_t ps_kafka_subscription_write(char *at, const struct ps_slice *topics, uint32_t count);
/* Like ps_kafka_subscription_write, with a number as the assignor's own data, which the eager assignors ignore. */
size_t ps_kafka_subscription_write_marked(char *at, const struct ps_slice *topics, uint32_t count,
                                          int32_t mark);
/* Like ps_kafka_subscription_write, for CooperativeStickyAssignor: adds the member's claims, which must be
 * sorted, and their generation. */
size_t ps_kafka_subscription_write_claims(char *at, const struct ps_kafka_group_member *member);
/* Sorts claims by topic and partition. */
void ps_kafka_group_claims_sort(struct ps_kafka_group_claim *claims, uint32_t count);
/* Returns whether the sorted claims have the partition. */
bool ps_kafka_group_claims_have(const struct ps_kafka_group_claim *claims, uint32_t count,
                                struct ps_slice topic, int32_t partition);

/* Compares texts byte by byte; a text comes after its prefix. Java orders texts of ASCII characters in the same
 * way. */
int ps_kafka_group_compare(struct ps_slice one, struct ps_slice other);
/* Returns by member and topic (member * topic_count + topic) whether the member is subscribed to the topic. Topics
 * must be sorted. The caller frees the memory. */
bool *ps_kafka_group_subscriptions(const struct ps_kafka_group_member *members, uint32_t member_count,
                                   const struct ps_kafka_group_topic *topics, uint32_t topic_count);

/* Sorts members as Java does: members with an instance id come first. */
void ps_kafka_group_sort(struct ps_kafka_group_member *members, uint32_t count);
/* Sorts topics by name. */
void ps_kafka_group_topics_sort(struct ps_kafka_group_topic *topics, uint32_t count);

/* Sorts the shares by member; those of a member keep their order. */
void ps_kafka_group_shares_sort(struct ps_kafka_group_shares *shares, uint32_t member_count);

/* Gives each subscribed member consecutive partitions of each topic; the first members get one more if the
 * partitions cannot be divided evenly. Members and topics must be sorted. The caller frees `items`. */
struct ps_kafka_group_shares ps_kafka_group_range(const struct ps_kafka_group_member *members,
                                                  uint32_t member_count,
                                                  const struct ps_kafka_group_topic *topics,
                                                  uint32_t topic_count);
/* Gives each partition in turn to the next subscribed member. */
struct ps_kafka_group_shares ps_kafka_group_round_robin(const struct ps_kafka_group_member *members,
                                                        uint32_t member_count,
                                                        const struct ps_kafka_group_topic *topics,
                                                        uint32_t topic_count);

/* Members keep the partitions that they claim, as far as the shares stay even. A partition that must move to
 * another member is given to nobody in this rebalance. Topics must be sorted. */
struct ps_kafka_group_shares ps_kafka_group_sticky(const struct ps_kafka_group_member *members,
                                                   uint32_t member_count,
                                                   const struct ps_kafka_group_topic *topics,
                                                   uint32_t topic_count);

/* Returns the length in bytes of a member's assignment, and writes the assignment to `at` if `at` is not NULL. */
size_t ps_kafka_assignment_write(char *at, const struct ps_kafka_group_shares *shares, uint32_t member,
                                 const struct ps_kafka_group_topic *topics);

/* Calls `add` for each partition of an assignment. Returns false if the bytes cannot be read; partitions before the damage
 * were added. An empty assignment has no bytes. */
bool ps_kafka_assignment_read(const char *bytes, size_t length,
                              void (*add)(void *argument, struct ps_slice topic, int32_t partition),
                              void *argument);
