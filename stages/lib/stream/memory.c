/* Memory of a stream's unfinished messages: its limit, what happens at the limit and when the budget is used
 * up, and idle connections. Thread: the worker's.
 *
 * A message that is cut here is handled as its connection's end: the connection is closed after its outstanding
 * replies. That needs no memory; an event made of the message would. */
#include "stages/lib/stream/internal.h"
#include "core/quantity.h"

#include <errno.h>
#include <sys/socket.h>

#define SHARE 4U /* a stream may hold 1/4 of the budget, over all workers */
#define LIMIT_BYTES_MIN (4U * PS_BLOCK_BYTES)
#define MESSAGE_SHARE 16U /* the longest message is 1/16 of the budget */
#define MESSAGE_BYTES_MIN (128U * 1024U)
#define FLOOR_SHARE 8U       /* a shortage leaves a stream 1/8 of its limit */
#define SHORT_NS PS_NS_PER_S /* a shortage as long as this is not ordinary back-pressure */
#define LOOK_NS (200 * PS_NS_PER_MS)
#define DEAF_NS (10 * PS_NS_PER_S) /* a client that took no reply for this long may be closed */
#define IDLE_LOOK_NS PS_NS_PER_S
#define EVENTS_MAX 64
#define POLLS_MAX 4 /* calls of epoll_wait in one tick */

/* ---- limits ---- */

uint32_t ps_stream_message_max(const struct ps_context *context, uint64_t wanted)
{
    unsigned instances = context->instances > 0 ? context->instances : 1;
    uint64_t most = context->memory_budget_bytes / MESSAGE_SHARE / instances;
    if (most < MESSAGE_BYTES_MIN)
        most = MESSAGE_BYTES_MIN;
    if (most > PS_BODY_BYTES_MAX)
        most = PS_BODY_BYTES_MAX;
    return (uint32_t)(wanted < most ? wanted : most);
}

uint32_t ps_stream_message_max_of(const struct ps_context *context, const char *key, uint64_t wanted)
{
    uint32_t most = ps_stream_message_max(context, wanted);
    if (most < wanted)
        ps_report(context, PS_LOG_WARN, key,
                  "a message may need %s bytes, but the memory budget allows %s (a sixteenth of "
                  "penstock.memory.budget, divided by the workers, and at most 896 MiB); a longer one counts "
                  "as too long",
                  ps_quantity_print_count(wanted).text, ps_quantity_print_count(most).text);
    return most;
}

void ps_stream_memory_init(struct ps_stream *stream)
{
    unsigned instances = stream->port->instances > 0 ? stream->port->instances : 1;
    ps_slab_init(&stream->slab, stream->port->blocks);
    stream->slab.limit_bytes = ps_depot_budget_bytes(stream->port->blocks->depot) / SHARE / instances;
    if (stream->slab.limit_bytes < LIMIT_BYTES_MIN)
        stream->slab.limit_bytes = LIMIT_BYTES_MIN;
    ps_slab_init(&stream->session_slab, stream->port->blocks);
    stream->session_slab.limit_bytes = stream->slab.limit_bytes;
    for (unsigned i = 0; i < 2; i++)
        TAILQ_INIT(&stream->partial[i]);
    TAILQ_INIT(&stream->unsent);
    stream->refused_seen = stream->port->blocks->refused_count;
}

/* ---- sessions ---- */

bool ps_stream_reserve_session(struct ps_stream *stream, struct ps_buffer *memory)
{
    struct ps_block_cache *blocks = stream->port->blocks;
    uint64_t refused = blocks->refused_count;
    enum ps_slab_result reserved =
        ps_buffer_extend(&stream->session_slab, memory, stream->options.session->memory_bytes);
    stream->refused_seen +=
        blocks->refused_count - refused; /* no reason to cut messages of other connections */
    if (reserved == PS_SLAB_OK)
        return true;
    ps_count(stream->port->counters, PS_COUNTER_EventReadFail, 1);
    ps_log(PS_LOG_WARN, stream->port->component,
           "closing a new connection: no memory for its %s state beside %u open connections, %u KiB each "
           "(%s; raise -Xmx or penstock.memory.budget)",
           stream->options.session->name, stream->open_count, stream->options.session->memory_bytes / 1024,
           reserved == PS_SLAB_LIMIT ? "a source may use a quarter of the memory budget for it"
                                     : "the memory budget is used up");
    return false;
}

/* ---- unfinished messages ---- */

