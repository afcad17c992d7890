#include "stages/lib/stream/internal.h"

#include "stages/lib/tls/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define READ_BYTES_MAX (128U * 1024) /* limit for one connection in one round */
#define READ_BYTES_MIN 4096U
#define READ_BYTES_WORTH                                                                                     \
    (32U * 1024) /* so much is read even if a part of it fills the batch: the next batches get the rest */
#define ROUND_BYTES_MAX (512U * 1024) /* limit for all connections in one call */
#define CARRY_SPLIT_MAX (16U * 1024)  /* a longer unfinished message is received into its own buffer */
#define FRAME_COPY_MAX (128U * 1024)  /* a longer message gets its own block */
#define SWEEP_NS (200 * PS_NS_PER_MS)
#define DRAIN_NS PS_NS_PER_S

enum ps_status ps_stream_init(struct ps_stream *stream, const struct ps_stream_options *options,
                              struct ps_port *port, struct ps_err *err)
{
    *stream = (struct ps_stream){.options = *options, .port = port, .row_bytes = 256};
    if (options->tls != NULL) {
        stream->options.session = &ps_stream_session_tls;
        stream->options.session_settings = options->tls;
    }
    if (options->connections_max > 0) {
        uint32_t workers = port->instances > 0 ? port->instances : 1;
        stream->connections_max = (options->connections_max + workers - 1) / workers;
    }
    ps_stream_memory_init(stream);
    stream->events = calloc(EVENTS_MAX, sizeof *stream->events);
    if (stream->events == NULL)
        return ps_err_set(err, "no memory");
    if (options->names && (stream->names = ps_reverse_names_create(port->wake_fd, err)) == NULL) {
        free(stream->events);
        return PS_FAIL;
    }
    return PS_OK;
}

enum ps_status ps_stream_open(struct ps_stream *stream, const struct ps_stream_options *options,
                              const struct ps_listen *listen, struct ps_port *port, struct ps_err *err)
{
    const struct ps_bind_options bind = ps_listen_address(listen, port->instances);
    if (ps_stream_init(stream, options, port, err) != PS_OK)
        return PS_FAIL;
    if (ps_stream_listen(stream, &bind, err) == PS_OK)
        return PS_OK;
    ps_stream_fini(stream);
    return PS_FAIL;
}

static void close_listeners(struct ps_stream *stream)
{
    for (uint16_t i = 0; i < stream->listener_count; i++) {
        if (stream->listeners[i].fd >= 0)
            close(stream->listeners[i].fd);
        stream->listeners[i].fd = -1;
    }
}

void ps_stream_fini(struct ps_stream *stream)
{
    close_listeners(stream);
    stream->rest = NULL;
    for (uint32_t slot = 0; slot < stream->chunk_count * PS_CONNECTION_CHUNK; slot++) {
        struct ps_connection *connection = ps_connection_at(stream, slot);
        if (connection->fd >= 0)
            ps_connection_close(stream, connection);
    }
    for (uint32_t i = 0; i < stream->chunk_count; i++)
        free(stream->chunks[i]);
    free(stream->chunks);
    free(stream->listeners);
    free(stream->events);
    ps_slab_fini(&stream->slab);
    ps_slab_fini(&stream->session_slab);
    ps_reverse_names_destroy(stream->names);
}

/* ---- splitting what was received ---- */

/* Remembers the connection whose bytes wait in the batch's block or in its own buffer: it comes first next
 * time. */
static void keep_rest(struct ps_stream *stream, struct ps_batch *batch, struct ps_connection *connection,
                      bool memory)
{
    stream->rest = connection;
    if (memory && batch->count > 0)
        batch->flush = true; /* delivering these events frees memory */
}

static void carry_over(struct ps_stream *stream, struct ps_batch *batch, struct ps_connection *connection,
                       const char *data, uint32_t length)
{
    enum ps_slab_result grown = ps_stream_grow(stream, connection, &connection->carry, length);
    if (grown == PS_SLAB_MEMORY) {
        ps_batch_leave(batch, length);
        keep_rest(stream, batch, connection, true);
        return;
    }
    if (grown == PS_SLAB_LIMIT) {
        ps_stream_cut(stream, connection);
        return;
    }
    memcpy(connection->carry.data, data, length);
    connection->carry.length = length;
    ps_stream_carry_changed(stream, connection);
}

