/* A server of calls over the connections of a stream: what the protocols of Flume's RPC have in common. Events
 * of calls become rows of a batch, which point to the received bytes; a call whose events do not fit into one
 * batch is spread over several batches. A protocol (stages/lib/avro/server.h, stages/lib/thrift/server.h) reads
 * messages and events, and writes answers. Its server begins with this struct.
 *
 * Thread: the source's worker. */
#pragma once

#include "stages/lib/event_headers.h"
#include "stages/lib/senders.h"
#include "stages/lib/stream/calls.h"
#include "stages/lib/stream/stream.h"

struct ps_call_server;

struct ps_call_protocol {
    const char *message; /* "a message of Flume's Avro protocol", for the log */
    /* Returns the length of the first message in `data`, with its frame; 0: not known yet; UINT32_MAX: not a message of this
     * protocol, or longer than message_bytes_max. */
    uint32_t (*measure)(const struct ps_call_server *server, const char *data, uint32_t length);
    /* Returns whether a message of this protocol may begin with these bytes, which `measure` finds too few. */
    bool (*may_begin)(const struct ps_call_server *server, const char *data, uint32_t length);
    /* Returns the call of the connection whose events are being read; NULL: a message begins. */
    struct ps_call *(*open_call)(struct ps_call_server *server, const struct ps_connection *connection);
    /* Reads the message at `data`, if it is complete, and may change its bytes. Answers it, or begins a call whose
     * events `add` reads. Sets *used to the number of finished bytes. */
    enum ps_feed (*read)(struct ps_call_server *server, struct ps_connection *connection,
                         struct ps_batch *batch, char *data, uint32_t length, uint32_t *used);
    /* Adds events of the call from `data`, which has call->bytes_left bytes. Sets *used to those of the added events. Returns MORE when
     * all events of the call are added. */
    enum ps_feed (*add)(struct ps_call_server *server, struct ps_call *call, struct ps_batch *batch,
                        char *data, uint32_t *used);
    /* Called when the first of a call's events is refused. May be NULL. */
    void (*refused)(struct ps_call_server *server, const struct ps_call *call);
    /* Answers a call that is decided, or will do so in its turn. May close the connection. */
    void (*finish)(struct ps_call_server *server, struct ps_call *call);
};

struct ps_call_server {
    const struct ps_call_protocol *protocol;
    struct ps_stream *stream;
    struct ps_port *port;
    uint32_t message_bytes_max;
    struct ps_calls calls;
    struct ps_event_headers headers;
    struct ps_senders cut; /* senders whose call was not complete */
};

/* The stream may be opened later. A message longer than the limit closes its connection. */
void ps_call_server_init(struct ps_call_server *server, const struct ps_call_protocol *protocol,
                         struct ps_stream *stream, struct ps_port *port, uint32_t message_bytes_max);
void ps_call_server_fini(struct ps_call_server *server);

/* For the struct ps_stream_ops of the source: their owner is the struct ps_call_server. */
enum ps_feed ps_call_server_feed(void *server, struct ps_connection *connection, struct ps_batch *batch,
                                 char *data, uint32_t length, uint32_t *used);
uint32_t ps_call_server_message_bytes(void *server, struct ps_connection *connection, const char *data,
                                      uint32_t length);

/* For the struct ps_source_ops of the source; `failed`: a channel refused the batch. */
void ps_call_server_answer(struct ps_call_server *server, const struct ps_batch *batch, bool failed);

/* ---- for protocols ---- */

/* Closes the connection for the reason `why`, and counts it. */
enum ps_feed ps_call_server_disconnect(struct ps_call_server *server, const struct ps_connection *connection,
                                       const char *why, const char *data, uint32_t length);
/* The same for bytes that are not a message of the protocol, or for a message that is too long. */
enum ps_feed ps_call_server_refuse(struct ps_call_server *server, const struct ps_connection *connection,
                                   const char *data, uint32_t length);
/* Called when the connection is closed: counts and logs the beginning of a message that it still has. */
void ps_call_server_closed(struct ps_call_server *server, const struct ps_connection *connection);
void ps_call_server_count_received(struct ps_call_server *server, bool batch);
void ps_call_server_count_accepted(struct ps_call_server *server, bool batch);
