/* The transport (stages/lib/tls/transport.h) of a client with compression-type=deflate, with or without TLS, nested either way:
 * TLS inside the compressed stream as Flume 1.10 and 1.11 have it, or outside as Flume up to 1.9 has it (session.h).
 *
 * Thread: the connection's owner. Never blocks. */
#pragma once

#include "stages/lib/tls/client.h"

struct ps_avro_transport_settings {
    int level;                       /* 1 to 9 */
    const struct ps_tls_client *tls; /* NULL: no TLS */
    bool tls_outside;
};

/* Settings: the struct ps_avro_transport_settings. */
extern const struct ps_transport ps_avro_transport_deflate;
