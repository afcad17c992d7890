/* Leases in memory between workers: the whole of the memory channel, and the memory part of other channels.
 * There is one ring per producing worker: SPSC with one consumer, SPMC with several, so no thread ever waits
 * for a descheduled thread. Leases that a sink gives back (Flume's rollback) go to an ordered list, from which any
 * consumer takes: the destination of one may be down. Leases carried over by a reload are in one more ring, which all
 * consumers share.
 *
 * Fill level: every producer counts the events that it put, and every consumer the events that it took, each in
 * its own cache line. The difference of the sums is the content; there is no shared counter. A lease is
 * accepted while the content is below capacity, so the capacity is exceeded by less than one lease per
 * producer.
 *
 * Nothing here blocks or copies an event. Each function runs on the thread of the function of the same name in
 * struct ps_channel_ops. */
#pragma once

#include "core/stage.h"

struct ps_memory_queue;

struct ps_memory_queue_settings {
    uint64_t capacity;    /* events; 0: no lease is accepted */
    uint64_t bytes_max;   /* limit of the bytes of bodies; 0: unlimited */
    uint64_t quota_bytes; /* limit of the memory in bytes, rows and headers included; 0: unlimited */
    unsigned producers, consumers;
};

/* The settings are copied. Never NULL. All leases must have left the memory queue before it is destroyed. */
struct ps_memory_queue *ps_memory_queue_create(const struct ps_memory_queue_settings *settings);
void ps_memory_queue_destroy(struct ps_memory_queue *memory);

/* Returns how many bytes of bodies the keys byteCapacity (-1: 40 % of the memory budget) and
 * byteCapacityBufferPercentage allow; 0: unlimited. */
uint64_t ps_memory_queue_bytes_max(int64_t byte_capacity, int64_t buffer_percent,
                                   uint64_t memory_budget_bytes);

/* put, untake, fill and hungry are as in struct ps_channel_ops, ring as in struct ps_engine_channel_ops. The memory
 * queue then owns a lease that was put or given back, and *lease is NULL. */
void ps_memory_queue_fill(const struct ps_memory_queue *memory, struct ps_fill *fill);
enum ps_put ps_memory_queue_put(struct ps_memory_queue *memory, unsigned producer, struct ps_lease **lease);
/* See reserve of struct ps_engine_channel_ops. */
uint64_t ps_memory_queue_reserve(struct ps_memory_queue *memory, unsigned producer, uint64_t events);
/* Returns the next of the leases that consumers gave back, of those of one consumer the oldest; NULL: none. */
struct ps_lease *ps_memory_queue_take_back(struct ps_memory_queue *memory, unsigned consumer);
/* Returns the next lease: first the leases carried over, then the leases of the rings in turn; NULL: there is none. */
struct ps_lease *ps_memory_queue_take(struct ps_memory_queue *memory, unsigned consumer);
/* For `consumer_tick`: returns when a consumer whose last take found nothing must look again, or PS_NEVER. Another one may
 * have had the list of given-back leases in hand at that moment, and wakes nobody when it puts the rest of them back. */
uint64_t ps_memory_queue_consumer_tick(const struct ps_memory_queue *memory, unsigned consumer,
                                       const struct ps_now *now);
void ps_memory_queue_untake(struct ps_memory_queue *memory, unsigned consumer, struct ps_lease **lease);
bool ps_memory_queue_hungry(const struct ps_memory_queue *memory, unsigned producer);
void ps_memory_queue_ring(const struct ps_memory_queue *memory, unsigned producer, struct ps_fill *fill);
/* Removes all leases, oldest first: those given back are older than those in the rings. */
struct ps_lease *ps_memory_queue_strip(struct ps_memory_queue *memory);
/* Puts the leases where every consumer can take them, because the destination of one consumer may be down. */
void ps_memory_queue_restore(struct ps_memory_queue *memory, struct ps_lease *list);
/* See set_quota and withdraw of struct ps_engine_channel_ops. */
void ps_memory_queue_set_quota(struct ps_memory_queue *memory, uint64_t quota_bytes);
struct ps_lease *ps_memory_queue_withdraw(struct ps_memory_queue *memory,
                                          bool (*is_wanted)(const struct ps_lease *lease));
