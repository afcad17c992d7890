#include "stages/lib/thrift/sasl_session.h"

#include "stages/lib/tls/socket_pipe.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* An open connection needs only the memory of TLS, because the buffers of the exchange are freed at its end. */
#define SESSION_BYTES (16U * 1024U)

struct session {
    int fd;
    struct ps_tls_connection *tls; /* server; NULL: no TLS */
    struct ps_thrift_sasl sasl;
};

/* ---- the server's side ---- */

static enum ps_tls_result read_tls(void *tls, void *buffer, size_t room, size_t *length)
{
    return ps_tls_connection_read(tls, buffer, room, length);
}

static enum ps_tls_result write_tls(void *tls, const void *data, size_t length, size_t *written)
{
    return ps_tls_connection_write(tls, data, length, written);
}

static void close_session(void *opened)
{
    struct session *session = opened;
    ps_thrift_sasl_fini(&session->sasl);
    ps_tls_connection_close(session->tls);
    free(session);
}

static void *open_session(const void *settings, int fd)
{
    const struct ps_thrift_sasl_server *server = settings;
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    struct ps_tls_pipe below = {
        .read = ps_socket_pipe_read, .write = ps_socket_pipe_write, .argument = &session->fd};
    session->fd = fd;
    if (server->tls != NULL) {
        session->tls = ps_tls_connection_open(server->tls, fd);
        below = (struct ps_tls_pipe){.read = read_tls, .write = write_tls, .argument = session->tls};
    }
    struct ps_gss_context *context = ps_gss_acceptor_open(server->acceptor);
    bool made = context != NULL && (server->tls == NULL || session->tls != NULL);
    if (made && ps_thrift_sasl_init(&session->sasl, &below, context, NULL))
        return session;
    if (!made)
        ps_gss_context_close(context);
    close_session(session);
    return NULL;
}

static enum ps_tls_result read_session(void *opened, void *buffer, size_t room, size_t *length)
{
    struct session *session = opened;
    *length = 0;
    if (!ps_thrift_sasl_is_open(&session->sasl) || session->sasl.in != NULL) {
        enum ps_tls_result result = ps_thrift_sasl_work(&session->sasl);
        if (result != PS_TLS_OK)
            return result;
    }
    return session->sasl.below.read(session->sasl.below.argument, buffer, room, length);
}

static enum ps_tls_result write_session(void *opened, const void *data, size_t length, size_t *written)
{
    struct session *session = opened;
    return session->sasl.below.write(session->sasl.below.argument, data, length, written);
}

static enum ps_tls_result shut_session(void *opened)
{
    struct session *session = opened;
    return session->tls != NULL ? ps_tls_connection_shutdown(session->tls) : PS_TLS_OK;
}

static bool has_more(const void *opened)
{
    const struct session *session = opened;
    return session->tls != NULL && ps_tls_connection_more(session->tls);
}

static bool is_established(const void *opened)
{
    const struct session *session = opened;
    return ps_thrift_sasl_is_open(&session->sasl);
}

static const char *reason_of(const void *opened)
{
    const struct session *session = opened;
    if (session->sasl.reason[0] == '\0' && session->tls != NULL)
        return ps_tls_connection_reason(session->tls);
    return session->sasl.reason;
}

const struct ps_stream_session_ops ps_thrift_session_sasl = {
    .name = "Kerberos",
    .memory_bytes = SESSION_BYTES,
    .open = open_session,
    .close = close_session,
    .read = read_session,
    .write = write_session,
    .shutdown = shut_session,
    .more = has_more,
    .established = is_established,
    .reason = reason_of,
};

/* ---- the client's side ---- */

struct client_session {
    int fd;
    const struct ps_transport *transport; /* below: plain, or TLS */
    void *under;                          /* session of `transport` */
    bool shaken;                          /* the handshake of `transport` is complete */
    short wants;
    struct ps_thrift_sasl sasl;
    char reason[PS_TRANSPORT_REASON_BYTES];
};

