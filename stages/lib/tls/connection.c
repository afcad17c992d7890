/* One TLS connection over a non-blocking socket. The worker that owns the socket calls it; it never blocks
 * and never logs. */
#include "stages/lib/tls/tls.h"

#include "stages/lib/tls/internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ps_tls_connection {
    SSL *ssl;
    bool established, more, broken;
    struct ps_tls_pipe pipe; /* used in place of a socket; else zeroed */
    BIO_METHOD *method;
    char reason[160];
};

/* ---- life cycle ---- */

static struct ps_tls_connection *discard(struct ps_tls_connection *connection)
{
    ps_tls_connection_close(connection);
    ERR_clear_error();
    return NULL;
}

struct ps_tls_connection *ps_tls_connection_open_over(const struct ps_tls_server *server,
                                                      const struct ps_tls_pipe *pipe)
{
    struct ps_tls_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    connection->pipe = *pipe;
    connection->ssl = SSL_new(server->context);
    BIO *bio = connection->ssl != NULL ? ps_tls_pipe_bio(&connection->pipe, &connection->method) : NULL;
    if (bio == NULL)
        return discard(connection);
    SSL_set_bio(connection->ssl, bio, bio);
    SSL_set_accept_state(connection->ssl);
    return connection;
}

struct ps_tls_connection *ps_tls_connection_open(const struct ps_tls_server *server, int fd)
{
    struct ps_tls_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL)
        return NULL;
    connection->ssl = SSL_new(server->context);
    if (connection->ssl == NULL || !SSL_set_fd(connection->ssl, fd))
        return discard(connection);
    SSL_set_accept_state(connection->ssl);
    return connection;
}

void ps_tls_connection_close(struct ps_tls_connection *connection)
{
    if (connection == NULL)
        return;
    SSL_free(connection->ssl);
    BIO_meth_free(connection->method);
    free(connection);
}

static enum ps_tls_result broken(struct ps_tls_connection *connection, const char *reason)
{
    snprintf(connection->reason, sizeof connection->reason, "%s%s",
             connection->established ? "" : "TLS handshake failed: ", reason);
    connection->broken = true;
    connection->more = false;
    return PS_TLS_ERROR;
}

/* Converts the result of a failed OpenSSL call. `saved_errno`: errno right after the call. */
static enum ps_tls_result explain(struct ps_tls_connection *connection, int returned, int saved_errno)
{
    switch (SSL_get_error(connection->ssl, returned)) {
    case SSL_ERROR_WANT_READ:
        return PS_TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return PS_TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return PS_TLS_CLOSED;
    case SSL_ERROR_SYSCALL:
        /* The stream ended without close_notify, or was reset after data: the peer closed. */
        if (saved_errno == 0 ||
            ((saved_errno == ECONNRESET || saved_errno == EPIPE) && connection->established))
            return connection->established ? PS_TLS_CLOSED : broken(connection, "the client disconnected");
        return broken(connection, strerror(saved_errno));
    default:
        return broken(connection, ps_tls_reason(!connection->established));
    }
}

static void note_established(struct ps_tls_connection *connection)
{
    if (!connection->established && SSL_is_init_finished(connection->ssl))
        connection->established = true;
}

static bool handshake_too_long(const struct ps_tls_connection *connection)
{
    return !connection->established &&
           BIO_number_read(SSL_get_rbio(connection->ssl)) > PS_TLS_HANDSHAKE_BYTES_MAX;
}

enum ps_tls_result ps_tls_connection_read(struct ps_tls_connection *connection, void *buffer, size_t room,
                                          size_t *length)
{
    *length = 0;
    if (connection->broken)
        return PS_TLS_ERROR;
    ERR_clear_error();
    errno = 0;
    int returned = SSL_read_ex(connection->ssl, buffer, room, length);
    int saved_errno = errno;
    note_established(connection);
    connection->more = returned == 1;
    enum ps_tls_result result = returned == 1 ? PS_TLS_OK : explain(connection, returned, saved_errno);
    if (result != PS_TLS_OK)
        *length = 0;
    if (result != PS_TLS_ERROR && handshake_too_long(connection))
        result = broken(connection, "more bytes than a handshake needs");
    ERR_clear_error();
    return result;
}

enum ps_tls_result ps_tls_connection_write(struct ps_tls_connection *connection, const void *data,
                                           size_t length, size_t *written)
{
    *written = 0;
    if (connection->broken)
        return PS_TLS_ERROR;
    ERR_clear_error();
    errno = 0;
    int returned = SSL_write_ex(connection->ssl, data, length, written);
    int saved_errno = errno;
    note_established(connection);
    enum ps_tls_result result = returned == 1 ? PS_TLS_OK : explain(connection, returned, saved_errno);
    if (result != PS_TLS_OK)
        *written = 0;
    ERR_clear_error();
    return result;
}

enum ps_tls_result ps_tls_connection_shutdown(struct ps_tls_connection *connection)
{
    /* OpenSSL forbids SSL_shutdown after a fatal error; before the handshake is complete there is nothing to
     * close. */
    if (connection->broken || !connection->established)
        return PS_TLS_OK;
    ERR_clear_error();
    errno = 0;
    int returned = SSL_shutdown(connection->ssl);
    int saved_errno = errno;
    enum ps_tls_result result = returned >= 0 ? PS_TLS_OK : explain(connection, returned, saved_errno);
    ERR_clear_error();
    return result;
}

bool ps_tls_connection_more(const struct ps_tls_connection *connection)
{
    return connection->more;
}

bool ps_tls_connection_established(const struct ps_tls_connection *connection)
{
    return connection->established;
}

const char *ps_tls_connection_protocol(const struct ps_tls_connection *connection)
{
    return connection->established ? SSL_get_version(connection->ssl) : "";
}

const char *ps_tls_connection_cipher_suite(const struct ps_tls_connection *connection)
{
    const SSL_CIPHER *cipher = connection->established ? SSL_get_current_cipher(connection->ssl) : NULL;
    return cipher != NULL ? SSL_CIPHER_standard_name(cipher) : "";
}

const char *ps_tls_connection_reason(const struct ps_tls_connection *connection)
{
    return connection->reason;
}
