/* Shared by the TCP sources: listeners, connections, reading into the batch, keeping partial messages,
 * replies. The source only splits and parses what was read (`feed`).
 *
 * Bytes are received into the batch's block, after the rest of the connection's last message, and split
 * there; rows point into the block. An incomplete message is copied to a buffer of the connection; an idle
 * connection has no buffer. If the batch is full before all received bytes are split, the rest stays in the
 * block (ps_batch_leave) and comes first next time.
 *
 * Unfinished messages and unsent replies together hold at most a quarter of the memory budget, divided by the
 * workers that listen. At this limit connections are closed that took none of their replies for ten seconds, then those
 * with an unfinished message, the longest messages and the longest silent first (memory.c).
 *
 * Fairness: a connection is read once per round of the epoll, at most READ_BYTES_MAX. Thousands of idle
 * connections cost nothing. Without free file descriptors the stream logs it once and stops accepting for a
 * second.
 *
 * Thread: the worker's. Nothing here blocks; memory is allocated when the number of connections grows (and by
 * TLS). */
#pragma once

#include "core/stage.h"
#include "stages/lib/net/address.h"
#include "stages/lib/net/listen.h"
#include "stages/lib/net/reverse_names.h"
#include "stages/lib/slab.h"
#include "stages/lib/tls/tls.h"

#include <sys/queue.h>

#define PS_STREAM_LISTENERS_MAX 1024

enum ps_feed {
    PS_FEED_MORE,   /* all was used except an incomplete last message */
    PS_FEED_FULL,   /* the batch is full */
    PS_FEED_MEMORY, /* no memory at present */
    PS_FEED_CLOSE,  /* read no more from this connection: send its outstanding replies, then close it */
};

struct ps_stream;

#define PS_STREAM_LINE UINT32_MAX

TAILQ_HEAD(ps_connections, ps_connection);

struct ps_connection {
    int fd; /* -1: free */
    uint32_t slot, generation;
    uint16_t listener; /* index, in the order of the source's ports */
    /* the connection is no longer read; it is closed when no reply is outstanding and all replies are sent */
    bool closing;
    bool lingering;   /* all replies are sent, the write side is shut down: waits for the peer to close */
    bool held;        /* not read until the peer's name is known */
    bool unwritable;  /* replies wait for the socket */
    bool wants_write; /* its session waits until the socket is writable */
    bool listed;      /* in stream->more */
    bool doomed;      /* broken, but the stream still has bytes of it: closed when those are used */
    bool unwatched;   /* epoll_ctl failed: closed at the next check of deadlines */
    bool is_partial;  /* in stream->partial */
    bool large;       /* which list of stream->partial it is in */
    bool is_unsent;   /* in stream->unsent */
    bool fresh;       /* a message ended since the last check for slow messages */
    bool begun;       /* something was received, if there is a session: below it */
    bool foreign;     /* its first bytes are none of its session's protocol */
    /* set by `feed`: only what follows tells whether the bytes that it leaves are a message. It gets them again when nothing
     * has come for a second (`silent`), or the input has ended (`ended`). */
    bool undecided;
    bool silent, ended, timed; /* timed: deadline_ns is the end of that second */
    bool stirred;              /* the last bytes of its session were too few to yield any bytes */
    uint32_t interest;         /* epoll events asked for */
    uint32_t frame;            /* length of a complete message in `carry`; 0: none */
    struct ps_buffer carry, out;
    struct ps_block
        *giant; /* the first `frame` bytes of `carry` while they are split; NULL: the message is not long */
    uint32_t giant_used;  /* bytes of `giant` that are finished */
    uint32_t out_sent;    /* bytes of `out` already sent */
    uint64_t owed;        /* events with an outstanding reply (counted by the source) */
    uint64_t active_ns;   /* when bytes were received or sent last */
    uint64_t begun_ns;    /* with options.message_ns: the message that is not complete began no earlier */
    uint64_t deadline_ns; /* deadline of a handshake, a held or a lingering connection; 0: none */
    uint32_t bits;        /* for the source's use */
    const char *farewell; /* sent last, after all replies; NULL: nothing. The source owns it */
    uint32_t farewell_length;
    uint32_t discarded; /* bytes discarded while lingering */
    /* session of the kind options.session; NULL: the socket itself */
    void *session;
    struct ps_buffer session_memory;            /* memory of stream->session_slab; never written */
    struct ps_connection *next;                 /* in the free list or in stream->more */
    TAILQ_ENTRY(ps_connection) partial, unsent; /* in the stream's lists of these names */
    struct ps_address peer;
    struct ps_slice ip, host; /* texts of the peer for headers; host: only with options.names */
    struct ps_buffer name;    /* the bytes of `host` */
    char ip_text[PS_ADDRESS_TEXT_BYTES];
};

