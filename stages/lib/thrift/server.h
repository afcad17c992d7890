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

#include "stages/lib/stream/calls.h"
#include "stages/lib/stream/stream.h"
#include "stages/lib/thrift/request.h"

struct ps_thrift_server {
    const struct ps_thrift_service *service;
    struct ps_stream *stream;
    struct ps_port *port;
    uint32_t message_bytes_max;
    struct ps_calls calls;
    uint32_t kept_count; /* answers that were ready before their turn */
    struct ps_event_headers headers;
};

/* The stream may be opened later; the service is const. A longer message closes its connection. */
void ps_thrift_server_init(struct ps_thrift_server *server, const struct ps_thrift_service *service,
                           struct ps_stream *stream, struct ps_port *port, uint32_t message_bytes_max);
void ps_thrift_server_fini(struct ps_thrift_server *server);

/* For struct ps_stream_ops of the source's. */
enum ps_feed ps_thrift_server_feed(struct ps_thrift_server *server, struct ps_connection *connection,
                                   struct ps_batch *batch, char *data, uint32_t length, uint32_t *used);
uint32_t ps_thrift_server_message_bytes(struct ps_thrift_server *server,
                                        const struct ps_connection *connection, const char *data,
                                        uint32_t length);
void ps_thrift_server_closed(struct ps_thrift_server *server, struct ps_connection *connection);

/* For the struct ps_source_ops of the source; `failed`: a channel refused the batch. */
void ps_thrift_server_answer(struct ps_thrift_server *server, const struct ps_batch *batch, bool failed);
