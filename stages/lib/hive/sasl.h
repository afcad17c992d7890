/* SASL at the beginning of a connection to a metastore (hive.metastore.sasl.enabled), as a transport below the calls:
 * org.apache.thrift.transport.TSaslClientTransport, which Hive's HadoopThriftAuthBridge opens with the mechanism GSSAPI, or with
 * DIGEST-MD5 for a delegation token.
 *
 *   message  1 byte status, int32 length, that number of bytes
 *   client   START "GSSAPI", then OK with each of its tokens (an empty one if the server begins), COMPLETE with the last one
 *   server   OK with each of its tokens, COMPLETE at the end, BAD or ERROR with a text
 *
 * Afterwards the bytes of both directions are sent in frames, each after its length in four bytes; they are wrapped if the level is
 * integrity or privacy (hadoop.rpc.protection).
 *
 * Thread: the worker of the metastore's client. */
#pragma once

#include "stages/lib/sasl/gssapi.h"
#include "stages/lib/sasl/sasl.h"
#include "stages/lib/tls/transport.h"

/* Settings of the transport. */
struct ps_hive_sasl {
    struct ps_gss_initiator *initiator;    /* for the metastore's principal; NULL: a token is used */
    const char *token_name, *token_secret; /* of a delegation token, in base64 */
    unsigned protection;                   /* PS_SASL_PREFER */
};

/* The transport. While its handshake waits for a ticket, it returns 0, and must be called again without bytes from the server. */
extern const struct ps_transport ps_hive_sasl_transport;
