/* Kerberos as Flume's thrift source and sink speak it: the SASL mechanism GSSAPI (RFC 4752) with QOP auth, in
 * the messages of Thrift's TSaslTransport, before the frames. Afterwards the frames are as without it, because
 * QOP auth protects nothing.
 *
 *   message  1 byte status, int32 length, that number of bytes
 *   client   START "GSSAPI", then OK with each of its tokens; an empty OK when it needs no more
 *   server   OK with each of its tokens, then OK with the layers that it offers, wrapped: 1 (none), no size
 *   client   COMPLETE with the chosen layer, wrapped: 1, no size, and the user it wants to act for (mostly none)
 *   server   COMPLETE
 *
 * Thread: the connection's owner. Never waits. */
#pragma once

#include "stages/lib/sasl/sasl_gssapi.h"
#include "stages/lib/tls/tls.h"

#define PS_THRIFT_SASL_BYTES_MAX 65536U /* limit of a message: the longest Kerberos token */

struct ps_thrift_sasl {
    struct ps_tls_pipe below;
    bool server;
    int state;
    struct ps_gss_context *context; /* used by a server */
    struct ps_sasl *client;
    uint8_t *in, *out;
    size_t in_length, out_length, out_at;
    char reason[PS_SASL_REASON_BYTES + 64];
};

/* Takes the context. `first`: a client's first token, which the function also takes; a server has no such
 * token. Returns false without memory. */
bool ps_thrift_sasl_init(struct ps_thrift_sasl *sasl, const struct ps_tls_pipe *below,
                         struct ps_gss_context *context, struct ps_gss_token *first);
void ps_thrift_sasl_fini(struct ps_thrift_sasl *sasl);

/* Continues the exchange. PS_TLS_OK: the other side is authenticated, and frames follow; no byte after the
 * exchange was read. PS_TLS_ERROR: sasl->reason says why. */
enum ps_tls_result ps_thrift_sasl_work(struct ps_thrift_sasl *sasl);
bool ps_thrift_sasl_is_open(const struct ps_thrift_sasl *sasl);

/* Returns whether the client with this principal may act for `wanted`: only for itself, by its principal or by the
 * principal without the realm. An empty name also means itself. */
bool ps_thrift_sasl_may_be(const char *peer, const char *wanted, size_t length);
