/* The transport (stages/lib/tls/transport.h) of a client with compression-type=deflate, with or without TLS,
 * nested either way: TLS inside the compressed stream, as in Flume 1.10 and 1.11, or outside, as in Flume up
 * to 1.9 (session.h).
 *
 * Thread: the connection's owner. Never blocks. */
#pragma once

#include "stages/lib/tls/client.h"

struct ps_avro_transport_settings {
    int level;                       /* 0 to 9 */
    const struct ps_tls_client *tls; /* NULL: no TLS */
    bool tls_outside;
};

/* The settings are a struct ps_avro_transport_settings. */
extern const struct ps_transport ps_avro_transport_deflate;
