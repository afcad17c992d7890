/* Delivers a sink's leases over one connection of an RPC protocol: limits the events of a call, keeps several calls in flight,
 * settles events by their answers, and connects again after a failure.
 *
 * A call that is answered OK has delivered its events. FAILED means that the server's channel is full: when all other calls
 * are answered, and after a rest, everything that is not delivered is sent again in order. After an error, a lost connection,
 * or no answer in time, the same happens over a new connection; events without an answer may arrive twice.
 *
 * With penstock.retry.max and penstock.deadletter, the events of the oldest call become dead letters after that number of
 * failed attempts in a row: calls that were refused or not answered. A connection that cannot be established does not count as
 * an attempt.
 *
 * Thread: the sink's worker. Never blocks. */
#pragma once

#include "core/sink/burial.h"
#include "core/stage.h"
#include "stages/lib/rpc/client.h"
#include "stages/lib/net/lookup.h"

#define PS_RPC_LEASES_MAX 64U

/* Shared by all workers and constant. */
struct ps_rpc_delivery_plan {
    struct ps_rpc_client_settings client;
    const char *host;
    unsigned port;
    struct ps_lookup *lookup;      /* of the host; NULL: `address` is used */
    struct ps_address address;     /* used without a lookup */
    uint64_t connect_ns, reset_ns; /* reset_ns 0: the connection is kept */
    uint32_t batch_events_max;     /* of a call */
    const struct ps_transport *transport;
    const void *transport_settings;
};

/* A call in flight: the unsettled events between two positions of a lease. */
struct ps_rpc_part {
    struct ps_lease *lease; /* NULL: unused */
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
    /* The next event to send. */
    unsigned next_lease;
    uint32_t next_position;
    struct ps_rpc_part parts[PS_RPC_CALLS_MAX];
    bool rewinding;    /* a call was refused: nothing new is sent until all calls are answered */
    bool counted;      /* the connection is up, and was counted */
    unsigned round;    /* 0 or 1; changes when calls are sent again (protocol.h) */
    uint64_t failures; /* number of failures in a row */
    uint32_t attempts; /* those failures for which a call was in flight */
    /* No attempts are left: when all calls are answered, the events of the oldest call become dead letters. */
    bool exhausted;
    struct ps_burial burial;
    uint32_t
        burial_attempts; /* `attempts` when none were left, because an answer OK to another call resets `attempts` */
    char burial_reason[PS_TRANSPORT_REASON_BYTES + 320];
    uint64_t rest_ns;   /* nothing is sent and no connection begun before this time */
    uint64_t reset_ns;  /* when the connection is replaced; PS_NEVER */
    uint64_t recall_ns; /* end of the recall's wait; 0: not recalled */
    uint64_t now_ns;
};

/* Sets the present address of the plan's host, with its port. Returns PS_FAIL if it is not known. Does not wait. Thread: any. */
enum ps_status ps_rpc_delivery_aim(const struct ps_rpc_delivery_plan *plan, struct ps_client_plan *to,
                                   struct ps_err *err);

/* Like the functions of struct ps_sink_ops of the same names. Thread: the worker's. */
void ps_rpc_delivery_open(struct ps_rpc_delivery *delivery, const struct ps_rpc_delivery_plan *plan,
                          struct ps_port *port);
void ps_rpc_delivery_close(struct ps_rpc_delivery *delivery);
enum ps_result ps_rpc_delivery_work(struct ps_rpc_delivery *delivery, struct ps_lease **lease,
                                    const struct ps_now *now);
uint64_t ps_rpc_delivery_tick(struct ps_rpc_delivery *delivery, const struct ps_now *now);
bool ps_rpc_delivery_recall(struct ps_rpc_delivery *delivery, struct ps_lease **back,
                            const struct ps_now *now);
