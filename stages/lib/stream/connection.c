/* Life of a TCP connection: slots, epoll events, replies, closing. Thread: the worker's. */
#include "stages/lib/stream/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HANDSHAKE_NS (10 * PS_NS_PER_S)
#define NAME_NS (5 * PS_NS_PER_S)
#define LINGER_NS PS_NS_PER_S
#define LINGER_BYTES_MAX (1U << 20)
#define REPLIES_BYTES_MAX (1U << 20) /* limit of one connection's unsent replies; with more it is closed */

static bool grow(struct ps_stream *stream)
{
    uint32_t first = stream->chunk_count * PS_CONNECTION_CHUNK;
    if (first >= PS_LISTENER_TAG - PS_CONNECTION_CHUNK)
        return false;
    if ((stream->chunk_count & (stream->chunk_count - 1)) == 0) { /* 1, 2, 4, .. entries */
        size_t room = stream->chunk_count == 0 ? 1 : 2 * (size_t)stream->chunk_count;
        struct ps_connection **chunks = realloc(stream->chunks, room * sizeof *chunks);
        if (chunks == NULL)
            return false;
        stream->chunks = chunks;
    }
    struct ps_connection *chunk = calloc(PS_CONNECTION_CHUNK, sizeof *chunk);
    if (chunk == NULL)
        return false;
    stream->chunks[stream->chunk_count++] = chunk;
    for (uint32_t i = PS_CONNECTION_CHUNK; i-- > 0;) {
        chunk[i] = (struct ps_connection){.fd = -1, .slot = first + i, .next = stream->free};
        stream->free = &chunk[i];
    }
    return true;
}

struct ps_connection *ps_connection_at(struct ps_stream *stream, uint32_t slot)
{
    PS_ASSERT(slot / PS_CONNECTION_CHUNK < stream->chunk_count);
    return &stream->chunks[slot / PS_CONNECTION_CHUNK][slot % PS_CONNECTION_CHUNK];
}

uint64_t ps_connection_origin(const struct ps_connection *connection)
{
    return (uint64_t)connection->generation << 32 | connection->slot;
}

struct ps_connection *ps_stream_find(struct ps_stream *stream, uint64_t origin)
{
    uint32_t slot = (uint32_t)origin;
    if (slot / PS_CONNECTION_CHUNK >= stream->chunk_count)
        return NULL;
    struct ps_connection *connection = ps_connection_at(stream, slot);
    return connection->fd >= 0 && connection->generation == (uint32_t)(origin >> 32) ? connection : NULL;
}

void ps_connection_set_deadline(struct ps_stream *stream, struct ps_connection *connection, uint64_t at_ns)
{
    if (connection->unwatched)
        at_ns = 1; /* the next check closes it, even if it is busy */
    if (connection->deadline_ns != 0)
        stream->timed_count--;
    if (at_ns != 0)
        stream->timed_count++;
    connection->deadline_ns = at_ns;
}

void ps_connection_watch(struct ps_stream *stream, struct ps_connection *connection)
{
    uint32_t interest = 0;
    if (connection->lingering || (!connection->closing && !connection->held && !connection->unwritable))
        interest |= EPOLLIN;
    if (connection->unwritable || connection->wants_write)
        interest |= EPOLLOUT;
    if (interest == connection->interest || connection->unwatched)
        return;
    connection->interest = interest;
    struct epoll_event event = {.events = interest, .data.u64 = ps_connection_origin(connection)};
    if (PS_LIKELY(epoll_ctl(stream->port->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event) == 0))
        return;
    ps_log(PS_LOG_ERROR, stream->port->component, "cannot watch the connection from %s: %s; closing it",
           connection->ip_text, strerror(errno));
    ps_count(stream->port->counters, PS_COUNTER_EventReadFail, 1);
    connection->unwatched = true;
    ps_connection_set_deadline(stream, connection, 1);
}

/* Closes a new connection if the source does not admit it. Returns whether it is still open. */
static bool admit(struct ps_stream *stream, struct ps_connection *connection)
{
    const struct ps_stream_ops *ops = stream->options.ops;
    bool open = ops->admits == NULL || ops->admits(stream->options.owner, connection);
    if (!open)
        ps_connection_close(stream, connection);
    return open;
}

/* Holds a new connection until its peer's name is known, if options.names is set. */
static void ask_name(struct ps_stream *stream, struct ps_connection *connection);

