/* The positions that a transaction commits, sorted by group, member, generation, topic and partition. Thread: the sink's
 * worker. */
#pragma once

#include "stages/lib/kafka/cluster/native_internal.h"
#include "stages/lib/least.h"

/* ---- coordinator_requests.c ---- */

/* Returns the end of the positions from `from` on that are of the same group and, if `of_member`, of the same member
 * and generation. */
uint32_t ps_kafka_native_positions_end(const struct ps_kafka_position *positions, uint32_t count,
                                       uint32_t from, bool of_member);

/* ---- topics that the group's coordinator lacks (transaction.c asks other brokers for them) ---- */

/* A coordinator that starts, or whose metadata is out of date, may not know a topic that exists. The time is limited:
 * a broker that lags behind the cluster's metadata for longer is fenced (broker.session.timeout.ms), and is no longer
 * a coordinator. In its second half the other brokers are asked. */
#define PS_KAFKA_NATIVE_MISSING_NS (10 * PS_NS_PER_S)
#define PS_KAFKA_NATIVE_MISSING_PART_OF_TIMEOUT 4
/* a broker has this part of that time to say whether it has the topic; then the brokers may be asked again */
#define PS_KAFKA_NATIVE_ANSWER_PART 4

/* Returns the time for which a topic may be missing. */
static inline uint64_t ps_kafka_native_missing_limit_ns(const struct ps_kafka_native *client)
{
    uint64_t timeout_ns = (uint64_t)client->settings.transaction_timeout_ms * PS_NS_PER_MS;
    return ps_least(PS_KAFKA_NATIVE_MISSING_NS, timeout_ns / PS_KAFKA_NATIVE_MISSING_PART_OF_TIMEOUT);
}

/* Called when the coordinator has all topics, or is another one, which may have them. */
static inline void ps_kafka_native_missing_forget(struct ps_kafka_native *client)
{
    client->transaction.missing_ns = client->transaction.asked_ns = 0;
}
