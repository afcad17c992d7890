/* Credit: how many bytes a thread (the feeder) may put into a ring before other threads (the takers) take them, and how
 * the feeder sleeps without missing a taker that made room.
 *
 *   feeder   ps_credit_spend, push, and so on up to its limit; ps_credit_ask; ps_park_announce; sleeps if
 *            ps_credit_is_answered returns false
 *   taker    pop, ps_credit_return; ps_park_wake if that returned true
 *
 * The return and the ask are sequentially consistent writes, and each side reads the other's word afterwards:
 * either the taker sees the feeder's request, or the feeder sees the room before it sleeps. */
#pragma once

#include "rings/base.h"

struct ps_credit {
    uint64_t waiting; /* bytes that were put and not taken */
    uint64_t below;   /* the feeder wants to be woken when fewer bytes wait; 0: never */
} PS_ALIGNED_GAP;

/* Adds the bytes of an entry. Call it before the push. Thread: the feeder. */
void ps_credit_spend(struct ps_credit *credit, uint64_t bytes);

/* Subtracts the bytes of an entry that was popped. Returns whether fewer bytes wait now than the feeder asked for: then
 * the caller wakes the feeder. Thread: any taker. */
bool ps_credit_return(struct ps_credit *credit, uint64_t bytes);

/* Returns how many bytes wait: never fewer than there are in the ring. Thread: the feeder. Others get an estimate. */
uint64_t ps_credit_waiting(const struct ps_credit *credit);

/* From now on a taker that leaves fewer than `below` bytes wakes the feeder; 0: none does. Thread: the feeder. */
void ps_credit_ask(struct ps_credit *credit, uint64_t below);

/* Returns whether fewer bytes wait than the feeder asked for. Thread: the feeder. */
bool ps_credit_is_answered(const struct ps_credit *credit);
