/* Gives up events of one lease: makes dead letters of them (penstock.deadletter), as many at a time as there is room
 * for, and settles those whose letters are written. Sinks use it, and the runner of a sink that rolls back.
 *
 * Thread: the worker's. Allocates only the letters. */
#pragma once

#include "core/stage.h"

/* {0}: no burial has begun. */
struct ps_burial {
    struct ps_lease *lease; /* NULL: none */
    uint32_t position;      /* of the next event for which a letter is made */
    uint32_t settled;       /* the events up to this position are settled */
    uint32_t end;
    uint64_t first, last; /* numbers of the letters for the positions between; last < first: none */
};

/* Time until the next look, when there was no room, or letters wait, and nothing else wakes the worker. */
#define PS_BURIAL_LOOK_NS (10 * PS_NS_PER_MS)

static inline bool ps_burial_has_begun(const struct ps_burial *burial)
{
    return burial->lease != NULL;
}

/* Begins with the events of `lease` from position `from` to before `end` that are not settled. The port has dead letters. */
void ps_burial_begin(struct ps_burial *burial, struct ps_lease *lease, uint32_t from, uint32_t end);

/* Goes on. While more than one event is buried, nobody else makes letters of this port. Returns true when all are
 * settled; the burial is then back at {0}. */
bool ps_burial_work(struct ps_burial *burial, struct ps_port *port, const struct ps_letter_reason *reason);

/* The lease goes back to its channel: settles the events whose letters are written, and forgets the rest. May be
 * called before a burial has begun. */
void ps_burial_stop(struct ps_burial *burial, struct ps_port *port);
