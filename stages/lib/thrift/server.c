#include "stages/lib/thrift/server.h"

#include "core/quantity.h"

#include <stdio.h>
#include <stdlib.h>

/* In ps_connection.bits: the round (request.h) in which a call was refused, or 0; above it the index + 1 of its newest
 * call that is not answered, or 0. The calls of a connection are a ring: behind the newest comes the oldest. */
#define REFUSED_MASK 3U
#define CALL_SHIFT 2U

/* In ps_call.bits. */
enum {
    CALL_IS_COMPACT = 1,
    CALL_ROUND_SHIFT = 1, /* two bits */
    CALL_METHOD_SHIFT = 3,
};

/* Limit of answers that need no channel and wait for the answers of earlier calls. A client that exceeds it does
 * not read its answers. */
#define KEPT_MAX 4096U
#define SEND_BYTES 2048U

void ps_thrift_server_init(struct ps_thrift_server *server, const struct ps_thrift_service *service,
                           struct ps_stream *stream, struct ps_port *port, uint32_t message_bytes_max)
{
    *server = (struct ps_thrift_server){
        .service = service, .stream = stream, .port = port, .message_bytes_max = message_bytes_max};
    ps_calls_init(&server->calls);
}

void ps_thrift_server_fini(struct ps_thrift_server *server)
{
    ps_calls_fini(&server->calls);
}

/* ---- the calls of a connection ---- */

static struct ps_call *newest_call(struct ps_thrift_server *server, const struct ps_connection *connection)
{
    uint32_t number = connection->bits >> CALL_SHIFT;
    return number > 0 ? ps_calls_at(&server->calls, number - 1) : NULL;
}

static void set_newest(struct ps_connection *connection, const struct ps_call *call)
{
    connection->bits &= REFUSED_MASK;
    if (call != NULL)
        connection->bits |= (call->index + 1) << CALL_SHIFT;
}

/* Returns the call whose events are being read, which is the newest; NULL if there is none. */
static struct ps_call *open_call(struct ps_thrift_server *server, const struct ps_connection *connection)
{
    struct ps_call *call = newest_call(server, connection);
    return call != NULL && call->open ? call : NULL;
}

/* Begins a call, behind the others of its connection. Returns NULL without memory. */
static struct ps_call *begin_call(struct ps_thrift_server *server, struct ps_connection *connection,
                                  const struct ps_thrift_request *request)
{
    struct ps_call *newest = newest_call(server, connection);
    struct ps_call *call =
        ps_calls_begin(&server->calls, ps_connection_origin(connection), request->message.number);
    if (call == NULL)
        return NULL;
    call->bits = (request->compact ? CALL_IS_COMPACT : 0) | request->round << CALL_ROUND_SHIFT |
                 request->method_index << CALL_METHOD_SHIFT;
    ps_calls_push(newest, call);
    set_newest(connection, call);
    connection->owed++;
    return call;
}

static void end_call(struct ps_thrift_server *server, struct ps_call *call)
{
    if (call->reply != NULL)
        server->kept_count--;
    ps_calls_end(&server->calls, call);
}

/* Returns whether the call is refused because it must not overtake one that was refused before. */
static bool must_fail(struct ps_connection *connection, const struct ps_thrift_request *request)
{
    unsigned refused = connection->bits & REFUSED_MASK;
    if (request->round != 0 && request->round == refused)
        return true;
    connection->bits &= ~REFUSED_MASK;
    return false;
}

/* ---- answers ---- */

static void count_accepted(struct ps_thrift_server *server, const struct ps_thrift_method *method)
{
    ps_count(server->port->counters,
             method->list ? PS_COUNTER_AppendBatchAcceptedCount : PS_COUNTER_AppendAcceptedCount, 1);
}

