/* Parking: how a worker goes to sleep without missing what was pushed to it.
 *
 * The consumer: ps_park_announce, look at every input once more, then wait on the eventfd (epoll), then
 * ps_park_cancel. The producer: push, then ps_park_wake. Between a push and the read of the flag, and between
 * the flag's write and the second look, stands a full store->load fence: with release and acquire alone each
 * side may miss the other (seen: 647 lost wake-ups in 2,000,000 rounds). ThreadSanitizer does not model this;
 * tests/stress/park_litmus_test.c does.
 *
 * Whoever clears the flag writes the eventfd, so one park costs at most one write. */
#pragma once

#include "core/base.h"

struct ps_park {
    uint32_t parked;
    int event_fd;
} PS_ALIGNED_GAP;

/* Makes the eventfd. False when there is no descriptor left. */
bool ps_park_init(struct ps_park *park);
void ps_park_fini(struct ps_park *park);

/* Thread: the consumer. */
void ps_park_announce(struct ps_park *park);
/* The consumer is awake again; empties the eventfd. */
void ps_park_cancel(struct ps_park *park);
/* Thread: any, after it published something. True when a sleeper was woken. */
bool ps_park_wake(struct ps_park *park);
