/* Messages that come too slowly: a client that sends a byte now and then is neither silent (idle_ns) nor in need of memory, and
 * would keep its place below connections_max for ever. Thread: the worker's.
 *
 * A message may take options.message_ns, and a second more for each MIN_RATE_BYTES of it that have come: a slow line does
 * not close the connection, but a stalled one does. Apache's mod_reqtimeout has the same rule (timeout, and MinRate). Time
 * in which the source itself does not read (its channel is full, memory is short, the client does not take its answers)
 * does not count. */
#include "stages/lib/stream/internal.h"
#include "core/quantity.h"

#include <sys/socket.h>

#define MIN_RATE_BYTES 4096U /* a second */
#define LOOKS 64U            /* within options.message_ns */
#define LOOK_NS_MIN PS_NS_PER_S

/* Returns whether part of a message has arrived: its bytes, or bytes that TLS or decompression cannot deliver
 * yet. */
static bool is_unfinished(const struct ps_connection *connection)
{
    return connection->carry.length > 0 || (connection->session != NULL && connection->stirred);
}

static bool waits_for_us(const struct ps_stream *stream, const struct ps_connection *connection)
{
    return stream->paused || connection == stream->rest || connection->frame > 0 || connection->unwritable;
}

static bool is_slow(const struct ps_stream *stream, const struct ps_connection *connection,
                    const struct ps_now *now)
{
    uint64_t allowed_ns =
        stream->options.message_ns + connection->carry.length * (PS_NS_PER_S / MIN_RATE_BYTES);
    if (now->mono_ns - connection->begun_ns < allowed_ns)
        return false;
    /* A session may have had bytes that end nothing (the end of a compressed block) and be idle since then. */
    if (connection->carry.length == 0)
        return connection->active_ns > connection->begun_ns + stream->options.message_ns / 2;
    return true;
}

/* Returns whether bytes wait in the connection's socket and none was read since the last look, because memory
 * is short or the batch is full. */
static bool has_unread(const struct ps_stream *stream, const struct ps_connection *connection)
{
    char byte;
    return connection->active_ns < stream->slow_checked_ns &&
           recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static void end_slow(struct ps_stream *stream, struct ps_connection *connection)
{
    ps_log(PS_LOG_WARN, stream->port->component,
           "closing the connection from %s: only %s bytes of its message arrived within "
           "penstock.message.timeout = %s",
           connection->ip_text, ps_quantity_print_count(connection->carry.length).text,
           ps_quantity_print_ns(stream->options.message_ns).text);
    ps_count(stream->port->counters, PS_COUNTER_EventReadFail, 1);
    ps_count(stream->port->counters, PS_COUNTER_malformed, 1);
    ps_count(stream->port->counters, PS_COUNTER_discarded, 1);
    ps_stream_abandon(stream, connection);
}

static void look_at(struct ps_stream *stream, struct ps_connection *connection, uint64_t passed_ns,
                    const struct ps_now *now)
{
    if (connection->fd < 0 || connection->closing || connection->doomed || connection->deadline_ns != 0)
        return;
    if (connection->fresh || !is_unfinished(connection)) {
        connection->fresh = false;
        connection->begun_ns = now->mono_ns;
        return;
    }
    bool slow = is_slow(stream, connection, now);
    if (waits_for_us(stream, connection) || (slow && has_unread(stream, connection))) {
        connection->begun_ns += passed_ns;
        if (connection->begun_ns > now->mono_ns)
            connection->begun_ns = now->mono_ns;
    } else if (slow) {
        end_slow(stream, connection);
    }
}

uint64_t ps_stream_slow_tick(struct ps_stream *stream, const struct ps_now *now)
{
    if (stream->options.message_ns == 0 || stream->open_count == 0)
        return PS_NEVER;
    if (now->mono_ns < stream->slow_check_ns)
        return stream->slow_check_ns;
    uint64_t passed_ns = now->mono_ns - stream->slow_checked_ns, look_ns = stream->options.message_ns / LOOKS;
    for (uint32_t slot = 0; slot < stream->chunk_count * PS_CONNECTION_CHUNK; slot++)
        look_at(stream, ps_connection_at(stream, slot), passed_ns, now);
    stream->slow_checked_ns = now->mono_ns;
    stream->slow_check_ns = now->mono_ns + (look_ns > LOOK_NS_MIN ? look_ns : LOOK_NS_MIN);
    return stream->slow_check_ns;
}
