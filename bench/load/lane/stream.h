/* Common part of the targets over a byte stream (tcp, tls, netcat): connects with back-off, writes blocks,
 * reads answers, and continues after a lost connection with the first event that was not completed.
 *
 * A target's own file reads its URL keys in `plan`, fills a ps_load_stream_plan, and takes the other
 * functions of its ps_target_ops from here.
 *
 * Thread: the lane's sender. Never blocks. */
#pragma once

#include "bench/load/lane/block_queue.h"
#include "bench/load/lane/connection.h"

/* The first member of a target's plan. */
struct ps_load_stream_plan {
    struct ps_client_plan client;
    /* Counts answers in the received bytes, one per event in order, up to the first refusal (`*refused`, its
     * cause in `reason`, of PS_TRANSPORT_REASON_BYTES); sets `*taken` to the bytes used. The rest is passed
     * again with more bytes after it. NULL: an event is completed when it was written, and received bytes are
     * discarded. */
    uint32_t (*answers)(const char *data, size_t length, size_t *taken, bool *refused, char *reason);
};

#define PS_LOAD_STREAM_ANSWER_BYTES 1024U /* the longest answer that may be split between two reads */

struct ps_load_stream {
    struct ps_block_queue queue; /* must be first */
    struct ps_load_connection connection;
    const struct ps_load_stream_plan *plan;
    bool full; /* the socket accepts no more now */
    uint64_t looked_ns;
    size_t half_length; /* length of an incomplete answer */
    char half_answer[PS_LOAD_STREAM_ANSWER_BYTES];
};

/* Reads address, send_buffer and nagle from the URL; sets the plain transport and no answers. */
enum ps_status ps_load_stream_plan_read(struct ps_load_stream_plan *plan, struct ps_url *url,
                                        struct ps_err *err);
/* Reads framing=newline|octet-counted. */
enum ps_status ps_load_stream_framing_read(struct ps_url *url, enum ps_framing *framing, struct ps_err *err);

/* For ps_target_ops; `plan` must begin with a ps_load_stream_plan. */
enum ps_status ps_load_stream_open(void *state, const void *plan, struct ps_lane *lane, struct ps_err *err);
uint64_t ps_load_stream_work(void *state, uint64_t now_ns);
int ps_load_stream_descriptor(void *state, short *events);
bool ps_load_stream_finish(void *state, uint64_t now_ns);
void ps_load_stream_close(void *state);

/* The members of a ps_target_ops that name these functions. */
#define PS_LOAD_STREAM_OPERATIONS                                                                            \
    .state_bytes = sizeof(struct ps_load_stream), .open = ps_load_stream_open, .give = ps_block_queue_give,  \
    .work = ps_load_stream_work, .descriptor = ps_load_stream_descriptor, .finish = ps_load_stream_finish,   \
    .close = ps_load_stream_close