/* Feeds the bytes at the start of the batch's reserved room. */
static void feed(struct ps_stream *stream, struct ps_batch *batch, struct ps_connection *connection,
                 char *data, uint32_t length)
{
    uint32_t used = 0, rows = batch->count;
    connection->undecided = false;
    enum ps_feed fed =
        stream->options.ops->feed(stream->options.owner, connection, batch, data, length, &used);
    PS_ASSERT(used <= length);
    connection->fresh |= used > 0;
    rows = batch->count - rows;
    if (rows > 0)
        stream->row_bytes = (7 * stream->row_bytes + used / rows) / 8 + 1;
    ps_batch_commit(batch, used);
    if (connection->fd < 0)
        return;
    ps_stream_undecided_fed(stream, connection);
    data += used;
    length -= used;
    switch (fed) {
    case PS_FEED_MORE:
        if (length > 0)
            carry_over(stream, batch, connection, data, length);
        break;
    case PS_FEED_FULL:
    case PS_FEED_MEMORY:
        if (length > 0)
            ps_batch_leave(batch, length);
        keep_rest(stream, batch, connection, fed == PS_FEED_MEMORY);
        break;
    case PS_FEED_CLOSE:
        connection->closing = true;
        ps_connection_watch(stream, connection);
        ps_stream_settle(stream, connection);
        break;
    }
}

/* Copies the bytes in the connection's buffer (few) to the batch and splits them there. */
static void feed_carry(struct ps_stream *stream, struct ps_batch *batch, struct ps_connection *connection)
{
    uint32_t room, length = connection->carry.length;
    char *data = ps_batch_reserve(batch, length, &room);
    if (data == NULL) {
        keep_rest(stream, batch, connection, !batch->full);
        return;
    }
    memcpy(data, connection->carry.data, length);
    ps_buffer_free(&stream->slab, &connection->carry);
    ps_stream_carry_changed(stream, connection);
    connection->frame = 0;
    feed(stream, batch, connection, data, length);
}

/* Copies a long message to a block of its own, which all batches with its events reference. */
static bool begin_giant(struct ps_stream *stream, struct ps_connection *connection)
{
    struct ps_block *block = ps_block_take_oversize(stream->port->blocks, connection->frame);
    if (block == NULL)
        return false;
    memcpy(block->base, connection->carry.data, connection->frame);
    connection->giant = block;
    connection->giant_used = 0;
    return true;
}

/* Feeds a message that is longer than a block. Returns true when it is finished. */
static bool feed_giant(struct ps_stream *stream, struct ps_batch *batch, struct ps_connection *connection)
{
    bool first = connection->giant == NULL;
    if (first && !begin_giant(stream, connection)) {
        keep_rest(stream, batch, connection, true);
        return false;
    }
    if (!ps_batch_refer(batch, connection->giant, first)) {
        batch->full = true; /* the batch's list of blocks is full */
        keep_rest(stream, batch, connection, false);
        return false;
    }
    uint32_t used = 0, left = connection->frame - connection->giant_used;
    char *data = connection->giant->base + connection->giant_used;
    enum ps_feed fed = stream->options.ops->feed(stream->options.owner, connection, batch, data, left, &used);
    if (connection->fd < 0)
        return false;
    if (fed == PS_FEED_CLOSE) {
        connection->closing = true;
        ps_connection_end_giant(stream, connection);
        connection->carry.length = 0;
        ps_connection_watch(stream, connection);
        ps_stream_settle(stream, connection);
        return false;
    }
    connection->giant_used += used;
    connection->fresh |= used > 0;
    if (connection->giant_used == connection->frame) {
        ps_connection_end_giant(stream, connection);
        return true;
    }
    PS_ASSERT(fed != PS_FEED_MORE);
    keep_rest(stream, batch, connection, fed == PS_FEED_MEMORY);
    return false;
}

