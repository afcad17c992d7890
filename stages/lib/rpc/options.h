/* Keys about calls, which every user of a connection to an RPC source has, as in Flume's RPC clients
 * (org.apache.flume.api.RpcClientConfigurationConstants). Thread: any. */
#pragma once

#include "core/clock.h"
#include "core/option.h"

#define PS_RPC_BATCH_EVENTS 100
#define PS_RPC_BATCH_EVENTS_MAX 1000000
#define PS_RPC_TIMEOUT_MS 20000
#define PS_RPC_TIMEOUT_MS_MIN 1000 /* lower values count as the default, as in Flume */

struct ps_rpc_options {
    int64_t batch_events, connect_ms, request_ms;
};

#define PS_RPC_CALL_OPTION_ROWS(plan_type, member)                                                           \
    PS_OPTION_ROW("batch-size", INT, offsetof(plan_type, member.batch_events),                               \
                  "maximum number of events in one call; the source's channel must take them in one "        \
                  "transaction. Below 1 counts as 100",                                                      \
                  .fallback = "100", .min = INT32_MIN, .max = PS_RPC_BATCH_EVENTS_MAX, .unit = "events",     \
                  .flags = PS_OPTION_LENIENT),                                                               \
        PS_OPTION_ROW("connect-timeout", INT, offsetof(plan_type, member.connect_ms),                        \
                      "longest time for the connection and its TLS handshake; below 1000 counts as 20000",   \
                      .fallback = "20000", .min = INT32_MIN, .max = INT32_MAX, .unit = "ms",                 \
                      .flags = PS_OPTION_LENIENT),                                                           \
        PS_OPTION_ROW(                                                                                       \
            "request-timeout", INT, offsetof(plan_type, member.request_ms),                                  \
            "longest time for the answer to a call; then the call has failed, and its connection is "        \
            "given up; below 1000 counts as 20000",                                                          \
            .fallback = "20000", .min = INT32_MIN, .max = INT32_MAX, .unit = "ms",                           \
            .flags = PS_OPTION_LENIENT)

static inline uint64_t ps_rpc_timeout_ns(int64_t ms)
{
    return (uint64_t)(ms < PS_RPC_TIMEOUT_MS_MIN ? PS_RPC_TIMEOUT_MS : ms) * PS_NS_PER_MS;
}

static inline uint32_t ps_rpc_batch_events_of(const struct ps_rpc_options *options)
{
    return options->batch_events < 1 ? PS_RPC_BATCH_EVENTS : (uint32_t)options->batch_events;
}
