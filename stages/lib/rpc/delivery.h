/* Delivers a sink's leases over one connection of an RPC protocol: limits the events of a call, keeps several
 * calls in flight, settles events by the answers to their calls, and connects again after a failure.
 *
 * A call that is answered OK has delivered its events. FAILED means that the server's channel is full: when all
 * other calls are answered, and after a backoff, everything that is not delivered is sent again in order. After
 * an error, a lost connection, or no answer in time, the same happens over a new connection; events without an
 * answer may arrive twice.
 *
 * With penstock.retry.max and penstock.deadletter, the events of the oldest call become dead letters after that
 * number of failed attempts in a row: calls that were refused or not answered. A connection that cannot be
 * established does not count as an attempt, nor does a call for which there was no memory.
 *
 * A call at which the server ends the connection again and again is suspected (suspect.h).
 *
 * Thread: the sink's worker. Never blocks. */
#pragma once

#include "core/stage.h"
#include "stages/lib/rpc/client.h"
#include "stages/lib/remote/requests.h"
#include "stages/lib/remote/target.h"
#include "stages/lib/rpc/suspect.h"

#define PS_RPC_LEASES_MAX 64U

/* Shared by all workers and constant. */
struct ps_rpc_delivery_plan {
    struct ps_rpc_client_settings client;
    struct ps_remote_target target;
    uint64_t connect_ns, reset_ns; /* reset_ns 0: the connection is kept */
    uint32_t batch_events_max;     /* of a call */
    const struct ps_transport *transport;
    const void *transport_settings;
};

struct ps_rpc_delivery {
    struct ps_remote_requests requests; /* must be first (stages/lib/remote/requests.h) */
    const struct ps_rpc_delivery_plan *plan;
    struct ps_client_plan to;
    struct ps_rpc_client client;
    struct ps_remote_watch watch;
    struct ps_remote_request calls[PS_RPC_CALLS_MAX]; /* by their numbers */
    struct ps_remote_result results[PS_RPC_CALLS_MAX];
    struct ps_rpc_suspect suspect;
    bool counted; /* the connection is up, and it was counted */
    char server[320], reason[PS_TRANSPORT_REASON_BYTES];
    uint64_t reset_ns; /* when the connection is replaced; PS_NEVER: it is kept */
};

/* For `open` and `close` of a stage whose state is a delivery. Thread: the worker's. */
void ps_rpc_delivery_open(struct ps_rpc_delivery *delivery, const struct ps_rpc_delivery_plan *plan,
                          struct ps_port *port);
void ps_rpc_delivery_close(struct ps_rpc_delivery *delivery);
