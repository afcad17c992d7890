/* A socket whose bytes SASL protects after an exchange at its beginning: what the transports of Hadoop's RPC (stages/lib/hadoop/rpc/sasl.h), of
 * data transfer (stages/lib/hadoop/transfer/sasl.h) and of Hive's metastore (stages/lib/hive/sasl.h) share. They differ in their exchange and in what stands before each protected message:
 *
 *   RPC            length, RpcResponseHeader or RpcRequestHeader of call id -33, RpcSasl of state WRAP with the message
 *   data transfer  length, message
 *   metastore      length, message; unprotected bytes, too
 *
 * Results as of stages/lib/tls/transport.h. Thread: the connection's owner. Never waits. */
#pragma once

#include "stages/lib/sasl/sasl.h"
#include "stages/lib/tls/transport.h"

#define PS_SASL_FRAME_BYTES_MAX (64U << 20)
#define PS_SASL_HEAD_BYTES 64U /* what stands before a message at most */

struct ps_sasl_framing {
    /* Writes what stands before a message of `length` bytes, so that it ends at `end`. Returns its length. */
    size_t (*put_head)(uint8_t *end, size_t length);
    /* Finds the message in what follows a frame's length. Returns false with `reason`. */
    bool (*find)(uint8_t *frame, size_t frame_length, uint8_t **message, size_t *length, char *reason);
    bool frames_plain; /* frames stand around unprotected bytes, too */
};

struct ps_sasl_pipe {
    int fd;
    struct ps_sasl *sasl; /* owned; set by the transport; NULL: nothing is protected */
    uint8_t *in, *out;
    size_t in_at, in_length, in_room; /* read from the socket and not taken: from in_at up to in_length */
    size_t out_at, out_length, out_room;
    size_t taken; /* of the caller's bytes: wrapped in `out`, not reported as written */
    size_t
        text_left; /* unwrapped bytes at in_at that were not read; behind them: `frame_left` that are to be skipped */
    size_t frame_left;
    bool broken; /* reading ends with `reason` */
    char reason[PS_TRANSPORT_REASON_BYTES];
};

/* ---- the session of a transport, whose first member is its pipe: as of struct ps_transport ---- */

/* Allocates a session of so many bytes, all 0 but the pipe's descriptor. Returns NULL with `reason`: no memory. */
void *ps_sasl_pipe_open(size_t session_bytes, int fd, char *reason);
void ps_sasl_pipe_end(void *session);
/* Frees the session and what its pipe owns. */
void ps_sasl_pipe_close(void *session);

/* ---- the exchange ---- */

/* Puts bytes behind those that wait to be sent. Returns false: no memory. */
bool ps_sasl_pipe_put(struct ps_sasl_pipe *pipe, const void *bytes, size_t length);
/* Sends them. */
int ps_sasl_pipe_flush(struct ps_sasl_pipe *pipe, short *wants, char *reason);
/* Reads until at least so many bytes are in `in`. */
int ps_sasl_pipe_fill(struct ps_sasl_pipe *pipe, size_t length, short *wants, char *reason);
/* Reads a frame: a length in four bytes, and so many bytes; `*frame` is valid until the next call, which goes on behind it. */
int ps_sasl_pipe_frame(struct ps_sasl_pipe *pipe, uint8_t **frame, size_t *length, short *wants,
                       char *reason);

/* ---- afterwards ---- */

/* As of struct ps_transport; no `sasl`: the socket's own bytes, and so with a level of PS_SASL_AUTHENTICATION, unless these are framed. A
 * read that does not fill its
 * room has left nothing here: the next one may wait for the socket. */
ssize_t ps_sasl_pipe_write(struct ps_sasl_pipe *pipe, const struct ps_sasl_framing *framing,
                           const struct iovec *parts, int count, short *wants, char *reason);
ssize_t ps_sasl_pipe_read(struct ps_sasl_pipe *pipe, const struct ps_sasl_framing *framing, char *to,
                          size_t room, short *wants, char *reason);
