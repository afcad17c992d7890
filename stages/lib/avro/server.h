/* The server of Flume's Avro protocol over the connections of a stream (stages/lib/stream/stream.h): calls
 * become rows of a batch, which point to where they were received, and are answered when all required
 * channels have promised them.
 *
 * Several calls of one connection may be under way; each is answered by its serial number when it is decided,
 * in any order, as Flume does. A call whose events do not fit into one batch is put with several, and
 * answered after the last one.
 *
 * Thread: the source's worker. */
#pragma once

#include "stages/lib/avro/event.h"
#include "stages/lib/avro/request.h"
#include "stages/lib/stream/calls.h"
#include "stages/lib/stream/stream.h"

struct ps_avro_server {
    struct ps_stream *stream;
    struct ps_port *port;
    uint32_t message_bytes_max;
    struct ps_calls calls;
    struct ps_avro_clients clients;
    struct ps_event_headers headers;
};

/* The stream may be opened later. A message longer than the limit closes its connection. */
void ps_avro_server_init(struct ps_avro_server *server, struct ps_stream *stream, struct ps_port *port,
                         uint32_t message_bytes_max);
void ps_avro_server_fini(struct ps_avro_server *server);

/* Functions for the source's struct ps_stream_ops. */
enum ps_feed ps_avro_server_feed(struct ps_avro_server *server, struct ps_connection *connection,
                                 struct ps_batch *batch, char *data, uint32_t length, uint32_t *used);
uint32_t ps_avro_server_message_bytes(struct ps_avro_server *server, const struct ps_connection *connection,
                                      const char *data, uint32_t length);
void ps_avro_server_closed(struct ps_avro_server *server, struct ps_connection *connection);

/* Functions for the source's struct ps_source_ops; `failed` is called when a channel has refused the
 * batch. */
void ps_avro_server_answer(struct ps_avro_server *server, const struct ps_batch *batch, bool failed);