static size_t put_result(struct ps_thrift_server *server, uint8_t *to, const struct ps_thrift_method *method,
                         bool compact, uint32_t number, unsigned round, bool failed)
{
    const struct ps_slice name = {method->name, (uint32_t)strlen(method->name)};
    if (method->oneway)
        return 0;
    return ps_thrift_put_result(to, compact, &name, number,
                                failed ? server->service->refused : server->service->accepted, round);
}

/* Writes the answer of a call that is decided. */
static size_t put_answer(struct ps_thrift_server *server, uint8_t *to, const struct ps_call *call)
{
    const struct ps_thrift_method *method = &server->service->methods[call->bits >> CALL_METHOD_SHIFT];
    if (call->reply == NULL)
        return put_result(server, to, method, call->bits & CALL_IS_COMPACT, call->serial,
                          call->bits >> CALL_ROUND_SHIFT & REFUSED_MASK, call->failed);
    memcpy(to, call->reply, call->reply_length);
    return call->reply_length;
}

/* Answers the connection's oldest calls, as many as are decided. It may close the connection. */
static void answer_in_turn(struct ps_thrift_server *server, uint64_t origin)
{
    struct ps_connection *connection;
    for (;;) {
        uint8_t replies[SEND_BYTES];
        size_t length = 0;
        connection = ps_stream_find(server->stream, origin);
        if (connection == NULL)
            return;
        struct ps_call *newest;
        while ((newest = newest_call(server, connection)) != NULL &&
               length <= sizeof replies - PS_THRIFT_ANSWER_BYTES_MAX) {
            struct ps_call *oldest = ps_calls_oldest(&server->calls, newest);
            if (!ps_call_is_decided(oldest))
                break;
            set_newest(connection, ps_calls_pop(&server->calls, newest));
            connection->owed--;
            length += put_answer(server, replies + length, oldest);
            end_call(server, oldest);
        }
        if (length == 0)
            break;
        ps_stream_send(server->stream, connection, (const char *)replies, length);
    }
    ps_stream_settle(server->stream, connection);
}

/* Called when the call's last event is decided. */
static void finish(struct ps_thrift_server *server, struct ps_call *call)
{
    if (!call->failed)
        count_accepted(server, &server->service->methods[call->bits >> CALL_METHOD_SHIFT]);
    if (ps_stream_find(server->stream, call->connection) != NULL)
        answer_in_turn(server, call->connection);
    else
        end_call(server, call);
}

/* Refuses the calls behind a refused one of the same round. */
static void note_refusal(struct ps_thrift_server *server, const struct ps_call *call)
{
    struct ps_connection *connection = ps_stream_find(server->stream, call->connection);
    if (connection != NULL)
        connection->bits =
            (connection->bits & ~REFUSED_MASK) | (call->bits >> CALL_ROUND_SHIFT & REFUSED_MASK);
}

void ps_thrift_server_answer(struct ps_thrift_server *server, const struct ps_batch *batch, bool failed)
{
    for (const struct ps_ticket *ticket = batch->tickets; ticket != NULL; ticket = ticket->next) {
        struct ps_call *call = ps_calls_count_off(&server->calls, ticket);
        if (call == NULL)
            continue;
        if (failed && !call->failed)
            note_refusal(server, call);
        call->failed |= failed;
        if (ps_call_is_decided(call))
            finish(server, call);
    }
}

/* Sends the answer of a call that needs no channel: now, or when the earlier calls are answered. Returns false
 * without memory. */
static bool answer_now(struct ps_thrift_server *server, struct ps_connection *connection,
                       const struct ps_thrift_request *request, const uint8_t *reply, size_t length)
{
    if (newest_call(server, connection) == NULL) {
        if (length > 0)
            ps_stream_send(server->stream, connection, (const char *)reply, length);
        return true;
    }
    if (length == 0)
        return true;
    char *kept = malloc(length);
    struct ps_call *call = kept != NULL ? begin_call(server, connection, request) : NULL;
    if (call == NULL) {
        free(kept);
        return false;
    }
    memcpy(kept, reply, length);
    call->open = false;
    call->reply = kept;
    call->reply_length = (uint32_t)length;
    server->kept_count++;
    return true;
}