struct ps_stream_ops {
    /* Takes messages from `data` (in a block of the batch; may be changed) and adds their rows. *used: number of
     * bytes that are finished. It may send a reply; if that closes the connection, it must return. */
    enum ps_feed (*feed)(void *owner, struct ps_connection *connection, struct ps_batch *batch, char *data,
                         uint32_t length, uint32_t *used);
    /* The connection is closed, and connection->carry.length bytes of an unfinished message are lost. May be
     * NULL. */
    void (*closed)(void *owner, struct ps_connection *connection);
    /* Returns the length of the first message in `data`, a connection's unused input; 0 if its end has not
     * arrived; PS_STREAM_LINE if it ends at its first newline. `feed` takes a message of this length, in parts if
     * batches become full. NULL: a message ends at the first newline. */
    uint32_t (*message_bytes)(void *owner, struct ps_connection *connection, const char *data,
                              uint32_t length);
    /* Returns whether a new connection may stay; with options.names its peer's name is known. NULL: every
     * connection may. */
    bool (*admits)(void *owner, const struct ps_connection *connection);
};

/* The layer between the socket of a connection and its messages: TLS, compression. Results are those of
 * stages/lib/tls/tls.h. */
struct ps_stream_session_ops {
    const char *name; /* for the log */
    /* The memory of one session beside the stream's buffers while its connection is idle; it counts against
     * the budget. */
    uint32_t memory_bytes;
    /* NULL: no memory. */
    void *(*open)(const void *settings, int fd);
    void (*close)(void *session);
    enum ps_tls_result (*read)(void *session, void *buffer, size_t room, size_t *length);
    enum ps_tls_result (*write)(void *session, const void *data, size_t length, size_t *written);
    /* Tells the peer that nothing follows. NULL: the end of the socket does that. */
    enum ps_tls_result (*shutdown)(void *session);
    bool (*more)(const void *session);
    bool (*established)(const void *session);
    const char *(*reason)(const void *session);
    /* Returns whether a client may begin with this byte. NULL: with any. */
    bool (*begins)(uint8_t first);
};

/* Over a struct ps_tls_server. */
extern const struct ps_stream_session_ops ps_stream_session_tls;

struct ps_stream_options {
    const struct ps_stream_ops *ops;
    void *owner;
    uint32_t message_bytes_max; /* in this many bytes `feed` always finds a whole message, or refuses it */
    const struct ps_tls_server *tls; /* NULL: no TLS */
    /* Instead of `tls`: sessions of another kind, and what they share. NULL: the socket's bytes are the messages. */
    const struct ps_stream_session_ops *session;
    const void *session_settings;
    /* Connections stay open after the peer's half-close until all replies are sent. */
    bool replies;
    /* The source uses peers' host names: a connection is not read before its name is known (5 s). */
    bool names;
    uint64_t
        /* a connection is closed if it sends nothing and waits for no reply for this long; 0: never */
        idle_ns;
    /* A message may take this long from its first byte, and a second more for each 4 KiB of it that have come; then its connection
     * is closed; 0: never. Time in which the source does not read does not count (slow.c). */
    uint64_t message_ns;
    /* Maximum number of open connections, over all workers of the source; 0: no limit. At the limit a new
     * connection takes the place of the longest silent one (PS_CONNECTIONS_OPTION_ROW says more). */
    uint32_t connections_max;
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
    struct ps_slab session_slab; /* memory of the sessions of open connections: reserved, not used */
    /* Connections with a buffered unfinished message, the longest silent first. [1]: messages of at least a
     * block, [0]: shorter ones. */
    struct ps_connections partial[2];
    /* Connections with unsent replies, the one first that took none for the longest time. */
    struct ps_connections unsent;
    uint64_t refused_seen;           /* value of the cache's refused_count at the last tick */
    uint64_t short_since_ns;         /* time since which memory is short; 0: it is not short */
    uint64_t idle_check_ns;          /* next search for idle connections */
    uint64_t slow_check_ns;          /* next look for slow messages */
    uint64_t slow_checked_ns;        /* time of the last look for slow messages */
    uint32_t connections_max;        /* this worker's part of options.connections_max */
    uint32_t hand;                   /* slot at which the search for a silent connection goes on */
    struct ps_log_backoff paused_by; /* why no connections are accepted */
    uint64_t limit_logged_ns;        /* when the limit was reported last; 0: never */
    struct ps_listener *listeners;
    uint16_t listener_count;
    struct ps_connection **chunks; /* chunks of PS_CONNECTION_CHUNK connections each */
    uint32_t chunk_count;
    struct ps_connection *free;
    uint32_t open_count, timed_count, held_count;
    struct ps_reverse_names *names;
    struct epoll_event *events;
    int event_count, event_next;
    /* the connection whose received bytes are not all split yet: it comes first */
    struct ps_connection *rest;
    struct ps_connection *more_now; /* the part of `more` that is being read */
    struct ps_connection *more;     /* connections whose sessions have bytes that the epoll does not show */
    uint32_t row_bytes;             /* running mean of the input bytes per row */
    uint64_t accept_after_ns;       /* no file descriptors: do not accept until then; 0: accepting */
    uint64_t sweep_ns;              /* next check of deadlines */
    uint64_t drain_until_ns;        /* 0: not draining */
    bool paused;                    /* `work` is not called: a channel is full, or there is no memory */
    bool quiet;                     /* draining: nothing was readable at the last check */
    uint64_t mono_ns;
};

