/* TLS of a client: its settings, shared by all its connections, and the transport (transport.h) over them.
 * Sources that listen use tls.h.
 *
 * Thread: control for create and destroy; the connection's owner for the transport, which never blocks. The
 * process must ignore SIGPIPE. */
#pragma once

#include "core/status.h"
#include "stages/lib/tls/tls.h"
#include "stages/lib/tls/transport.h"

struct ps_tls_client;

/* chooses the keys that messages name as the cure */
enum ps_tls_keys {
    PS_TLS_KEYS_URL, /* keys of the URL of `penstock load` */
    PS_TLS_KEYS_FLUME,
    PS_TLS_KEYS_KAFKA,
};

struct ps_tls_client_settings {
    const char *
        /* file or directory of PEM certificates to trust. `ca` and `ca_text` NULL: the system's authorities
         * are trusted */
        ca;
    const char *ca_text; /* PEM certificates to trust, or NULL */
    /* Each certificate of `ca_text` is trusted alone, as in Java; else only chains that end at a self-signed
     * certificate */
    bool trust_each;
    const char *cert; /* PEM file of the client's own certificate, or NULL */
    const char *key;  /* PEM file of its private key; NULL: it is in `cert` */
    /* certificate (before its issuers) and private key as PEM text; or NULL */
    const char *cert_text, *key_text;
    /* The name or address that the server's certificate must contain; NULL: any */
    const char *server_name;
    bool any_name; /* true: the server is told the name, and its certificate may have another name */
    bool verify;   /* false: every certificate is accepted */
    const char
        /* ciphers for TLS up to 1.2, in OpenSSL's words (SSL_CTX_set_cipher_list); NULL: OpenSSL's default */
        *ciphers;
    const struct ps_tls_options *limits;  /* allowed protocols and cipher suites; NULL: OpenSSL's default */
    const struct ps_tls_globals *globals; /* used with `limits` */
    enum ps_tls_keys keys;
};

/* Reads the files. Errors name the setting as KEY=VALUE (ca=FILE). Copies the settings that it keeps. The
 * caller owns the client, and destroys it after all sessions. */
enum ps_status ps_tls_client_create(struct ps_tls_client **client,
                                    const struct ps_tls_client_settings *settings, struct ps_err *err);
/* Returns a client with the same settings for a server of another name; NULL: there is no memory. The caller
 * owns the copy. Thread: any, one at a time. */
struct ps_tls_client *ps_tls_client_copy(const struct ps_tls_client *client, const char *server_name);
/* NULL is allowed. */
void ps_tls_client_destroy(struct ps_tls_client *client);

/* Settings: the struct ps_tls_client. Reasons describe a bad server certificate. */
extern const struct ps_transport ps_transport_tls;

/* Opens a session for ps_transport_tls's other functions over a pipe, which must outlive it. NULL with `reason`. */
void *ps_tls_client_open_over(const struct ps_tls_client *client, struct ps_tls_pipe *pipe, char *reason);
