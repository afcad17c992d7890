/* UDP sockets: datagrams of any size, many per system call, for syslogudp and netcatudp.
 *
 * recvmmsg receives up to PS_DATAGRAMS_AT_ONCE datagrams into a separate buffer (virtual memory; only the
 * parts that datagrams reach become resident). The source copies each datagram into its batch, so batches are
 * dense and no datagram is cut. If the kernel returns a run of datagrams of one sender in one piece
 * (UDP_GRO), this file splits it. Datagrams that the kernel dropped are counted: with each datagram
 * (SO_RXQ_OVFL), once a second, and when the socket is closed (SO_MEMINFO). Thread: the
 * worker's. */
#pragma once

#include <sys/uio.h>

#include "core/stage.h"
#include "stages/lib/net/address.h"

#define PS_DATAGRAMS_AT_ONCE 64U
#define PS_DATAGRAM_BYTES_MAX 65536U

struct ps_datagrams {
    int fd;
    struct ps_address bound;
    struct ps_port *port;
    bool peers; /* the source uses the senders' addresses */
    char *room; /* room for all messages */
    struct mmsghdr *messages;
    struct iovec *vectors;
    struct ps_address *addresses;
    char *controls;
    uint32_t count, next; /* messages received; the current one */
    /* in the current message: offset of the next datagram, and size of each datagram in bytes (0: the message
     * is one datagram) */
    uint32_t at, segment;
    bool done;               /* the last receive emptied the socket */
    uint32_t overflow;       /* the kernel's count of drops, as of the last time that it was read */
    uint64_t look_ns;        /* when the socket is next asked for this count */
    uint64_t drain_until_ns; /* 0: not draining */
    bool over;               /* the time for draining is over: nothing more is received */
};

/* Binds the socket, with SO_RCVBUF of options->receive_buffer_bytes if the system allows it. Logs the address
 * at INFO. */
enum ps_status ps_datagrams_init(struct ps_datagrams *datagrams, const struct ps_bind_options *options,
                                 bool peers, struct ps_port *port, struct ps_err *err);
void ps_datagrams_fini(struct ps_datagrams *datagrams);

/* Returns the next datagram; it stays the next one until ps_datagrams_advance. Receives more when all received
 * ones are consumed and the last receive was full. Returns false when nothing is left in this call of `work`. */
bool ps_datagrams_peek(struct ps_datagrams *datagrams, struct ps_slice *datagram,
                       const struct ps_address **peer);
void ps_datagrams_advance(struct ps_datagrams *datagrams);
/* Returns whether the datagram has more than line ends, NULs and blanks. */
bool ps_datagrams_has_text(const struct ps_slice *datagram);
/* Counts and logs the part of a datagram, or the datagram, that becomes no event (ps_port_discard); `peer` may not be
 * known. A part that has only line ends, NULs and blanks is no loss. */
void ps_datagrams_discard(const struct ps_datagrams *datagrams, const struct ps_discard *discard,
                          const struct ps_address *peer);
/* Called at the start of `work`: allows to receive again. */
void ps_datagrams_begin(struct ps_datagrams *datagrams);

/* `tick` and `drain` of ps_source_ops for a source whose state begins with its struct ps_datagrams. `tick`
 * counts drops also while nothing is read because a channel is full; `drain` returns true when the socket was
 * empty, or after a second. */
uint64_t ps_datagrams_source_tick(const void *plan, void *datagrams, const struct ps_now *now);
bool ps_datagrams_source_drain(const void *plan, void *datagrams, const struct ps_now *now);