/* ---- reading a call ---- */

static enum ps_feed disconnect(struct ps_thrift_server *server, const struct ps_connection *connection,
                               const char *why)
{
    ps_count(server->port->counters, PS_COUNTER_EventReadFail, 1);
    return ps_stream_malformed(connection, server->port, why);
}

static enum ps_feed refuse_frame(struct ps_thrift_server *server, const struct ps_connection *connection)
{
    char why[128];
    snprintf(why, sizeof why, "not a framed message of Thrift, or longer than %s bytes",
             ps_quantity_print_count(server->message_bytes_max).text);
    return disconnect(server, connection, why);
}

static void count_received(struct ps_thrift_server *server, const struct ps_thrift_method *method)
{
    ps_count(server->port->counters,
             method->list ? PS_COUNTER_AppendBatchReceivedCount : PS_COUNTER_AppendReceivedCount, 1);
}

/* Answers a request that brings no events into a batch. */
static enum ps_feed answer_request(struct ps_thrift_server *server, struct ps_connection *connection,
                                   const struct ps_thrift_request *request, bool failed)
{
    uint8_t reply[PS_THRIFT_ANSWER_BYTES_MAX];
    size_t length;
    if (server->kept_count >= KEPT_MAX)
        return disconnect(server, connection, "it does not wait for its answers");
    if (request->error != PS_THRIFT_NO_ERROR) {
        bool oneway =
            request->message.type == PS_THRIFT_ONEWAY || (request->method != NULL && request->method->oneway);
        length = oneway ? 0 : ps_thrift_put_error(reply, request);
    } else {
        length = put_result(server, reply, request->method, request->compact, request->message.number,
                            request->round, failed);
    }
    if (!answer_now(server, connection, request, reply, length))
        return PS_FEED_MEMORY;
    if (request->error != PS_THRIFT_NO_ERROR) {
        ps_count(server->port->counters, PS_COUNTER_malformed, 1);
        ps_log(PS_LOG_WARN, server->port->component, "a call is answered with an error: %s", request->reason);
        return PS_FEED_MORE;
    }
    count_received(server, request->method);
    if (!failed)
        count_accepted(server, request->method);
    return PS_FEED_MORE;
}

/* Reads the frame at `data`, which has at most `length` bytes. Sets *used to the number of finished bytes. */
static enum ps_feed read_frame(struct ps_thrift_server *server, struct ps_connection *connection,
                               struct ps_batch *batch, const char *data, uint32_t length, uint32_t *used)
{
    struct ps_thrift_request request;
    uint32_t message_length;
    *used = 0;
    switch (ps_thrift_frame_measure(data, length, server->message_bytes_max, &message_length)) {
    case PS_THRIFT_PARTIAL:
        return PS_FEED_MORE;
    case PS_THRIFT_GARBAGE:
        return refuse_frame(server, connection);
    case PS_THRIFT_WHOLE:
        break;
    }
    if (!ps_thrift_request_read(server->service, data + PS_THRIFT_FRAME_BYTES, message_length, &request))
        return disconnect(server, connection, "not a message of Thrift's compact or binary protocol");
    bool called = request.error == PS_THRIFT_NO_ERROR;
    bool failed = called && request.events > 0 && must_fail(connection, &request);
    if (!called || failed || request.events == 0) {
        enum ps_feed fed = answer_request(server, connection, &request, failed);
        if (fed == PS_FEED_MORE)
            *used = PS_THRIFT_FRAME_BYTES + message_length;
        return fed;
    }
    if (request.events > batch->capacity - batch->count && batch->count > 0) {
        batch->full = true; /* a call is one transaction where one batch can hold it */
        return PS_FEED_FULL;
    }
    struct ps_call *call = begin_call(server, connection, &request);
    if (call == NULL)
        return PS_FEED_MEMORY;
    call->items_left = request.events;
    call->bytes_left = message_length - request.events_at;
    count_received(server, request.method);
    *used = PS_THRIFT_FRAME_BYTES + request.events_at;
    return PS_FEED_MORE;
}

