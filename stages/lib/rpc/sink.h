/* The common part of the sinks that send by RPC (avro, thrift): their target, and the functions of struct ps_sink_ops over a
 * delivery (delivery.h). Thread: control, unless a function names the worker's. */
#pragma once

#include "stages/lib/rpc/delivery.h"

#include <stdio.h>

/* The first member of the plan. Option rows write the first four. */
struct ps_rpc_sink {
    const char *host;
    int64_t port, reset_s, window;
    struct ps_rpc_delivery_plan delivery;
};

#define PS_RPC_ADDRESS_OPTION_ROWS(plan_type, member)                                                        \
    PS_OPTION_ROW("hostname", TEXT, offsetof(plan_type, member.host),                                        \
                  "address or name of the source's host", .flags = PS_OPTION_REQUIRED),                      \
        PS_OPTION_ROW("port", INT, offsetof(plan_type, member.port), "TCP port of the source", .min = 1,     \
                      .max = 65535, .flags = PS_OPTION_REQUIRED)

#define PS_RPC_SENDING_OPTION_ROWS(plan_type, member, reset_aliases, reason)                                 \
    PS_OPTION_ROW(                                                                                           \
        "reset-connection-interval", INT, offsetof(plan_type, member.reset_s),                               \
        "time after which the sink opens a new connection, so that a load balancer can choose again; "       \
        "0 or less: never",                                                                                  \
        .fallback = "0", .min = INT32_MIN, .max = INT32_MAX, .unit = "s", .aliases = reset_aliases),         \
        PS_OPTION_ROW(                                                                                       \
            "penstock.calls", INT, offsetof(plan_type, member.window),                                       \
            "maximum number of calls that wait for their answers; 0: 16 with another penstock, else 1, "     \
            "because Flume " reason,                                                                         \
            .fallback = "0", .min = 0, .max = PS_RPC_CALLS_MAX, .unit = "calls",                             \
            .flags = PS_OPTION_EXTENSION)

/* Settings that follow from a protocol's keys. */
struct ps_rpc_sink_settings {
    const struct ps_rpc_protocol *protocol;
    uint64_t connect_ns, request_ns;
    uint32_t batch_events_max;
    const struct ps_transport *transport;
    const void *transport_settings;
};

/* For `build` and `teardown`: sets the delivery's plan. */
enum ps_status ps_rpc_sink_build(struct ps_rpc_sink *sink, const struct ps_rpc_sink_settings *settings,
                                 struct ps_err *err);
void ps_rpc_sink_teardown(struct ps_rpc_sink *sink);

/* Probe for `penstock check --probe`: connects as the sink does, and sends one call without events. `build` and
 * `teardown` are the stage's; `tried` is a copy of its bound plan; `advice` is what to check if the server does not
 * answer. */
struct ps_rpc_sink_probe {
    enum ps_status (*build)(void *plan, struct ps_context *context, struct ps_err *err);
    void (*teardown)(void *plan);
    const char *advice;
};
void ps_rpc_sink_try(const struct ps_rpc_sink_probe *sink, void *tried, struct ps_context *context,
                     const struct ps_probe *probe);

/* For struct ps_stage_ops of a sink whose plan begins with its struct ps_rpc_sink, and whose state is a struct
 * ps_rpc_delivery; its ops are ps_remote_sink_ops. Thread: the worker's. */
enum ps_status ps_rpc_sink_open(const void *plan, void *state, struct ps_port *port, struct ps_err *err);
void ps_rpc_sink_close(const void *plan, void *state);
