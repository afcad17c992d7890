/* A Kafka broker with transactions for a test, in the test's thread: partitions of topic `out` with records that are open,
 * committed or aborted, and a topic of positions with one partition; a coordinator with one transactional id; a group with committed and pending offsets of topic `in`.
 * Written from KIP-98, KIP-360 and KIP-447. It misbehaves by a seed: connections break before or after a request is carried
 * out, the coordinator moves, loads, has the last transaction still under way, ends a transaction whose time is over, or
 * writes an end that it does not confirm. It fails the test if a client writes to a partition that has not joined. */
#pragma once

#include "core/base.h"

#define PS_TEST_OUT_PARTITIONS 3U
#define PS_TEST_IN_PARTITIONS 2U
#define PS_TEST_POSITIONS "positions"

struct ps_test_coordinator;

/* `faults`: the number of requests in 1,000 that meet a fault. */
struct ps_test_coordinator *ps_test_coordinator_start(uint64_t seed, unsigned faults);
void ps_test_coordinator_stop(struct ps_test_coordinator *broker);
const char *ps_test_coordinator_bootstrap(const struct ps_test_coordinator *broker);
/* Reads and answers what is possible now. Returns whether something came. */
bool ps_test_coordinator_serve(struct ps_test_coordinator *broker);

/* The committed offset of an input partition. */
int64_t ps_test_coordinator_offset(const struct ps_test_coordinator *broker, unsigned partition);
/* Returns whether offsets wait for the end of a transaction: a consumer would not begin to read. */
bool ps_test_coordinator_is_unstable(const struct ps_test_coordinator *broker);
/* The group gives the partitions to another member, or to the same anew: offsets of the last assignment are refused. Returns
 * the new one. */
int32_t ps_test_coordinator_reassign(struct ps_test_coordinator *broker);
/* The committed numbers (values of four bytes) of an output partition, in order. Returns how many. */
uint32_t ps_test_coordinator_committed(const struct ps_test_coordinator *broker, unsigned partition,
                                       uint32_t *numbers, uint32_t room);
/* The value of the last committed record of the topic of positions with this key, or "". */
const char *ps_test_coordinator_positions(const struct ps_test_coordinator *broker, const char *owner);
/* The transactional id of all requests since the start. */
const char *ps_test_coordinator_last_id(void);
/* From now on requests may have several transactional ids, one after the other. */
void ps_test_coordinator_several_ids(void);
/* How often it did something: for tests that must not pass because nothing happened. */
struct ps_test_coordinator_counts {
    unsigned commits, aborts, fenced, stale, timed_out, unconfirmed, resolved;
};
struct ps_test_coordinator_counts ps_test_coordinator_counts(const struct ps_test_coordinator *broker);
