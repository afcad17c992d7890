/* Finds the event at which a server fails again and again (it ends the connection, does not answer in time, or answers 5XX) although
 * it takes others: a handler that crashes, a firewall. Such an event would stop the sink for ever (decision 161). For sinks whose
 * requests have one event, with dead letters and without penstock.retry.max.
 *
 *   From the second failure of an event on, a *witness* is sent at once after each: an event that was not sent yet, else one that waits,
 *   too. It has a request of its own. The event itself is tried alone from then on, also with penstock.requests > 1.
 *   A failure counts if the server has taken an event since the failure before it, and no older event waits: a server that takes only
 *   so many requests at a time refuses those behind the oldest ones again and again. The third that counts makes it the event's matter.
 *   So a server that is down, hangs or refuses everybody convicts no event. It is asked for the oldest event first, after each rest, so
 *   that the order is kept when it is back.
 *
 * A request that had no connection suspects nobody. Thread: the sink's worker. */
#pragma once

#include "stages/lib/remote/requests.h"

#define PS_HTTP_WITNESSES                                                                                    \
    31U /* requests for them: more events than that in a row, which all fail, are the server's matter */

/* Of one request. {0}: not suspected. */
struct ps_http_suspect {
    uint64_t number;   /* of the request that the rest is about */
    uint64_t taken;    /* by the server, at the last failure */
    uint32_t failures; /* in a row */
    uint32_t counted;  /* those of them that count */
};

/* Called when a request that had a connection has failed. `taken`: number of requests that the server has taken; `counts`: no older
 * event waits. Returns whether its event is the cause. */
bool ps_http_suspect_failed(struct ps_http_suspect *suspect, const struct ps_remote_request *request,
                            uint64_t taken, bool counts);

/* Returns whether a witness is sent after this failure. */
static inline bool ps_http_suspect_wants_witness(const struct ps_http_suspect *suspect)
{
    return suspect->failures >= 2;
}
