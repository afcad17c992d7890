#include "stages/lib/avro/server.h"

#include "core/quantity.h"
#include "stages/lib/avro/reader.h"
#include "stages/lib/avro/rpc.h"

#include <stdio.h>

/* In ps_connection.bits: the handshake is done; the round (rpc.h) in which a call was refused, or 0; above it the index + 1
 * of the call that is being read, or 0. */
#define SHAKEN 1U
#define REFUSED_SHIFT 1U
#define REFUSED_MASK (3U << REFUSED_SHIFT)
#define CALL_SHIFT 3U

/* In ps_call.bits. */
enum {
    CALL_IS_BATCH = 1,
    CALL_SHAKES = 2,      /* its answer includes the handshake's */
    CALL_MATCH_SHIFT = 2, /* two bits */
    CALL_ROUND_SHIFT = 4,
};

void ps_avro_server_init(struct ps_avro_server *server, struct ps_stream *stream, struct ps_port *port,
                         uint32_t message_bytes_max)
{
    *server = (struct ps_avro_server){.stream = stream, .port = port, .message_bytes_max = message_bytes_max};
    ps_calls_init(&server->calls);
}

void ps_avro_server_fini(struct ps_avro_server *server)
{
    ps_calls_fini(&server->calls);
}

static struct ps_call *call_of(struct ps_avro_server *server, const struct ps_connection *connection)
{
    uint32_t number = connection->bits >> CALL_SHIFT;
    return number > 0 ? ps_calls_at(&server->calls, number - 1) : NULL;
}

static void set_call(struct ps_connection *connection, const struct ps_call *call)
{
    connection->bits &= SHAKEN | REFUSED_MASK;
    if (call != NULL)
        connection->bits |= (call->index + 1) << CALL_SHIFT;
}

static void set_refused(struct ps_connection *connection, unsigned round)
{
    connection->bits = (connection->bits & ~REFUSED_MASK) | round << REFUSED_SHIFT;
}

/* Returns whether the call is refused because it must not overtake one that was refused before. */
static bool must_fail(struct ps_connection *connection, const struct ps_avro_request *request)
{
    unsigned refused = (connection->bits & REFUSED_MASK) >> REFUSED_SHIFT;
    if (request->round != 0 && request->round == refused)
        return true;
    set_refused(connection, 0);
    return false;
}

/* ---- answers ---- */

static void send_reply(struct ps_avro_server *server, struct ps_connection *connection, const uint8_t *reply,
                       size_t length)
{
    ps_stream_send(server->stream, connection, (const char *)reply, length);
}

/* Answers a call when the last of its events is decided, and forgets the call. */
static void finish(struct ps_avro_server *server, struct ps_call *call)
{
    struct ps_connection *connection = ps_stream_find(server->stream, call->connection);
    bool batch = call->bits & CALL_IS_BATCH;
    if (!call->failed)
        ps_count(server->port->counters,
                 batch ? PS_COUNTER_AppendBatchAcceptedCount : PS_COUNTER_AppendAcceptedCount, 1);
    if (connection != NULL) {
        uint8_t reply[PS_AVRO_REPLY_BYTES_MAX];
        enum ps_avro_match match = call->bits >> CALL_MATCH_SHIFT & 3;
        size_t length = ps_avro_put_status(reply, call->serial, call->bits & CALL_SHAKES ? &match : NULL,
                                           call->failed ? PS_AVRO_FAILED : PS_AVRO_OK);
        connection->owed--;
        if (call->failed)
            set_refused(connection, call->bits >> CALL_ROUND_SHIFT);
        uint64_t origin = call->connection;
        send_reply(server, connection, reply, length);
        if ((connection = ps_stream_find(server->stream, origin)) != NULL)
            ps_stream_settle(server->stream, connection);
    }
    ps_calls_end(&server->calls, call);
}

void ps_avro_server_answer(struct ps_avro_server *server, const struct ps_batch *batch, bool failed)
{
    for (const struct ps_ticket *ticket = batch->tickets; ticket != NULL; ticket = ticket->next) {
        struct ps_call *call = ps_calls_count_off(&server->calls, ticket);
        if (call == NULL)
            continue;
        call->failed |= failed;
        if (ps_call_is_decided(call))
            finish(server, call);
    }
}

/* Answers calls that put nothing into a channel. */
static void answer_now(struct ps_avro_server *server, struct ps_connection *connection, uint32_t serial,
                       const struct ps_avro_request *request)
{
    uint8_t reply[PS_AVRO_REPLY_BYTES_MAX];
    const enum ps_avro_match *match = connection->bits & SHAKEN ? NULL : &request->match;
    size_t length;
    if (request->call == PS_AVRO_CALL_ERROR)
        length = ps_avro_put_error(reply, serial, match, request->reason);
    else if (request->call == PS_AVRO_CALL_APPEND) /* has no events, or follows a refused call */
        length = ps_avro_put_status(reply, serial, match, request->events > 0 ? PS_AVRO_FAILED : PS_AVRO_OK);
    else
        length = ps_avro_put_greeting(reply, serial, match);
    if (request->call != PS_AVRO_CALL_STRANGER)
        connection->bits |= SHAKEN;
    send_reply(server, connection, reply, length);
}

