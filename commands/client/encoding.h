/* The form of a program's events in the calls of a protocol (stages/lib/rpc/protocol.h encodes those of batches).
 * Thread: any; nothing here keeps state. */
#pragma once

#include "commands/client/client.h"
#include "core/status.h"
#include "stages/lib/rpc/protocol.h"

#define PS_RPC_EVENT_BYTES_MAX (1U << 30) /* limit of one event; a message has at most 2 GiB */

struct ps_rpc_encoding {
    const struct ps_rpc_protocol *protocol;
    /* Writes the event; returns its length, at most its bound. */
    size_t (*put_event)(uint8_t *to, const struct penstock_client_event *event);
};

/* Encodings for an avro source, and for a thrift source with its two protocols. */
extern const struct ps_rpc_encoding ps_rpc_avro, ps_rpc_thrift_compact, ps_rpc_thrift_binary;

/* Returns the maximum number of bytes that the event takes in any of these encodings; 0: the event is invalid, and
 * `err` has the reason. */
size_t ps_rpc_event_bound(const struct penstock_client_event *event, struct ps_err *err);
