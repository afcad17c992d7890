/* Finds the event at which a server ends the connection, again and again, although it answers other calls: one that is larger
 * than the server takes, or that it fails at. Such an event would stop the sink for ever (decision 161).
 *
 *   The oldest call is lost twice: from now on one call is sent at a time. Each loss halves the events of the next call; what is
 *   delivered leaves the call, so that the first event that is left is in the end alone in its call.
 *   After each of these losses the server gets a call without events over a new connection. Only if it answers that with OK, the
 *   loss counts: a server that is down, restarts or hangs is not confused with one that refuses an event.
 *   After PS_RPC_TRIALS counted losses in a row of an event alone in its call it is that event's matter: it becomes a dead letter.
 *   Without dead letters the call is tried on, with the usual rests, and the log and /readyz name it.
 *
 * An answer that does not come in time, or that is nonsense, suspects nobody. Thread: the sink's worker. */
#pragma once

#include "stages/lib/remote/requests.h"
#include "stages/lib/rpc/client.h"

#define PS_RPC_TRIALS 3U
#define PS_RPC_QUESTION PS_RPC_CALLS_MAX /* the number of the call without events */

/* {0}: nothing is suspected. */
struct ps_rpc_suspect {
    bool exists;
    uint64_t number; /* of the request */
    uint32_t losses; /* in a row */
    uint32_t part;   /* events of the next call; 0: all */
    uint32_t
        singles; /* losses in a row of one event alone in its call; the server answered others after each but the last */
    bool asks;        /* the next call is the one without events */
    bool convicted;   /* the first event is the cause */
    char reason[192]; /* of a convicted event */
};

/* Called when the connection is lost with calls in flight; `request` is the oldest. `closed`: the connection was up, and the server has
 * ended it. */
void ps_rpc_suspect_lost(struct ps_rpc_suspect *suspect, const struct ps_remote_request *request, bool closed,
                         const char *reason);
/* Called when a connection is lost, or not made, without a request in flight. */
void ps_rpc_suspect_unreachable(struct ps_rpc_suspect *suspect);
/* Called when the call without events was answered. */
void ps_rpc_suspect_answered(struct ps_rpc_suspect *suspect, bool ok, struct ps_port *port);
/* Called when the request is to be sent: sets its part. Returns false if its first event is convicted, and the port has dead letters. */
bool ps_rpc_suspect_passes(struct ps_rpc_suspect *suspect, struct ps_remote_request *request,
                           const struct ps_port *port);

/* Returns whether one call is sent at a time. */
static inline bool ps_rpc_suspect_is_searched(const struct ps_rpc_suspect *suspect)
{
    return suspect->exists && suspect->losses > 1;
}
