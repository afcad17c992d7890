#include "stages/avro/session.h"

#include "stages/avro/zlib.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define IN_BYTES 8192U
#define TLS_RECORD 0x16
/* Inflating takes 40 KB, deflating answers 5 KB, and TLS what stream_tls.c says. */
#define DEFLATE_BYTES (56U * 1024U)
#define TLS_BYTES (16U * 1024U)

enum nesting { UNDECIDED, NO_TLS, TLS_OUTSIDE, TLS_INSIDE };

struct session {
    const struct ps_tls_server *server; /* NULL: no TLS */
    int fd;
    enum nesting nesting;
    struct ps_tls_connection *tls;
    struct ps_avro_zlib zlib;
    bool filled; /* the last inflating filled its room: there may be more */
    /* Compressed bytes to be sent, and how many of the caller's they stand for. The caller passes those again until they
     * are sent. */
    struct iovec out;
    size_t out_of;
    struct ps_avro_zlib_input in; /* received, not inflated yet; in in_bytes */
    const char *why;
    uint8_t in_bytes[IN_BYTES];
};

static void *open_session(const void *settings, int fd)
{
    struct ps_err err;
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return NULL;
    session->server = settings;
    session->fd = fd;
    session->nesting = settings == NULL ? NO_TLS : UNDECIDED;
    if (ps_avro_zlib_init_small(&session->zlib, &err) == PS_OK)
        return session;
    free(session);
    return NULL;
}

static void close_session(void *opened)
{
    struct session *session = opened;
    ps_tls_connection_close(session->tls);
    ps_avro_zlib_fini(&session->zlib);
    free(session);
}

static enum ps_tls_result broken(struct session *session, const char *why)
{
    session->why = why;
    return PS_TLS_ERROR;
}

/* ---- at the socket ---- */

static bool is_retried(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS;
}

/* Below the compression: the socket, or TLS over it. */
static enum ps_tls_result read_below(struct session *session, void *buffer, size_t room, size_t *length)
{
    if (session->nesting == TLS_OUTSIDE)
        return ps_tls_connection_read(session->tls, buffer, room, length);
    ssize_t n = recv(session->fd, buffer, room, MSG_DONTWAIT);
    *length = n > 0 ? (size_t)n : 0;
    if (n > 0)
        return PS_TLS_OK;
    return n < 0 && is_retried(errno) ? PS_TLS_WANT_READ : PS_TLS_CLOSED;
}

static enum ps_tls_result write_below(struct session *session, const void *data, size_t length,
                                      size_t *written)
{
    if (session->nesting == TLS_OUTSIDE)
        return ps_tls_connection_write(session->tls, data, length, written);
    ssize_t n = send(session->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    *written = n > 0 ? (size_t)n : 0;
    if (n > 0)
        return PS_TLS_OK;
    return is_retried(errno) ? PS_TLS_WANT_WRITE : broken(session, strerror(errno));
}

/* ---- compression ---- */

static enum ps_tls_result read_inflated(void *opened, void *buffer, size_t room, size_t *length)
{
    struct session *session = opened;
    *length = 0;
    for (;;) {
        if (session->in.length > 0 || session->filled) {
            if (!ps_avro_zlib_unpack(&session->zlib, &session->in, buffer, room, length))
                return broken(session,
                              "the bytes are not compressed: does the client have compression-type=deflate?");
            session->filled = *length == room;
            if (*length > 0)
                return PS_TLS_OK;
        }
        size_t received;
        enum ps_tls_result result =
            read_below(session, session->in_bytes, sizeof session->in_bytes, &received);
        if (result != PS_TLS_OK)
            return result;
        session->in = (struct ps_avro_zlib_input){session->in_bytes, received};
    }
}

/* Takes all of the bytes or none. After none it is called again with them, and with more behind them if there are. */
static enum ps_tls_result write_deflated(void *opened, const void *data, size_t length, size_t *written)
{
    struct session *session = opened;
    *written = 0;
    if (session->out.iov_len == 0) {
        struct iovec parts[2] = {{NULL, 0}, {(void *)(uintptr_t)data, length}};
        if (!ps_avro_zlib_pack(&session->zlib, parts))
            return broken(session, "no memory to compress an answer");
        session->out = parts[0];
        session->out_of = length;
    }
    while (session->out.iov_len > 0) {
        size_t sent;
        enum ps_tls_result result = write_below(session, session->out.iov_base, session->out.iov_len, &sent);
        if (result != PS_TLS_OK)
            return result;
        session->out.iov_base = (uint8_t *)session->out.iov_base + sent;
        session->out.iov_len -= sent;
    }
    *written = session->out_of;
    return PS_TLS_OK;
}

/* ---- the session ---- */

/* Looks at the first byte. */
static enum ps_tls_result decide(struct session *session)
{
    uint8_t first;
    ssize_t n = recv(session->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && is_retried(errno) ? PS_TLS_WANT_READ : PS_TLS_CLOSED;
    const struct ps_tls_pipe pipe = {.read = read_inflated, .write = write_deflated, .argument = session};
    session->nesting = first == TLS_RECORD ? TLS_OUTSIDE : TLS_INSIDE;
    session->tls = session->nesting == TLS_OUTSIDE ? ps_tls_connection_open(session->server, session->fd)
                                                   : ps_tls_connection_open_over(session->server, &pipe);
    return session->tls != NULL ? PS_TLS_OK : broken(session, "no memory for TLS");
}

static enum ps_tls_result read_session(void *opened, void *buffer, size_t room, size_t *length)
{
    struct session *session = opened;
    *length = 0;
    enum ps_tls_result result = session->nesting == UNDECIDED ? decide(session) : PS_TLS_OK;
    if (result != PS_TLS_OK)
        return result;
    return session->nesting == TLS_INSIDE ? ps_tls_connection_read(session->tls, buffer, room, length)
                                          : read_inflated(session, buffer, room, length);
}

static enum ps_tls_result write_session(void *opened, const void *data, size_t length, size_t *written)
{
    struct session *session = opened;
    return session->nesting == TLS_INSIDE ? ps_tls_connection_write(session->tls, data, length, written)
                                          : write_deflated(session, data, length, written);
}

static bool has_more(const void *opened)
{
    const struct session *session = opened;
    bool tls = session->tls != NULL && ps_tls_connection_more(session->tls);
    return tls || (session->nesting != TLS_INSIDE && (session->filled || session->in.length > 0));
}

static bool is_established(const void *opened)
{
    const struct session *session = opened;
    return session->nesting == NO_TLS ||
           (session->tls != NULL && ps_tls_connection_established(session->tls));
}

static const char *reason_of(const void *opened)
{
    const struct session *session = opened;
    return session->why != NULL   ? session->why
           : session->tls != NULL ? ps_tls_connection_reason(session->tls)
                                  : "";
}

const struct ps_stream_session_ops ps_avro_session_deflate = {
    .name = "decompressing",
    .memory_bytes = DEFLATE_BYTES,
    .open = open_session,
    .close = close_session,
    .read = read_session,
    .write = write_session,
    .more = has_more,
    .established = is_established,
    .reason = reason_of,
};

const struct ps_stream_session_ops ps_avro_session_deflate_tls = {
    .name = "TLS or decompressing",
    .memory_bytes = DEFLATE_BYTES + TLS_BYTES,
    .open = open_session,
    .close = close_session,
    .read = read_session,
    .write = write_session,
    .more = has_more,
    .established = is_established,
    .reason = reason_of,
};
