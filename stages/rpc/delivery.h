/* How a sink delivers leases over one connection of an RPC protocol: calls of at most so many events, several under
 * way at a time, answers that settle events, a new connection after a failure.
 *
 * A call is answered OK, and its events are delivered; or FAILED, because the server's channel is full: after all other
 * calls are answered and a rest, everything that is not delivered is sent again, in order. After an error, a lost
 * connection, or no answer in time the same happens over a new connection; what had no answer may arrive twice.
 *
 * With penstock.retry.max and penstock.deadletter the events of the oldest call become dead letters when so many attempts in a
 * row failed: calls that were refused, or got no answer. A connection that does not come about is no attempt.
 *
 * Thread: the sink's worker. Never blocks. */
#pragma once

#include "core/engine/burial.h"
#include "core/stage.h"
#include "stages/rpc/client.h"
#include "stages/net/lookup.h"

#define PS_RPC_LEASES_MAX 64U

/* Shared by all workers; const. */
struct ps_rpc_delivery_plan {
    struct ps_rpc_client_settings client;
    const char *host;
    unsigned port;
    struct ps_lookup *lookup;      /* of the host; NULL: `address` is it */
    struct ps_address address;     /* without a lookup */
    uint64_t connect_ns, reset_ns; /* reset_ns 0: the connection is kept */
    uint32_t batch_events_max;     /* of a call */
    const struct ps_transport *transport;
    const void *transport_settings;
};

/* A call under way: the events between two positions of a lease that were not settled. */
struct ps_rpc_part {
    struct ps_lease *lease; /* NULL: free */
    uint32_t from, to;
};

struct ps_rpc_delivery {
    const struct ps_rpc_delivery_plan *plan;
    struct ps_port *port;
    struct ps_client_plan to;
    struct ps_rpc_client client;
    int watched_fd; /* in the port's epoll; -1: none */
    uint32_t watched_events;
    struct ps_lease *leases[PS_RPC_LEASES_MAX]; /* oldest first */
    unsigned lease_count;
    /* The next event to be sent. */
    unsigned next_lease;
    uint32_t next_position;
    struct ps_rpc_part parts[PS_RPC_CALLS_MAX];
    bool rewinding;    /* a call was refused: nothing new is sent before all is answered */
    bool counted;      /* the connection is up, and counted */
    unsigned round;    /* 0 or 1: changes when calls are sent again (protocol.h) */
    uint64_t failures; /* in a row */
    uint32_t attempts; /* those of them for which a call was under way */
    bool exhausted;    /* they are used up: when all is answered, the events of the oldest call are buried */
    struct ps_burial burial;
    uint32_t
        burial_attempts; /* `attempts` when they were used up: an answer OK of another call sets those to 0 */
    char burial_reason[PS_TRANSPORT_REASON_BYTES + 320];
    uint64_t rest_ns;   /* nothing is sent, nor a connection begun, before */
    uint64_t reset_ns;  /* when the connection is to be made anew; PS_NEVER */
    uint64_t recall_ns; /* 0: not recalled */
    uint64_t now_ns;
};

/* Sets the address, with its port, that the plan's host has now. PS_FAIL: it is not known. Does not wait. Thread: any. */
enum ps_status ps_rpc_delivery_aim(const struct ps_rpc_delivery_plan *plan, struct ps_client_plan *to,
                                   struct ps_err *err);

/* Thread: the worker's, as the functions of struct ps_sink_ops of the same names. */
void ps_rpc_delivery_open(struct ps_rpc_delivery *delivery, const struct ps_rpc_delivery_plan *plan,
                          struct ps_port *port);
void ps_rpc_delivery_close(struct ps_rpc_delivery *delivery);
enum ps_result ps_rpc_delivery_work(struct ps_rpc_delivery *delivery, struct ps_lease **lease,
                                    const struct ps_now *now);
uint64_t ps_rpc_delivery_tick(struct ps_rpc_delivery *delivery, const struct ps_now *now);
bool ps_rpc_delivery_recall(struct ps_rpc_delivery *delivery, struct ps_lease **back,
                            const struct ps_now *now);
