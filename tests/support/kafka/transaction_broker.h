/* A Kafka broker with transactions for a test, in the test's thread: partitions of topic `out` with records that are open,
 * committed or aborted, and a topic of positions with one partition; a coordinator with one transactional id; a group with committed and pending offsets of topic `in`.
 * Written from KIP-98, KIP-360, KIP-447 and KIP-890. It misbehaves by a seed: connections break before or after a request is carried
 * out, the coordinator moves, loads, has the last transaction still under way, aborts a transaction that has timed out,
 * writes an end that it does not confirm, or leaves a partition out of an answer. It fails the test if a
 * client writes to a partition that is not part of the transaction. */
#pragma once

#include "core/base.h"

#define PS_TEST_OUT_PARTITIONS 3U
#define PS_TEST_IN_PARTITIONS 2U
#define PS_TEST_POSITIONS "positions"

struct ps_test_coordinator;

/* `faults`: the number of requests in 1,000 that meet a fault. */
struct ps_test_coordinator *ps_test_coordinator_start(uint64_t seed, unsigned faults);
/* Makes the broker use the second protocol of transactions (KIP-890), and fail the test if a client uses the first one.
 * Call it before the first connection. */
void ps_test_coordinator_use_second(struct ps_test_coordinator *broker);
void ps_test_coordinator_stop(struct ps_test_coordinator *broker);
const char *ps_test_coordinator_bootstrap(const struct ps_test_coordinator *broker);
/* Reads and answers what is possible now. Returns whether something came. */
bool ps_test_coordinator_serve(struct ps_test_coordinator *broker);

/* Returns the epoch of the leader that wrote the record before this offset of an input partition. */
static inline int32_t ps_test_coordinator_epoch(int64_t offset)
{
    return (int32_t)(offset / 16);
}
/* Reads the committed numbers (values of four bytes) of an output partition, in order. Returns how many. */
uint32_t ps_test_coordinator_committed(const struct ps_test_coordinator *broker, unsigned partition,
                                       uint32_t *numbers, uint32_t room);
/* Returns the value of the last committed record of the topic of positions with this key; "" if there is none, or it has no
 * value. */
const char *ps_test_coordinator_positions(const struct ps_test_coordinator *broker, const char *owner);
/* Returns the transactional id of all requests since the start. */
const char *ps_test_coordinator_last_id(void);
/* Allows several transactional ids from now on, one after the other. */
void ps_test_coordinator_several_ids(void);
/* Counts of what it did, so that a test does not pass because nothing happened. */
struct ps_test_coordinator_counts {
    unsigned commits, aborts, fenced, stale, timed_out, unconfirmed, resolved, spoilt, producers;
};
struct ps_test_coordinator_counts ps_test_coordinator_counts(const struct ps_test_coordinator *broker);
