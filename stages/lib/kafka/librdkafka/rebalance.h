/* A member of a consumer group: takes partitions, gives them up in order, commits delivered offsets.
 *
 * Assigned partitions are read immediately. Revoked partitions (eager protocol: all; cooperative: some) are no
 * longer read. The member continues to poll until the records that it read are delivered, up to a deadline
 * below max.poll.interval.ms; then it commits their offsets and unassigns the partitions. If the deadline
 * passes, or the brokers have already given the partitions to other members (lost), nothing is committed: the
 * next owner reads the records again, and positions that are delivered later are discarded. A newer assignment
 * ends an unfinished revocation, because a late unassign would remove the new partitions.
 *
 * Commits are asynchronous; at most one is under way; only offsets of delivered records are committed. If a
 * sink commits the offsets in its transactions, delivered records count as committed.
 *
 * Thread: the source's worker. */
#pragma once

#include "core/clock.h"
#include "core/counters.h"
#include "stages/lib/kafka/librdkafka/consumer.h"
#include "stages/lib/kafka/group/identity.h"
#include "stages/lib/kafka/fetch/streams.h"
#include "stages/lib/kafka/place.h"

struct ps_kafka_group {
    const char *component;
    struct ps_counters *counters;
    struct ps_kafka_consumer consumer;
    struct ps_kafka_streams streams;
    /* The sink commits the offsets, in its transactions: nothing is committed here, and batches carry `membership`. */
    bool sink_commits;
    struct ps_kafka_membership membership;
    /* the library does not report the membership, so no record can be committed */
    bool no_membership;
    struct ps_kafka_place *place; /* remembers the member; NULL: nothing is remembered */
    const char *id;               /* the group's, if there is a place */
    struct ps_kafka_leaver *leaver;
    bool is_noted;               /* the place has the member of this generation, and no other */
    uint64_t watch_from_ns;      /* since then its id is asked for; 0: not asked yet */
    uint64_t commit_interval_ns; /* time between commits while partitions are assigned */
    uint64_t revoke_wait_ns;     /* the time limit of a revocation */
    uint64_t mono_ns;            /* time of this cycle */

    rd_kafka_topic_partition_list_t *revoked; /* partitions that are being given up; NULL: none */
    bool lost_membership;                     /* `revoked` was lost: the brokers no longer know this member */
    uint64_t revoke_until_ns;

    bool dirty;                   /* delivered records may not be committed yet */
    bool commit_begun;            /* a commit is under way */
    bool commit_failed;           /* the last commit failed: the next one must wait */
    unsigned refused;             /* commits in a row that the broker refused during this revocation */
    rd_kafka_resp_err_t reported; /* the result of the last commit, as logged */
    uint64_t commit_sent_ns;
    uint64_t rebalance_count;
};

void ps_kafka_group_init(struct ps_kafka_group *group, const char *component, struct ps_counters *counters,
                         uint64_t commit_interval_ns, uint64_t revoke_wait_ns);
/* The consumer must already be destroyed. */
void ps_kafka_group_fini(struct ps_kafka_group *group);
/* Called when the consumer has left the group in order: no member is left that the next life must end. */
void ps_kafka_group_left(struct ps_kafka_group *group);
/* Makes the place remember the members of the group `id` that this consumer will be, and makes those leave that it
 * remembers. Not for static members, which take the place of the one before them. */
void ps_kafka_group_remember(struct ps_kafka_group *group, struct ps_kafka_place *place, const char *id,
                             const struct ps_pair *pairs, size_t pair_count);

/* Called when the consumer failed for good and is replaced: its partitions are gone, and records that were not
 * committed are read again. The positions of the old partitions are discarded when they are delivered later. */
void ps_kafka_group_renew(struct ps_kafka_group *group);

/* Called once a cycle: handles group events, continues a revocation, commits. Returns the time of the next
 * call at the latest. */
uint64_t ps_kafka_group_tick(struct ps_kafka_group *group, uint64_t mono_ns);

/* Returns true if all records read from the assigned partitions are delivered. */
bool ps_kafka_group_is_drained(const struct ps_kafka_group *group);
/* Returns true if all delivered offsets are committed; otherwise starts a commit. Call it again after `tick`
 * until it returns true, or give up if the broker does not answer. */
bool ps_kafka_group_settle(struct ps_kafka_group *group);
