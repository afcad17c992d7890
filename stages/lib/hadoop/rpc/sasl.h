/* SASL at the beginning of a connection of Hadoop's RPC, as a transport below the calls (org.apache.hadoop.security.SaslRpcClient):
 *
 *   client   "hrpc", 9, service class 0, 0xdf; then requests of call id -33 with a RpcSasl each: NEGOTIATE
 *   server   NEGOTIATE with its methods: TOKEN, KERBEROS, SIMPLE
 *   client   INITIATE with the chosen method, and the mechanism's first token
 *   server   CHALLENGE .. RESPONSE .., SUCCESS
 *
 * Afterwards the bytes of both directions are sent as they are (authentication), or as RpcSasl of state WRAP (integrity, privacy).
 * A server without security answers the first message with SUCCESS, or offers SIMPLE.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/lib/hadoop/credentials.h"
#include "stages/lib/hadoop/rpc/auth.h"
#include "stages/lib/sasl/gssapi.h"
#include "stages/lib/sasl/sasl.h"

/* Settings of the transport for one namenode. Constant, except for `initiator` and `refused`. */
struct ps_hadoop_rpc_sasl {
    struct ps_gss_initiator *initiator; /* NULL: no Kerberos */
    const char *principal;              /* of the namenode, as configured, for messages */
    const char *token_name,
        *token_secret; /* of a delegation token, in base64; NULL: none. Preferred if the server offers it */
    const struct ps_hadoop_credentials *
        credentials; /* if token_name is NULL, a token for the server's address is searched for in them; NULL: none */
    unsigned protection; /* hadoop.rpc.protection: PS_SASL_PREFER */
    bool may_be_simple;  /* ipc.client.fallback-to-simple-auth-allowed */
    bool *refused;       /* set by each handshake: whether the KDC refused the ticket; NULL: not needed */
};

extern const struct ps_transport ps_hadoop_rpc_sasl_transport;

/* Returns the result of a handshake that is complete. */
enum ps_hadoop_rpc_method ps_hadoop_rpc_sasl_method(const void *session);
