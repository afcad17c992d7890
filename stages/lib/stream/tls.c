/* Sessions of a stream over TLS: a struct ps_tls_connection each. Thread: the worker's. */
#include "stages/lib/stream/stream.h"

/* OpenSSL 3.0 allocates 14.3 KB for an idle open connection. While a part of a record is there, its buffer of
 * 17 KB comes on top (SSL_MODE_RELEASE_BUFFERS). */
#define CONNECTION_BYTES (16U * 1024U)

static void *open_session(const void *settings, int fd)
{
    return ps_tls_connection_open(settings, fd);
}

static void close_session(void *session)
{
    ps_tls_connection_close(session);
}

static enum ps_tls_result read_session(void *session, void *buffer, size_t room, size_t *length)
{
    return ps_tls_connection_read(session, buffer, room, length);
}

static enum ps_tls_result write_session(void *session, const void *data, size_t length, size_t *written)
{
    return ps_tls_connection_write(session, data, length, written);
}

static enum ps_tls_result shut_down(void *session)
{
    return ps_tls_connection_shutdown(session);
}

static bool has_more(const void *session)
{
    return ps_tls_connection_more(session);
}

static bool is_established(const void *session)
{
    return ps_tls_connection_established(session);
}

static const char *reason_of(const void *session)
{
    return ps_tls_connection_reason(session);
}

/* A record of a handshake, or the hello of SSL 2. */
static bool may_begin(uint8_t first)
{
    return first == 0x16 || (first & 0x80) != 0;
}

const struct ps_stream_session_ops ps_stream_session_tls = {
    .name = "TLS",
    .memory_bytes = CONNECTION_BYTES,
    .open = open_session,
    .close = close_session,
    .read = read_session,
    .write = write_session,
    .shutdown = shut_down,
    .more = has_more,
    .established = is_established,
    .reason = reason_of,
    .begins = may_begin,
};
