/* The acknowledgement window of one source on one worker: its batches in the order they were closed, until
 * every one before is complete too.
 *
 * A batch has two counts, kept by its home worker alone as plain integers: holders (leases out: its memory)
 * and promises (of those, leases of required channels: its acknowledgement). When no promise is open the
 * batch is complete; the window pops the complete prefix and tells the source, in order
 * (ps_source_ops.delivered). A batch whose event was given up for good (`lost`) never completes for a
 * replayable source: its position must not move.
 *
 * A window outlives its source: batches that come home after the source was closed (a reload) find it
 * detached, and are only freed. */
#pragma once

#include "core/flow/batch.h"

struct ps_window;

/* `deliver(argument, batch)` is called for each batch of the prefix, in sequence order; NULL for sources that
 * need no more than ACCEPTED. */
struct ps_window *ps_window_create(uint32_t batches_max,
                                   void (*deliver)(void *argument, struct ps_batch *batch), void *argument);

/* The source is gone: no more calls; freed when the last batch is home. */
void ps_window_detach(struct ps_window *window);

bool ps_window_is_detached(const struct ps_window *window);

/* The batch was closed: gives it its sequence number. One holder (the chain's lease) and no promise. */
void ps_window_enter(struct ps_window *window, struct ps_batch *batch);

/* A lease of the batch goes out. */
void ps_window_hold(struct ps_batch *batch, bool promise);

/* A lease came home (or was never put). Gives the batch back to its pool when it was the last and the window
 * does not need it any more. */
void ps_window_release(struct ps_lease *lease);

/* Batches not yet complete and popped, plus those with leases out. */
uint32_t ps_window_outstanding(const struct ps_window *window);
