/* A socket whose bytes SASL protects after an exchange at its beginning. The transports of Hadoop's RPC
 * (stages/lib/hadoop/rpc/sasl.h), of data transfer (stages/lib/hadoop/transfer/sasl.h), of HBase (stages/lib/hbase/sasl.h) and of Hive's
 * metastore (stages/lib/hive/sasl.h) share it. They differ in their exchange and in the head of each protected message:
 *
 *   RPC            length, RpcResponseHeader or RpcRequestHeader of call id -33, RpcSasl of state WRAP with the message
 *   data transfer  length, message
 *   HBase          length, message
 *   metastore      length, message; also for unprotected bytes
 *
 * Results as of stages/lib/tls/transport.h. Thread: the connection's owner. Never waits. */
#pragma once

#include "stages/lib/sasl/gssapi.h"
#include "stages/lib/sasl/sasl.h"
#include "stages/lib/tls/transport.h"

#define PS_SASL_FRAME_BYTES_MAX (64U << 20)
#define PS_SASL_HEAD_BYTES 64U /* limit of the head of a message */

struct ps_sasl_framing {
    /* Writes the head of a message of `length` bytes, so that the head ends at `end`. Returns its length. NULL: the head is the length
     * in four bytes. */
    size_t (*put_head)(uint8_t *end, size_t length);
    /* Finds the message in the bytes after a frame's length. Returns false with `reason`. NULL: these bytes are the message. */
    bool (*find)(uint8_t *frame, size_t frame_length, uint8_t **message, size_t *length, char *reason);
    bool frames_plain; /* unprotected bytes are also in frames */
};

struct ps_sasl_pipe {
    int fd;
    const struct ps_sasl_framing *framing;
    struct ps_sasl *sasl; /* owned; set by the transport; NULL: not protected */
    uint8_t *in, *out;
    /* Bytes that were read from the socket and not taken are from in_at up to in_length. */
    size_t in_at, in_length, in_room;
    size_t out_at, out_length, out_room;
    size_t taken; /* caller's bytes that are wrapped in `out`, and not reported as written */
    size_t
        text_left; /* unwrapped bytes at in_at that were not read; `frame_left` bytes after them are skipped */
    size_t frame_left;
    bool broken; /* further reads fail with `reason` */
    char reason[PS_TRANSPORT_REASON_BYTES];
};

/* ---- the session of a transport, whose first member is its pipe: see struct ps_transport ---- */

/* Allocates a session of `session_bytes`, all 0 except the pipe's descriptor and framing. Returns NULL with `reason` if there is no
 * memory. */
void *ps_sasl_pipe_open(size_t session_bytes, const struct ps_sasl_framing *framing, int fd, char *reason);
void ps_sasl_pipe_end(void *session);
/* Frees the session and all memory that its pipe owns. */
void ps_sasl_pipe_close(void *session);

/* ---- the exchange ---- */

/* Sets pipe->sasl to the mechanism GSSAPI with a context of the initiator; ps_sasl_step with an empty challenge is next. Returns 0 while the
 * helper thread is making the context. `protection`: PS_SASL_PREFER. */
int ps_sasl_pipe_begin_kerberos(struct ps_sasl_pipe *pipe, struct ps_gss_initiator *initiator,
                                unsigned protection, char *reason);
/* Appends bytes to those that wait to be sent. Returns false if there is no memory. */
bool ps_sasl_pipe_put(struct ps_sasl_pipe *pipe, const void *bytes, size_t length);
/* Sends the bytes that wait to be sent. */
int ps_sasl_pipe_flush(struct ps_sasl_pipe *pipe, short *wants, char *reason);
/* Sends them, which are `taken` bytes of the caller. Returns that number when all are sent, else as _flush. */
ssize_t ps_sasl_pipe_flush_taken(struct ps_sasl_pipe *pipe, short *wants, char *reason);
/* Reads until `in` has at least `length` bytes. */
int ps_sasl_pipe_fill(struct ps_sasl_pipe *pipe, size_t length, short *wants, char *reason);
/* Reads a frame: a length in four bytes, and that number of bytes. `*frame` is valid until the next call, which
 * reads the next frame. */
int ps_sasl_pipe_frame(struct ps_sasl_pipe *pipe, uint8_t **frame, size_t *length, short *wants,
                       char *reason);

/* ---- after the exchange ---- */

/* Write and read as in struct ps_transport; `session` begins with the pipe. Without `sasl`, or with the level PS_SASL_AUTHENTICATION, they transfer the socket's own
 * bytes, unless unprotected bytes are framed. If a read does not fill its room, the pipe has no bytes left, so the
 * caller may wait for the socket. */
ssize_t ps_sasl_pipe_write(void *session, const struct iovec *parts, int count, short *wants, char *reason);
ssize_t ps_sasl_pipe_read(void *session, char *to, size_t room, short *wants, char *reason);