/* ---- reading a call ---- */

static enum ps_feed disconnect(struct ps_avro_server *server, const struct ps_connection *connection,
                               const char *why)
{
    ps_count(server->port->counters, PS_COUNTER_EventReadFail, 1);
    return ps_stream_malformed(connection, server->port, why);
}

static enum ps_feed refuse_message(struct ps_avro_server *server, const struct ps_connection *connection)
{
    char why[128];
    snprintf(why, sizeof why, "not a message of Flume's Avro protocol, or longer than %s bytes",
             ps_quantity_print_count(server->message_bytes_max).text);
    return disconnect(server, connection, why);
}

static void count_received(struct ps_avro_server *server, const struct ps_avro_request *request)
{
    ps_count(server->port->counters,
             request->batch ? PS_COUNTER_AppendBatchReceivedCount : PS_COUNTER_AppendReceivedCount, 1);
}

/* Begins to read the events of a call, after the whole call has arrived and was checked. */
static bool begin_call(struct ps_avro_server *server, struct ps_connection *connection,
                       const struct ps_avro_message *message, const struct ps_avro_request *request)
{
    struct ps_call *call = ps_calls_begin(&server->calls, ps_connection_origin(connection), message->serial);
    if (call == NULL)
        return false;
    call->bits = (request->batch ? CALL_IS_BATCH : 0) | request->round << CALL_ROUND_SHIFT;
    if (!(connection->bits & SHAKEN))
        call->bits |= CALL_SHAKES | (uint32_t)request->match << CALL_MATCH_SHIFT;
    call->items_left = request->batch ? 0 : 1;
    call->bytes_left = message->payload_bytes - request->events_at;
    connection->bits |= SHAKEN;
    connection->owed++;
    set_call(connection, call);
    count_received(server, request);
    return true;
}

/* Reads the message at `data`, which has at most `length` bytes. Sets *used to the number of finished
 * bytes. */
static enum ps_feed read_message(struct ps_avro_server *server, struct ps_connection *connection,
                                 struct ps_batch *batch, char *data, uint32_t length, uint32_t *used)
{
    struct ps_avro_message message;
    struct ps_avro_request request;
    *used = 0;
    switch (ps_avro_message_measure(data, length, server->message_bytes_max, &message)) {
    case PS_AVRO_PARTIAL:
        return PS_FEED_MORE;
    case PS_AVRO_GARBAGE:
        return refuse_message(server, connection);
    case PS_AVRO_WHOLE:
        break;
    }
    char *begin = ps_avro_message_flatten(data, &message);
    char *payload = begin + message.wire_bytes - message.payload_bytes;
    bool shakes = !(connection->bits & SHAKEN);
    *used = (uint32_t)(begin - data);
    ps_avro_request_read(payload, message.payload_bytes, shakes, &server->clients, &request);
    if (request.call == PS_AVRO_CALL_ERROR && shakes && request.match == PS_AVRO_MATCH_NONE)
        return disconnect(server, connection, "not an Avro handshake");
    if (request.call == PS_AVRO_CALL_ERROR) {
        ps_count(server->port->counters, PS_COUNTER_malformed, 1);
        ps_log(PS_LOG_WARN, server->port->component, "%s: a call is answered with an error: %s",
               connection->ip_text, request.reason);
    }
    bool fits = request.events <= batch->capacity - batch->count;
    if (request.call == PS_AVRO_CALL_APPEND && request.events > 0 && !must_fail(connection, &request)) {
        if (!fits && batch->count > 0) {
            batch->full = true; /* a call is one transaction where one batch can hold it */
            return PS_FEED_FULL;
        }
        if (!begin_call(server, connection, &message, &request))
            return PS_FEED_MEMORY;
        *used += message.wire_bytes - message.payload_bytes + request.events_at;
        return PS_FEED_MORE;
    }
    if (request.call == PS_AVRO_CALL_APPEND)
        count_received(server, &request);
    if (request.call == PS_AVRO_CALL_APPEND && request.events == 0) {
        ps_count(server->port->counters, PS_COUNTER_AppendBatchAcceptedCount, 1);
    }
    *used += message.wire_bytes;
    answer_now(server, connection, message.serial, &request);
    return PS_FEED_MORE;
}

