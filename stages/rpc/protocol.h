/* What the sinks and clients of Flume's RPC protocols (stages/avro/, stages/thrift/) have in common: calls of appendBatch with
 * events, several under way on a connection, and answers that name their call. A protocol says how these look as bytes.
 *
 * Thread: any; nothing here keeps state. */
#pragma once

#include "core/flow/batch.h"

#define PS_RPC_ANSWER_BYTES_MAX 73728U /* of an answer on the wire */
#define PS_RPC_HEAD_BYTES_MAX 1024U

enum ps_rpc_status {
    PS_RPC_OK,
    PS_RPC_FAILED,
    PS_RPC_UNKNOWN,
};

enum ps_rpc_arrival {
    PS_RPC_MORE, /* it is not all there */
    PS_RPC_ANSWER,
    PS_RPC_NONSENSE, /* this is no answer, or a larger one than there can be */
};

struct ps_rpc_answer {
    uint32_t number; /* of its call */
    bool no_match;   /* the server does not know the protocol */
    bool penstock;   /* of the first answer of a connection: the server is a penstock */
    bool failed;     /* the call did; `error` says why */
    enum ps_rpc_status status;
    char error[160];
};

struct ps_rpc_protocol {
    const char *name;      /* "avro" */
    size_t head_bytes_max; /* at most PS_RPC_HEAD_BYTES_MAX */
    /* Writes what goes before a call's `length` bytes; returns how many. `first`: the first call of its connection. */
    size_t (*put_head)(uint8_t *to, uint32_t number, bool first, size_t length);
    /* Reads the answer at `data`, `*taken` bytes of it. `first`: to the first call. `scratch` has
     * PS_RPC_ANSWER_BYTES_MAX bytes. */
    enum ps_rpc_arrival (*read_answer)(const uint8_t *data, size_t length, bool first, uint8_t *scratch,
                                       struct ps_rpc_answer *answer, size_t *taken);
    /* ---- a call: its beginning, `count` events, its end ---- */
    size_t call_bytes_max; /* of beginning and end */
    /* `round`: 1 or 2, to another penstock: when the server has answered a call FAILED, it answers all later ones of the
     * same round FAILED, so that those that were on their way already do not overtake it. The client begins the other
     * round when all are answered. 0: none. */
    size_t (*put_call)(uint8_t *to, uint32_t count, unsigned round);
    size_t (*event_bound)(const struct ps_batch *batch, const struct ps_event *event);
    size_t (*put_event)(uint8_t *to, const struct ps_batch *batch, const struct ps_event *event);
    size_t (*put_end)(uint8_t *to);
    /* The first call of a connection has a round: the server tells by it that it is a penstock. */
    bool asks;
};
