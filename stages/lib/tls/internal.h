/* Shared by tls.c, connection.c, client.c and pipe.c. No other file includes it. */
#pragma once

#include "stages/lib/tls/tls.h"

#include <openssl/ssl.h>

#define PS_TLS_READ_BUFFER_BYTES (32 * 1024)

struct ps_tls_server {
    SSL_CTX *context; /* const once built; SSL_new on any worker */
};

/* Limits protocols and cipher suites to what the options leave. Of a server or a client. */
enum ps_status ps_tls_context_limit(SSL_CTX *context, const struct ps_tls_options *options,
                                    const struct ps_tls_globals *globals, const struct ps_notes *notes,
                                    struct ps_err *err);

/* A BIO over a pipe, which must live as long; *method is freed by the caller after the BIO (BIO_meth_free).
 * Returns NULL without memory. */
BIO *ps_tls_pipe_bio(struct ps_tls_pipe *pipe, BIO_METHOD **method);