void ps_stream_carry_changed(struct ps_stream *stream, struct ps_connection *connection)
{
    if (connection->is_partial)
        TAILQ_REMOVE(&stream->partial[connection->large], connection, partial);
    connection->is_partial = connection->carry.data != NULL;
    if (!connection->is_partial)
        return;
    connection->large = connection->carry.block != NULL;
    TAILQ_INSERT_TAIL(&stream->partial[connection->large], connection, partial);
}

/* Writes a dead letter with the part of a message that the connection has sent so far (its `carry`). */
static void deadletter_carry(const struct ps_connection *connection, struct ps_port *port, const char *code,
                             const char *why)
{
    char text[256];
    snprintf(text, sizeof text, "from %s: %s", connection->ip_text, why);
    const struct ps_dead_letter_reason reason = {code, text, 0};
    (void)ps_port_deadletter_bytes(port, connection->carry.data, connection->carry.length, &reason);
}

void ps_stream_unfinished(const struct ps_connection *connection, struct ps_port *port)
{
    if (connection->carry.length == 0)
        return;
    ps_stream_discard(connection,
                      &(struct ps_discard){.why = "the connection ended in the middle of this message",
                                           .bytes = connection->carry.data,
                                           .length = connection->carry.length,
                                           .letter = true},
                      port);
    deadletter_carry(connection, port, "unfinished", "the connection ended in the middle of this message");
}

void ps_stream_abandon(struct ps_stream *stream, struct ps_connection *connection)
{
    ps_connection_end_giant(stream, connection);
    ps_buffer_free(&stream->slab, &connection->carry);
    ps_stream_carry_changed(stream, connection);
    connection->frame = 0;
    /* the connection waits for its replies, and only bytes that nobody reads were kept */
    if (connection->closing)
        return;
    ps_stream_finish(stream, connection);
}

void ps_stream_cut(struct ps_stream *stream, struct ps_connection *connection)
{
    bool closing = connection->closing;
    ps_connection_end_giant(stream, connection);
    bool begun = connection->carry.length > 0;
    ps_count(stream->port->counters, PS_COUNTER_malformed, begun || !closing);
    if (begun && (closing || !ps_port_has_deadletter(stream->port)))
        ps_count(stream->port->counters, PS_COUNTER_discarded, 1);
    if (!closing) {
        if (begun)
            deadletter_carry(connection, stream->port, "no-memory", "no memory for the rest of it");
        ps_log(PS_LOG_WARN, stream->port->component,
               "closing the connection from %s: no memory for its unfinished line (raise -Xmx or "
               "penstock.memory.budget, or lower the longest line)",
               connection->ip_text);
        ps_count(stream->port->counters, PS_COUNTER_EventReadFail, 1);
    }
    ps_stream_abandon(stream, connection);
}

/* ---- unsent replies ---- */

void ps_stream_unsent_changed(struct ps_stream *stream, struct ps_connection *connection)
{
    if (connection->is_unsent)
        TAILQ_REMOVE(&stream->unsent, connection, unsent);
    connection->is_unsent = connection->out.data != NULL;
    if (connection->is_unsent)
        TAILQ_INSERT_TAIL(&stream->unsent, connection, unsent);
}

/* Closes one connection whose client reads none of its replies, which would be kept for ever. Spares `connection` and the
 * one whose bytes are being split. Returns false when there is none. */
static bool close_deaf(struct ps_stream *stream, const struct ps_connection *connection)
{
    struct ps_connection *one = TAILQ_FIRST(&stream->unsent);
    while (one != NULL && (one == connection || one == stream->rest))
        one = TAILQ_NEXT(one, unsent);
    if (one == NULL || stream->mono_ns - one->active_ns < DEAF_NS)
        return false;
    ps_log(
        PS_LOG_WARN, stream->port->component,
        "closing the connection from %s: it has read none of its replies for %s, and their memory is needed",
        one->ip_text, ps_quantity_print_ns(stream->mono_ns - one->active_ns).text);
    ps_connection_close(stream, one);
    return true;
}

/* ---- what is closed first ---- */

/* Cuts one unfinished message, of the connection that was silent for the longest time; long messages come first.
 * Spares `connection` and the one whose bytes are being split. Returns false when there is none. */
static bool cut_one(struct ps_stream *stream, const struct ps_connection *connection)
{
    for (unsigned list = 2; list-- > 0;) {
        struct ps_connection *one;
        TAILQ_FOREACH(one, &stream->partial[list], partial)
        {
            if (one == connection || one == stream->rest)
                continue;
            ps_stream_cut(stream, one);
            return true;
        }
    }
    return false;
}

void ps_stream_cut_all(struct ps_stream *stream)
{
    while (cut_one(stream, NULL))
        ;
}

