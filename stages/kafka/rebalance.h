/* A member of a consumer group: takes partitions, gives them up in order, commits what was delivered.
 *
 * Assigned: at once. Revoked (eager: all; cooperative: some): nothing more of those partitions is read; what
 * was read is waited for over further cycles, while polling goes on, up to a deadline below
 * max.poll.interval.ms; then it is committed, then the partitions are unassigned. If the deadline passes, or
 * the group has given the partitions to others already (lost), nothing is committed: their records are read
 * again by the next owner, and what still comes home of them is discarded. A newer assignment ends an
 * unfinished revocation: a late unassign would throw the new partitions away.
 *
 * Commits are asynchronous, at most one is under way, and none says more than what was delivered.
 *
 * Thread: the source's worker. */
#pragma once

#include "core/clock.h"
#include "core/counters.h"
#include "stages/kafka/consumer.h"
#include "stages/kafka/streams.h"

struct ps_kafka_group {
    const char *component;
    struct ps_counters *counters;
    struct ps_kafka_consumer consumer;
    struct ps_kafka_streams streams;
    uint64_t commit_interval_ns; /* between commits while partitions are ours */
    uint64_t revoke_wait_ns;     /* how long a revocation may take */
    uint64_t mono_ns;            /* of this cycle */

    rd_kafka_topic_partition_list_t *revoked; /* being given up; NULL: none */
    bool out;                                 /* .. and the group does not know us any more */
    uint64_t revoke_until_ns;

    bool dirty;               /* something delivered may not be committed */
    bool commit_begun;        /* its answer is outstanding */
    bool commit_failed;       /* the last one: wait before the next */
    unsigned refused;         /* commits in a row that the broker refused during this revocation */
    rd_kafka_resp_err_t said; /* what became of the last one, as logged */
    uint64_t commit_sent_ns;
    uint64_t rebalance_count;
};

void ps_kafka_group_init(struct ps_kafka_group *group, const char *component, struct ps_counters *counters,
                         uint64_t commit_interval_ns, uint64_t revoke_wait_ns);
/* The consumer must be destroyed already. */
void ps_kafka_group_fini(struct ps_kafka_group *group);

/* Once a cycle: serves the group's events, goes on with a revocation, commits. Returns when it wants to be
 * called next at the latest. */
uint64_t ps_kafka_group_tick(struct ps_kafka_group *group, uint64_t mono_ns);

/* Everything read of the partitions we have was delivered. */
bool ps_kafka_group_is_drained(const struct ps_kafka_group *group);
/* .. and committed, as far as the broker answers. Commits at once what is not. Call `tick` in between. */
bool ps_kafka_group_settle(struct ps_kafka_group *group);
