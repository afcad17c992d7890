/* Shared by tls.c, connection.c, client.c and pipe.c. No other file includes it. */
#pragma once

#include "stages/lib/tls/tls.h"

#include <openssl/ssl.h>

#define PS_TLS_READ_BUFFER_BYTES (32 * 1024)

struct ps_tls_server {
    SSL_CTX *context; /* const once built; SSL_new on any worker */
};

#define PS_TLS_SAYS_PLAIN "this side speaks TLS, and the other one does not"

/* Returns why OpenSSL's last call on this thread failed; mistakes that both sides see have the same words on both. */
const char *ps_tls_reason(bool in_handshake);

/* Limits the protocols and cipher suites of a server or a client to those that the options allow. */
enum ps_status ps_tls_context_limit(SSL_CTX *context, const struct ps_tls_options *options,
                                    const struct ps_tls_globals *globals, const struct ps_notes *notes,
                                    struct ps_err *err);

/* Returns a BIO over a pipe, which must live as long as the BIO; NULL: there is no memory. The caller frees
 * *method after the BIO (BIO_meth_free). */
BIO *ps_tls_pipe_bio(struct ps_tls_pipe *pipe, BIO_METHOD **method);
