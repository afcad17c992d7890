/* Functions for channels, beyond those for every stage (core/flow/batch.h): they find the owner of a lease, and make
 * batches on the consuming side, for a channel that writes events to a disk or a topic and reads them back.
 *
 * The channel is the home of the batches that it reads back: their outcome ends at the channel, not at the source of
 * the events. Their memory belongs to the worker that takes them. */
#pragma once

#include "core/flow/batch.h"

struct ps_pool; /* a worker's batches: ps_port.pool */

/* ---- the owner of a lease ---- */

/* Returns the number of the worker to which the batches of this pool belong. Thread: any. */
uint16_t ps_pool_worker(const struct ps_pool *pool);
/* Returns the number of the worker to which the batch's leases are returned. Thread: the owner of one of its leases. */
uint16_t ps_batch_worker(const struct ps_batch *batch);

/* Returns whether the batch's source, or the source that follows it, will read these events again for all its
 * channels, required or optional: the source is replayable, was closed, and its position has not moved past them.
 * Keeping them over a reload or a stop would duplicate them. Thread: control, while no worker runs. */
bool ps_batch_will_be_replayed(const struct ps_batch *batch);

/* ---- batches that a channel reads back ---- */

/* One for each consumer. Thread of all functions: the consumer's worker. */
struct ps_readback;

enum ps_readback_order {
    PS_READBACK_IN_ORDER,  /* a batch counts as delivered when all batches before it do */
    PS_READBACK_ANY_ORDER, /* a batch counts as delivered by itself */
};

/* Opens a readback that calls `delivered` for every batch whose events were all delivered. IN_ORDER: in the order of
 * ps_readback_lease, once every batch before it was delivered as well. A batch with an event that was given up
 * (ps_lease.failed) is never reported; with IN_ORDER the batches after it are not reported either. ANY_ORDER
 * marks the batches for sinks (ps_batch.any_order), and keeps no batch's memory because of another batch. */
struct ps_readback *ps_readback_open(struct ps_pool *pool, enum ps_readback_order order,
                                     void (*delivered)(void *argument, struct ps_batch *batch),
                                     void *argument);

/* Called when the consumer has left. `delivered` is no longer called. Batches with leases in use are freed when those
 * leases are returned. NULL: does nothing. */
void ps_readback_close(struct ps_readback *readback);

/* Returns an empty batch, to be filled with a source's functions, or NULL when the memory budget is used up. The
 * caller notes in the batch's spans and tickets which records it has read into it: they are still there when the
 * batch is reported. */
struct ps_batch *ps_readback_batch(struct ps_readback *readback, struct ps_now now);

/* Gives back a batch that was not filled. */
void ps_readback_drop(struct ps_batch *batch);

/* Ends filling. Returns the one lease of all events of the batch, which goes to the sink. The sink returns the lease
 * with ps_port_home. */
struct ps_lease *ps_readback_lease(struct ps_readback *readback, struct ps_batch *batch);

/* Returns whether this readback made the lease; false if a source put it, or if the readback is NULL. */
bool ps_readback_made(const struct ps_readback *readback, const struct ps_lease *lease);
