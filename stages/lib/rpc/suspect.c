#include "stages/lib/rpc/suspect.h"

#include <stdio.h>

#define LOSSES_MIN 2U /* the first loss may be any restart of the server */

static void blame(struct ps_rpc_suspect *suspect, const struct ps_remote_request *request, const char *reason)
{
    uint32_t position = request->range.from;
    const struct ps_event *event = ps_held_range_next(&request->range, &position);
    snprintf(suspect->reason, sizeof suspect->reason,
             "the source fails at an event of %u bytes alone in its call, and answers other calls: %.80s",
             event != NULL ? event->body_length : 0, reason);
}

void ps_rpc_suspect_lost(struct ps_rpc_suspect *suspect, const struct ps_remote_request *request, bool closed,
                         const char *reason)
{
    if (!closed) {
        *suspect = (struct ps_rpc_suspect){.exists = false};
        return;
    }
    if (!suspect->exists || suspect->number != request->number)
        *suspect = (struct ps_rpc_suspect){.exists = true, .number = request->number};
    uint32_t sent =
        suspect->part > 0 && suspect->part < request->range.count ? suspect->part : request->range.count;
    if (++suspect->losses < LOSSES_MIN)
        return;
    suspect->asks = true;
    suspect->part = sent > 1 ? sent / 2 : 1;
    suspect->singles = sent == 1 ? suspect->singles + 1 : 0;
    if (sent == 1)
        blame(suspect, request, reason);
}

void ps_rpc_suspect_unreachable(struct ps_rpc_suspect *suspect)
{
    suspect->singles = 0;
}

void ps_rpc_suspect_answered(struct ps_rpc_suspect *suspect, bool ok, struct ps_port *port)
{
    suspect->asks = false;
    if (!ok)
        suspect->singles = 0;
    if (suspect->singles < PS_RPC_TRIALS || suspect->convicted)
        return;
    suspect->convicted = true;
    if (!ps_port_has_deadletter(port))
        ps_log(PS_LOG_ERROR, port->component,
               "%s; the event is tried again, and all events after it wait: raise the source's limit, or set "
               "penstock.deadletter to take out only such events",
               suspect->reason);
}

bool ps_rpc_suspect_passes(struct ps_rpc_suspect *suspect, struct ps_remote_request *request,
                           const struct ps_port *port)
{
    request->part = 0;
    if (!suspect->exists)
        return true;
    if (suspect->number != request->number) { /* the suspected request has ended */
        *suspect = (struct ps_rpc_suspect){.exists = false};
        return true;
    }
    request->part = suspect->part < request->range.count ? suspect->part : 0;
    if (!suspect->convicted || !ps_port_has_deadletter(port))
        return true;
    request->part = 1;
    return false;
}