/* Continues with a call. Returns MORE when it is read to its end. */
static enum ps_feed read_events(struct ps_thrift_server *server, struct ps_call *call, struct ps_batch *batch,
                                char *data, uint32_t *used)
{
    struct ps_thrift_reader in = {.at = (const uint8_t *)data, .compact = call->bits & CALL_IS_COMPACT};
    in.end = in.at + call->bytes_left;
    const uint8_t *behind = in.at;
    const struct ps_batch_point point = ps_batch_point(batch);
    uint32_t rows = 0;
    bool added = true;
    if (!call->failed) {
        if (!ps_batch_ticket(batch, ps_call_origin(call), 0)) /* first, so that no row lacks its ticket */
            return PS_FEED_MEMORY;
        while (call->items_left > 0 && (added = server->service->add(&server->headers, batch, &in))) {
            call->items_left--;
            behind = in.at;
        }
        rows = batch->count - point.count;
        if (rows == 0)
            ps_batch_rewind(batch, &point);
        else
            PS_ASSERT(ps_batch_ticket(batch, ps_call_origin(call), rows)); /* adds to the ticket made above */
        call->left += rows;
    }
    *used = (uint32_t)(behind - (const uint8_t *)data);
    call->bytes_left -= *used;
    if (!added)
        return batch->full ? PS_FEED_FULL : PS_FEED_MEMORY;
    *used += call->bytes_left; /* bytes after the events were checked, and are ignored */
    call->open = false;
    batch->flush = true;
    if (call->left == 0)
        finish(server, call);
    return PS_FEED_MORE;
}

enum ps_feed ps_thrift_server_feed(struct ps_thrift_server *server, struct ps_connection *connection,
                                   struct ps_batch *batch, char *data, uint32_t length, uint32_t *used)
{
    uint64_t origin = ps_connection_origin(connection);
    enum ps_feed fed = PS_FEED_MORE;
    if (batch->count == 0)
        ps_event_headers_begin(&server->headers);
    for (*used = 0; fed == PS_FEED_MORE;) {
        struct ps_call *call = open_call(server, connection);
        uint32_t took = 0;
        if (call != NULL) {
            PS_ASSERT(call->bytes_left <= length - *used);
            fed = read_events(server, call, batch, data + *used, &took);
        } else {
            fed = read_frame(server, connection, batch, data + *used, length - *used, &took);
        }
        *used += took;
        if (took == 0)
            break;
        if (ps_stream_find(server->stream, origin) == NULL) /* an answer could not be sent */
            return PS_FEED_MORE;
    }
    return fed;
}

uint32_t ps_thrift_server_message_bytes(struct ps_thrift_server *server,
                                        const struct ps_connection *connection, const char *data,
                                        uint32_t length)
{
    const struct ps_call *call = open_call(server, connection);
    uint32_t message_length;
    if (call != NULL)
        return call->bytes_left;
    switch (ps_thrift_frame_measure(data, length, server->message_bytes_max, &message_length)) {
    case PS_THRIFT_PARTIAL:
        return 0;
    case PS_THRIFT_GARBAGE:
        return length; /* `feed` closes the connection */
    case PS_THRIFT_WHOLE:
        break;
    }
    return PS_THRIFT_FRAME_BYTES + message_length;
}

void ps_thrift_server_closed(struct ps_thrift_server *server, struct ps_connection *connection)
{
    struct ps_call *newest = newest_call(server, connection);
    if (newest == NULL)
        return;
    set_newest(connection, NULL);
    server->kept_count -= ps_calls_leave(&server->calls, newest);
}
