/* What a channel may ask and do beyond what every stage may (core/flow/batch.h): whose a lease is, and batches of its
 * own on its consuming side, for a channel that writes events down and reads them back (a disk, a topic).
 *
 * It is the home of the batches that it reads back: their outcome ends there, not at the source whose events they were.
 * Their memory is that of the worker that takes them. */
#pragma once

#include "core/flow/batch.h"

struct ps_pool; /* a worker's batches: ps_port.pool */

/* ---- whose a lease is ---- */

/* The number of the worker that the batches of this pool belong to. Thread: any. */
uint16_t ps_pool_worker(const struct ps_pool *pool);
/* The same of a batch: its leases go home there. Thread: the owner of one of its leases. */
uint16_t ps_batch_worker(const struct ps_batch *batch);

/* Whether its source, or the one after it, reads these events again, for all its channels, required or optional: the
 * source is replayable, was closed, and its position has not moved past them. To keep them over a reload or a stop
 * would duplicate them. Thread: control, while no worker runs. */
bool ps_batch_will_be_replayed(const struct ps_batch *batch);

/* ---- batches that a channel reads back ---- */

/* One for each consumer. Thread of all functions: the consumer's worker. */
struct ps_readback;

enum ps_readback_order {
    PS_READBACK_IN_ORDER,  /* a batch was delivered when all before it were */
    PS_READBACK_ANY_ORDER, /* each batch by itself */
};

/* `delivered` is called for every batch that was delivered: when all of its events were. IN_ORDER: in the order of
 * ps_readback_lease, when those of every batch before were, too. A batch with an event that was given up (ps_lease.failed) is never
 * reported; IN_ORDER nor those behind it. ANY_ORDER tells sinks so (ps_batch.any_order), and keeps the memory of no batch for another
 * one. */
struct ps_readback *ps_readback_open(struct ps_pool *pool, enum ps_readback_order order,
                                     void (*delivered)(void *argument, struct ps_batch *batch),
                                     void *argument);

/* The consumer has left: `delivered` is not called any more. Batches whose leases are out are freed when those come
 * home. NULL is ignored. */
void ps_readback_close(struct ps_readback *readback);

/* Returns an empty batch to be filled, with the functions that a source has for it, or NULL when the memory budget is
 * used up. What is read into it must be remembered in it: its spans and tickets are there when it is reported. */
struct ps_batch *ps_readback_batch(struct ps_readback *readback, struct ps_now now);

/* The batch was not filled after all. */
void ps_readback_drop(struct ps_batch *batch);

/* The batch is filled: returns the one lease of all its events, which goes to the sink. It comes home by ps_port_home. */
struct ps_lease *ps_readback_lease(struct ps_readback *readback, struct ps_batch *batch);

/* Whether the lease is one of its own, and not one that a source put. NULL: no. */
bool ps_readback_made(const struct ps_readback *readback, const struct ps_lease *lease);