/* Searches the connection's buffer for the end of a long message, from `from` on. */
static void find_frame(struct ps_stream *stream, struct ps_connection *connection, uint32_t from)
{
    struct ps_buffer *carry = &connection->carry;
    if (stream->options.ops->message_bytes != NULL) {
        uint32_t bytes =
            stream->options.ops->message_bytes(stream->options.owner, connection, carry->data, carry->length);
        if (bytes != PS_STREAM_LINE) {
            connection->frame = bytes;
            return;
        }
    }
    const char *newline = memchr(carry->data + from, '\n', carry->length - from);
    uint32_t end = newline != NULL ? (uint32_t)(newline - carry->data) + 1 : carry->length;
    if (end >= stream->options.message_bytes_max)
        connection->frame = stream->options.message_bytes_max;
    else if (newline != NULL)
        connection->frame = end;
}

/* Splits the bytes in the connection's buffer if it has a complete message. */
static void feed_frames(struct ps_stream *stream, struct ps_batch *batch, struct ps_connection *connection)
{
    if (connection->frame > FRAME_COPY_MAX) {
        if (!feed_giant(stream, batch, connection) || connection->carry.length == 0)
            return;
        if (connection->carry.length > FRAME_COPY_MAX)
            find_frame(stream, connection, 0);
        if (connection->carry.length > FRAME_COPY_MAX || connection->closing) {
            if (connection->frame > 0)
                keep_rest(stream, batch, connection, false);
            return;
        }
        connection->frame = 1;
    }
    if (connection->frame > 0)
        feed_carry(stream, batch, connection);
}

/* Continues with bytes received earlier. Returns false if no progress was possible. */
static bool continue_rest(struct ps_stream *stream, struct ps_batch *batch)
{
    struct ps_connection *connection = stream->rest;
    uint32_t room, left = ps_batch_left(batch), rows = batch->count;
    stream->rest = NULL;
    if (left > 0) {
        char *data = ps_batch_reserve(batch, left, &room);
        if (data == NULL) {
            keep_rest(stream, batch, connection, !batch->full);
            return false;
        }
        feed(stream, batch, connection, data, left);
    } else if (connection->carry.length > 0) {
        if (connection->frame == 0)
            connection->frame = 1;
        feed_frames(stream, batch, connection);
    }
    if (stream->rest == NULL && connection->doomed && connection->fd >= 0)
        ps_connection_close(stream, connection);
    return stream->rest == NULL || batch->count > rows;
}

/* ---- receiving ---- */

enum received { RECEIVED, NOTHING, ENDED };

/* Called with the first bytes of a connection. Returns whether its client speaks TLS, which a source without it cannot read;
 * logs that. */
static bool refuses_tls(const struct ps_stream *stream, struct ps_connection *connection, const char *bytes,
                        size_t length)
{
    connection->begun = true;
    if (!ps_transport_is_tls(bytes, length))
        return false;
    (void)ps_stream_malformed(connection, stream->port, PS_TRANSPORT_SAYS_TLS, NULL, 0);
    return true;
}

