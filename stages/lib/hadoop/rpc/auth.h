/* How a connection of Hadoop's RPC says who the client is, and how it protects what follows: the place that Kerberos and
 * delegation tokens fill. Without it a connection uses simple authentication: the server believes the name that the connection
 * context has.
 *
 * SASL is a byte stream to the calls above it (SaslRpcClient.java wraps streams, not messages), so it is a struct ps_transport
 * (stages/lib/tls/transport.h):
 *
 *   handshake   Sends the connection header itself ("hrpc", 9, the service class, 0xdf for SASL), then exchanges RpcSaslProto in
 *               requests and responses of call id -33. A server without security answers SUCCESS at once ("switch to
 *               simple"): allowed only with ipc.client.fallback-to-simple-auth-allowed.
 *   write, read Wrap and unwrap, if the QOP has integrity or privacy: RpcSaslProto of state WRAP around any part of the stream.
 *
 * What must block (a KDC) is a job of a helper thread: `handshake` returns 0 until it is done, with *wants 0, and the
 * connection calls it again every 2 ms.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/lib/tls/transport.h"

enum ps_hadoop_rpc_method {
    PS_HADOOP_RPC_SIMPLE,   /* the connection context names the user, and the real user behind a proxy user */
    PS_HADOOP_RPC_KERBEROS, /* the server knows the real user: the context names the effective one only */
    PS_HADOOP_RPC_TOKEN,    /* the server knows both */
};

struct ps_hadoop_rpc_auth {
    struct ps_transport transport;
    /* What the handshake of this session came to. */
    enum ps_hadoop_rpc_method (*method)(const void *session);
    /* The settings of the transport for one server, which `leave_server` frees: called once for each server, not for each
     * connection. `host` is as the configuration names it (for service principals with _HOST). NULL: no memory. */
    void *(*enter_server)(void *argument, const char *host, unsigned port);
    void (*leave_server)(void *argument, void *server);
    /* Whether the last handshake with this server failed so that the next one will, too (the KDC does not know a principal). */
    bool (*is_refused)(const void *server);
    void *argument;
    /* With Kerberos: the effective user of the context where there is no proxy user; NULL: none, which is the authenticated
     * one. */
    const char *principal;
};
