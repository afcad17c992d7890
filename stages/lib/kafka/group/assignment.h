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
    uint32_t first; /* number of its first partition in the group, among those of all topics */
};

/* A group as its leader sees it. */
struct ps_kafka_group {
    const struct ps_kafka_group_member *members; /* sorted */
    const struct ps_kafka_group_topic *topics;   /* sorted */
    uint32_t member_count, topic_count;
};

#define PS_KAFKA_GROUP_NOBODY UINT32_MAX

/* Reads a member's subscription: writes its topics and claims to `member`. ps_kafka_group_member_fini frees them.
 * Returns false if the bytes cannot be read. */
bool ps_kafka_subscription_read(const char *bytes, size_t length, struct ps_kafka_group_member *member);
void ps_kafka_group_member_fini(struct ps_kafka_group_member *member);
/* Returns the length in bytes of a subscription to the member's topics, and writes the subscription to `at` if
 * `at` is not NULL. `claims`: for CooperativeStickyAssignor, with the member's claims, which must be sorted, and their
 * generation. Else `mark` is the assignor's own data, which the eager assignors ignore; 0: there is none. */
size_t ps_kafka_subscription_write(char *at, const struct ps_kafka_group_member *member, bool claims,
                                   int32_t mark);
/* Sorts claims by topic and partition. */
void ps_kafka_group_claims_sort(struct ps_kafka_group_claim *claims, uint32_t count);
/* Sorts members as Java does: members with an instance id come first. */
void ps_kafka_group_sort(struct ps_kafka_group_member *members, uint32_t count);
/* Sorts topics by name, and numbers their partitions. */
void ps_kafka_group_topics_sort(struct ps_kafka_group_topic *topics, uint32_t count);

/* Returns the topic of this name; NULL: the group reads none. */
const struct ps_kafka_group_topic *ps_kafka_group_topic_find(const struct ps_kafka_group *group,
                                                             struct ps_slice name);
uint32_t ps_kafka_group_partition_count(const struct ps_kafka_group *group);
/* Returns by member and topic (member * topic_count + topic) whether the member is subscribed to the topic. The caller
 * frees the memory. */
bool *ps_kafka_group_subscriptions(const struct ps_kafka_group *group);

/* An assignor. Returns by partition of the group the member that gets it, or PS_KAFKA_GROUP_NOBODY. The caller frees the
 * memory. */
typedef uint32_t *ps_kafka_group_assignor(const struct ps_kafka_group *group);

/* Gives each subscribed member consecutive partitions of each topic; the first members get one more if the
 * partitions cannot be divided evenly. */
ps_kafka_group_assignor ps_kafka_group_range;
/* Gives each partition in turn to the next subscribed member. */
ps_kafka_group_assignor ps_kafka_group_round_robin;
/* Members keep the partitions that they claim, as far as the shares stay even. A partition that must move to
 * another member is given to nobody in this rebalance. */
ps_kafka_group_assignor ps_kafka_group_sticky;

/* Returns the length in bytes of the assignment of the group's member of this index, and writes the assignment to `at` if `at`
 * is not NULL. `owners`: what an assignor has returned. */
size_t ps_kafka_assignment_write(char *at, const struct ps_kafka_group *group, const uint32_t *owners,
                                 uint32_t member);

/* Calls `add`, if it is not NULL, for each partition of an assignment. Returns false if the bytes cannot be read; partitions before the damage
 * were added. An empty assignment has no bytes. */
bool ps_kafka_assignment_read(const char *bytes, size_t length,
                              void (*add)(void *argument, struct ps_slice topic, int32_t partition),
                              void *argument);
