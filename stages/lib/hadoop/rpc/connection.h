/* One connection of Hadoop's RPC to one server: resolves its name, connects, authenticates (auth.h), sends the connection
 * context and requests, and reads responses (message.h). Pings a server that is silent while calls are in flight, and
 * closes itself after a long time without calls, like Hadoop's Client.
 *
 * Source: org.apache.hadoop.ipc.Client of Hadoop 3.4. Thread: the worker of the file system. */
#pragma once

#include "stages/lib/hadoop/loop.h"
#include "stages/lib/hadoop/rpc/auth.h"
#include "stages/lib/hadoop/rpc/message.h"
#include "stages/lib/net/client.h"

#define PS_HADOOP_RPC_REASON_BYTES 320U

struct ps_hadoop_rpc_limits {
    uint64_t connect_ns; /* ipc.client.connect.timeout: 20 s */
    uint64_t idle_ns;    /* ipc.client.connection.maxidletime: 10 s */
    uint64_t ping_ns;    /* ipc.ping.interval: 60 s */
    uint64_t silence_ns; /* ipc.client.rpc-timeout.ms: limit of silence with calls in flight; 0: none */
    uint64_t response_bytes_max; /* ipc.maximum.response.length: 128 MiB */
    bool nagle;                  /* true if ipc.client.tcpnodelay is false */
};

struct ps_hadoop_rpc_connection;

/* Callbacks, called from a turn. */
struct ps_hadoop_rpc_connection_ops {
    /* The connection is established: requests may be sent. */
    void (*up)(struct ps_hadoop_rpc_connection *connection);
    void (*response)(struct ps_hadoop_rpc_connection *connection,
                     const struct ps_hadoop_rpc_response *response);
    /* The connection is closed; `reason` has the server's address. `exception`: the fatal response with which the
     * server refused the connection; NULL: the connection was lost. */
    void (*lost)(struct ps_hadoop_rpc_connection *connection, const char *reason,
                 const struct ps_hadoop_rpc_response *exception);
};

enum ps_hadoop_rpc_phase {
    PS_HADOOP_RPC_CLOSED,
    PS_HADOOP_RPC_LOOKING_UP,
    PS_HADOOP_RPC_CONNECTING, /* also while authenticating */
    PS_HADOOP_RPC_UP,
};

/* The owner sets the first members before `init`, and owns their texts. */
struct ps_hadoop_rpc_connection {
    const struct ps_hadoop_rpc_connection_ops *ops;
    struct ps_hadoop_loop *loop;
    const struct ps_hadoop_rpc_limits *limits;
    const struct ps_hadoop_rpc_auth *auth; /* NULL: simple */
    const char *host;
    unsigned port;
    const char *protocol, *user, *real_user;
    uint8_t client_id[PS_HADOOP_RPC_CLIENT_ID_BYTES];
    unsigned in_flight; /* number of requests that wait for a response; counted by the owner */

    /* Used by connection.c: */
    enum ps_hadoop_rpc_phase phase;
    void *auth_server;
    struct ps_client_plan plan;
    struct ps_client client;
    struct ps_hadoop_watch watch;
    struct ps_hadoop_timer timer;
    struct ps_hadoop_lookup lookup;
    bool writing;
    uint64_t heard_ns, active_ns, begun_ns;
    struct ps_byte_buffer out, in;
    size_t out_at;
};

void ps_hadoop_rpc_connection_init(struct ps_hadoop_rpc_connection *connection);
void ps_hadoop_rpc_connection_fini(struct ps_hadoop_rpc_connection *connection);
/* Begins to connect; `up` or `lost` is called later. Call it only when the connection is closed. */
void ps_hadoop_rpc_connection_open(struct ps_hadoop_rpc_connection *connection);
/* Closes the connection without calling `lost`. */
void ps_hadoop_rpc_connection_close(struct ps_hadoop_rpc_connection *connection);
/* Adds a request; call it only when the connection is up. Returns false if there is no memory. */
bool ps_hadoop_rpc_connection_send(struct ps_hadoop_rpc_connection *connection, int32_t call_id,
                                   int32_t retry_count, const uint8_t *request, size_t length);