enum ps_slab_result ps_stream_grow(struct ps_stream *stream, struct ps_connection *connection,
                                   struct ps_buffer *buffer, uint32_t room)
{
    enum ps_slab_result grown;
    do {
        grown = ps_buffer_extend(&stream->slab, buffer, room);
    } while (grown == PS_SLAB_LIMIT && (close_deaf(stream, connection) || cut_one(stream, connection)));
    return grown;
}

void ps_stream_shrink(struct ps_stream *stream, struct ps_buffer *buffer)
{
    ps_buffer_free(&stream->slab, buffer);
}

/* ---- shortage ---- */

/* Closes connections that the peer has closed. The epoll returns other connections at each call, so all have
 * their turn within a few ticks. */
static void reap(struct ps_stream *stream)
{
    struct epoll_event events[EVENTS_MAX];
    int count = EVENTS_MAX;
    for (int poll = 0; poll < POLLS_MAX && count == EVENTS_MAX; poll++) {
        count = epoll_wait(stream->port->epoll_fd, events, EVENTS_MAX, 0);
        for (int i = 0; i < count; i++) {
            struct ps_connection *connection = ps_stream_find(stream, events[i].data.u64);
            bool listener = (events[i].data.u64 >> 32) == 0;
            if (listener || connection == NULL || connection->lingering || connection == stream->rest)
                continue;
            if (ps_connection_has_ended(connection))
                ps_connection_end_of_input(stream, connection);
        }
    }
}

static bool memory_is_short(struct ps_stream *stream, uint64_t floor)
{
    const struct ps_block_cache *blocks = stream->port->blocks;
    bool refused = blocks->refused_count != stream->refused_seen;
    stream->refused_seen = blocks->refused_count;
    if (refused || stream->slab.held_bytes <= floor)
        return refused;
    /* another worker's source may be the one that lacks memory */
    return ps_depot_used_bytes(blocks->depot) >= ps_depot_budget_bytes(blocks->depot);
}

uint64_t ps_stream_memory_tick(struct ps_stream *stream, const struct ps_now *now)
{
    uint64_t floor = stream->slab.limit_bytes / FLOOR_SHARE;
    if (!memory_is_short(stream, floor)) {
        stream->short_since_ns = 0;
        return stream->slab.held_bytes > floor ? now->mono_ns + LOOK_NS : PS_NEVER;
    }
    if (stream->short_since_ns == 0)
        stream->short_since_ns = now->mono_ns;
    stream->mono_ns = now->mono_ns;
    if (stream->port->epoll_fd >= 0)
        reap(stream);
    if (now->mono_ns - stream->short_since_ns >= SHORT_NS) {
        uint64_t keep = stream->slab.held_bytes / 2 > floor ? stream->slab.held_bytes / 2 : floor;
        while (stream->slab.held_bytes > keep && (close_deaf(stream, NULL) || cut_one(stream, NULL)))
            ;
        stream->short_since_ns = now->mono_ns;
    }
    return now->mono_ns + LOOK_NS;
}

/* ---- idle connections ---- */

bool ps_connection_is_silent(struct ps_stream *stream, struct ps_connection *connection, uint64_t silent_ns,
                             const struct ps_now *now)
{
    if (connection->fd < 0 || connection->held || connection->lingering || connection->doomed ||
        connection == stream->rest || connection->owed > 0 ||
        now->mono_ns - connection->active_ns < silent_ns)
        return false;
    char byte; /* there are unread bytes: this source waits, for a channel or for memory */
    if (connection->out.length == 0 && recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
        connection->active_ns = now->mono_ns;
        return false;
    }
    return true;
}

uint64_t ps_stream_idle_tick(struct ps_stream *stream, const struct ps_now *now)
{
    if (stream->options.idle_ns == 0 || stream->open_count == 0)
        return PS_NEVER;
    if (now->mono_ns < stream->idle_check_ns)
        return stream->idle_check_ns;
    uint32_t closed = 0;
    for (uint32_t slot = 0; slot < stream->chunk_count * PS_CONNECTION_CHUNK; slot++) {
        struct ps_connection *connection = ps_connection_at(stream, slot);
        if (ps_connection_is_silent(stream, connection, stream->options.idle_ns, now)) {
            ps_connection_close(stream, connection);
            closed++;
        }
    }
    if (closed > 0)
        ps_log(PS_LOG_INFO, stream->port->component,
               "connections closed without traffic for penstock.idle.timeout = %s: %s",
               ps_quantity_print_ns(stream->options.idle_ns).text, ps_quantity_print_count(closed).text);
    stream->idle_check_ns = now->mono_ns + IDLE_LOOK_NS;
    return stream->idle_check_ns;
}
