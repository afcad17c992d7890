/* Connections of a stream whose bytes are compressed (compression-type=deflate): one zlib stream each way,
 * with or without TLS. Flume has nested the two both ways: up to 1.9 it sends compressed data inside TLS;
 * 1.10 and 1.11 send TLS inside the compressed stream. The first byte tells the two apart: 0x16 begins a TLS
 * record, 0x78 a zlib stream.
 *
 * Thread: the worker's. Memory is allocated when a connection is opened, and by TLS. */
#pragma once

#include "stages/lib/stream/stream.h"

/* Settings: NULL. */
extern const struct ps_stream_session_ops ps_avro_session_deflate;
/* The settings are a struct ps_tls_server. */
extern const struct ps_stream_session_ops ps_avro_session_deflate_tls;
