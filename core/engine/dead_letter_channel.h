/* Dead letters into a channel of the agent (penstock.deadletter = c9): the events that one source instance or one
 * sink gives up become events of that channel. The runner is a producer of the channel, in addition to its work as
 * source or sink.
 *
 *   written     The channel has promised the letters, as it promises events of a source: by the put, or when they are
 *               durable. A letter is therefore lost only in a case in which an event of that channel is lost.
 *   full        Letters wait in a list, and the runner tries again every 10 ms. It does not block, and drops nothing;
 *               the list has room for PS_DEAD_LETTER_CHANNEL_BYTES_MAX.
 *   withdrawn   Letters not put yet are dropped before a sink gives its leases back, or before a replayable source is
 *               closed: their events become letters again, and would be there twice.
 *
 * Thread: the runner's worker. */
#pragma once

#include "core/engine/plan.h"

struct ps_runner;
struct ps_dead_letter_channel;

#define PS_DEAD_LETTER_CHANNEL_BYTES_MAX (UINT64_C(1) << 20)

/* Makes the runner's letter channel; `target` is the entry for the runner in the plan. Returns NULL when its letters
 * go to no channel. Ends the process when there is no memory. */
struct ps_dead_letter_channel *ps_dead_letter_channel_create(struct ps_runner *runner, struct ps_plan *plan,
                                                             const struct ps_dead_letter_target *target);
/* Call it after ps_dead_letter_channel_close. NULL: does nothing. */
void ps_dead_letter_channel_destroy(struct ps_dead_letter_channel *letters);

/* Returns the dead_letter_queue for the stages of the runner. It lives as long as the channel of letters. */
struct ps_dead_letter_queue *ps_dead_letter_channel_queue(struct ps_dead_letter_channel *letters);

/* For a reload: the runner stays, and its target is now in the next plan. */
void ps_dead_letter_channel_adopt(struct ps_dead_letter_channel *letters, struct ps_plan *plan,
                                  const struct ps_dead_letter_target *target);

/* Returns the channel of the running plan; NULL for NULL. */
const struct ps_channel_plan *ps_dead_letter_channel_target(const struct ps_dead_letter_channel *letters);
/* For a reload: called when the source's runner was closed and this runner follows it on the same worker. Takes over
 * the letters that were not put into a channel that stays. Both arguments may be NULL. */
void ps_dead_letter_channel_inherit(struct ps_dead_letter_channel *letters,
                                    struct ps_dead_letter_channel *closed);

/* Called at each cycle of the runner: puts the waiting letters, unless `may_put` is false, and lets the channel give
 * back the leases it has promised. Returns whether something moved; lowers *due_ns to the time at which it must be
 * called again at the latest. NULL: does nothing. */
bool ps_dead_letter_channel_cycle(struct ps_dead_letter_channel *letters, bool may_put, uint64_t *due_ns,
                                  const struct ps_now *now);

/* Called after each cycle of the runner: makes the sinks of a full channel make room for the waiting letters
 * (ps_hold_back). `stops`: whether the runner stops. NULL: does nothing. */
void ps_dead_letter_channel_hold_back(struct ps_dead_letter_channel *letters, bool stops);

/* Drops the letters that are not put yet. NULL: does nothing. */
void ps_dead_letter_channel_withdraw(struct ps_dead_letter_channel *letters);

/* Returns whether no letter waits, and every batch of letters is returned. True for NULL. */
bool ps_dead_letter_channel_is_home(const struct ps_dead_letter_channel *letters);

/* For a sink for which a stop does not wait: returns whether the stop need not wait for the sink's letters either.
 * True if the letters' channel is durable, because events are then settled only after their letters are on disk. A
 * channel in memory promises letters when they are put, and then has the only copy of them. NULL: true. */
bool ps_dead_letter_channel_may_leave(const struct ps_dead_letter_channel *letters);

/* Returns whether a runner that closes need not wait longer: its letters are returned, or promised by a channel
 * that stays in `next`. True for NULL. */
bool ps_dead_letter_channel_is_drained(const struct ps_dead_letter_channel *letters,
                                       const struct ps_plan *next);

/* Called when the runner is closed. Leaves the letters that are not put to the runner that follows, if the channel
 * stays in `next`; else appends them to *left, as leases that name their channel (ps_lease_home). `left` NULL: drops
 * them. `letters` NULL: does nothing. */
void ps_dead_letter_channel_close(struct ps_dead_letter_channel *letters, const struct ps_plan *next,
                                  struct ps_lease **left, const struct ps_now *now);
