#include "stages/lib/avro/session.h"

#include "stages/lib/avro/deflate.h"
#include "stages/lib/tls/socket_pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#define TLS_RECORD 0x16
/* Inflating takes 40 KB and deflating answers 5 KB; stages/lib/stream/tls.c has the figures for TLS. */
#define DEFLATE_BYTES (56U * 1024U)
#define TLS_BYTES (16U * 1024U)

enum nesting { UNDECIDED, NO_TLS, TLS_OUTSIDE, TLS_INSIDE };

struct session {
    const struct ps_tls_server *server; /* NULL: no TLS */
    int fd;
    enum nesting nesting;
    struct ps_tls_connection *tls;
    struct ps_avro_deflate deflate;
    const char *why;
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
    const struct ps_tls_pipe below = {
        .read = ps_socket_pipe_read, .write = ps_socket_pipe_write, .argument = &session->fd};
    if (ps_avro_deflate_init(&session->deflate, PS_AVRO_ZLIB_SMALL, &below, &err) == PS_OK)
        return session;
    free(session);
    return NULL;
}

static void close_session(void *opened)
{
    struct session *session = opened;
    ps_tls_connection_close(session->tls);
    ps_avro_deflate_fini(&session->deflate);
    free(session);
}

static enum ps_tls_result read_tls(void *tls, void *buffer, size_t room, size_t *length)
{
    return ps_tls_connection_read(tls, buffer, room, length);
}

static enum ps_tls_result write_tls(void *tls, const void *data, size_t length, size_t *written)
{
    return ps_tls_connection_write(tls, data, length, written);
}

/* ---- the session ---- */

/* Chooses the nesting by the first byte. */
static enum ps_tls_result decide(struct session *session)
{
    uint8_t first;
    ssize_t n = recv(session->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? PS_TLS_WANT_READ
                                                                                    : PS_TLS_CLOSED;
    if (first == TLS_RECORD) {
        session->nesting = TLS_OUTSIDE;
        session->tls = ps_tls_connection_open(session->server, session->fd);
        session->deflate.below =
            (struct ps_tls_pipe){.read = read_tls, .write = write_tls, .argument = session->tls};
    } else {
        const struct ps_tls_pipe pipe = {
            .read = ps_avro_deflate_read, .write = ps_avro_deflate_write, .argument = &session->deflate};
        session->nesting = TLS_INSIDE;
        session->tls = ps_tls_connection_open_over(session->server, &pipe);
    }
    if (session->tls != NULL)
        return PS_TLS_OK;
    session->nesting = UNDECIDED;
    session->why = "no memory for TLS";
    return PS_TLS_ERROR;
}

static enum ps_tls_result read_session(void *opened, void *buffer, size_t room, size_t *length)
{
    struct session *session = opened;
    *length = 0;
    enum ps_tls_result result = session->nesting == UNDECIDED ? decide(session) : PS_TLS_OK;
    if (result != PS_TLS_OK)
        return result;
    return session->nesting == TLS_INSIDE ? ps_tls_connection_read(session->tls, buffer, room, length)
                                          : ps_avro_deflate_read(&session->deflate, buffer, room, length);
}

static enum ps_tls_result write_session(void *opened, const void *data, size_t length, size_t *written)
{
    struct session *session = opened;
    return session->nesting == TLS_INSIDE ? ps_tls_connection_write(session->tls, data, length, written)
                                          : ps_avro_deflate_write(&session->deflate, data, length, written);
}

static bool has_more(const void *opened)
{
    const struct session *session = opened;
    bool tls = session->tls != NULL && ps_tls_connection_more(session->tls);
    return tls || (session->nesting != TLS_INSIDE && ps_avro_deflate_has_more(&session->deflate));
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
    if (session->why != NULL)
        return session->why;
    if (session->deflate.why != NULL)
        return session->deflate.why;
    return session->tls != NULL ? ps_tls_connection_reason(session->tls) : "";
}

/* The head of zlib's format: deflate, with any window. */
static bool may_begin(uint8_t first)
{
    return (first & 0x0f) == 8 && first >> 4 <= 7;
}

static bool may_begin_or_tls(uint8_t first)
{
    return first == TLS_RECORD || may_begin(first);
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
    .begins = may_begin,
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
    .begins = may_begin_or_tls,
};
