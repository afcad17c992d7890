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
#include "stages/lib/stream/call_server.h"

struct ps_avro_server {
    struct ps_call_server base; /* must be first */
    struct ps_avro_clients clients;
};

extern const struct ps_call_protocol ps_avro_call_protocol;

/* For the struct ps_stream_ops of the source; the owner is the server. */
void ps_avro_server_closed(void *server, struct ps_connection *connection);
