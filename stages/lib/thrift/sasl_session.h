/* Kerberos for the thrift source and the thrift sink: the exchange (sasl.h) over a socket or over TLS, as a session of a stream
 * and as a client's transport. Thread: the connection's owner. Never waits; allocates when a connection is opened. */
#pragma once

#include "stages/lib/stream/stream.h"
#include "stages/lib/thrift/sasl.h"
#include "stages/lib/tls/client.h"

struct ps_thrift_sasl_server {
    const struct ps_gss_acceptor *acceptor;
    const struct ps_tls_server *tls; /* NULL: no TLS */
};

/* Settings: the struct ps_thrift_sasl_server. */
extern const struct ps_stream_session_ops ps_thrift_session_sasl;

struct ps_thrift_sasl_client {
    struct ps_gss_initiator *initiator;
    const struct ps_tls_client *tls; /* NULL: no TLS */
};

/* Settings: the struct ps_thrift_sasl_client. A connection for which there is no ticket is not begun. */
extern const struct ps_transport ps_thrift_transport_sasl;
