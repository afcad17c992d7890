/* Authentication and protection of a connection of Hadoop's RPC, with Kerberos or delegation tokens. Without
 * Kerberos and tokens a connection uses simple authentication: the server trusts the name in the connection
 * context.
 *
 * SASL is a byte stream to the calls above it (SaslRpcClient.java wraps streams, not messages), so it is a struct ps_transport
 * (stages/lib/tls/transport.h):
 *
 *   handshake   Sends the connection header itself ("hrpc", 9, the service class, 0xdf for SASL), then exchanges
 *               RpcSaslProto in requests and responses of call id -33. A server without security answers SUCCESS
 *               immediately ("switch to simple"): allowed only with ipc.client.fallback-to-simple-auth-allowed.
 *   write, read Wrap and unwrap, if the QOP has integrity or privacy: RpcSaslProto of state WRAP around any part
 *               of the stream.
 *
 * Work that blocks (a KDC) is a job of a helper thread. Until it is done, `handshake` returns 0 with *wants 0, and the
 * connection calls it again every 2 ms.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/lib/tls/transport.h"

enum ps_hadoop_rpc_method {
    PS_HADOOP_RPC_SIMPLE,   /* the connection context names the user, and the real user behind a proxy user */
    PS_HADOOP_RPC_KERBEROS, /* the server knows the real user: the context names only the effective user */
    PS_HADOOP_RPC_TOKEN,    /* the server knows both users */
};

struct ps_hadoop_rpc_auth {
    struct ps_transport transport;
    /* Returns the result of this session's handshake. */
    enum ps_hadoop_rpc_method (*method)(const void *session);
    /* Makes the transport's settings for one server, which `leave_server` frees. Called once for each server, not for
     * each connection. `host` is the name in the configuration (for service principals with _HOST). Returns NULL if there
     * is no memory. */
    void *(*enter_server)(void *argument, const char *host, unsigned port);
    void (*leave_server)(void *argument, void *server);
    /* Returns whether the last handshake with this server failed for a reason that will make the next one
     * fail as well (the KDC does not know a principal). */
    bool (*is_refused)(const void *server);
    void *argument;
    /* With Kerberos: the effective user of the context if there is no proxy user; NULL: none, which means the authenticated user. */
    const char *principal;
};
