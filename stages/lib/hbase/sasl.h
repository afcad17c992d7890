/* SASL at the beginning of a connection to a server of HBase with Kerberos, as a transport below the calls
 * (org.apache.hadoop.hbase.security.HBaseSaslRpcClient):
 *
 *   client   "HBas", 0, 81 (Kerberos); then each token of the mechanism GSSAPI after its length in four bytes
 *   server   status 0 in four bytes, a token after its length; or status 1, the class and the text of an exception, each after its length;
 *            or status 0 and the length -88: the server has no security
 *
 * The server says nothing after the client's last token. Afterwards the bytes of both directions are sent as they are (authentication), or
 * wrapped, each message after its length (integrity, privacy).
 *
 * Thread: the worker of the client. */
#pragma once

#include "stages/lib/sasl/gssapi.h"
#include "stages/lib/tls/transport.h"

/* Settings of the transport for one server; NULL: they could not be made, and each session fails. */
struct ps_hbase_sasl {
    struct ps_gss_initiator *initiator;
    unsigned protection; /* PS_SASL_PREFER */
    bool may_be_simple;  /* hbase.ipc.client.fallback-to-simple-auth-allowed */
};

/* While its handshake waits for a ticket, it returns 0, wants no event, and must be called again. */
extern const struct ps_transport ps_hbase_sasl_transport;

/* Returns whether the server has no security. `session`: one whose handshake is complete. */
bool ps_hbase_sasl_is_simple(const void *session);
