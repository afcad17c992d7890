/* Messages whose end only the following bytes tell (struct ps_connection: undecided): they are fed again when nothing follows. Thread:
 * the worker's. */
#include "stages/lib/stream/internal.h"

#define SILENT_NS PS_NS_PER_S

void ps_stream_undecided_fed(struct ps_stream *stream, struct ps_connection *connection)
{
    bool waits = connection->undecided && !connection->silent && !connection->ended;
    if (waits || connection->timed) {
        connection->timed = waits;
        ps_connection_set_deadline(stream, connection, waits ? stream->mono_ns + SILENT_NS : 0);
    }
}

void ps_stream_undecided_expire(struct ps_stream *stream, struct ps_connection *connection)
{
    connection->silent = true;
    connection->timed = false;
    ps_connection_set_deadline(stream, connection, 0);
    if (connection->listed)
        return;
    connection->listed = true;
    connection->next = stream->more;
    stream->more = connection;
}

void ps_stream_undecided_drain(struct ps_stream *stream)
{
    for (uint32_t slot = 0; slot < stream->chunk_count * PS_CONNECTION_CHUNK; slot++) {
        struct ps_connection *connection = ps_connection_at(stream, slot);
        if (connection->fd >= 0 && connection->timed)
            ps_stream_undecided_expire(stream, connection);
    }
}

bool ps_stream_undecided_due(struct ps_connection *connection, bool ended)
{
    connection->ended = ended;
    return connection->undecided && connection->carry.length > 0 && (ended || connection->silent);
}
