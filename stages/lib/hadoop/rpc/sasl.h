/* SASL at the beginning of a connection of Hadoop's RPC, as a transport below the calls (org.apache.hadoop.security.SaslRpcClient):
 *
 *   client   "hrpc", 9, service class 0, 0xdf; then requests of call id -33 with a RpcSasl each: NEGOTIATE
 *   server   NEGOTIATE with the methods that it knows: TOKEN, KERBEROS, SIMPLE
 *   client   INITIATE with the one that it takes, and the mechanism's first token
 *   server   CHALLENGE .. RESPONSE .., SUCCESS
 *
 * Afterwards the bytes of both directions go as they are (authentication), or as RpcSasl of state WRAP (integrity, privacy).
 * A server without security answers the first message by SUCCESS, or offers SIMPLE.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/lib/hadoop/credentials.h"
#include "stages/lib/hadoop/rpc/auth.h"
#include "stages/lib/sasl/gssapi.h"
#include "stages/lib/sasl/sasl.h"

/* Of one namenode; const but for what the functions that it names do. The settings of the transport. */
struct ps_hadoop_rpc_sasl {
    struct ps_gss_initiator *initiator; /* NULL: no Kerberos */
    const char *principal;              /* of the namenode, as configured, for messages */
    const char *token_name,
        *token_secret; /* of a delegation token, in base64; NULL: none. It is preferred where it is offered */
    const struct ps_hadoop_credentials
        *credentials;    /* where token_name is NULL: a token for the server's address */
    unsigned protection; /* hadoop.rpc.protection: PS_SASL_PREFER */
    bool may_be_simple;  /* ipc.client.fallback-to-simple-auth-allowed */
    bool *refused;       /* set by each handshake: whether the KDC refused the ticket. NULL: nobody asks */
};

extern const struct ps_transport ps_hadoop_rpc_sasl_transport;

/* What the handshake came to, once it is over. */
enum ps_hadoop_rpc_method ps_hadoop_rpc_sasl_method(const void *session);
