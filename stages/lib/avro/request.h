/* The server's side of Flume's Avro protocol: reading requests, writing answers (rpc.h has the layout and the
 * client's side).
 *
 * A message comes in pieces of a few KiB, cut anywhere. It is joined to one piece in place, so that events
 * stay where they were received. Every length is compared with what has arrived; nothing is allocated.
 *
 * Sources: org.apache.avro.ipc.Responder of Avro 1.11 (handshake, errors), NettyTransportCodec (framing).
 * Thread: any; nothing here keeps state. */
#pragma once

#include "core/base.h"

/* More pieces are refused: Java's writers make one piece for each 8 KiB and two for each long body. */
#define PS_AVRO_MESSAGE_PIECES_MAX 65536U
#define PS_AVRO_MD5_BYTES 16U
#define PS_AVRO_REASON_BYTES 128U

/* ---- framing ---- */

struct ps_avro_message {
    uint32_t serial;
    uint32_t wire_bytes;    /* length of the whole message, framing included */
    uint32_t payload_bytes; /* length without the framing */
};

enum ps_avro_framing {
    PS_AVRO_PARTIAL, /* the message is incomplete */
    PS_AVRO_WHOLE,
    PS_AVRO_GARBAGE, /* the bytes are not a message, or are a message longer than `most` bytes */
};

/* Measures the message at `data`. */
enum ps_avro_framing ps_avro_message_measure(const void *data, size_t length, uint32_t most,
                                             struct ps_avro_message *message);

/* Joins a whole message to one piece in place: it stays a valid message with the same end, and begins later.
 * Returns its new beginning; its payload is its last payload_bytes. May be called again for the result. */
char *ps_avro_message_flatten(char *data, struct ps_avro_message *message);

/* ---- requests ---- */

enum ps_avro_call {
    PS_AVRO_CALL_PING,     /* an empty name: the client wanted only the handshake */
    PS_AVRO_CALL_APPEND,   /* events of append or appendBatch, all of them well formed */
    PS_AVRO_CALL_STRANGER, /* the handshake did not match: nothing was called */
    PS_AVRO_CALL_ERROR,    /* an unknown call, or malformed arguments; `reason` says which */
};

/* The protocols of clients whose text the server has seen. */
struct ps_avro_clients {
    uint8_t known[8][PS_AVRO_MD5_BYTES];
    unsigned count, next;
};

enum ps_avro_match { PS_AVRO_MATCH_BOTH, PS_AVRO_MATCH_CLIENT, PS_AVRO_MATCH_NONE };

struct ps_avro_request {
    enum ps_avro_call call;
    enum ps_avro_match match; /* when the payload has a handshake */
    bool batch;               /* the call is appendBatch */
    unsigned round;           /* 1 or 2: the round of a call from another penstock (rpc.h); 0: none */
    uint64_t events;
    uint32_t events_at; /* offset in the payload of the first event (append) or block (appendBatch) */
    char reason[PS_AVRO_REASON_BYTES];
};

/* Reads a message's whole payload. `handshake`: the payload begins with a HandshakeRequest. A HandshakeRequest
 * with the text of the client's protocol is added to `clients`. */
void ps_avro_request_read(const void *payload, size_t length, bool handshake, struct ps_avro_clients *clients,
                          struct ps_avro_request *request);

/* ---- answers ---- */

#define PS_AVRO_REPLY_BYTES_MAX 1024U

/* Each writes a whole message of at most PS_AVRO_REPLY_BYTES_MAX bytes, and returns how many. `handshake` is
 * the result of the client's handshake; NULL when the connection's first answer was already sent. */
size_t ps_avro_put_status(uint8_t *to, uint32_t serial, const enum ps_avro_match *handshake, unsigned status);
size_t ps_avro_put_error(uint8_t *to, uint32_t serial, const enum ps_avro_match *handshake,
                         const char *reason);
/* Writes the answer to a ping, or to a handshake that did not match. */
size_t ps_avro_put_greeting(uint8_t *to, uint32_t serial, const enum ps_avro_match *handshake);
