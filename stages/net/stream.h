/* What the TCP sources share: listeners, connections, reading into the batch, carrying partial messages over,
 * replies. The source only splits and parses what was read (`feed`).
 *
 * Bytes are received into the batch's block, behind what was left of the connection's last message, and split
 * there; rows point into the block. A message that is not complete is copied to a buffer of the connection,
 * of which an idle connection has none. When the batch is full in the middle of what was read, the rest stays
 * in the block (ps_batch_leave) and comes first next time.
 *
 * Fair: a connection is read once per round of the epoll, at most READ_BYTES_MAX. Thousands of idle
 * connections cost nothing. Out of descriptors: says so once, stops accepting for a second.
 *
 * Thread: the worker's. Nothing here blocks; memory is allocated when the number of connections grows (and by
 * TLS). */
#pragma once

#include "core/stage.h"
#include "stages/net/address.h"
#include "stages/net/reverse_names.h"
#include "stages/slab.h"
#include "stages/net/tls.h"

#define PS_STREAM_LISTENERS_MAX 1024

enum ps_feed {
    PS_FEED_MORE,   /* everything but an incomplete last message was used */
    PS_FEED_FULL,   /* the batch is full */
    PS_FEED_MEMORY, /* no memory now */
    PS_FEED_CLOSE,  /* no more from this connection: what it is owed is still sent, then it is closed */
};

struct ps_stream;

struct ps_connection {
    int fd; /* -1: free */
    uint32_t slot, generation;
    uint16_t listener; /* index: the source's order of ports */
    bool closing;      /* nothing more is read; closes when nothing is owed and all replies are out */
    bool lingering;    /* replies are out, the write side is shut: waits for the peer to close */
    bool held;         /* not read until its name is known */
    bool unwritable;   /* replies wait for the socket */
    bool wants_write;  /* TLS */
    bool listed;       /* in stream->more */
    bool doomed;       /* broken while the stream holds bytes of it: closed when those are used */
    uint32_t interest; /* epoll events asked for */
    uint32_t frame;    /* a complete message of that many bytes stands in `carry`; 0 = not */
    struct ps_buffer carry, out;
    uint32_t out_sent;    /* of `out` */
    uint64_t owed;        /* events that wait for an answer (the source's count) */
    uint64_t deadline_ns; /* of a handshake, a held or a lingering connection; 0 = none */
    uint32_t bits;        /* the source's own use */
    const char *farewell; /* sent at the end, after everything owed; NULL = nothing. The source's */
    uint32_t farewell_length;
    uint32_t discarded; /* bytes thrown away while lingering */
    struct ps_tls_connection *tls;
    struct ps_connection *next; /* free list, or stream->more */
    struct ps_address peer;
    struct ps_slice ip, host; /* texts of the peer for headers; host: with options.names only */
    struct ps_buffer name;    /* where `host` stands */
    char ip_text[PS_ADDRESS_TEXT_BYTES];
};

struct ps_stream_ops {
    /* Takes messages from `data` (in a block of the batch, editable) and adds their rows. *used: bytes done
     * with. */
    enum ps_feed (*feed)(void *owner, struct ps_connection *connection, struct ps_batch *batch, char *data,
                         uint32_t length, uint32_t *used);
    /* The connection goes; connection->carry.length bytes of an unfinished message go with it. May be NULL.
     */
    void (*closed)(void *owner, struct ps_connection *connection);
};

struct ps_stream_options {
    const struct ps_stream_ops *ops;
    void *owner;
    uint32_t message_bytes_max; /* `feed` always finds a whole message (or refuses it) in that many bytes */
    const struct ps_tls_server *tls; /* NULL: plain */
    bool replies;                    /* connections stay open after the peer's half-close until answered */
    bool names; /* peers' host names are wanted: a connection is not read before its name is known (5 s) */
};

struct ps_listener {
    int fd;
    struct ps_address bound;
    bool armed; /* in the epoll */
};

struct ps_stream {
    struct ps_stream_options options;
    struct ps_port *port;
    struct ps_slab slab;
    struct ps_listener *listeners;
    uint16_t listener_count;
    struct ps_connection **chunks; /* of PS_CONNECTION_CHUNK each */
    uint32_t chunk_count;
    struct ps_connection *free;
    uint32_t open_count, timed_count, held_count;
    struct ps_reverse_names *names;
    struct epoll_event *events;
    int event_count, event_next;
    struct ps_connection *rest; /* whose bytes were received but not split yet: comes first */
    struct ps_connection *more; /* TLS connections that hold bytes the epoll does not show */
    uint32_t row_bytes;         /* running mean of what a row took of the input */
    uint64_t accept_after_ns;   /* out of descriptors until then; 0 = accepting */
    uint64_t sweep_ns;          /* next look at deadlines */
    uint64_t drain_until_ns;    /* 0 = not draining */
    bool quiet;                 /* draining: nothing was readable at the last look */
    uint64_t mono_ns;
};

/* Thread: the worker's, in `open`. */
enum ps_status ps_stream_init(struct ps_stream *stream, const struct ps_stream_options *options,
                              struct ps_port *port, struct ps_err *err);
void ps_stream_fini(struct ps_stream *stream);

/* Adds a listening socket; its index is in connection->listener. Says at INFO where it listens. */
enum ps_status ps_stream_listen(struct ps_stream *stream, const struct ps_bind_options *options,
                                struct ps_err *err);

enum ps_result ps_stream_work(struct ps_stream *stream, struct ps_batch *batch, const struct ps_now *now);
uint64_t ps_stream_tick(struct ps_stream *stream, const struct ps_now *now);
/* Stops listening; true when what the sockets held has been read, at most a second later. */
bool ps_stream_drain(struct ps_stream *stream, const struct ps_now *now);

/* A connection's name for tickets, and back: NULL when it is gone. */
uint64_t ps_connection_origin(const struct ps_connection *connection);
struct ps_connection *ps_stream_find(struct ps_stream *stream, uint64_t origin);

/* Sends a reply, or keeps what the socket does not take; while something is kept the connection is not read.
 */
void ps_stream_send(struct ps_stream *stream, struct ps_connection *connection, const char *data,
                    size_t length);
/* Call after connection->owed or ->closing changed: closes what is finished. */
void ps_stream_settle(struct ps_stream *stream, struct ps_connection *connection);

/* Port number of a listener (tests; header portHeader). */
unsigned ps_stream_port(const struct ps_stream *stream, uint16_t listener);