static enum ps_tls_result result_of(const struct client_session *session, ssize_t length, size_t *done)
{
    *done = length > 0 ? (size_t)length : 0;
    if (length > 0)
        return PS_TLS_OK;
    return length < 0 ? PS_TLS_CLOSED : session->wants == POLLOUT ? PS_TLS_WANT_WRITE : PS_TLS_WANT_READ;
}

static enum ps_tls_result read_under(void *opened, void *buffer, size_t room, size_t *length)
{
    struct client_session *session = opened;
    session->wants = POLLIN;
    return result_of(session,
                     session->transport->read(session->under, buffer, room, &session->wants, session->reason),
                     length);
}

static enum ps_tls_result write_under(void *opened, const void *data, size_t length, size_t *written)
{
    struct client_session *session = opened;
    const struct iovec part = {(void *)(uintptr_t)data, length};
    session->wants = POLLOUT;
    return result_of(session,
                     session->transport->write(session->under, &part, 1, &session->wants, session->reason),
                     written);
}

static void close_client(void *opened)
{
    struct client_session *session = opened;
    if (session->under != NULL)
        session->transport->close(session->under);
    ps_thrift_sasl_fini(&session->sasl);
    free(session);
}

static void *open_client(const void *settings_, int fd, char *reason)
{
    const struct ps_thrift_sasl_client *settings = settings_;
    struct ps_gss_token token;
    struct client_session *session = calloc(1, sizeof *session);
    struct ps_gss_context *context =
        session != NULL ? ps_gss_initiator_take(settings->initiator, &token, NULL, reason) : NULL;
    if (context == NULL) {
        if (session == NULL)
            (void)ps_transport_lose(reason, "no memory");
        free(session);
        return NULL;
    }
    const struct ps_tls_pipe below = {.read = read_under, .write = write_under, .argument = session};
    session->fd = fd;
    session->transport = settings->tls != NULL ? &ps_transport_tls : &ps_transport_plain;
    bool made = ps_thrift_sasl_init(&session->sasl, &below, context, &token);
    if (!made)
        (void)ps_transport_lose(reason, "no memory");
    else
        session->under = session->transport->open(settings->tls, fd, reason);
    if (session->under != NULL)
        return session;
    close_client(session);
    return NULL;
}

static int explain(const struct client_session *session, enum ps_tls_result result, short *wants,
                   char *reason)
{
    *wants = result == PS_TLS_WANT_WRITE ? POLLOUT : POLLIN;
    if (result == PS_TLS_WANT_READ || result == PS_TLS_WANT_WRITE)
        return 0;
    snprintf(reason, PS_TRANSPORT_REASON_BYTES, "Kerberos: %.200s",
             session->sasl.reason[0] != '\0' ? session->sasl.reason
             : session->reason[0] != '\0'    ? session->reason
                                             : "the other side closed the connection");
    return -1;
}

static int shake(void *opened, short *wants, char *reason)
{
    struct client_session *session = opened;
    if (!session->shaken && session->transport->handshake != NULL) {
        int done = session->transport->handshake(session->under, wants, reason);
        if (done <= 0)
            return done;
    }
    session->shaken = true;
    enum ps_tls_result result = ps_thrift_sasl_work(&session->sasl);
    return result == PS_TLS_OK ? 1 : explain(session, result, wants, reason);
}

static ssize_t write_client(void *opened, const struct iovec *parts, int count, short *wants, char *reason)
{
    struct client_session *session = opened;
    return session->transport->write(session->under, parts, count, wants, reason);
}

static ssize_t read_client(void *opened, char *to, size_t room, short *wants, char *reason)
{
    struct client_session *session = opened;
    return session->transport->read(session->under, to, room, wants, reason);
}

static void end_client(void *opened)
{
    struct client_session *session = opened;
    session->transport->end(session->under);
}

const struct ps_transport ps_thrift_transport_sasl = {
    .open = open_client,
    .handshake = shake,
    .write = write_client,
    .read = read_client,
    .end = end_client,
    .close = close_client,
};
