#include "core/sink/deadletter_pending.h"

void ps_deadletter_pending_begin(struct ps_deadletter_pending *pending, struct ps_lease *lease, uint32_t from,
                                 uint32_t end)
{
    PS_ASSERT(!ps_deadletter_pending_has_begun(pending) && end <= lease->count);
    *pending = (struct ps_deadletter_pending){
        .lease = lease, .position = from, .settled = from, .end = end, .first = 1};
}

/* Settles the events whose letters are written. Their letters have consecutive numbers. */
static void settle_written(struct ps_deadletter_pending *pending, struct ps_port *port)
{
    struct ps_lease *lease = pending->lease;
    uint64_t written = ps_port_deadletter_written(port);
    for (; pending->settled < pending->position; pending->settled++) {
        if (ps_lease_is_settled(lease, pending->settled))
            continue;
        if (pending->first > pending->last || pending->first > written)
            return;
        ps_lease_settle_dead(lease, pending->settled);
        pending->first++;
    }
}

/* Makes letters of the remaining events, as many as there is room for. */
static void write_rest(struct ps_deadletter_pending *pending, struct ps_port *port,
                       const struct ps_dead_letter_reason *reason)
{
    struct ps_lease *lease = pending->lease;
    for (; pending->position < pending->end; pending->position++) {
        if (ps_lease_is_settled(lease, pending->position))
            continue;
        uint64_t number =
            ps_port_deadletter(port, lease->batch, ps_lease_event(lease, pending->position), reason);
        if (number == 0)
            return;
        if (pending->first > pending->last)
            pending->first = number;
        PS_ASSERT(pending->first == number || pending->last + 1 == number);
        pending->last = number;
    }
}

bool ps_deadletter_pending_work(struct ps_deadletter_pending *pending, struct ps_port *port,
                                const struct ps_dead_letter_reason *reason)
{
    settle_written(pending, port);
    write_rest(pending, port, reason);
    settle_written(pending, port);
    if (pending->settled < pending->end)
        return false;
    *pending = (struct ps_deadletter_pending){.lease = NULL};
    return true;
}

void ps_deadletter_pending_stop(struct ps_deadletter_pending *pending, struct ps_port *port)
{
    if (PS_UNLIKELY(ps_deadletter_pending_has_begun(pending)))
        settle_written(pending, port);
    *pending = (struct ps_deadletter_pending){.lease = NULL};
}
