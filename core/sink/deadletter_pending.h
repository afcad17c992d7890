/* Gives up events of one lease: makes dead letters of them (penstock.deadletter), as many at a time as there is room
 * for, and settles those whose letters are written. Sinks use it, and the runner of a sink that rolls back.
 *
 * Thread: the worker's. Allocates only the letters. */
#pragma once

#include "core/stage.h"

/* Events of one lease that become dead letters. {0}: none. */
struct ps_deadletter_pending {
    struct ps_lease *lease; /* NULL: none */
    uint32_t position;      /* of the next event for which a letter is made */
    uint32_t settled;       /* the events up to this position are settled */
    uint32_t end;
    /* numbers of the letters for the positions from `settled` to `position`; last < first: none */
    uint64_t first, last;
};

/* Time until the next check while there is no room, or while letters wait: nothing else wakes the worker then. */
#define PS_DEADLETTER_LOOK_NS (10 * PS_NS_PER_MS)

static inline bool ps_deadletter_pending_has_begun(const struct ps_deadletter_pending *pending)
{
    return pending->lease != NULL;
}

/* Begins to give up the events of `lease`, from position `from` to before `end`, that are not settled. The port
 * must have dead letters. */
void ps_deadletter_pending_begin(struct ps_deadletter_pending *pending, struct ps_lease *lease, uint32_t from,
                                 uint32_t end);

/* Continues to make letters. While more than one event is pending, no other code may put letters through this port.
 * Returns true when all events are settled; `pending` is then {0} again. */
bool ps_deadletter_pending_work(struct ps_deadletter_pending *pending, struct ps_port *port,
                                const struct ps_dead_letter_reason *reason);

/* Called when the lease returns to its channel. Settles the events whose letters are written, and forgets the others.
 * May be called when nothing is pending. */
void ps_deadletter_pending_stop(struct ps_deadletter_pending *pending, struct ps_port *port);
