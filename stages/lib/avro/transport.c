#include "stages/lib/avro/transport.h"

#include "stages/lib/avro/deflate.h"
#include "stages/lib/tls/socket_pipe.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

struct session {
    const struct ps_avro_transport_settings *settings;
    int fd;
    void *tls; /* settings of ps_transport_tls; NULL: no TLS */
    struct ps_avro_deflate deflate;
    struct ps_tls_pipe inside;              /* below TLS: the compression */
    char reason[PS_TRANSPORT_REASON_BYTES]; /* reason that TLS gave */
};

/* ---- TLS below the compression ---- */

static enum ps_tls_result result_of(ssize_t length, short wants, size_t *done)
{
    *done = length > 0 ? (size_t)length : 0;
    if (length > 0)
        return PS_TLS_OK;
    return length < 0 ? PS_TLS_ERROR : wants == POLLOUT ? PS_TLS_WANT_WRITE : PS_TLS_WANT_READ;
}

static enum ps_tls_result read_tls(void *opened, void *buffer, size_t room, size_t *length)
{
    struct session *session = opened;
    short wants = POLLIN;
    ssize_t n = ps_transport_tls.read(session->tls, buffer, room, &wants, session->reason);
    return result_of(n, wants, length);
}

static enum ps_tls_result write_tls(void *opened, const void *data, size_t length, size_t *written)
{
    struct session *session = opened;
    const struct iovec part = {(void *)(uintptr_t)data, length};
    short wants = POLLOUT;
    ssize_t n = ps_transport_tls.write(session->tls, &part, 1, &wants, session->reason);
    return result_of(n, wants, written);
}

/* ---- the transport ---- */

static void close_session(void *opened)
{
    struct session *session = opened;
    if (session->tls != NULL)
        ps_transport_tls.close(session->tls);
    ps_avro_deflate_fini(&session->deflate);
    free(session);
}

static void *open_session(const void *settings_, int fd, char *reason)
{
    const struct ps_avro_transport_settings *settings = settings_;
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        (void)ps_transport_lose(reason, "no memory");
        return NULL;
    }
    bool outside = settings->tls != NULL && settings->tls_outside;
    struct ps_tls_pipe below = {
        .read = ps_socket_pipe_read, .write = ps_socket_pipe_write, .argument = &session->fd};
    if (outside)
        below = (struct ps_tls_pipe){.read = read_tls, .write = write_tls, .argument = session};
    struct ps_err err = {.length = 0};
    session->settings = settings;
    session->fd = fd;
    if (ps_avro_deflate_init(&session->deflate, settings->level, &below, &err) != PS_OK) {
        (void)ps_transport_lose(reason, err.text);
        free(session);
        return NULL;
    }
    session->inside = (struct ps_tls_pipe){
        .read = ps_avro_deflate_read, .write = ps_avro_deflate_write, .argument = &session->deflate};
    if (outside)
        session->tls = ps_transport_tls.open(settings->tls, fd, reason);
    else if (settings->tls != NULL)
        session->tls = ps_tls_client_open_over(settings->tls, &session->inside, reason);
    if (settings->tls == NULL || session->tls != NULL)
        return session;
    close_session(session);
    return NULL;
}

static int shake(void *opened, short *wants, char *reason)
{
    struct session *session = opened;
    return session->tls == NULL ? 1 : ps_transport_tls.handshake(session->tls, wants, reason);
}

static bool is_tls_on_top(const struct session *session)
{
    return session->tls != NULL && !session->settings->tls_outside;
}

static ssize_t lost(const struct session *session)
{
    return session->deflate.starved ? PS_TRANSPORT_NO_MEMORY : -1;
}

/* Maps a failure of the compression to the client's result. */
static ssize_t explain(const struct session *session, enum ps_tls_result result, short *wants, char *reason)
{
    *wants = result == PS_TLS_WANT_WRITE ? POLLOUT : POLLIN;
    if (result == PS_TLS_WANT_READ || result == PS_TLS_WANT_WRITE)
        return 0;
    snprintf(reason, PS_TRANSPORT_REASON_BYTES, "%s",
             session->deflate.why != NULL ? session->deflate.why
             : session->reason[0] != '\0' ? session->reason
                                          : "the other side closed the connection");
    return lost(session);
}

static ssize_t write_session(void *opened, const struct iovec *parts, int count, short *wants, char *reason)
{
    struct session *session = opened;
    if (is_tls_on_top(session)) {
        ssize_t done = ps_transport_tls.write(session->tls, parts, count, wants, reason);
        return done < 0 ? lost(session) : done;
    }
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        size_t written;
        if (parts[i].iov_len == 0)
            continue;
        enum ps_tls_result result =
            ps_avro_deflate_write(&session->deflate, parts[i].iov_base, parts[i].iov_len, &written);
        if (result != PS_TLS_OK) {
            ssize_t done = explain(session, result, wants, reason);
            return total > 0 && done == 0 ? total : done;
        }
        total += (ssize_t)written;
    }
    return total;
}

static ssize_t read_session(void *opened, char *to, size_t room, short *wants, char *reason)
{
    struct session *session = opened;
    size_t length;
    if (is_tls_on_top(session))
        return ps_transport_tls.read(session->tls, to, room, wants, reason);
    enum ps_tls_result result = ps_avro_deflate_read(&session->deflate, to, room, &length);
    return result == PS_TLS_OK ? (ssize_t)length : explain(session, result, wants, reason);
}

static void end_session(void *opened)
{
    struct session *session = opened;
    if (session->tls != NULL)
        ps_transport_tls.end(session->tls);
}

const struct ps_transport ps_avro_transport_deflate = {
    .open = open_session,
    .handshake = shake,
    .write = write_session,
    .read = read_session,
    .end = end_session,
    .close = close_session,
};
