/* TLS of a client: its settings, shared by all its connections, and the transport (transport.h) over them.
 * Sources that listen use tls.h.
 *
 * Thread: create and destroy: control; the transport: the thread that owns the connection, which never blocks
 * in it. The process must ignore SIGPIPE. */
#pragma once

#include "core/status.h"
#include "stages/lib/tls/tls.h"
#include "stages/lib/tls/transport.h"

struct ps_tls_client;

struct ps_tls_client_settings {
    const char *ca; /* file of PEM certificates to trust; NULL: the system's authorities */
    /* The certificates to trust as PEM text, instead of `ca`; each alone, as Java trusts them. NULL: `ca` counts */
    const char *ca_text;
    const char *cert; /* PEM file of the client's own certificate, or NULL */
    const char *key;  /* PEM file of its private key; NULL: it is in `cert` */
    /* The name or address that the server's certificate must contain; NULL: any */
    const char *server_name;
    bool verify;                          /* false: every certificate is accepted */
    const struct ps_tls_options *limits;  /* its protocols and cipher suites; NULL: OpenSSL's */
    const struct ps_tls_globals *globals; /* with `limits` */
};

/* Reads the files. Errors name the setting as KEY=VALUE (ca=FILE). Copies what it keeps. Owns: the caller
 * destroys it after all sessions. */
enum ps_status ps_tls_client_create(struct ps_tls_client **client,
                                    const struct ps_tls_client_settings *settings, struct ps_err *err);
/* NULL is allowed. */
void ps_tls_client_destroy(struct ps_tls_client *client);

/* Settings: the struct ps_tls_client. Reasons describe a bad server certificate. */
extern const struct ps_transport ps_transport_tls;

/* A session for ps_transport_tls's other functions over a pipe, which must live as long. NULL with `reason`. */
void *ps_tls_client_open_over(const struct ps_tls_client *client, struct ps_tls_pipe *pipe, char *reason);
