/* Gives the settled leases of a sink back to their home workers. */
#pragma once

#include "core/flow/held.h"
#include "core/stage.h"

/* Gives back the leases whose events are all settled: the oldest ones, and after them only leases that may be
 * returned in any order. So one file or partition that cannot be written does not cause all later events to be
 * delivered again after a restart. */
static inline void ps_finish_held(struct ps_held *held, struct ps_port *port)
{
    struct ps_lease *lease;
    while ((lease = ps_held_pop(held)) != NULL)
        ps_port_done(port, &lease);
}
