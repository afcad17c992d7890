/* The client's side of one connection of Flume's Avro protocol: connects, greets, sends calls of appendBatch that the owner
 * encoded, and reports their answers by number. The owner decides what is sent again, and when a lost connection is made
 * anew.
 *
 * Several calls may be unanswered at a time: `window_max` of them with another penstock, which keeps their order, else
 * `window` of them, because Flume since 1.10 handles the calls of one connection on several threads. The server's
 * protocol tells: it is ours, to the byte, or it is not.
 *
 * Thread: the connection's owner. Never blocks. Buffers grow to the size of a call; after that only TLS allocates. */
#pragma once

#include "stages/avro/rpc.h"
#include "stages/net/client.h"

#define PS_AVRO_CALLS_MAX 64U

/* Const, shared by all connections. */
struct ps_avro_client_settings {
    unsigned window, window_max; /* at most PS_AVRO_CALLS_MAX */
    uint64_t answer_ns;          /* after so long without an answer the connection is given up */
};

struct ps_avro_client_call {
    uint32_t serial;
    uint64_t number; /* the owner's */
    uint64_t sent_ns;
};

struct ps_avro_client {
    const struct ps_avro_client_settings *settings;
    struct ps_client connection;
    bool greeted, greeting; /* the handshake was answered; was sent */
    bool is_penstock;       /* after the greeting */
    bool full;              /* the socket takes no more at present */
    uint32_t serial;
    struct ps_avro_client_call calls[PS_AVRO_CALLS_MAX]; /* unanswered, oldest first */
    unsigned call_count;
    uint8_t *out; /* a call that is being written: head and payload */
    size_t out_room, out_at, out_end;
    size_t in_length;
    uint8_t in[PS_AVRO_WIRE_BYTES_MAX];
    uint8_t scratch[PS_AVRO_ANSWER_BYTES_MAX];
    char reason[PS_TRANSPORT_REASON_BYTES];
};

/* `to` must live as long as the client; its address may change while there is no connection. */
void ps_avro_client_init(struct ps_avro_client *client, const struct ps_avro_client_settings *settings,
                         const struct ps_client_plan *to);
void ps_avro_client_fini(struct ps_avro_client *client);

/* Begins to connect. Returns false with client->reason. */
bool ps_avro_client_connect(struct ps_avro_client *client, uint64_t now_ns);
/* Closes the connection; calls without an answer are forgotten. */
void ps_avro_client_close(struct ps_avro_client *client);

static inline bool ps_avro_client_is_open(const struct ps_avro_client *client)
{
    return client->connection.phase != PS_CLIENT_CLOSED;
}

/* Whether a call may be sent now. */
bool ps_avro_client_may_send(const struct ps_avro_client *client);
/* Returns room for the payload of the next call, at least `bytes`; NULL: no memory. Only when it may be sent. */
uint8_t *ps_avro_client_reserve(struct ps_avro_client *client, size_t bytes);
/* Sends the first `length` bytes of it. The answer is reported with `number`. */
void ps_avro_client_send(struct ps_avro_client *client, size_t length, uint64_t number, uint64_t now_ns);

/* What came back. */
struct ps_avro_client_answers {
    void (*answered)(void *owner, uint64_t number, enum ps_avro_status status);
    void *owner;
};
/* Connects on, writes, reads. Returns false with client->reason when the connection is of no use any more: close it. */
bool ps_avro_client_work(struct ps_avro_client *client, const struct ps_avro_client_answers *answers,
                         uint64_t now_ns);
/* When ps_avro_client_work must be called at the latest; PS_NEVER. */
uint64_t ps_avro_client_deadline(const struct ps_avro_client *client);
/* Returns its socket and the events of poll(2) to wait for. */
int ps_avro_client_descriptor(const struct ps_avro_client *client, short *events);
