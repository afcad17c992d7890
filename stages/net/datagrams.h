/* UDP sockets: datagrams of any size, many per system call, for syslogudp and netcatudp.
 *
 * Up to PS_DATAGRAMS_AT_ONCE are received into a buffer of its own (virtual memory, touched as far as
 * datagrams reach) by recvmmsg; the source copies each into its batch, so that batches are as dense as the
 * data and no datagram is cut. Where the kernel hands over runs of datagrams of one sender in one piece
 * (UDP_GRO), they are taken apart here. What the kernel threw away before is counted (SO_RXQ_OVFL). Thread:
 * the worker's. */
#pragma once

#include <sys/uio.h>

#include "core/stage.h"
#include "stages/net/address.h"

#define PS_DATAGRAMS_AT_ONCE 64U
#define PS_DATAGRAM_BYTES_MAX 65536U
#define PS_DATAGRAMS_BUFFER_BYTES (4 * 1024 * 1024) /* SO_RCVBUF asked for, by default */

struct ps_datagrams {
    int fd;
    struct ps_address bound;
    struct ps_port *port;
    bool peers; /* senders are wanted */
    char *room; /* of all messages */
    struct mmsghdr *messages;
    struct iovec *vectors;
    struct ps_address *addresses;
    char *controls;
    uint32_t count, next;    /* messages received; the one being handed out */
    uint32_t at, segment;    /* in it: offset of the next datagram, size of each (0: the whole message) */
    bool done;               /* the socket was empty at the last look */
    uint32_t overflow;       /* SO_RXQ_OVFL as last seen */
    uint64_t drain_until_ns; /* 0: not draining */
};

/* Binds, with SO_RCVBUF of options->receive_buffer_bytes as far as the system allows. Says at INFO where it
 * listens. */
enum ps_status ps_datagrams_init(struct ps_datagrams *datagrams, const struct ps_bind_options *options,
                                 bool peers, struct ps_port *port, struct ps_err *err);
void ps_datagrams_fini(struct ps_datagrams *datagrams);

/* The next datagram; stays the next one until ps_datagrams_advance. Receives more when all are handed out and
 * the last receive brought as many as it could. False: nothing more in this call of `work`. */
bool ps_datagrams_peek(struct ps_datagrams *datagrams, struct ps_slice *datagram,
                       const struct ps_address **peer);
void ps_datagrams_advance(struct ps_datagrams *datagrams);
/* At the start of `work`: look at the socket again. */
void ps_datagrams_begin(struct ps_datagrams *datagrams);

/* Stopping: true when the socket was found empty, a second later at the latest. */
bool ps_datagrams_drain(struct ps_datagrams *datagrams, const struct ps_now *now);

unsigned ps_datagrams_port(const struct ps_datagrams *datagrams);
