/* Parking: a worker goes to sleep without missing pointers that are pushed to it.
 *
 *   consumer   ps_park_announce, check every input once more, wait on the eventfd (epoll), ps_park_cancel
 *   producer   push, ps_park_wake
 *
 * The producer has a full store->load fence between its push and its read of the flag, and the consumer has
 * one between its write of the flag and its second check. With release and acquire alone each side may miss
 * the other (seen: 647 lost wake-ups in 2,000,000 rounds). ThreadSanitizer does not model this;
 * tests/stress/park_litmus_test.c does.
 *
 * The thread that clears the flag writes the eventfd, so one park costs at most one write. */
#pragma once

#include "rings/base.h"

struct ps_park {
    uint32_t parked;
    int event_fd;
} PS_ALIGNED_GAP;

/* Makes the eventfd. Returns false when there is no descriptor left. */
bool ps_park_init(struct ps_park *park);
void ps_park_fini(struct ps_park *park);

/* Thread: the consumer. */
void ps_park_announce(struct ps_park *park);
/* The consumer is awake again. Empties the eventfd. Thread: the consumer. */
void ps_park_cancel(struct ps_park *park);
/* Returns whether the consumer sleeps, or is about to, and nobody has woken it. Thread: any. */
bool ps_park_is_parked(const struct ps_park *park);
/* Call it after publishing something. Returns whether the consumer was woken. Thread: any. */
bool ps_park_wake(struct ps_park *park);
