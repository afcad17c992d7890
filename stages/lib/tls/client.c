/* Implements client.h. */
#include "stages/lib/tls/client.h"
#include "core/durable.h"

#include "stages/lib/host_name.h"
#include "stages/lib/tls/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ps_tls_client {
    SSL_CTX *context;
    char *name; /* the name that the certificate must contain; NULL: any */
    bool name_is_address, any_name, verify;
    enum ps_tls_keys keys;
};

struct session {
    SSL *ssl;
    BIO_METHOD *method; /* used over a pipe; else NULL */
    enum ps_tls_keys keys;
};

/* ---- settings ---- */

static enum ps_status load_text(struct ps_tls_client *client, const char *text, bool each, struct ps_err *err)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509_STORE *store = SSL_CTX_get_cert_store(client->context);
    X509 *certificate;
    int count = 0;
    while (bio != NULL && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        count += X509_STORE_add_cert(store, certificate);
        X509_free(certificate);
    }
    BIO_free(bio);
    if (each)
        X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    return count > 0 ? PS_OK : ps_err_set(err, "it has no certificate");
}

static bool load_place(struct ps_tls_client *client, const char *place)
{
    return ps_directory_exists(place) ? SSL_CTX_load_verify_dir(client->context, place) == 1
                                      : SSL_CTX_load_verify_file(client->context, place) == 1;
}

