/* The server of a Thrift service over the connections of a stream (stages/lib/stream/stream.h): calls become rows of
 * a batch, which point to where they were received, and are answered when all required channels have promised the
 * events.
 *
 * Several calls of one connection may be under way; they are answered in the order in which they came, because clients of
 * Thrift wait for their answers in order. A call whose events do not fit into one batch is put with several, and answered
 * after the last one. Each message tells its encoding.
 *
 * Thread: the source's worker. */
#pragma once

#include "stages/lib/stream/call_server.h"
#include "stages/lib/thrift/request.h"

struct ps_thrift_server {
    struct ps_call_server base;              /* must be first */
    const struct ps_thrift_service *service; /* constant during the server's life */
    uint32_t kept_count;                     /* answers that were ready before their turn */
};

extern const struct ps_call_protocol ps_thrift_call_protocol;

/* For the struct ps_stream_ops of the source; the owner is the server. */
void ps_thrift_server_closed(void *server, struct ps_connection *connection);
