/* Dead letters into a channel of the agent (penstock.deadletter = c9): what one source instance or one sink gives up
 * becomes events of that channel. The runner is a producer of it, beside what it puts or takes as source or sink.
 *
 *   written     The channel has promised the letters, as it promises events of a source: by the put, or when they are
 *               durable. So a letter is lost only when an event of that channel would be.
 *   full        Letters wait in a list, and the runner tries again every 10 ms. It does not block and drops nothing;
 *               with PS_LETTER_CHANNEL_BYTES_MAX in the list there is no room for more.
 *   withdrawn   Before a sink gives its leases back, or a source that reads again is closed, what is not put is
 *               dropped: those events become letters again, and would be there twice.
 *
 * Thread: the runner's worker. */
#pragma once

#include "core/engine/plan.h"

struct ps_runner;
struct ps_letter_channel;

#define PS_LETTER_CHANNEL_BYTES_MAX (UINT64_C(1) << 20)

/* `target` is the runner's in the plan. Returns NULL when its letters go to no channel. Ends the process when there is no
 * memory. */
struct ps_letter_channel *ps_letter_channel_create(struct ps_runner *runner, struct ps_plan *plan,
                                                   const struct ps_letter_target *target);
/* After ps_letter_channel_close. NULL: does nothing. */
void ps_letter_channel_destroy(struct ps_letter_channel *letters);

/* What the stages of the runner use. It lives as long as the channel of letters. */
struct ps_letterbox *ps_letter_channel_box(struct ps_letter_channel *letters);

/* A reload: the runner stays, and its target is now in the next plan. */
void ps_letter_channel_adopt(struct ps_letter_channel *letters, struct ps_plan *plan,
                             const struct ps_letter_target *target);

/* The channel of the plan that runs. NULL: NULL. */
const struct ps_channel_plan *ps_letter_channel_target(const struct ps_letter_channel *letters);
/* A reload: the source's runner was closed, and this one follows it on the same worker: takes over the letters that were
 * not put into a channel that stays. Both may be NULL. */
void ps_letter_channel_inherit(struct ps_letter_channel *letters, struct ps_letter_channel *closed);

/* At each cycle of the runner: puts what waits, unless `may_put` is false, and lets the channel send home what it has
 * promised. Returns whether something moved; lowers *due_ns to the time at which it must be called again at the
 * latest. NULL: does nothing. */
bool ps_letter_channel_cycle(struct ps_letter_channel *letters, bool may_put, uint64_t *due_ns,
                             const struct ps_now *now);

/* After each cycle of the runner, `stops`: whether it stops: tells the sinks of a full channel to make room for what waits
 * (ps_hold_back). NULL: does nothing. */
void ps_letter_channel_hold_back(struct ps_letter_channel *letters, bool stops);

/* Drops what is not put yet. NULL: does nothing. */
void ps_letter_channel_withdraw(struct ps_letter_channel *letters);

/* Whether nothing waits, and every batch of letters is home. NULL is. */
bool ps_letter_channel_is_home(const struct ps_letter_channel *letters);

/* Whether a runner that closes need not wait any more: they are home, or promised by a channel that stays in `next`. NULL
 * is. */
bool ps_letter_channel_is_drained(const struct ps_letter_channel *letters, const struct ps_plan *next);

/* The runner is closed. What is not put is left to the runner that follows, if the channel stays in `next`; else it is
 * appended to *left, for the channel of its lease's home. `left` NULL: it is dropped. NULL: does nothing. */
void ps_letter_channel_close(struct ps_letter_channel *letters, const struct ps_plan *next,
                             struct ps_lease **left, const struct ps_now *now);