/* Reads the first certificate as the client's own, and those after it as its issuers. */
static bool load_chain(struct ps_tls_client *client, BIO *bio)
{
    X509 *own = PEM_read_bio_X509(bio, NULL, NULL, NULL), *issuer;
    bool good = own != NULL && SSL_CTX_use_certificate(client->context, own) == 1;
    X509_free(own);
    while (good && (issuer = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        good = SSL_CTX_add0_chain_cert(client->context, issuer) == 1;
        if (!good)
            X509_free(issuer);
    }
    return good;
}

static enum ps_status load_own_texts(struct ps_tls_client *client, const char *cert, const char *key,
                                     struct ps_err *err)
{
    BIO *certificates = BIO_new_mem_buf(cert, -1), *keys = BIO_new_mem_buf(key, -1);
    EVP_PKEY *private = keys != NULL ? PEM_read_bio_PrivateKey(keys, NULL, NULL, NULL) : NULL;
    bool good = certificates != NULL && private != NULL && load_chain(client, certificates) &&
                SSL_CTX_use_PrivateKey(client->context, private) == 1;
    EVP_PKEY_free(private);
    BIO_free(keys);
    BIO_free(certificates);
    return good ? PS_OK : ps_err_set(err, "the client's certificate or key: %s", ps_tls_reason(false));
}

static enum ps_status load_files(struct ps_tls_client *client, const struct ps_tls_client_settings *settings,
                                 struct ps_err *err)
{
    const char *ca = settings->ca, *cert = settings->cert, *key = settings->key;
    ERR_clear_error();
    if (ca != NULL && !load_place(client, ca))
        return ps_err_set(err, "ca=%s: %s; expected a file with PEM certificates", ca, ps_tls_reason(false));
    if (settings->ca_text != NULL && load_text(client, settings->ca_text, settings->trust_each, err) != PS_OK)
        return PS_FAIL;
    if (ca == NULL && settings->ca_text == NULL && client->verify)
        SSL_CTX_set_default_verify_paths(client->context);
    if (settings->cert_text != NULL)
        return load_own_texts(client, settings->cert_text, settings->key_text, err);
    if (key != NULL && cert == NULL)
        return ps_err_set(err, "key=%s needs cert=FILE", key);
    if (cert == NULL)
        return PS_OK;
    if (SSL_CTX_use_certificate_chain_file(client->context, cert) != 1)
        return ps_err_set(err, "cert=%s: %s", cert, ps_tls_reason(false));
    if (key == NULL) /* the certificate and the key are in one file */
        key = cert;
    if (SSL_CTX_use_PrivateKey_file(client->context, key, SSL_FILETYPE_PEM) != 1)
        return ps_err_set(err, "key=%s: %s", key, ps_tls_reason(false));
    return PS_OK;
}

/* A name in a certificate is an address without brackets. */
static bool set_server_name(struct ps_tls_client *client, const char *name)
{
    unsigned char address[sizeof(struct in6_addr)];
    char bare[PS_HOST_NAME_BYTES];
    if (name != NULL && ps_host_without_brackets(name, bare) != NULL)
        name = bare;
    client->name = name != NULL ? strdup(name) : NULL;
    client->name_is_address =
        name != NULL && (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1);
    return client->name != NULL || name == NULL;
}

static enum ps_status client_fill(struct ps_tls_client *client, const struct ps_tls_client_settings *settings,
                                  struct ps_err *err)
{
    client->verify = settings->verify;
    client->any_name = settings->any_name;
    client->keys = settings->keys;
    ERR_clear_error(); /* a reason is the first error of this call, not one that others left */
    client->context = SSL_CTX_new(TLS_client_method());
    if (!set_server_name(client, settings->server_name) || client->context == NULL)
        return ps_err_set(err, "no memory");
    SSL_CTX_set_min_proto_version(client->context, TLS1_2_VERSION);
    SSL_CTX_set_mode(client->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(client->context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_verify(client->context, client->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (settings->limits != NULL &&
        ps_tls_context_limit(client->context, settings->limits, settings->globals, NULL, err) != PS_OK)
        return PS_FAIL;
    if (settings->ciphers != NULL && SSL_CTX_set_cipher_list(client->context, settings->ciphers) != 1)
        return ps_err_set(err, "cipher suites %s: %s", settings->ciphers, ps_tls_reason(false));
    return load_files(client, settings, err);
}

enum ps_status ps_tls_client_create(struct ps_tls_client **made,
                                    const struct ps_tls_client_settings *settings, struct ps_err *err)
{
    struct ps_tls_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return ps_err_set(err, "no memory");
    enum ps_status status = client_fill(client, settings, err);
    ERR_clear_error();
    if (status != PS_OK) {
        ps_tls_client_destroy(client);
        return PS_FAIL;
    }
    *made = client;
    return PS_OK;
}

struct ps_tls_client *ps_tls_client_copy(const struct ps_tls_client *client, const char *server_name)
{
    struct ps_tls_client *copy = calloc(1, sizeof *copy);
    if (copy == NULL)
        return NULL;
    *copy = *client;
    if (set_server_name(copy, server_name) && SSL_CTX_up_ref(copy->context) == 1)
        return copy;
    free(copy->name);
    free(copy);
    return NULL;
}

void ps_tls_client_destroy(struct ps_tls_client *client)
{
    if (client == NULL)
        return;
    SSL_CTX_free(client->context);
    free(client->name);
    free(client);
}

/* ---- the transport ---- */

static void tls_close(void *opened)
{
    struct session *session = opened;
    SSL_free(session->ssl);
    BIO_meth_free(session->method);
    free(session);
}

static bool set_name(const struct ps_tls_client *client, SSL *ssl)
{
    if (client->name == NULL)
        return true;
    if (client->name_is_address)
        return client->any_name || X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), client->name) == 1;
    return (client->any_name || SSL_set1_host(ssl, client->name) == 1) &&
           SSL_set_tlsext_host_name(ssl, client->name) == 1;
}

/* `pipe` NULL: over the socket. */
static void *open_session(const struct ps_tls_client *client, int fd, struct ps_tls_pipe *pipe, char *reason)
{
    struct session *session = calloc(1, sizeof *session);
    bool good = session != NULL && (session->ssl = SSL_new(client->context)) != NULL;
    if (good && pipe != NULL) {
        BIO *bio = ps_tls_pipe_bio(pipe, &session->method);
        good = bio != NULL;
        if (good)
            SSL_set_bio(session->ssl, bio, bio);
    } else if (good) {
        good = SSL_set_fd(session->ssl, fd) == 1;
    }
    if (good && set_name(client, session->ssl)) {
        SSL_set_connect_state(session->ssl);
        session->keys = client->keys;
        return session;
    }
    (void)ps_transport_lose(reason, "TLS: no session");
    if (session != NULL)
        tls_close(session);
    ERR_clear_error();
    return NULL;
}

static void *tls_open(const void *settings, int fd, char *reason)
{
    return open_session(settings, fd, NULL, reason);
}

void *ps_tls_client_open_over(const struct ps_tls_client *client, struct ps_tls_pipe *pipe, char *reason)
{
    return open_session(client, -1, pipe, reason);
}

static const char *const name_cures[] = {
    [PS_TLS_KEYS_URL] = "; give server-name=NAME as the certificate has it",
    [PS_TLS_KEYS_FLUME] =
        "; connect to a name that the certificate has, or set penstock.verify.hostname=false",
    [PS_TLS_KEYS_KAFKA] =
        ("; connect to a name that the certificate has, or set ssl.endpoint.identification.algorithm to "
         "nothing")};
static const char *const trust_cures[] = {
    [PS_TLS_KEYS_URL] = "; give ca=FILE of its authority, or verify=false",
    [PS_TLS_KEYS_FLUME] = "; set truststore to a file with its authority, or trust-all-certs=true",
    [PS_TLS_KEYS_KAFKA] = "; set ssl.truststore.location to a file with its authority"};

/* Writes why the handshake failed, with a hint if the user can correct it. */
static void explain_handshake(const struct session *session, char *reason)
{
    long verdict = SSL_get_verify_result(session->ssl);
    if (verdict == X509_V_OK) {
        snprintf(reason, PS_TRANSPORT_REASON_BYTES, "TLS handshake failed: %s", ps_tls_reason(true));
        return;
    }
    bool name = verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH;
    bool trust =
        verdict == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT ||
        verdict == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN ||
        /* the file has an authority, but not the authority's issuer */
        verdict == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
        verdict == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
        verdict == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
        verdict == X509_V_ERR_CERT_SIGNATURE_FAILURE; /* an authority of the same name, with another key */
    snprintf(reason, PS_TRANSPORT_REASON_BYTES, "TLS: the certificate is not accepted: %s%s",
             X509_verify_cert_error_string(verdict),
             name    ? name_cures[session->keys]
             : trust ? trust_cures[session->keys]
                     : "");
}

/* Translates the result of an OpenSSL call that made no progress: returns 0 and sets *wants, or returns -1 with
 * `reason`. */
static int explain(const struct session *session, int returned, int error, short *wants, char *reason)
{
    switch (SSL_get_error(session->ssl, returned)) {
    case SSL_ERROR_WANT_READ:
        *wants = POLLIN;
        return 0;
    case SSL_ERROR_WANT_WRITE:
        *wants = POLLOUT;
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        error = 0;
        __attribute__((fallthrough));
    case SSL_ERROR_SYSCALL:
        snprintf(reason, PS_TRANSPORT_REASON_BYTES, "%s%s",
                 error != 0 ? strerror(error) : "the other side closed the connection",
                 SSL_is_init_finished(session->ssl) ? "" : " in the TLS handshake: it may not speak TLS");
        break;
    default:
        if (!SSL_is_init_finished(session->ssl))
            explain_handshake(session, reason);
        else
            snprintf(reason, PS_TRANSPORT_REASON_BYTES, "TLS: %s", ps_tls_reason(false));
        break;
    }
    ERR_clear_error();
    return -1;
}

static int tls_handshake(void *opened, short *wants, char *reason)
{
    struct session *session = opened;
    ERR_clear_error();
    errno = 0;
    int returned = SSL_do_handshake(session->ssl);
    return returned == 1 ? 1 : explain(session, returned, errno, wants, reason);
}

/* A part that did not fit is passed again with the next call, from the same position: OpenSSL requires it. */
static ssize_t tls_write(void *opened, const struct iovec *parts, int count, short *wants, char *reason)
{
    struct session *session = opened;
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        for (size_t done = 0; done < parts[i].iov_len;) {
            size_t written = 0;
            ERR_clear_error();
            errno = 0;
            int returned = SSL_write_ex(session->ssl, (const char *)parts[i].iov_base + done,
                                        parts[i].iov_len - done, &written);
            if (returned != 1) {
                int result = explain(session, returned, errno, wants, reason);
                return total > 0 && result == 0 ? total : result;
            }
            done += written;
            total += (ssize_t)written;
        }
    }
    return total;
}

static ssize_t tls_read(void *opened, char *to, size_t room, short *wants, char *reason)
{
    struct session *session = opened;
    size_t length = 0;
    ERR_clear_error();
    errno = 0;
    int returned = SSL_read_ex(session->ssl, to, room, &length);
    return returned == 1 ? (ssize_t)length : explain(session, returned, errno, wants, reason);
}

static void tls_end(void *opened)
{
    struct session *session = opened;
    ERR_clear_error();
    SSL_shutdown(session->ssl); /* close_notify, as far as the socket takes it */
    ERR_clear_error();
}

const struct ps_transport ps_transport_tls = {
    .open = tls_open,
    .handshake = tls_handshake,
    .write = tls_write,
    .read = tls_read,
    .end = tls_end,
    .close = tls_close,
};
