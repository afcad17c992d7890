/* Keeps the events of a durable channel in a store (stages/lib/queue/store.h: a log on disk, or a database) on
 * a thread of its own, and feeds the channel's consumers from the store.
 *
 *   producers   put leases into rings. The thread writes all leases that arrived during the last sync, and syncs
 *               them together. Then it returns the leases, which is the promise
 *               (docs/decisions/0023-promises.md)
 *   consumers   take places of frames from one ring. Each consumer reads its frame into a batch of its own, and
 *               reports the delivery; the thread records the delivery, and removes delivered frames
 *
 * If the store cannot be read, no event is lost or skipped: the thread reads the next frame again every few
 * seconds. If the store cannot be written, no event is promised: refusable leases are given up after the
 * keep-alive, and the other leases wait until the store can be written again. */
#pragma once

#include "core/stage.h"
#include "stages/lib/queue/store.h"

struct ps_queue;

struct ps_queue_settings {
    /* for the log; lives as long as the durable queue, like all pointers of this struct */
    const char *component;
    const struct ps_store_ops *store;
    const void *store_settings; /* the store's own settings */
    uint64_t capacity;          /* events; 0: unlimited */
    bool sync_each;             /* promise events when they are synced; false: when they are written */
    uint64_t sync_every_ms;     /* time between syncs if sync_each is false */
    uint64_t keep_alive_ms;     /* how long a refusable lease waits while the store cannot be written */
    uint64_t
        quota_bytes; /* memory for leases that wait to be written, and for frames read ahead; 0: unlimited */
    unsigned producers, consumers;
};

struct ps_queue *ps_queue_create(const struct ps_queue_settings *settings);
/* Call it after ps_queue_strip, or if the durable queue was never started. */
void ps_queue_destroy(struct ps_queue *queue);

/* The functions of the channel; see struct ps_channel_ops for their meaning and threads. If there is no thread or
 * descriptor for ps_queue_start, the first producer's ps_queue_tick calls it again. */
void ps_queue_start(struct ps_queue *queue);
enum ps_put ps_queue_put(struct ps_queue *queue, unsigned producer, struct ps_lease **lease);
uint64_t ps_queue_tick(struct ps_queue *queue, unsigned producer, struct ps_port *port);
struct ps_lease *ps_queue_take(struct ps_queue *queue, unsigned consumer, struct ps_port *port,
                               const struct ps_now *now);
uint64_t ps_queue_consumer_tick(struct ps_queue *queue, unsigned consumer, struct ps_port *port,
                                const struct ps_now *now);
void ps_queue_done(struct ps_queue *queue, unsigned consumer, struct ps_lease **lease, struct ps_port *port);
void ps_queue_untake(struct ps_queue *queue, unsigned consumer, struct ps_lease **lease);
void ps_queue_leave(struct ps_queue *queue, unsigned consumer, struct ps_port *port);
bool ps_queue_hungry(const struct ps_queue *queue, unsigned producer);
void ps_queue_fill(const struct ps_queue *queue, struct ps_fill *fill);
void ps_queue_ring(const struct ps_queue *queue, unsigned producer, struct ps_fill *fill);
/* Ends the durable queue's thread (`halt` of struct ps_engine_channel_ops). */
bool ps_queue_halt(struct ps_queue *queue);
/* Strips the durable queue (`strip` of struct ps_engine_channel_ops). Afterwards ps_queue_fill counts the events that
 * stay in the store. */
struct ps_lease *ps_queue_strip(struct ps_queue *queue);
void ps_queue_restore(struct ps_queue *queue, struct ps_lease *list);
void ps_queue_set_quota(struct ps_queue *queue, uint64_t quota_bytes);

/* Functions for channels that put only some of their leases here. */

/* Returns whether the store has been opened, so that its contents are known. The store then stays open. Thread: any. */
bool ps_queue_is_open(const struct ps_queue *queue);

/* Returns whether all events that were put, or found in the store, are delivered. If it returns true to a producer, the
 * durable queue has no lease of that producer left. Returns false until the store is open. Thread: any. */
bool ps_queue_is_clear(const struct ps_queue *queue);
/* Returns the number of events that were put or found, and are not delivered. Thread: any. */
uint64_t ps_queue_undelivered(const struct ps_queue *queue);
/* Returns the next of the leases that consumers gave back; NULL: none. Thread: the consumer's worker. */
struct ps_lease *ps_queue_take_back(struct ps_queue *queue, unsigned consumer);
/* Returns when this consumer must look for such leases again (given_back.h), or PS_NEVER. Thread: the consumer's worker. */
uint64_t ps_queue_given_back_ns(const struct ps_queue *queue, unsigned consumer, const struct ps_now *now);
/* Returns whether the durable queue has read this lease, for any consumer. Thread: the lease's owner. */
bool ps_queue_made(const struct ps_queue *queue, const struct ps_lease *lease);
/* Reserves the next frame for this consumer's next ps_queue_take. Returns false if there is none. If it returns true,
 * all writes that the frame's producer made before the put are visible to the caller. Thread: the consumer's worker. */
bool ps_queue_claim(struct ps_queue *queue, unsigned consumer, struct ps_port *port);
/* Gives up the frame that this consumer has reserved and not taken, for any consumer: its sink may be down. Called when the
 * sink gives a lease back that is not of this queue. Thread: the consumer's worker. */
void ps_queue_unclaim(struct ps_queue *queue, unsigned consumer);
/* Makes the thread write and promise this list as its last work, before ps_queue_strip returns. All leases of the list
 * come back in the list of ps_queue_strip, settled if they were written. Returns false if the store cannot be written;
 * the caller keeps the list then. Call it at most once. Thread: control, while no worker runs, before ps_queue_strip. */
bool ps_queue_add_last(struct ps_queue *queue, struct ps_lease *list);

/* Returns true if the store is not open, cannot be written or read now, or has a part whose key is missing;
 * then writes the reason in one line. Thread: any. */
bool ps_queue_trouble(struct ps_queue *queue, char *text, size_t room);
