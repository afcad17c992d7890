/* The protocol of Flume's Avro source: Avro IPC's binary encoding inside the framing of its Netty transport
 * (org.apache.avro.ipc.netty.NettyTransportCodec), protocol org.apache.flume.source.avro.AvroSourceProtocol.
 *
 *   message  int32 serial, int32 number of buffers, each int32 length and bytes (big-endian): the payload is
 *            the bytes of all buffers in order
 *   request  [HandshakeRequest, the first on a connection] map metadata, string name, array<AvroFlumeEvent>
 *   answer   [HandshakeResponse] map metadata, boolean error, Status or union of errors (a string)
 *
 * Thread: any; nothing here keeps state. */
#pragma once

#include "core/base.h"

#define PS_AVRO_HANDSHAKE_BYTES 545U
#define PS_AVRO_CALL_BYTES 13U /* length of metadata and name of a call */
#define PS_AVRO_ROUND_CALL_BYTES 31U
#define PS_AVRO_EVENT_BYTES 11U /* maximum number of bytes of an event in addition to the body */
#define PS_AVRO_COUNT_BYTES 10U /* maximum number of bytes of the count of an array's block */
#define PS_AVRO_HEAD_BYTES (8U + 4U + PS_AVRO_HANDSHAKE_BYTES + 4U)
#define PS_AVRO_PIECES_MAX 1024U /* maximum number of buffers of an answer */
#define PS_AVRO_ANSWER_BYTES_MAX 65536U
/* Room for the largest answer on the wire. */
#define PS_AVRO_WIRE_BYTES_MAX (8 + 4 * PS_AVRO_PIECES_MAX + PS_AVRO_ANSWER_BYTES_MAX)

#define PS_AVRO_ROUND_KEY "penstock.round"

/* The protocol as JSON, and the MD5 of this text, which names the protocol. The text is our own; the client
 * sends it to the server. */
extern const char ps_avro_protocol[];
extern const uint8_t ps_avro_protocol_md5[16];

/* Each writes to `to` and returns the number of bytes. */
size_t ps_avro_put_handshake(uint8_t *to);
size_t ps_avro_put_call(uint8_t *to); /* a call of appendBatch; blocks of events follow, and a count of 0 */
/* The same call to another penstock, with a round of 1 or 2 in its metadata (PS_AVRO_ROUND_KEY). After the
 * server has answered a call FAILED, it answers all later calls of the same round FAILED, so that calls already
 * on their way do not overtake it. The client begins the other round when all calls are answered. */
size_t ps_avro_put_round_call(uint8_t *to, unsigned round);
size_t ps_avro_put_count(uint8_t *to, uint32_t count);
size_t ps_avro_put_event(uint8_t *to, const char *body, uint32_t length); /* without headers */
size_t ps_avro_put_int32(uint8_t *to, uint32_t number);                   /* big-endian: framing */

/* Writes the bytes in front of a call's `length` bytes: framing and, with `handshake`, the handshake. */
size_t ps_avro_put_head(uint8_t *to, uint32_t serial, bool handshake, size_t length);

enum ps_avro_reading {
    PS_AVRO_MORE, /* the answer is incomplete */
    PS_AVRO_ANSWER,
    PS_AVRO_NONSENSE, /* not an answer, or longer than an answer can be */
};

enum ps_avro_status { PS_AVRO_OK, PS_AVRO_FAILED, PS_AVRO_UNKNOWN };

struct ps_avro_answer {
    uint32_t serial;
    bool no_match;      /* the server does not know our protocol */
    bool same_protocol; /* with a handshake: the server's protocol is ours to the byte, so the server is a
                         * penstock */
    bool failed;        /* the call failed; `error` says why */
    enum ps_avro_status status;
    char error[160];
};

/* Reads the answer at `data`, which has `*taken` bytes. With `handshake` it begins with a HandshakeResponse.
 * `scratch` has PS_AVRO_ANSWER_BYTES_MAX bytes. */
enum ps_avro_reading ps_avro_read_answer(const uint8_t *data, size_t length, bool handshake, uint8_t *scratch,
                                         struct ps_avro_answer *answer, size_t *taken);
