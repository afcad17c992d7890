/* What targets over a byte stream share (tcp, tls, netcat): connecting with back-off, writing blocks, reading
 * answers, going on after a lost connection with the first event that was not completed.
 *
 * A target's own file reads its URL keys in `plan`, which it fills a ps_load_stream_plan with, and takes the
 * other functions of its ps_target_ops from here.
 *
 * Thread: the lane's sender. Never blocks. */
#pragma once

#include "bench/load/target.h"

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#define PS_LOAD_STREAM_REASON_BYTES 256U

/* What lies between the events and the socket. Results: > 0 done (bytes), 0 not now (`*wants` says what to
 * poll for), -1 the connection is lost (`reason`, of PS_LOAD_STREAM_REASON_BYTES, says why). */
struct ps_load_stream_transport {
    /* A session over a connected socket, which stays the stream's. NULL: `reason`. */
    void *(*open)(const void *plan, int fd, char *reason);
    int (*handshake)(void *session, short *wants, char *reason); /* NULL: there is none */
    ssize_t (*write)(void *session, const struct iovec *parts, int count, short *wants, char *reason);
    ssize_t (*read)(void *session, char *to, size_t room, short *wants, char *reason);
    /* No more is written: half-close. */
    void (*end)(void *session);
    void (*close)(void *session);
};

/* The first member of a target's plan. */
struct ps_load_stream_plan {
    struct sockaddr_storage address;
    unsigned address_bytes;
    uint64_t send_buffer_bytes; /* 0: the kernel's */
    bool nagle;                 /* small segments are held back */
    const struct ps_load_stream_transport *transport;
    const void *transport_plan;
    /* Counts the answers in what came back, one an event in order, up to the first that is a no (`*refused`,
     * `reason` says why); `*taken` bytes of it. The rest comes again, with more behind it. NULL: an event is
     * completed when it was written, and what comes back is thrown away. */
    uint32_t (*answers)(const char *data, size_t length, size_t *taken, bool *refused, char *reason);
};

extern const struct ps_load_stream_transport ps_load_stream_plain;

/* Address, send_buffer and nagle from the URL; transport plain, no answers. */
enum ps_status ps_load_stream_plan_read(struct ps_load_stream_plan *plan, struct ps_url *url,
                                        unsigned default_port, struct ps_err *err);
/* framing=newline|octet-counted */
enum ps_status ps_load_stream_framing_read(struct ps_url *url, enum ps_framing *framing, struct ps_err *err);

/* For ps_target_ops; `plan` begins with a ps_load_stream_plan. */
enum ps_status ps_load_stream_open(void **state, const void *plan, struct ps_lane *lane, struct ps_err *err);
void ps_load_stream_give(void *state, struct ps_load_block *block);
uint64_t ps_load_stream_work(void *state, uint64_t now_ns);
int ps_load_stream_descriptor(void *state, short *events);
bool ps_load_stream_finish(void *state, uint64_t now_ns);
void ps_load_stream_close(void *state);
