/* The common part of Flume's RPC protocols (stages/lib/avro/, stages/lib/thrift/) for sinks and clients. Calls
 * of appendBatch carry events, several calls are in flight on a connection, and each answer names its call.
 * Each protocol defines the bytes. Thread: any; no state. */
#pragma once

#include "core/flow/batch.h"

#define PS_RPC_ANSWER_BYTES_MAX 73728U /* limit of an answer on the wire */
#define PS_RPC_HEAD_BYTES_MAX 1024U

enum ps_rpc_status {
    PS_RPC_OK,
    PS_RPC_FAILED,
    PS_RPC_UNKNOWN,
};

enum ps_rpc_arrival {
    PS_RPC_MORE, /* not completely received yet */
    PS_RPC_ANSWER,
    PS_RPC_NONSENSE, /* the bytes are no answer, or an answer that is too large */
};

struct ps_rpc_answer {
    uint32_t number; /* number of the call that is answered */
    bool no_match;   /* the server does not support the protocol */
    bool penstock;   /* set in the first answer of a connection: the server is a penstock */
    bool failed;     /* the call failed; `error` has the reason */
    enum ps_rpc_status status;
    char error[160];
};

struct ps_rpc_protocol {
    const char *name;      /* "avro" */
    size_t head_bytes_max; /* at most PS_RPC_HEAD_BYTES_MAX */
    /* Writes the head of a call of `length` bytes; returns the length of the head in bytes. `first`: the first
     * call of its connection. */
    size_t (*put_head)(uint8_t *to, uint32_t number, bool first, size_t length);
    /* Reads the answer at `data`, and sets *taken to its length in bytes. `first`: it is the answer to the
     * first call. `scratch` has PS_RPC_ANSWER_BYTES_MAX bytes. */
    enum ps_rpc_arrival (*read_answer)(const uint8_t *data, size_t length, bool first, uint8_t *scratch,
                                       struct ps_rpc_answer *answer, size_t *taken);
    /* ---- a call: its beginning, `count` events, its end ---- */
    size_t call_bytes_max; /* maximum number of bytes of a call's beginning and end together */
    /* `round`: 1 or 2 for another penstock; 0: none. When the server has answered a call FAILED, it answers all later
     * calls of the same round FAILED, so that calls already in flight do not overtake it. The client begins the other
     * round when all calls are answered. */
    size_t (*put_call)(uint8_t *to, uint32_t count, unsigned round);
    size_t (*event_bound)(const struct ps_batch *batch, const struct ps_event *event);
    size_t (*put_event)(uint8_t *to, const struct ps_batch *batch, const struct ps_event *event);
    size_t (*put_end)(uint8_t *to);
    /* The first call of a connection has a round, because the answer to this call shows whether the server is a
     * penstock. */
    bool asks;
};
