/* The algorithm of CooperativeStickyAssignor (KIP-429): members keep their partitions as long as the numbers of
 * partitions differ by at most one, as far as subscriptions allow. A partition that must move to another member is
 * given to nobody in this generation: its owner sees that the partition is not in its assignment, gives it up and
 * joins again. The next generation gives it to the other member. */
#include "stages/lib/kafka/group/assignment.h"

#include <stdlib.h>

#define NOBODY PS_KAFKA_GROUP_NOBODY

/* The state of one assignment. */
struct sticky {
    const struct ps_kafka_group *group;
    uint32_t partition_count;
    uint32_t *topic_of;  /* by partition */
    bool *subscribed;    /* by member and topic */
    uint32_t *readers;   /* by topic: number of subscribed members */
    uint32_t *owner;     /* by partition: the member that gets it */
    int32_t *generation; /* by partition: the latest one in which a member had it */
    uint32_t *share;     /* by member: the number of its partitions */
};

static void *make(size_t count, size_t bytes)
{
    return ps_must_alloc(count + 1, bytes, "a rebalance");
}

/* The result stays. */
static void sticky_free(struct sticky *sticky)
{
    free(sticky->topic_of);
    free(sticky->subscribed);
    free(sticky->readers);
    free(sticky->generation);
    free(sticky->share);
}

static bool *subscription(const struct sticky *sticky, uint32_t member, uint32_t topic)
{
    return &sticky->subscribed[(size_t)member * sticky->group->topic_count + topic];
}

static void sticky_make(struct sticky *sticky)
{
    const struct ps_kafka_group *group = sticky->group;
    sticky->partition_count = ps_kafka_group_partition_count(group);
    sticky->topic_of = make(sticky->partition_count, sizeof *sticky->topic_of);
    sticky->subscribed = ps_kafka_group_subscriptions(group);
    sticky->readers = make(group->topic_count, sizeof *sticky->readers);
    sticky->owner = make(sticky->partition_count, sizeof *sticky->owner);
    sticky->generation = make(sticky->partition_count, sizeof *sticky->generation);
    sticky->share = make(group->member_count, sizeof *sticky->share);
    for (uint32_t p = 0; p < sticky->partition_count; p++) {
        sticky->owner[p] = NOBODY;
        sticky->generation[p] = INT32_MIN;
    }
    for (uint32_t t = 0; t < group->topic_count; t++) {
        for (int32_t p = 0; p < group->topics[t].partition_count; p++)
            sticky->topic_of[group->topics[t].first + (uint32_t)p] = t;
        for (uint32_t m = 0; m < group->member_count; m++)
            sticky->readers[t] += *subscription(sticky, m, t);
    }
}

/* ---- what members have ---- */

/* Returns the number of the claimed partition; NOBODY if the group does not read the partition. */
static uint32_t number_of(const struct sticky *sticky, const struct ps_kafka_group_claim *claim)
{
    const struct ps_kafka_group_topic *topic = ps_kafka_group_topic_find(sticky->group, claim->topic);
    if (topic == NULL || claim->partition < 0 || claim->partition >= topic->partition_count)
        return NOBODY;
    return topic->first + (uint32_t)claim->partition;
}

/* If two members claim a partition, the claim of the later generation counts; if both are of the same generation, neither does. */
static void keep_claims(struct sticky *sticky)
{
    for (uint32_t m = 0; m < sticky->group->member_count; m++) {
        const struct ps_kafka_group_member *member = &sticky->group->members[m];
        for (uint32_t i = 0; i < member->claim_count; i++) {
            uint32_t p = number_of(sticky, &member->claims[i]);
            if (p == NOBODY || member->generation < sticky->generation[p])
                continue;
            bool alone = member->generation > sticky->generation[p];
            bool reads = *subscription(sticky, m, sticky->topic_of[p]);
            sticky->owner[p] = alone && reads ? m : NOBODY;
            sticky->generation[p] = member->generation;
        }
    }
    for (uint32_t p = 0; p < sticky->partition_count; p++) {
        if (sticky->owner[p] != NOBODY)
            sticky->share[sticky->owner[p]]++;
    }
}

/* ---- shares ---- */

/* Returns the subscribed member with the fewest partitions; NOBODY if no member is subscribed. */
static uint32_t poorest(const struct sticky *sticky, uint32_t topic)
{
    uint32_t found = NOBODY;
    for (uint32_t m = 0; m < sticky->group->member_count; m++) {
        if (*subscription(sticky, m, topic) && (found == NOBODY || sticky->share[m] < sticky->share[found]))
            found = m;
    }
    return found;
}

static void move(struct sticky *sticky, uint32_t partition, uint32_t member)
{
    if (sticky->owner[partition] != NOBODY)
        sticky->share[sticky->owner[partition]]--;
    sticky->owner[partition] = member;
    sticky->share[member]++;
}

/* Gives away the partitions without an owner. Topics with few readers come first, because only few members can get
 * their partitions. */
static void give_free_ones(struct sticky *sticky)
{
    for (uint32_t readers = 1; readers <= sticky->group->member_count; readers++) {
        for (uint32_t p = 0; p < sticky->partition_count; p++) {
            uint32_t topic = sticky->topic_of[p];
            if (sticky->owner[p] == NOBODY && sticky->readers[topic] == readers)
                move(sticky, p, poorest(sticky, topic));
        }
    }
}

/* Moves partitions until the shares are even. Each move makes two shares more even, so the loop ends. */
static void balance(struct sticky *sticky)
{
    bool moved;
    do {
        moved = false;
        for (uint32_t p = 0; p < sticky->partition_count; p++) {
            if (sticky->owner[p] == NOBODY)
                continue;
            uint32_t to = poorest(sticky, sticky->topic_of[p]);
            if (sticky->share[sticky->owner[p]] > sticky->share[to] + 1) {
                move(sticky, p, to);
                moved = true;
            }
        }
    } while (moved);
}

/* Returns for each partition whether it moves: one member claims the partition, and another member, which
 * does not claim it, gets it. */
static bool *find_taken(const struct sticky *sticky)
{
    bool *taken = make(sticky->partition_count, sizeof *taken);
    bool *kept = make(sticky->partition_count, sizeof *kept);
    for (uint32_t m = 0; m < sticky->group->member_count; m++) {
        for (uint32_t i = 0; i < sticky->group->members[m].claim_count; i++) {
            uint32_t p = number_of(sticky, &sticky->group->members[m].claims[i]);
            if (p != NOBODY && sticky->owner[p] == m)
                kept[p] = true;
            else if (p != NOBODY)
                taken[p] = true;
        }
    }
    for (uint32_t p = 0; p < sticky->partition_count; p++)
        taken[p] &= !kept[p];
    free(kept);
    return taken;
}

uint32_t *ps_kafka_group_sticky(const struct ps_kafka_group *group)
{
    struct sticky sticky = {.group = group};
    sticky_make(&sticky);
    keep_claims(&sticky);
    give_free_ones(&sticky);
    balance(&sticky);
    bool *taken = find_taken(&sticky);
    for (uint32_t p = 0; p < sticky.partition_count; p++) {
        if (taken[p])
            sticky.owner[p] = NOBODY;
    }
    free(taken);
    sticky_free(&sticky);
    return sticky.owner;
}