/* Looks at the first byte of a connection with a session. */
static void look_at_first(const struct ps_stream *stream, struct ps_connection *connection)
{
    uint8_t first;
    const struct ps_stream_session_ops *ops = stream->options.session;
    if (recv(connection->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
        return;
    connection->begun = true;
    connection->foreign = ops->begins != NULL && !ops->begins(first);
}

static enum received receive(struct ps_stream *stream, struct ps_connection *connection, char *room,
                             uint32_t size, uint32_t *length)
{
    *length = 0;
    connection->active_ns = stream->mono_ns;
    if (PS_LIKELY(connection->session == NULL)) {
        ssize_t n = recv(connection->fd, room, size, MSG_DONTWAIT);
        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? NOTHING : ENDED;
        if (!connection->begun && refuses_tls(stream, connection, room, (size_t)n))
            return ENDED;
        *length = (uint32_t)n;
        return RECEIVED;
    }
    const struct ps_stream_session_ops *ops = stream->options.session;
    size_t n;
    if (!connection->begun)
        look_at_first(stream, connection);
    enum ps_tls_result result = ops->read(connection->session, room, size, &n);
    *length = (uint32_t)n;
    connection->stirred = result != PS_TLS_OK;
    if (connection->deadline_ns != 0 && !connection->timed && ops->established(connection->session))
        ps_connection_set_deadline(stream, connection, 0);
    connection->wants_write = result == PS_TLS_WANT_WRITE;
    ps_connection_watch(stream, connection);
    if (result == PS_TLS_ERROR)
        ps_connection_session_failed(stream, connection, ops->reason(connection->session));
    else if (result == PS_TLS_CLOSED && connection->foreign && !ops->established(connection->session))
        ps_connection_session_failed(stream, connection, "the client's bytes are none of its protocol");
    bool open =
        result == PS_TLS_OK || result == PS_TLS_WANT_READ; /* WANT_READ: the bytes so far yielded none */
    if (open && ops->more(connection->session) && !connection->listed) {
        connection->listed = true;
        connection->next = stream->more;
        stream->more = connection;
    }
    return result == PS_TLS_OK ? RECEIVED : result >= PS_TLS_CLOSED ? ENDED : NOTHING;
}

/* Reads into a long message: it grows in the connection's own buffer, so that a slow sender costs no
 * copying. Without memory it reads nothing, and the other connections go on. */
static bool read_long(struct ps_stream *stream, struct ps_batch *batch, struct ps_connection *connection)
{
    struct ps_buffer *carry = &connection->carry;
    uint32_t max = stream->options.message_bytes_max, length;
    if (carry->room - carry->length < READ_BYTES_MIN) {
        uint32_t factor = carry->room < PS_BLOCK_BYTES ? 4 : 2;
        uint32_t room = carry->room > UINT32_MAX / factor ? UINT32_MAX - 1 : factor * carry->room;
        if (room > max + READ_BYTES_MIN)
            room = max + READ_BYTES_MIN;
        if (room < carry->length + READ_BYTES_MIN)
            room = carry->length + READ_BYTES_MIN;
        enum ps_slab_result grown = ps_stream_grow(stream, connection, carry, room);
        if (grown == PS_SLAB_LIMIT)
            ps_stream_cut(stream, connection);
        if (grown != PS_SLAB_OK)
            return false;
        ps_stream_carry_changed(stream, connection);
    }
    uint32_t from = carry->length, room = carry->room - carry->length;
    enum received got = receive(stream, connection, carry->data + from,
                                room < READ_BYTES_MAX / 2 ? room : READ_BYTES_MAX / 2, &length);
    if (got == RECEIVED || ps_stream_undecided_due(connection, got == ENDED)) {
        connection->silent &= got != RECEIVED;
        carry->length += length;
        ps_stream_undecided_fed(stream, connection);
        find_frame(stream, connection, got == RECEIVED ? from : 0);
        feed_frames(stream, batch, connection);
    }
    connection->silent = false;
    if (got == ENDED && connection->fd >= 0)
        ps_connection_end_of_input(stream, connection);
    return true;
}

/* Reads once from one connection. Returns false if that is not possible now (the batch is full, or there is no
 * memory). */
static bool read_connection(struct ps_stream *stream, struct ps_batch *batch,
                            struct ps_connection *connection, uint32_t *bytes)
{
    if (connection->carry.length > CARRY_SPLIT_MAX) {
        *bytes = read_long(stream, batch, connection) ? READ_BYTES_MAX / 2 : 0;
        return true;
    }
    uint32_t carried = connection->carry.length, room, length;
    char *data = ps_batch_reserve(batch, carried + READ_BYTES_MIN, &room);
    if (data == NULL)
        return false;
    uint32_t wanted = (batch->capacity - batch->count) * stream->row_bytes;
    wanted = wanted > READ_BYTES_MAX ? READ_BYTES_MAX : wanted < READ_BYTES_WORTH ? READ_BYTES_WORTH : wanted;
    if (wanted > room - carried)
        wanted = room - carried;
    enum received got = receive(stream, connection, data + carried, wanted, &length);
    *bytes = length;
    if (got == RECEIVED || ps_stream_undecided_due(connection, got == ENDED)) {
        connection->silent &= got != RECEIVED;
        if (carried > 0) {
            memcpy(data, connection->carry.data, carried);
            ps_buffer_free(&stream->slab, &connection->carry);
            ps_stream_carry_changed(stream, connection);
        }
        feed(stream, batch, connection, data, carried + length);
    }
    connection->silent = false;
    if (got == ENDED && connection->fd >= 0)
        ps_connection_end_of_input(stream, connection);
    return true;
}

/* Handles one epoll event. Returns false if it must be handled again with the next batch. */
static bool handle(struct ps_stream *stream, struct ps_batch *batch, struct epoll_event event,
                   const struct ps_now *now, uint32_t *bytes)
{
    *bytes = 0;
    if ((event.data.u64 >> 32) == 0 && (uint32_t)event.data.u64 >= PS_LISTENER_TAG) {
        ps_listener_accept(stream, (uint16_t)event.data.u64, now);
        return true;
    }
    struct ps_connection *connection = ps_stream_find(stream, event.data.u64);
    if (connection == NULL)
        return true;
    if (connection->lingering) {
        ps_connection_linger(stream, connection);
        return true;
    }
    if ((event.events & EPOLLOUT) && !ps_connection_flush(stream, connection))
        return true;
    if (connection->interest & EPOLLIN) {
        if (event.events & (EPOLLIN | EPOLLHUP | EPOLLERR) || connection->session != NULL)
            return read_connection(stream, batch, connection, bytes);
    } else if (event.events & (EPOLLHUP | EPOLLERR)) { /* reset while replies are outstanding */
        ps_connection_close(stream, connection);
    }
    return true;
}

/* Reads from connections whose sessions hold bytes. */
static bool read_more(struct ps_stream *stream, struct ps_batch *batch, bool *progress)
{
    stream->more_now = stream->more;
    stream->more = NULL;
    while (stream->more_now != NULL) {
        struct ps_connection *connection = stream->more_now;
        uint32_t bytes = 0;
        stream->more_now = connection->next;
        connection->listed = false;
        bool waits = connection->held || connection->unwritable || connection->closing;
        bool done = !waits && stream->rest == NULL && !batch->full &&
                    read_connection(stream, batch, connection, &bytes);
        *progress |= bytes > 0;
        if (!done && !connection->closing && !connection->listed) { /* again in the next cycle */
            connection->listed = true;
            connection->next = stream->more;
            stream->more = connection;
        }
    }
    return stream->rest == NULL && !batch->full;
}

/* Senders may go on for ever, and a sink that is slower than they are leaves bytes in the sockets at every look. */
static bool reads_no_more(const struct ps_stream *stream)
{
    return stream->drain_until_ns != 0 && stream->mono_ns >= stream->drain_until_ns;
}

static enum ps_result work(struct ps_stream *stream, struct ps_batch *batch, const struct ps_now *now)
{
    if (stream->rest != NULL) {
        bool moved = continue_rest(stream, batch);
        if (stream->rest != NULL || batch->full || reads_no_more(stream))
            return moved || batch->full ? PS_DONE : PS_IDLE;
    }
    bool progress = false;
    if (stream->more != NULL && !read_more(stream, batch, &progress))
        return progress || batch->full ? PS_DONE : PS_IDLE;
    if (stream->event_next == stream->event_count) {
        stream->event_next = 0;
        stream->event_count = epoll_wait(stream->port->epoll_fd, stream->events, EVENTS_MAX, 0);
        if (stream->event_count <= 0) {
            stream->event_count = 0;
            stream->quiet = true;
            return progress ? PS_DONE : PS_IDLE;
        }
    }
    uint32_t total = 0, bytes;
    uint64_t refused = stream->port->blocks->refused_count;
    while (stream->event_next < stream->event_count && total < ROUND_BYTES_MAX) {
        if (!handle(stream, batch, stream->events[stream->event_next], now, &bytes)) {
            if (!batch->full && batch->count > 0)
                batch->flush = true;
            return batch->full ? PS_DONE : PS_IDLE;
        }
        stream->event_next++;
        total += bytes;
        if (stream->rest != NULL || batch->full)
            break;
    }
    bool starved = total == 0 && refused != stream->port->blocks->refused_count;
    return starved && !batch->full ? PS_IDLE : PS_DONE;
}

enum ps_result ps_stream_work(struct ps_stream *stream, struct ps_batch *batch, const struct ps_now *now)
{
    uint32_t rows = batch->count;
    uint64_t bytes = batch->body_bytes;
    stream->mono_ns = now->mono_ns;
    enum ps_result result = work(stream, batch, now);
    ps_count(stream->port->counters, PS_COUNTER_EventReceivedCount, batch->count - rows);
    ps_count(stream->port->counters, PS_COUNTER_bytes, batch->body_bytes - bytes);
    return result;
}

/* ---- timers and draining ---- */

static void expire_connections(struct ps_stream *stream, const struct ps_now *now)
{
    for (uint32_t slot = 0; slot < stream->chunk_count * PS_CONNECTION_CHUNK; slot++) {
        struct ps_connection *connection = ps_connection_at(stream, slot);
        if (connection->fd < 0 || connection->deadline_ns == 0 || connection->deadline_ns > now->mono_ns)
            continue;
        ps_connection_expire(stream, connection);
    }
}

uint64_t ps_stream_tick(struct ps_stream *stream, const struct ps_now *now)
{
    bool unread = stream->rest != NULL || stream->more != NULL; /* the epoll does not show it */
    uint64_t next = unread && !stream->paused ? now->mono_ns + PS_NS_PER_MS : PS_NEVER;
    uint64_t memory_ns = ps_stream_memory_tick(stream, now), idle_ns = ps_stream_idle_tick(stream, now);
    stream->mono_ns = now->mono_ns;
    ps_stream_poll_names(stream);
    if (stream->accept_after_ns != 0) {
        if (now->mono_ns >= stream->accept_after_ns) {
            bool armed = ps_listeners_arm(stream, true);
            stream->accept_after_ns = armed ? 0 : now->mono_ns + PS_ACCEPT_PAUSE_NS;
        }
        if (stream->accept_after_ns != 0 && stream->accept_after_ns < next)
            next = stream->accept_after_ns;
    }
    if (stream->timed_count > 0) {
        if (now->mono_ns >= stream->sweep_ns) {
            stream->sweep_ns = now->mono_ns + SWEEP_NS;
            expire_connections(stream, now);
        }
        if (stream->sweep_ns < next)
            next = stream->sweep_ns;
    }
    uint64_t slow_ns = ps_stream_slow_tick(stream, now);
    if (slow_ns < next)
        next = slow_ns;
    if (memory_ns < next)
        next = memory_ns;
    return idle_ns < next ? idle_ns : next;
}

bool ps_stream_drain(struct ps_stream *stream, const struct ps_now *now)
{
    if (stream->drain_until_ns == 0) {
        close_listeners(stream);
        ps_stream_undecided_drain(stream);
        stream->drain_until_ns = now->mono_ns + DRAIN_NS;
        stream->quiet = false;
        return false;
    }
    if (now->mono_ns >= stream->drain_until_ns && stream->short_since_ns != 0)
        ps_stream_cut_all(stream); /* their ends will not be read; the received bytes get the memory */
    return stream->rest == NULL && (stream->quiet || now->mono_ns >= stream->drain_until_ns);
}

/* ---- as a source's operations ---- */

enum ps_result ps_stream_source_work(const void *, void *state, struct ps_batch *batch,
                                     const struct ps_now *now)
{
    return ps_stream_work(state, batch, now);
}

uint64_t ps_stream_source_tick(const void *, void *state, const struct ps_now *now)
{
    return ps_stream_tick(state, now);
}

void ps_stream_source_paused(const void *, void *state, bool paused, const struct ps_now *)
{
    struct ps_stream *stream = state;
    stream->paused = paused; /* a stream that may go on is called at once, not when its timer is due */
}

bool ps_stream_source_drain(const void *, void *state, const struct ps_now *now)
{
    return ps_stream_drain(state, now);
}