/* Adds the event at `at` to the batch. */
static enum ps_feed add_event(struct ps_avro_server *server, struct ps_batch *batch,
                              struct ps_avro_reader *in)
{
    struct ps_avro_datum datum;
    const char *bytes = (const char *)in->at;
    bool whole = ps_avro_event_read(bytes, (size_t)(in->end - in->at), &datum);
    PS_ASSERT(whole); /* the call was checked when it began */
    const struct ps_batch_point point = ps_batch_point(batch);
    struct ps_event *event = ps_batch_add(batch, (char *)(uintptr_t)datum.body.data, datum.body.length);
    if (event == NULL)
        return PS_FEED_FULL;
    if (datum.headers.count > 0 &&
        !ps_avro_event_add_headers(&server->headers, batch, event, bytes, &datum)) {
        ps_event_withdraw(&server->headers, batch, &point);
        return batch->full ? PS_FEED_FULL : PS_FEED_MEMORY;
    }
    in->at += datum.length;
    return PS_FEED_MORE;
}

/* Adds events of the call that is being read, until its end or until the batch is full. `in` is the rest of
 * the call. */
static enum ps_feed add_events(struct ps_avro_server *server, struct ps_call *call, struct ps_batch *batch,
                               struct ps_avro_reader *in)
{
    for (;;) {
        if (call->items_left == 0 && call->bits & CALL_IS_BATCH)
            call->items_left = (uint64_t)ps_avro_read_block(in);
        if (call->items_left == 0)
            return PS_FEED_MORE;
        for (; call->items_left > 0; call->items_left--) {
            enum ps_feed fed = add_event(server, batch, in);
            if (fed != PS_FEED_MORE)
                return fed;
        }
        if (!(call->bits & CALL_IS_BATCH))
            return PS_FEED_MORE;
    }
}

/* Continues with a call. Returns MORE when it is read to its end. */
static enum ps_feed read_events(struct ps_avro_server *server, struct ps_connection *connection,
                                struct ps_call *call, struct ps_batch *batch, char *data, uint32_t *used)
{
    struct ps_avro_reader in = {.at = (const uint8_t *)data};
    in.end = in.at + call->bytes_left;
    const struct ps_batch_point point = ps_batch_point(batch);
    uint32_t rows = 0;
    enum ps_feed fed = PS_FEED_MORE;
    if (!call->failed) {
        if (!ps_batch_ticket(batch, ps_call_origin(call), 0)) /* first, so that every row has its ticket */
            return PS_FEED_MEMORY;
        fed = add_events(server, call, batch, &in);
        rows = batch->count - point.count;
        if (rows == 0)
            ps_batch_rewind(batch, &point);
        else
            PS_ASSERT(ps_batch_ticket(batch, ps_call_origin(call), rows)); /* adds to the ticket made above */
        call->left += rows;
    }
    *used = (uint32_t)(in.at - (const uint8_t *)data);
    call->bytes_left -= *used;
    if (fed != PS_FEED_MORE)
        return fed;
    *used += call->bytes_left; /* bytes after the events are ignored, as Avro does */
    call->open = false;
    set_call(connection, NULL);
    batch->flush = true;
    if (call->left == 0)
        finish(server, call);
    return PS_FEED_MORE;
}

enum ps_feed ps_avro_server_feed(struct ps_avro_server *server, struct ps_connection *connection,
                                 struct ps_batch *batch, char *data, uint32_t length, uint32_t *used)
{
    uint64_t origin = ps_connection_origin(connection);
    enum ps_feed fed = PS_FEED_MORE;
    if (batch->count == 0)
        ps_event_headers_begin(&server->headers);
    for (*used = 0; fed == PS_FEED_MORE;) {
        struct ps_call *call = call_of(server, connection);
        uint32_t took = 0;
        if (call != NULL) {
            PS_ASSERT(call->bytes_left <= length - *used);
            fed = read_events(server, connection, call, batch, data + *used, &took);
        } else {
            fed = read_message(server, connection, batch, data + *used, length - *used, &took);
        }
        *used += took;
        if (took == 0)
            break;
        if (ps_stream_find(server->stream, origin) == NULL) /* an answer could not be sent */
            return PS_FEED_MORE;
    }
    return fed;
}

uint32_t ps_avro_server_message_bytes(struct ps_avro_server *server, const struct ps_connection *connection,
                                      const char *data, uint32_t length)
{
    const struct ps_call *call = call_of(server, connection);
    struct ps_avro_message message;
    if (call != NULL)
        return call->bytes_left;
    switch (ps_avro_message_measure(data, length, server->message_bytes_max, &message)) {
    case PS_AVRO_PARTIAL:
        return 0;
    case PS_AVRO_GARBAGE:
        return length; /* `feed` closes the connection */
    case PS_AVRO_WHOLE:
        break;
    }
    return message.wire_bytes;
}

void ps_avro_server_closed(struct ps_avro_server *server, struct ps_connection *connection)
{
    struct ps_call *call = call_of(server, connection);
    if (call == NULL)
        return;
    set_call(connection, NULL);
    call->open = false;
    if (call->left == 0)
        ps_calls_end(&server->calls, call);
}
