/* A sink whose far end is down, beside other sinks of its channel with which it is in no group. A failed attempt is a
 * setback: the sink gives back what it holds, where any sink of the channel may take it, rests, and then takes one lease
 * at a time until its far end has taken one. So no event waits for the far end longer than the sink's own time limits.
 *
 * The stage is closed for this and opened again, as that of a sink in a group: a recall ends what is in flight, and nothing
 * in the contract says that the stage can go on afterwards.
 *
 * An event that no sink can deliver goes from one to the other. So that both do not try only this one, a sink whose trials fail
 * skips the leases that it has tried.
 *
 * Not for a trouble in a part of the destination (ps_port_troubled_in_part), and not for a sink that holds nothing. Not for a
 * channel whose consumers keep what they gave back (a topic has a partition for each), and not for a sink with
 * penstock.retry.max, whose events become dead letters after so many attempts of this sink. Thread: the sink's worker. */
#pragma once

#include "core/engine/runner.h"

/* Returns whether another sink may take what this one gives back. */
bool ps_sink_setback_shares(const struct ps_sink_runner *runner);
/* Returns whether the sink keeps the lease that it rolls back until its attempts are used up (penstock.retry.max): in the
 * channel other sinks would take it, and the count would be that of other leases. */
bool ps_sink_setback_keeps(const struct ps_sink_runner *runner);
/* Called when an attempt of the open sink has failed (ps_port_troubled) and its reason is noted, outside of `work`. */
void ps_sink_setback(struct ps_sink_runner *runner, const struct ps_now *now);
/* Called when the sink has rolled back the offered lease (PS_RETRY), which is in the channel again. */
void ps_sink_setback_rolled_back(struct ps_sink_runner *runner);
/* Called when all is given back, and the stage is closed. The sink's rest begins. */
void ps_sink_setback_rests(struct ps_sink_runner *runner, const struct ps_now *now);
/* Opens the stage like ps_runner_open; what metrics say of the sink stays, because it was open all the time for them. */
bool ps_sink_setback_open(struct ps_sink_runner *runner, const struct ps_now *now);
/* Called when the open sink has delivered a lease. */
void ps_sink_setback_over(struct ps_sink_runner *runner);

#define PS_SETBACK_SKIPS_MAX 15U

/* Returns how many leases of the channel this trial leaves alone: the first two trials take the next lease. */
static inline unsigned ps_sink_setback_skips(const struct ps_sink_runner *runner)
{
    return runner->setbacks > 2 ? (runner->setbacks - 2) % (PS_SETBACK_SKIPS_MAX + 1) : 0;
}

/* Returns whether the sink may hold one more lease. */
static inline bool ps_sink_setback_admits(const struct ps_sink_runner *runner)
{
    return PS_LIKELY(runner->setbacks == 0) || runner->inflight == 0;
}
