/* One lane's calls of appendBatch over one connection: sends batches of events, with a few calls unanswered at a
 * time; answers complete them in order.
 *
 * OK completes a batch. After FAILED and UNKNOWN (the source's channel is full) the batch is sent again with
 * back-off, after all other calls in flight were answered and before anything new. The lane gives the connection up
 * after an error, an invalid answer, no answer in time, and when it breaks; it then sends the unanswered events again
 * over a new connection, and these events may arrive twice.
 *
 * Thread: the lane's sender. Never blocks. Buffers grow to the size of a batch; after that only TLS allocates. */
#pragma once

#include "bench/load/lane/block_queue.h"
#include "bench/load/lane/connection.h"
#include "bench/load/lane/refusals.h"
#include "bench/load/lane/stream.h"
#include "stages/lib/avro/rpc.h"
#include "stages/lib/avro/zlib.h"

#define PS_AVRO_WINDOW_MAX 32U

/* Shared by all lanes; constant. */
struct ps_avro_plan {
    struct ps_load_stream_plan stream; /* must be first */
    struct ps_tls_client *tls;         /* NULL: no TLS */
    uint32_t batch;                    /* events per call */
    unsigned window;                   /* maximum number of unanswered calls */
    int compression_level;             /* 1 to 9, or PS_AVRO_ZLIB_NONE */
    uint64_t timeout_ns;
};

enum ps_avro_state {
    PS_AVRO_CALL_READY, /* to be written */
    PS_AVRO_CALL_WRITING,
    PS_AVRO_CALL_BUSY, /* sent, not answered yet */
    PS_AVRO_CALL_TAKEN,
    PS_AVRO_CALL_AGAIN, /* refused: to be sent again */
};

struct ps_avro_call {
    enum ps_avro_state state;
    uint32_t serial;
    uint32_t count; /* events */
    uint8_t *bytes; /* metadata, name, events */
    size_t length, room;
    uint64_t sent_ns;
};

struct ps_avro_lane {
    struct ps_block_queue queue; /* must be first */
    const struct ps_avro_plan *plan;
    struct ps_load_connection connection;
    struct ps_avro_call calls[PS_AVRO_WINDOW_MAX]; /* a ring, in the order of the events */
    unsigned first, count, busy;
    uint32_t serial;
    uint64_t now_ns;

    bool greeted, greeting; /* the server has answered the handshake; the handshake was sent */
    bool full;              /* the socket accepts no more now */
    /* A call must be sent again: no new call is sent until all calls are answered. */
    bool rewinding;
    bool refused; /* the lane has counted this outage */
    struct ps_refusals refusals;
    uint64_t resume_ns; /* no call is sent before this time */

    struct ps_avro_call *writing;
    struct iovec parts[2]; /* the unwritten rest of the call */
    uint8_t head[PS_AVRO_HEAD_BYTES];
    struct ps_avro_zlib zlib;

    size_t in_length;
    uint8_t in[PS_AVRO_WIRE_BYTES_MAX];
    uint8_t scratch[PS_AVRO_ANSWER_BYTES_MAX];
};

/* For ps_target_ops. */
enum ps_status ps_avro_lane_open(void *state, const void *plan, struct ps_lane *owner, struct ps_err *err);
uint64_t ps_avro_lane_work(void *state, uint64_t now_ns);
void ps_avro_lane_close(void *state);
