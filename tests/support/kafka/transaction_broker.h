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
/* Returns the committed offset of an input partition. */
int64_t ps_test_coordinator_offset(const struct ps_test_coordinator *broker, unsigned partition);
/* Returns whether offsets wait for the end of a transaction: a consumer would not begin to read. */
bool ps_test_coordinator_is_unstable(const struct ps_test_coordinator *broker);
/* Returns whether a transaction is open: a reader of committed records waits for its end. */
bool ps_test_coordinator_is_open(const struct ps_test_coordinator *broker);
/* Assigns the partitions of the group to another member, or to the same one again: offsets of the last generation are
 * refused from then on. Returns the new generation. */
int32_t ps_test_coordinator_reassign(struct ps_test_coordinator *broker);
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
/* Loses one request, as if its connection broke: request number `nth` of this kind, counted from 0. */
struct ps_test_loss {
    int16_t key;
    unsigned nth;
    bool carried_out; /* only the answer is lost */
};
void ps_test_coordinator_lose(struct ps_test_coordinator *broker, const struct ps_test_loss *loss);
bool ps_test_coordinator_has_lost(const struct ps_test_coordinator *broker);
/* Refuses the first two partitions of the next AddPartitionsToTxn (24) or TxnOffsetCommit (28) that has at least two, with these
 * errors; refused partitions do not change. The test fails if a transaction is committed before such a partition was accepted.
 * Or refuses the next EndTxn (26), or each InitProducerId (22), with the first error, without carrying it out. */
void ps_test_coordinator_refuse(struct ps_test_coordinator *broker, int16_t key, int16_t first,
                                int16_t second);
bool ps_test_coordinator_has_refused(const struct ps_test_coordinator *broker);
/* The group's coordinator lacks this input partition, whose offsets it does not commit, although the cluster has it. */
void ps_test_coordinator_lag(struct ps_test_coordinator *broker, unsigned partition, bool lags);
/* The cluster has a second node from now on, at this port. */
void ps_test_coordinator_name_other(struct ps_test_coordinator *broker, unsigned port);
/* The end of the last transaction is not written before so many requests were answered with CONCURRENT_TRANSACTIONS. */
void ps_test_coordinator_end_slowly(struct ps_test_coordinator *broker, unsigned requests);
/* Removes this input partition, as if its topic was deleted: its offsets are no longer committed. Or creates it again. */
void ps_test_coordinator_remove(struct ps_test_coordinator *broker, unsigned partition, bool removed);
/* Topic `out` was created again, with only this number of partitions. */
void ps_test_coordinator_shrink(struct ps_test_coordinator *broker, unsigned partitions);
/* Limits, from now on: the broker takes this many bytes of Produce requests at each call of ps_test_coordinator_serve
 * (0: any number), and aborts a transaction that has been open for so many calls (0: never). */
struct ps_test_limits {
    unsigned turn_bytes, timeout_turns;
};
void ps_test_coordinator_limit(struct ps_test_coordinator *broker, const struct ps_test_limits *limits);
/* Refuses each record batch that has this number (87), until it is called with PS_TEST_NO_NUMBER. */
#define PS_TEST_NO_NUMBER UINT32_MAX
void ps_test_coordinator_refuse_record(struct ps_test_coordinator *broker, uint32_t number);
/* Sets whether this client may not write to topic `out` (29): nothing, or only the batches that ps_test_coordinator_refuse_record
 * names. */
void ps_test_coordinator_deny(struct ps_test_coordinator *broker, bool denies);
/* Sets whether the group's coordinator still loads (14): it takes no offsets, so that no transaction with offsets can be
 * committed. */
void ps_test_coordinator_load_group(struct ps_test_coordinator *broker, bool loads);
/* Sets whether the batches that ps_test_coordinator_refuse_record names are refused as damaged on the way (2). */
void ps_test_coordinator_damage(struct ps_test_coordinator *broker, bool damages);
/* Counts of what it did, so that a test does not pass because nothing happened. */
struct ps_test_coordinator_counts {
    unsigned commits, aborts, fenced, stale, timed_out, unconfirmed, resolved, spoilt, producers;
};
struct ps_test_coordinator_counts ps_test_coordinator_counts(const struct ps_test_coordinator *broker);
