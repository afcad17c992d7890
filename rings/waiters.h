/* Waiters: which workers sleep until a certain thing happens (a channel gets a lease; a channel gets room). Whoever
 * makes it happen takes one of them, or all, and wakes those only.
 *
 *   who waits      ps_waiters_join, ps_park_announce, look for it once more, ps_waiters_join again: sleep only if
 *                  that finds itself still waiting; after the sleep ps_waiters_leave
 *   who wakes      make it happen, ps_waiters_take_one or ps_waiters_take_all, ps_park_wake of each that was taken
 *
 * A take has a full fence between what happened and its look at the waiters; ps_park_announce has one between
 * joining and the second look. So either the taker sees the waiter, or the waiter sees what happened.
 *
 * Who was taken has been chosen: it looks for what happened, or it wakes another one. It may be chosen before it
 * sleeps, or after something else woke it; then no wake-up reaches it, and only ps_waiters_leave tells.
 *
 * Thread: a worker joins and leaves for itself; any thread takes. */
#pragma once

#include "core/base.h"

#define PS_WAITERS_MAX 64U

struct ps_waiters {
    uint64_t workers; /* bit by number of the worker */
} PS_ALIGNED_GAP;

/* Returns whether it was not among them: then it must look again before it sleeps. */
bool ps_waiters_join(struct ps_waiters *waiters, unsigned worker);

/* Returns whether it was still among them; if not, it was chosen. */
bool ps_waiters_leave(struct ps_waiters *waiters, unsigned worker);

/* Chooses one, or all. Returns their bits; 0: nobody waits. */
uint64_t ps_waiters_take_one(struct ps_waiters *waiters);
uint64_t ps_waiters_take_all(struct ps_waiters *waiters);
