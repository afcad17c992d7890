/* The client's side of one connection of an RPC protocol (protocol.h): connects, sends calls of appendBatch that the owner
 * encoded, and reports their answers by number. The owner decides what is sent again, and when a lost connection is made
 * anew.
 *
 * Several calls may be unanswered at a time: `window_max` of them with another penstock, which keeps their order, else
 * `window` of them: a Flume may answer one with FAILED and take the next, and since 1.10 its Avro source changes their order.
 * The answer to the first call tells which of the two it is.
 *
 * Thread: the connection's owner. Never blocks. Buffers grow to the size of a call; after that only TLS allocates. */
#pragma once

#include "stages/net/client.h"
#include "stages/rpc/protocol.h"

#define PS_RPC_CALLS_MAX 64U

/* Const, shared by all connections. */
struct ps_rpc_client_settings {
    const struct ps_rpc_protocol *protocol;
    unsigned window, window_max; /* at most PS_RPC_CALLS_MAX */
    uint64_t answer_ns;          /* how long it waits for an answer before it gives the connection up */
};

struct ps_rpc_client_call {
    uint32_t serial;
    uint64_t number; /* the owner's */
    uint64_t sent_ns;
};

struct ps_rpc_client {
    const struct ps_rpc_client_settings *settings;
    struct ps_client connection;
    bool greeted, greeting; /* the handshake was answered; was sent */
    bool is_penstock;       /* after the greeting */
    bool full;              /* the socket takes no more at present */
    uint32_t serial;
    struct ps_rpc_client_call calls[PS_RPC_CALLS_MAX]; /* unanswered, oldest first */
    unsigned call_count;
    uint8_t *out; /* a call that is being written: head and payload */
    size_t out_room, out_at, out_end;
    size_t in_length;
    uint8_t in[PS_RPC_ANSWER_BYTES_MAX];
    uint8_t scratch[PS_RPC_ANSWER_BYTES_MAX];
    char reason[PS_TRANSPORT_REASON_BYTES];
};

/* `to` must live as long as the client; its address may change while there is no connection. */
void ps_rpc_client_init(struct ps_rpc_client *client, const struct ps_rpc_client_settings *settings,
                        const struct ps_client_plan *to);
void ps_rpc_client_fini(struct ps_rpc_client *client);

/* Begins to connect. Returns false with client->reason. */
bool ps_rpc_client_connect(struct ps_rpc_client *client, uint64_t now_ns);
/* Closes the connection; calls without an answer are forgotten. */
void ps_rpc_client_close(struct ps_rpc_client *client);

static inline bool ps_rpc_client_is_open(const struct ps_rpc_client *client)
{
    return client->connection.phase != PS_CLIENT_CLOSED;
}

/* Whether the next call may have a round (protocol.h). */
static inline bool ps_rpc_client_has_rounds(const struct ps_rpc_client *client)
{
    return client->is_penstock || (!client->greeted && client->settings->protocol->asks);
}

/* Whether a call may be sent now. */
bool ps_rpc_client_may_send(const struct ps_rpc_client *client);
/* Returns room for the payload of the next call, at least `bytes`; NULL: no memory. Only when it may be sent. */
uint8_t *ps_rpc_client_reserve(struct ps_rpc_client *client, size_t bytes);
/* Sends the first `length` bytes of it. The answer is reported with `number`. */
void ps_rpc_client_send(struct ps_rpc_client *client, size_t length, uint64_t number, uint64_t now_ns);

/* What came back. */
struct ps_rpc_client_answers {
    void (*answered)(void *owner, uint64_t number, enum ps_rpc_status status);
    void *owner;
};
/* Goes on connecting, writes, reads. Returns false with client->reason when the connection is broken: the caller closes it. */
bool ps_rpc_client_work(struct ps_rpc_client *client, const struct ps_rpc_client_answers *answers,
                        uint64_t now_ns);
/* When ps_rpc_client_work must be called at the latest; PS_NEVER. */
uint64_t ps_rpc_client_deadline(const struct ps_rpc_client *client);
/* Returns its socket and the events of poll(2) to wait for. */
int ps_rpc_client_descriptor(const struct ps_rpc_client *client, short *events);
