/* The connection to one server whose RPC has frames of a length in four bytes, as those of HBase and Kudu: looks up its name, connects, sends
 * requests, and hands on each frame. A call that is not answered in time ends the connection, because nothing else can be said of the others;
 * these protocols have no pings.
 *
 * Thread: the worker of the client. Never blocks. Buffers grow to the size of what is in flight. */
#pragma once

#include "stages/lib/byte_buffer.h"
#include "stages/lib/hadoop/loop.h"
#include "stages/lib/net/client.h"

#define PS_FRAMED_CALLS_MAX 64U /* in flight to one server */
#define PS_FRAMED_BYTES_MAX                                                                                  \
    (8U << 20) /* of a frame that is received: answers to writes are short, and look-ups ask for little */

struct ps_framed_server;

/* Called from a turn. */
struct ps_framed_server_ops {
    /* The connection is made: appends the protocol's first bytes to server->out. Returns false if there is no memory. */
    bool (*introduce)(struct ps_framed_server *server);
    void (*up)(struct ps_framed_server *server); /* requests may be sent */
    /* A frame came, without its length. Takes the call that it answers with ps_framed_server_take, or ends the connection with
     * ps_framed_server_fail. */
    void (*frame)(struct ps_framed_server *server, const uint8_t *bytes, size_t length);
    /* A call got no answer. `reached`: the server may have it. */
    void (*unanswered)(struct ps_framed_server *server, void *call, uint32_t id, bool reached,
                       const char *reason);
    /* The connection is closed, after `unanswered` of all its calls. */
    void (*lost)(struct ps_framed_server *server, const char *reason);
};

/* NEGOTIATING: frames are exchanged, but no requests yet. */
enum ps_framed_phase {
    PS_FRAMED_CLOSED,
    PS_FRAMED_LOOKING_UP,
    PS_FRAMED_CONNECTING,
    PS_FRAMED_NEGOTIATING,
    PS_FRAMED_UP
};

struct ps_framed_server_settings {
    const struct ps_framed_server_ops *ops;
    struct ps_hadoop_loop *loop;
    const char *protocol; /* "HBase's RPC", for reasons */
    uint64_t connect_ns, call_ns;
    const struct ps_transport *transport; /* NULL: bytes as they are */
    bool
        negotiates; /* the connection is up when the owner calls ps_framed_server_up; else after `introduce` */
};

struct ps_framed_server {
    const struct ps_framed_server_settings *settings;
    void *owner;
    struct ps_framed_server *next; /* the owner's list */
    char host[PS_HOST_NAME_BYTES];
    unsigned port;
    void *transport_settings; /* of settings->transport, for this server; the owner's */
    /* The owner's: */
    uint64_t pause_ns;           /* nothing is sent before */
    unsigned failures;           /* in a row */
    struct ps_key_range *ranges; /* while the rows of a batch are sorted */
    unsigned step;               /* of its negotiation */
    /* framed.c's: */
    enum ps_framed_phase phase;
    uint64_t begun_ns;
    struct ps_client_plan plan;
    struct ps_client client;
    struct ps_hadoop_watch watch;
    struct ps_hadoop_timer timer;
    struct ps_hadoop_lookup lookup;
    bool writing;
    struct ps_byte_buffer out, in;
    size_t out_at;
    uint64_t sent_bytes,
        written_bytes; /* since the connection is up: put into `out`, and written to the socket */
    uint32_t last_id;
    unsigned call_count;
    struct {
        void *call;
        uint32_t id;
        uint64_t sent_ns, begin;  /* `begin`: of its bytes, in sent_bytes */
    } calls[PS_FRAMED_CALLS_MAX]; /* oldest first */
};

/* Returns the server of this name and port in the list, which it may add; NULL: there is no memory, there are too many, or the name is too long. */
struct ps_framed_server *ps_framed_server_of(struct ps_framed_server **list,
                                             const struct ps_framed_server_settings *settings, void *owner,
                                             const char *host, size_t length, unsigned port);
/* Returns how long a server rests after so many failures in a row before this one: 100 ms, 200 ms and so on up to `max_ns`. */
uint64_t ps_framed_rest_ns(unsigned failures, uint64_t max_ns);

void ps_framed_server_init(struct ps_framed_server *server, const struct ps_framed_server_settings *settings);
void ps_framed_server_fini(struct ps_framed_server *server);
/* Begins to connect; `up` or `lost` is called later. Call it only when the connection is closed. */
void ps_framed_server_open(struct ps_framed_server *server);
/* Closes the connection without a callback. */
void ps_framed_server_close(struct ps_framed_server *server);

static inline bool ps_framed_server_has_room(const struct ps_framed_server *server)
{
    return server->phase == PS_FRAMED_UP && server->call_count < PS_FRAMED_CALLS_MAX;
}

/* Returns whether requests may be sent now; begins to connect. */
static inline bool ps_framed_server_is_ready(struct ps_framed_server *server)
{
    if (server->phase == PS_FRAMED_CLOSED)
        ps_framed_server_open(server);
    return ps_framed_server_has_room(server);
}

/* Returns the id of the next request, which the caller then appends to server->out. */
static inline uint32_t ps_framed_server_next_id(struct ps_framed_server *server)
{
    return server->last_id = server->last_id % INT32_MAX + 1; /* protocols have a signed number */
}

/* Called after the request of `bytes` was appended to server->out. It is sent in this turn or the next one. */
void ps_framed_server_called(struct ps_framed_server *server, void *call, uint32_t id, size_t bytes);

/* Takes the call with this id out of those in flight. Returns NULL if there is none. For `frame`. */
void *ps_framed_server_take(struct ps_framed_server *server, uint32_t id);
/* Ends the connection, as if it were lost. `reason`: what is wrong, without the server's address. For `frame`. */
void ps_framed_server_fail(struct ps_framed_server *server, const char *reason);
/* The negotiation has ended well. For `frame`. */
void ps_framed_server_up(struct ps_framed_server *server);
