/* Knows whether a sink tries some of its events in vain while it delivers others: a directory that cannot be written, a partition
 * without a leader, an event that the far end refuses while other requests succeed. Each delivery ends the failures in a row, so they
 * do not tell.
 *
 * With the first failed attempt a round ends: the leases that the sink holds then are of that round, those that it takes
 * afterwards of the next one. When all of the round are delivered or given back, the event of that attempt is, too. Until then, and
 * when attempts have failed for longer than two of the sink's longest rests, the sink is stuck with some events. Thread: the
 * sink's worker; any thread reads `since_ms`. */
#pragma once

#include "core/engine/runner.h"
#include "core/flow/batch_home.h"

/* Called when an attempt has failed. */
void ps_sink_stuck_failed(struct ps_sink_runner *runner, const struct ps_now *now);
/* Called when the sink holds nothing. */
void ps_sink_stuck_clear(struct ps_sink_runner *runner);
/* Called when a lease of an ended round leaves the sink; the caller has compared the rounds. */
void ps_sink_stuck_left(struct ps_sink_runner *runner);

/* Called when the sink takes the lease. */
static inline void ps_sink_stuck_took(const struct ps_sink_runner *runner, struct ps_lease *lease)
{
    ps_lease_home(lease)->round = runner->stuck.round;
}

/* Called when the lease is delivered or given back. */
static inline void ps_sink_stuck_leaves(struct ps_sink_runner *runner, struct ps_lease *lease)
{
    if (PS_UNLIKELY(runner->stuck.left > 0) && ps_lease_home(lease)->round != runner->stuck.round)
        ps_sink_stuck_left(runner);
}
