/* The connection to one region server: looks up its name, connects, authenticates, sends requests, and reports each answer with the owner of
 * its call. A call that is not answered in time ends the connection, because nothing else can be said of the others; HBase has no pings.
 *
 * Thread: the worker of the client. Never blocks. Buffers grow to the size of what is in flight. */
#pragma once

#include "stages/lib/hadoop/loop.h"
#include "stages/lib/hbase/message.h"
#include "stages/lib/net/client.h"

#define PS_HBASE_CALLS_MAX 64U /* in flight to one server */

struct ps_hbase_server;

/* Called from a turn. */
struct ps_hbase_server_ops {
    void (*up)(struct ps_hbase_server *server); /* requests may be sent */
    /* `call`: what was given to _called. */
    void (*answered)(struct ps_hbase_server *server, void *call, const struct ps_hbase_answer *answer);
    /* A call got no answer. `reached`: the server may have it. */
    void (*unanswered)(struct ps_hbase_server *server, void *call, bool reached, const char *reason);
    /* The connection is closed, after `unanswered` of all its calls. */
    void (*lost)(struct ps_hbase_server *server, const char *reason);
};

enum ps_hbase_phase { PS_HBASE_CLOSED, PS_HBASE_LOOKING_UP, PS_HBASE_CONNECTING, PS_HBASE_UP };

struct ps_hbase_server_settings {
    const struct ps_hbase_server_ops *ops;
    struct ps_hadoop_loop *loop;
    const char *user;
    uint64_t connect_ns, call_ns;
    const struct ps_transport *transport; /* NULL: without authentication */
};

struct ps_hbase_server {
    const struct ps_hbase_server_settings *settings;
    void *owner;
    struct ps_hbase_server *next; /* the owner's list */
    char host[PS_HOST_NAME_BYTES];
    unsigned port;
    void *transport_settings; /* of settings->transport, for this server; the owner's */
    /* The owner's: */
    uint64_t pause_ns;               /* nothing is sent before */
    unsigned failures;               /* in a row */
    struct ps_hbase_region *regions; /* while the rows of a batch are sorted */
    /* server.c's: */
    enum ps_hbase_phase phase;
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
        uint64_t sent_ns, begin; /* `begin`: of its bytes, in sent_bytes */
    } calls[PS_HBASE_CALLS_MAX]; /* oldest first */
};

void ps_hbase_server_init(struct ps_hbase_server *server, const struct ps_hbase_server_settings *settings);
void ps_hbase_server_fini(struct ps_hbase_server *server);
/* Begins to connect; `up` or `lost` is called later. Call it only when the connection is closed. */
void ps_hbase_server_open(struct ps_hbase_server *server);
/* Closes the connection without a callback. */
void ps_hbase_server_close(struct ps_hbase_server *server);

static inline bool ps_hbase_server_has_room(const struct ps_hbase_server *server)
{
    return server->phase == PS_HBASE_UP && server->call_count < PS_HBASE_CALLS_MAX;
}

/* Returns whether requests may be sent now; begins to connect. */
static inline bool ps_hbase_server_is_ready(struct ps_hbase_server *server)
{
    if (server->phase == PS_HBASE_CLOSED)
        ps_hbase_server_open(server);
    return ps_hbase_server_has_room(server);
}

/* Returns the id of the next request, which the caller then appends to server->out (message.h). */
static inline uint32_t ps_hbase_server_next_id(struct ps_hbase_server *server)
{
    return ++server->last_id;
}

/* Called after the request of `bytes` was appended to server->out. It is sent in this turn or the next one. */
void ps_hbase_server_called(struct ps_hbase_server *server, void *call, uint32_t id, size_t bytes);
