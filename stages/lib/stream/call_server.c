#include "stages/lib/stream/call_server.h"

#include "core/quantity.h"

#include <stdio.h>

void ps_call_server_init(struct ps_call_server *server, const struct ps_call_protocol *protocol,
                         struct ps_stream *stream, struct ps_port *port, uint32_t message_bytes_max)
{
    *server = (struct ps_call_server){
        .protocol = protocol, .stream = stream, .port = port, .message_bytes_max = message_bytes_max};
    ps_calls_init(&server->calls);
}

void ps_call_server_fini(struct ps_call_server *server)
{
    ps_calls_fini(&server->calls);
}

enum ps_feed ps_call_server_disconnect(struct ps_call_server *server, const struct ps_connection *connection,
                                       const char *why, const char *data, uint32_t length)
{
    ps_count(server->port->counters, PS_COUNTER_EventReadFail, 1);
    return ps_stream_malformed(connection, server->port, why, data, length);
}

enum ps_feed ps_call_server_refuse(struct ps_call_server *server, const struct ps_connection *connection,
                                   const char *data, uint32_t length)
{
    char why[128];
    snprintf(why, sizeof why, "not %s, or longer than %s bytes", server->protocol->message,
             ps_quantity_print_count(server->message_bytes_max).text);
    return ps_call_server_disconnect(server, connection, why, data, length);
}

void ps_call_server_closed(struct ps_call_server *server, const struct ps_connection *connection)
{
    const char *data = connection->carry.data;
    uint32_t length = connection->carry.length;
    /* `drain_until_ns`: the source ends, not the client */
    if (length == 0 || server->stream->drain_until_ns != 0 ||
        server->protocol->open_call(server, connection) != NULL)
        return;
    if (!server->protocol->may_begin(server, data, length)) {
        (void)ps_call_server_refuse(server, connection, data, length);
        return;
    }
    ps_count(server->port->counters, PS_COUNTER_EventReadFail, 1);
    if (ps_senders_first(&server->cut, connection->ip_text, 0))
        ps_log(
            PS_LOG_INFO, server->port->component,
            "%s: the connection ended after %s bytes of a call. The call is not answered, so that its sender "
            "has to send it again (said once for each sender; the metric event_read_failures counts them)",
            connection->ip_text, ps_quantity_print_count(length).text);
}

void ps_call_server_count_received(struct ps_call_server *server, bool batch)
{
    ps_count(server->port->counters,
             batch ? PS_COUNTER_AppendBatchReceivedCount : PS_COUNTER_AppendReceivedCount, 1);
}

void ps_call_server_count_accepted(struct ps_call_server *server, bool batch)
{
    ps_count(server->port->counters,
             batch ? PS_COUNTER_AppendBatchAcceptedCount : PS_COUNTER_AppendAcceptedCount, 1);
}

void ps_call_server_answer(struct ps_call_server *server, const struct ps_batch *batch, bool failed)
{
    for (const struct ps_ticket *ticket = batch->tickets; ticket != NULL; ticket = ticket->next) {
        struct ps_call *call = ps_calls_count_off(&server->calls, ticket);
        if (call == NULL)
            continue;
        if (failed && !call->failed && server->protocol->refused != NULL)
            server->protocol->refused(server, call);
        call->failed |= failed;
        if (ps_call_is_decided(call))
            server->protocol->finish(server, call);
    }
}

/* ---- reading ---- */

/* Continues with a call. Returns MORE when it is read to its end. */
static enum ps_feed read_events(struct ps_call_server *server, struct ps_call *call, struct ps_batch *batch,
                                char *data, uint32_t *used)
{
    const struct ps_batch_point point = ps_batch_point(batch);
    enum ps_feed fed = PS_FEED_MORE;
    if (!call->failed) {
        if (!ps_batch_ticket(batch, ps_call_origin(call), 0)) /* first, so that every row has its ticket */
            return PS_FEED_MEMORY;
        fed = server->protocol->add(server, call, batch, data, used);
        uint32_t rows = batch->count - point.count;
        if (rows == 0)
            ps_batch_rewind(batch, &point);
        else
            PS_ASSERT(ps_batch_ticket(batch, ps_call_origin(call), rows)); /* adds to the ticket made above */
        call->left += rows;
    }
    call->bytes_left -= *used;
    if (fed != PS_FEED_MORE)
        return fed;
    *used += call->bytes_left; /* bytes after the events are ignored, as Flume does */
    call->open = false;
    batch->flush = true;
    if (call->left == 0)
        server->protocol->finish(server, call);
    return PS_FEED_MORE;
}

enum ps_feed ps_call_server_feed(void *server_, struct ps_connection *connection, struct ps_batch *batch,
                                 char *data, uint32_t length, uint32_t *used)
{
    struct ps_call_server *server = server_;
    uint64_t origin = ps_connection_origin(connection);
    enum ps_feed fed = PS_FEED_MORE;
    if (batch->count == 0)
        ps_event_headers_begin(&server->headers);
    for (*used = 0; fed == PS_FEED_MORE;) {
        struct ps_call *call = server->protocol->open_call(server, connection);
        uint32_t took = 0;
        if (call != NULL) {
            PS_ASSERT(call->bytes_left <= length - *used);
            fed = read_events(server, call, batch, data + *used, &took);
        } else {
            fed = server->protocol->read(server, connection, batch, data + *used, length - *used, &took);
        }
        *used += took;
        if (took == 0)
            break;
        if (ps_stream_find(server->stream, origin) == NULL) /* an answer could not be sent */
            return PS_FEED_MORE;
    }
    return fed;
}

uint32_t ps_call_server_message_bytes(void *server_, struct ps_connection *connection, const char *data,
                                      uint32_t length)
{
    struct ps_call_server *server = server_;
    const struct ps_call *call = server->protocol->open_call(server, connection);
    if (call != NULL)
        return call->bytes_left;
    uint32_t bytes = server->protocol->measure(server, data, length);
    return bytes != UINT32_MAX ? bytes : length; /* UINT32_MAX: `feed` closes the connection */
}