/* For `build`: returns the length in bytes at which a message must be cut or refused: `wanted`, or what the memory
 * budget allows, a sixteenth of it divided by the workers that listen, but at least 128 KiB; at most PS_BODY_BYTES_MAX. Thread: control. */
uint32_t ps_stream_message_max(const struct ps_context *context, uint64_t wanted);
/* The same for a length that the user sets with `key`: writes a warning if the budget allows less. */
uint32_t ps_stream_message_max_of(const struct ps_context *context, const char *key, uint64_t wanted);

/* Thread: the worker's, in `open`. */
enum ps_status ps_stream_init(struct ps_stream *stream, const struct ps_stream_options *options,
                              struct ps_port *port, struct ps_err *err);
void ps_stream_fini(struct ps_stream *stream);

/* Calls ps_stream_init, and ps_stream_listen for the one address of the source. After a failure there is no stream to
 * end. */
enum ps_status ps_stream_open(struct ps_stream *stream, const struct ps_stream_options *options,
                              const struct ps_listen *listen, struct ps_port *port, struct ps_err *err);

/* Adds a listening socket; its index is in connection->listener. Logs the address at INFO. */
enum ps_status ps_stream_listen(struct ps_stream *stream, const struct ps_bind_options *options,
                                struct ps_err *err);

/* `work` and `tick` of struct ps_source_ops. */
enum ps_result ps_stream_work(struct ps_stream *stream, struct ps_batch *batch, const struct ps_now *now);
uint64_t ps_stream_tick(struct ps_stream *stream, const struct ps_now *now);
/* Stops listening; returns true when all bytes in the sockets are read, after a second at most. */
bool ps_stream_drain(struct ps_stream *stream, const struct ps_now *now);

/* The same for ps_source_ops of a source whose state begins with its struct ps_stream. */
enum ps_result ps_stream_source_work(const void *plan, void *state, struct ps_batch *batch,
                                     const struct ps_now *now);
uint64_t ps_stream_source_tick(const void *plan, void *state, const struct ps_now *now);
void ps_stream_source_paused(const void *plan, void *state, bool paused, const struct ps_now *now);
bool ps_stream_source_drain(const void *plan, void *state, const struct ps_now *now);

/* Convert a connection to its number for tickets, and back. NULL: the connection has been closed. */
uint64_t ps_connection_origin(const struct ps_connection *connection);
struct ps_connection *ps_stream_find(struct ps_stream *stream, uint64_t origin);

/* Sends a reply, and keeps what the socket does not take; the connection is not read while bytes are kept. */
void ps_stream_send(struct ps_stream *stream, struct ps_connection *connection, const char *data,
                    size_t length);
/* Call it after connection->owed or ->closing changed: closes the connection if it is finished. */
void ps_stream_settle(struct ps_stream *stream, struct ps_connection *connection);

/* Calls ps_port_discard with the peer's address. */
void ps_stream_discard(const struct ps_connection *connection, const struct ps_discard *discard,
                       struct ps_port *port);
/* For `feed`: the received bytes are not a message. Logs `why` with the peer, and calls ps_stream_discard. Returns
 * PS_FEED_CLOSE. */
enum ps_feed ps_stream_malformed(const struct ps_connection *connection, struct ps_port *port,
                                 const char *why, const char *data, uint32_t length);

/* Reads no more from the connection, and closes it when no reply is outstanding and all are sent. Not for calls
 * inside `feed`. */
void ps_stream_finish(struct ps_stream *stream, struct ps_connection *connection);

/* Makes room in a buffer of the connection. At the stream's limit it first closes other connections: those that do not take
 * their replies, then those with an unfinished message, the longest messages and the longest silent first. */
enum ps_slab_result ps_stream_grow(struct ps_stream *stream, struct ps_connection *connection,
                                   struct ps_buffer *buffer, uint32_t room);
/* Gives back a buffer of the source's own that ps_stream_grow made. */
void ps_stream_shrink(struct ps_stream *stream, struct ps_buffer *buffer);

/* For `closed`: counts an unfinished message, if there is one, says that it is thrown away, or gives it to the dead
 * letters. */
void ps_stream_unfinished(const struct ps_connection *connection, struct ps_port *port);

/* Returns the port number of a listener (for tests and the header portHeader). */
unsigned ps_stream_port(const struct ps_stream *stream, uint16_t listener);
