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

/* chooses the keys that messages name as the cure */
enum ps_tls_keys {
    PS_TLS_KEYS_URL, /* of `penstock load` */
    PS_TLS_KEYS_FLUME,
    PS_TLS_KEYS_KAFKA,
};

struct ps_tls_client_settings {
    const char *
        ca; /* file or directory of PEM certificates to trust. Without it and `ca_text`: the system's authorities */
    const char *ca_text; /* PEM certificates to trust, or NULL */
    /* Each certificate of `ca_text` is trusted alone, as in Java; else only chains that end at a self-signed one */
    bool trust_each;
    const char *cert;                 /* PEM file of the client's own certificate, or NULL */
    const char *key;                  /* PEM file of its private key; NULL: it is in `cert` */
    const char *cert_text, *key_text; /* the same as PEM text, the certificate before its issuers; or NULL */
    /* The name or address that the server's certificate must contain; NULL: any */
    const char *server_name;
    bool any_name; /* true: the server is told the name, and its certificate may have another name */
    bool verify;   /* false: every certificate is accepted */
    const char
        *ciphers; /* those up to TLSv1.2, in OpenSSL's words (SSL_CTX_set_cipher_list); NULL: OpenSSL's */
    const struct ps_tls_options *limits;  /* its protocols and cipher suites; NULL: OpenSSL's */
    const struct ps_tls_globals *globals; /* with `limits` */
    enum ps_tls_keys keys;
};

/* Reads the files. Errors name the setting as KEY=VALUE (ca=FILE). Copies what it keeps. Owns: the caller
 * destroys it after all sessions. */
enum ps_status ps_tls_client_create(struct ps_tls_client **client,
                                    const struct ps_tls_client_settings *settings, struct ps_err *err);
/* Returns a client of the same settings for a server of another name. NULL: no memory. Owns: as above. Thread: any one at
 * a time. */
struct ps_tls_client *ps_tls_client_copy(const struct ps_tls_client *client, const char *server_name);
/* NULL is allowed. */
void ps_tls_client_destroy(struct ps_tls_client *client);

/* Settings: the struct ps_tls_client. Reasons describe a bad server certificate. */
extern const struct ps_transport ps_transport_tls;

/* Opens a session for ps_transport_tls's other functions over a pipe, which must outlive it. NULL with `reason`. */
void *ps_tls_client_open_over(const struct ps_tls_client *client, struct ps_tls_pipe *pipe, char *reason);
