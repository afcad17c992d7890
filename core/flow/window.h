/* The acknowledgement window of one source on one worker: its batches in the order they were closed. A batch stays
 * in the window until it and every batch before it are complete.
 *
 * A batch has two counts, plain integers that only its home worker changes:
 *
 *   holders    leases that are not returned yet; at 0, once the batch has left the window, its memory is given back
 *   promises   leases among them whose return the source waits for; at 0 the batch is complete
 *
 * docs/decisions/0023-promises.md lists the leases that are promises. The window removes the complete
 * batches at its front and reports each, in order. A batch with an event that was given up (`lost`) is reported to a
 * source that answers its clients; for a replayable source it stays in the window with all later batches, because the
 * position must not move past it.
 *
 * A window outlives its source: batches that are returned after the source was closed (a reload) find it detached, and
 * are only freed. */
#pragma once

#include "core/flow/batch_home.h"

/* Calls `report(argument, batch)` for each batch that leaves the front, in sequence order. `replayable`: a lost
 * batch stays, and so do the batches after it. */
struct ps_window *ps_window_create(bool replayable, void (*report)(void *argument, struct ps_batch *batch),
                                   void *argument);

/* Makes a window without an order, for a channel that records each batch by itself: calls `report(argument,
 * batch)` immediately for each batch that is complete, and never for a lost one. No batch keeps memory
 * because it waits for an older one. */
struct ps_window *ps_window_create_unordered(void (*report)(void *argument, struct ps_batch *batch),
                                             void *argument);

/* Called when the source is closed. `report` is no longer called, and the window is freed when its last batch is
 * returned. Marks the batches that were not reported (`unreported`): a replayable source reads them again. Returns the
 * number of events in the unreported batches that are complete: these events will arrive twice. */
uint64_t ps_window_detach(struct ps_window *window);

bool ps_window_is_detached(const struct ps_window *window);

/* Returns the argument of `report`. Thread: the owner of a lease of the window's batches. */
const void *ps_window_argument(const struct ps_window *window);

/* Enters a closed batch: gives it its sequence number, and one holder and one promise for the chain's
 * lease. */
void ps_window_enter(struct ps_window *window, struct ps_batch *batch);

/* Counts a lease that is given out; `owed`: the source waits until it is returned. */
void ps_window_hold(struct ps_batch *batch, bool owed);

/* Makes the source wait for a lease that was given out before, if it is of a required channel. Call it before the
 * chain's lease is released. */
void ps_window_owe(struct ps_lease *lease);

/* Counts a lease that was returned, or was never put. Gives the batch back to its pool when this was the batch's last
 * lease and the window no longer needs the batch. */
void ps_window_release(struct ps_lease *lease);

/* Returns whether every batch that entered was reported. */
bool ps_window_is_settled(const struct ps_window *window);

/* Returns the number of batches that entered and were not given back to their pool yet. */
uint32_t ps_window_outstanding(const struct ps_window *window);