struct ps_connection *ps_connection_open(struct ps_stream *stream, int fd, uint16_t listener,
                                         const struct ps_address *peer, struct ps_buffer *memory,
                                         const struct ps_now *now)
{
    errno = ENOMEM;
    if (stream->free == NULL && !grow(stream))
        return NULL;
    struct ps_connection *connection = stream->free;
    const struct ps_stream_session_ops *ops = stream->options.session;
    void *session = NULL;
    if (ops != NULL && (session = ops->open(stream->options.session_settings, fd)) == NULL) {
        errno = ENOMEM; /* the library's error */
        return NULL;
    }
    uint32_t slot = connection->slot, generation = connection->generation + 1;
    struct ps_connection *next_free = connection->next;
    *connection = (struct ps_connection){.fd = fd,
                                         .slot = slot,
                                         .generation = generation,
                                         .listener = listener,
                                         .interest = EPOLLIN,
                                         .session = session,
                                         .session_memory = *memory,
                                         .active_ns = now->mono_ns,
                                         .begun_ns = now->mono_ns,
                                         .peer = *peer};
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = ps_connection_origin(connection)};
    if (epoll_ctl(stream->port->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        int error = errno;
        if (session != NULL)
            ops->close(session);
        connection->fd = -1;
        connection->next = next_free;
        connection->session = NULL;
        connection->session_memory = (struct ps_buffer){.data = NULL};
        errno = error;
        return NULL;
    }
    stream->free = next_free;
    connection->ip =
        (struct ps_slice){connection->ip_text, ps_address_ip(&connection->peer, connection->ip_text)};
    if (stream->options.replies) {
        int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    if (session != NULL && !ops->established(session))
        ps_connection_set_deadline(stream, connection, now->mono_ns + HANDSHAKE_NS);
    stream->open_count++;
    ps_gauge_set(stream->port->counters, PS_COUNTER_OpenConnectionCount, stream->open_count);
    ask_name(stream, connection);
    if (!connection->held)
        (void)admit(stream, connection);
    return connection;
}

static void unlink_connection(struct ps_stream *stream, struct ps_connection *connection)
{
    struct ps_connection **const lists[] = {&stream->more, &stream->more_now};
    for (size_t i = 0; i < PS_COUNT_OF(lists) && connection->listed; i++) {
        for (struct ps_connection **link = lists[i]; *link != NULL; link = &(*link)->next) {
            if (*link != connection)
                continue;
            *link = connection->next;
            connection->listed = false;
            break;
        }
    }
}

void ps_connection_end_giant(struct ps_stream *stream, struct ps_connection *connection)
{
    struct ps_buffer *carry = &connection->carry;
    if (connection->giant == NULL)
        return;
    ps_block_drop(stream->port->blocks, connection->giant);
    connection->giant = NULL;
    carry->length -= connection->giant_used;
    memmove(carry->data, carry->data + connection->giant_used, carry->length);
    connection->frame -= connection->giant_used;
    connection->giant_used = 0;
}

void ps_connection_close(struct ps_stream *stream, struct ps_connection *connection)
{
    if (stream->rest == connection) { /* the connection's bytes are not all split yet */
        connection->doomed = true;
        return;
    }
    ps_connection_end_giant(stream, connection);
    if (stream->options.ops->closed != NULL)
        stream->options.ops->closed(stream->options.owner, connection);
    unlink_connection(stream, connection);
    connection->unwatched = false;
    ps_connection_set_deadline(stream, connection, 0);
    if (connection->session != NULL) {
        const struct ps_stream_session_ops *ops = stream->options.session;
        if (ops->shutdown != NULL)
            (void)ops->shutdown(connection->session);
        ops->close(connection->session);
        connection->session = NULL;
    }
    close(connection->fd); /* also removes the socket from the epoll */
    connection->fd = -1;
    ps_buffer_free(&stream->slab, &connection->carry);
    ps_stream_carry_changed(stream, connection);
    ps_buffer_free(&stream->slab, &connection->out);
    ps_stream_unsent_changed(stream, connection);
    ps_buffer_free(&stream->slab, &connection->name);
    ps_buffer_free(&stream->session_slab, &connection->session_memory);
    if (connection->held)
        stream->held_count--;
    connection->next = stream->free;
    stream->free = connection;
    stream->open_count--;
    ps_gauge_set(stream->port->counters, PS_COUNTER_OpenConnectionCount, stream->open_count);
}

void ps_connection_session_failed(const struct ps_stream *stream, const struct ps_connection *connection,
                                  const char *why)
{
    struct ps_counters *counters = stream->port->counters;
    ps_log(PS_LOG_WARN, stream->port->component, "%s with %s failed: %s", stream->options.session->name,
           connection->ip_text, why);
    if (!connection->begun) /* something looked whether the port is open */
        return;
    ps_count(counters, PS_COUNTER_EventReadFail, 1);
    ps_count(counters, PS_COUNTER_malformed, connection->foreign);
    ps_count(counters, PS_COUNTER_discarded, connection->foreign);
}

bool ps_connection_has_ended(const struct ps_connection *connection)
{
    char byte;
    if (connection->listed) /* the connection's session has bytes */
        return false;
    ssize_t n = recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

void ps_connection_end_of_input(struct ps_stream *stream, struct ps_connection *connection)
{
    if (stream->options.replies && (connection->owed > 0 || connection->out.length > 0)) {
        connection->closing = true;
        ps_connection_watch(stream, connection);
        return;
    }
    ps_connection_close(stream, connection);
}

/* Sends what the socket takes. Returns false if the connection is broken. */
static bool send_some(const struct ps_stream *stream, struct ps_connection *connection, const char *data,
                      size_t length, size_t *sent)
{
    *sent = 0;
    if (connection->session != NULL) {
        enum ps_tls_result result = stream->options.session->write(connection->session, data, length, sent);
        return result == PS_TLS_OK || result == PS_TLS_WANT_READ || result == PS_TLS_WANT_WRITE;
    }
    ssize_t n = send(connection->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOBUFS;
    *sent = (size_t)n;
    return true;
}

void ps_stream_send(struct ps_stream *stream, struct ps_connection *connection, const char *data,
                    size_t length)
{
    size_t sent = 0;
    if (connection->doomed || connection->lingering)
        return;
    if (connection->out.length == 0 && !send_some(stream, connection, data, length, &sent)) {
        ps_connection_close(stream, connection);
        return;
    }
    if (sent > 0)
        connection->active_ns = stream->mono_ns;
    if (sent == length)
        return;
    data += sent;
    length -= sent;
    if (connection->out.length + length > REPLIES_BYTES_MAX ||
        ps_stream_grow(stream, connection, &connection->out, connection->out.length + (uint32_t)length) !=
            PS_SLAB_OK) {
        ps_connection_close(stream, connection);
        return;
    }
    memcpy(connection->out.data + connection->out.length, data, length);
    connection->out.length += (uint32_t)length;
    if (!connection->is_unsent) {
        connection->active_ns = stream->mono_ns; /* the client has had no time to read it (close_deaf) */
        ps_stream_unsent_changed(stream, connection);
    }
    connection->unwritable = true;
    ps_connection_watch(stream, connection);
}

bool ps_connection_flush(struct ps_stream *stream, struct ps_connection *connection)
{
    size_t sent = 0, left = connection->out.length - connection->out_sent;
    if (left > 0 &&
        !send_some(stream, connection, connection->out.data + connection->out_sent, left, &sent)) {
        ps_connection_close(stream, connection);
        return false;
    }
    connection->out_sent += (uint32_t)sent;
    if (sent > 0) {
        connection->active_ns = stream->mono_ns;
        ps_stream_unsent_changed(stream, connection);
    }
    if (connection->out_sent < connection->out.length)
        return true;
    connection->out_sent = 0;
    ps_buffer_free(&stream->slab, &connection->out);
    ps_stream_unsent_changed(stream, connection);
    connection->unwritable = connection->wants_write = false;
    ps_connection_watch(stream, connection);
    uint64_t origin = ps_connection_origin(connection);
    ps_stream_settle(stream, connection);
    return ps_stream_find(stream, origin) != NULL;
}

void ps_stream_settle(struct ps_stream *stream, struct ps_connection *connection)
{
    if (!connection->closing || connection->lingering || connection->owed > 0)
        return;
    if (connection->farewell != NULL) {
        uint64_t origin = ps_connection_origin(connection);
        const char *farewell = connection->farewell;
        connection->farewell = NULL;
        ps_stream_send(stream, connection, farewell, connection->farewell_length);
        if (ps_stream_find(stream, origin) == NULL)
            return;
    }
    if (connection->out.length > 0)
        return;
    /* Closing while the peer still sends would reset the connection, and the last reply could be lost. */
    bool ends_itself = connection->session != NULL && stream->options.session->shutdown != NULL;
    if (!ends_itself && shutdown(connection->fd, SHUT_WR) == 0) {
        connection->lingering = true;
        ps_connection_set_deadline(stream, connection, stream->mono_ns + LINGER_NS);
        ps_connection_watch(stream, connection);
        return;
    }
    ps_connection_close(stream, connection);
}

void ps_stream_discard(const struct ps_connection *connection, const struct ps_discard *discard,
                       struct ps_port *port)
{
    char where[80];
    struct ps_discard from = *discard;
    snprintf(where, sizeof where, "from %s", connection->ip_text);
    from.where = where;
    ps_port_discard(port, &from);
}

enum ps_feed ps_stream_malformed(const struct ps_connection *connection, struct ps_port *port,
                                 const char *why, const char *data, uint32_t length)
{
    ps_log(PS_LOG_WARN, port->component, "%s: %s: disconnected", connection->ip_text, why);
    ps_stream_discard(connection, &(struct ps_discard){.why = why, .bytes = data, .length = length}, port);
    return PS_FEED_CLOSE;
}

void ps_stream_finish(struct ps_stream *stream, struct ps_connection *connection)
{
    connection->closing = true;
    ps_connection_watch(stream, connection);
    ps_stream_settle(stream, connection);
}

bool ps_connection_linger(struct ps_stream *stream, struct ps_connection *connection)
{
    char scrap[4096];
    ssize_t n = recv(connection->fd, scrap, sizeof scrap, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    connection->discarded += n > 0 ? (uint32_t)n : 0;
    if (n > 0 && connection->discarded < LINGER_BYTES_MAX)
        return true;
    ps_connection_close(stream, connection);
    return false;
}

/* ---- host names ---- */

static void release(struct ps_stream *stream, struct ps_connection *connection)
{
    bool shakes = connection->session != NULL && !stream->options.session->established(connection->session);
    connection->held = false;
    stream->held_count--;
    ps_connection_set_deadline(stream, connection, shakes ? stream->mono_ns + HANDSHAKE_NS : 0);
    if (admit(stream, connection))
        ps_connection_watch(stream, connection);
}

/* Returns true if the connection has its name now. */
static bool find_name(struct ps_stream *stream, struct ps_connection *connection)
{
    struct ps_slice name;
    if (!ps_reverse_names_find(stream->names, &connection->peer, stream->mono_ns, &name))
        return false;
    if (ps_stream_grow(stream, connection, &connection->name, name.length + 1) == PS_SLAB_OK) {
        memcpy(connection->name.data, name.data, name.length);
        connection->host = (struct ps_slice){connection->name.data, name.length};
    }
    return true;
}

static void ask_name(struct ps_stream *stream, struct ps_connection *connection)
{
    connection->host = connection->ip; /* until the name is known, or if there is none */
    if (stream->names == NULL || find_name(stream, connection))
        return;
    connection->held = true;
    stream->held_count++;
    ps_connection_set_deadline(stream, connection, stream->mono_ns + NAME_NS);
    ps_connection_watch(stream, connection);
}

void ps_stream_poll_names(struct ps_stream *stream)
{
    bool any = stream->names != NULL && ps_reverse_names_poll(stream->names, stream->mono_ns);
    for (uint32_t slot = 0; any && slot < stream->chunk_count * PS_CONNECTION_CHUNK; slot++) {
        struct ps_connection *connection = ps_connection_at(stream, slot);
        if (connection->fd >= 0 && connection->held && find_name(stream, connection))
            release(stream, connection);
    }
}

void ps_connection_expire(struct ps_stream *stream, struct ps_connection *connection)
{
    if (connection->held && !connection->unwatched) {
        release(stream, connection); /* with the address as its name */
        return;
    }
    if (connection->timed && !connection->unwatched && !connection->closing) {
        ps_stream_undecided_expire(stream, connection);
        return;
    }
    bool shakes = connection->session != NULL && !stream->options.session->established(connection->session);
    if (shakes && connection->begun && !connection->lingering)
        ps_connection_session_failed(stream, connection, "the client does not complete its handshake");
    ps_connection_close(stream, connection);
}
