/* TLS under a stream (stream.h): a client's settings from URL keys, and the transport. The one place of
 * bench/ that knows OpenSSL.
 *
 * Keys: ca=FILE whom to trust (default: the system's authorities), verify=false trust anybody, cert=FILE and
 * key=FILE who we are, server-name=NAME what the certificate must say (default: the URL's host).
 *
 * Thread: create and destroy: the main thread; the transport: the lane's sender, which never blocks in it.
 * The process must ignore SIGPIPE. */
#pragma once

#include "bench/load/stream.h"

struct ps_tls_client;

/* Owns: the caller destroys it after all streams. */
enum ps_status ps_tls_client_create(struct ps_tls_client **client, struct ps_url *url, struct ps_err *err);
void ps_tls_client_destroy(struct ps_tls_client *client);

/* transport_plan: the struct ps_tls_client. Reasons say what is wrong with the other side's certificate. */
extern const struct ps_load_stream_transport ps_load_stream_tls;
