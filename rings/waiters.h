/* Waiters: the workers that sleep until a certain event happens (a channel gets a lease; a channel gets room). The
 * thread that causes the event takes one of them, or all, and wakes only those.
 *
 *   waiter         ps_waiters_join, ps_park_announce, check for the event once more, ps_waiters_join again: sleep only
 *                  if it returns false; after the sleep ps_waiters_leave
 *   waker          cause the event, ps_waiters_take_one or ps_waiters_take_all, ps_park_wake of each that was taken
 *
 * A take has a full fence between the event and its look at the waiters; ps_park_announce has one between joining
 * and the second check. So either the taker sees the waiter, or the waiter sees the event.
 *
 * A worker that was taken is chosen: it handles the event, or wakes another one. It may be chosen before it sleeps,
 * or after something else woke it; then no wake-up reaches it, and it learns of the choice only from
 * ps_waiters_leave.
 *
 * Thread: a worker joins and leaves for itself; any thread takes. */
#pragma once

#include "rings/base.h"

#define PS_WAITERS_MAX 64U

struct ps_waiters {
    uint64_t workers; /* bit by number of the worker */
} PS_ALIGNED_GAP;

/* The worker joins. Returns whether it was not among the waiters before: then it must look again before it sleeps. */
bool ps_waiters_join(struct ps_waiters *waiters, unsigned worker);

/* The worker leaves. Returns whether it was still among the waiters; if not, it was chosen. */
bool ps_waiters_leave(struct ps_waiters *waiters, unsigned worker);

/* Chooses one waiter, or all. Returns the bits of the chosen workers; 0: nobody waits. */
uint64_t ps_waiters_take_one(struct ps_waiters *waiters);
uint64_t ps_waiters_take_all(struct ps_waiters *waiters);
