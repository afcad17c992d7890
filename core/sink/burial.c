#include "core/sink/burial.h"

void ps_burial_begin(struct ps_burial *burial, struct ps_lease *lease, uint32_t from, uint32_t end)
{
    PS_ASSERT(!ps_burial_has_begun(burial) && end <= lease->count);
    *burial = (struct ps_burial){.lease = lease, .position = from, .settled = from, .end = end, .first = 1};
}

/* Settles the events whose letters are written. Their letters have consecutive numbers. */
static void settle_written(struct ps_burial *burial, struct ps_port *port)
{
    struct ps_lease *lease = burial->lease;
    uint64_t written = ps_port_deadletter_written(port);
    for (; burial->settled < burial->position; burial->settled++) {
        if (ps_lease_is_settled(lease, burial->settled))
            continue;
        if (burial->first > burial->last || burial->first > written)
            return;
        ps_lease_settle_dead(lease, burial->settled);
        burial->first++;
    }
}

/* Makes letters of the rest, as many as there is room for. */
static void write_rest(struct ps_burial *burial, struct ps_port *port, const struct ps_letter_reason *reason)
{
    struct ps_lease *lease = burial->lease;
    for (; burial->position < burial->end; burial->position++) {
        if (ps_lease_is_settled(lease, burial->position))
            continue;
        uint64_t number =
            ps_port_deadletter(port, lease->batch, ps_lease_event(lease, burial->position), reason);
        if (number == 0)
            return;
        if (burial->first > burial->last)
            burial->first = number;
        PS_ASSERT(burial->first == number || burial->last + 1 == number);
        burial->last = number;
    }
}

bool ps_burial_work(struct ps_burial *burial, struct ps_port *port, const struct ps_letter_reason *reason)
{
    settle_written(burial, port);
    write_rest(burial, port, reason);
    settle_written(burial, port);
    if (burial->settled < burial->end)
        return false;
    *burial = (struct ps_burial){.lease = NULL};
    return true;
}

void ps_burial_stop(struct ps_burial *burial, struct ps_port *port)
{
    if (PS_UNLIKELY(ps_burial_has_begun(burial)))
        settle_written(burial, port);
    *burial = (struct ps_burial){.lease = NULL};
}
