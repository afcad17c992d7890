/* The client's side of a connection of an RPC protocol (protocol.h). The client connects, sends calls of
 * appendBatch that the owner encoded, and reports each answer with the number of its call. The owner decides
 * which calls are sent again, and when a lost connection is replaced.
 *
 * Several calls may be in flight: `window_max` with another penstock, which keeps the order of calls; otherwise
 * `window`, because a Flume source may answer one call with FAILED and accept the next, and since 1.10 Flume's
 * Avro source may change the order of calls. The answer to the first call shows which kind of server it is.
 *
 * Thread: the connection's owner. Never blocks. Buffers grow to the size of a call; after that only TLS
 * allocates. */
#pragma once

#include "stages/lib/net/client.h"
#include "stages/lib/rpc/protocol.h"

#define PS_RPC_CALLS_MAX 64U

/* Constant, shared by all connections. */
struct ps_rpc_client_settings {
    const struct ps_rpc_protocol *protocol;
    unsigned window, window_max; /* at most PS_RPC_CALLS_MAX */
    uint64_t answer_ns;          /* how long an answer may take before the connection is given up */
};

struct ps_rpc_client_call {
    uint32_t serial;
    uint64_t number; /* chosen by the owner */
    uint64_t sent_ns;
};

struct ps_rpc_client {
    const struct ps_rpc_client_settings *settings;
    struct ps_client connection;
    bool greeted, greeting; /* the handshake was answered; the handshake was sent */
    bool is_penstock;       /* known after the greeting */
    bool full;              /* the socket accepts no more bytes now */
    bool gave_up;           /* this side gives the connection up: no answer in time, or nonsense */
    bool starved;           /* the connection is broken, because there was no memory to write the last call */
    uint32_t serial;
    struct ps_rpc_client_call calls[PS_RPC_CALLS_MAX]; /* in flight, oldest first */
    unsigned call_count;
    uint8_t *out; /* the call that is being written: head and payload */
    size_t out_room, out_at, out_end;
    size_t in_length;
    uint8_t in[PS_RPC_ANSWER_BYTES_MAX];
    uint8_t scratch[PS_RPC_ANSWER_BYTES_MAX];
    char reason[PS_TRANSPORT_REASON_BYTES];
};

/* `to` must live as long as the client. Its address may change while there is no connection. */
void ps_rpc_client_init(struct ps_rpc_client *client, const struct ps_rpc_client_settings *settings,
                        const struct ps_client_plan *to);
void ps_rpc_client_fini(struct ps_rpc_client *client);

/* Begins to connect. Returns false with client->reason on failure. */
bool ps_rpc_client_connect(struct ps_rpc_client *client, uint64_t now_ns);
/* Closes the connection, and forgets calls without an answer. */
void ps_rpc_client_close(struct ps_rpc_client *client);

static inline bool ps_rpc_client_is_open(const struct ps_rpc_client *client)
{
    return client->connection.phase != PS_CLIENT_CLOSED;
}

/* Returns whether the next call may have a round (protocol.h). */
static inline bool ps_rpc_client_has_rounds(const struct ps_rpc_client *client)
{
    return client->is_penstock || (!client->greeted && client->settings->protocol->asks);
}

/* Returns whether a call may be sent now. */
bool ps_rpc_client_may_send(const struct ps_rpc_client *client);
/* Returns room for the payload of the next call, at least `bytes`; NULL if there is no memory. Call it only when a call may be sent. */
uint8_t *ps_rpc_client_reserve(struct ps_rpc_client *client, size_t bytes);
/* Sends the first `length` bytes of the payload that was built in the reserved room. The answer is reported
 * with `number`. */
void ps_rpc_client_send(struct ps_rpc_client *client, size_t length, uint64_t number, uint64_t now_ns);

/* Receives the answers. */
struct ps_rpc_client_answers {
    void (*answered)(void *owner, uint64_t number, enum ps_rpc_status status);
    void *owner;
};
/* Continues connecting, writes and reads. Returns false with client->reason when the connection is broken; the caller closes it then. */
bool ps_rpc_client_work(struct ps_rpc_client *client, const struct ps_rpc_client_answers *answers,
                        uint64_t now_ns);
/* Returns whether the connection is broken because there was no memory to write a call, which the server cannot have whole. Sets
 * the number of that call. */
bool ps_rpc_client_is_starved(const struct ps_rpc_client *client, uint64_t *number);
/* Returns when ps_rpc_client_work must be called at the latest, or PS_NEVER. */
uint64_t ps_rpc_client_deadline(const struct ps_rpc_client *client);
/* Returns the socket, and sets the events of poll(2) to wait for. */
int ps_rpc_client_descriptor(const struct ps_rpc_client *client, short *events);
