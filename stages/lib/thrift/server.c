#include "stages/lib/thrift/server.h"

#include <stdlib.h>
#include <string.h>

/* In ps_connection.bits: the round (request.h) in which a call was refused, or 0; in the bits above, the index
 * + 1 of the connection's newest call that is not answered, or 0. The calls of a connection are a ring: after
 * the newest comes the oldest. */
#define REFUSED_MASK 3U
#define CALL_SHIFT 2U

/* In ps_call.bits. */
enum {
    CALL_IS_COMPACT = 1,
    CALL_ROUND_SHIFT = 1, /* two bits */
    CALL_METHOD_SHIFT = 3,
};

/* Limit of a client's answers that need no channel and wait for the answers of earlier calls. A client that exceeds it does
 * not read its answers. When more than KEPT_ALL_MAX answers of all clients wait, a client may have KEPT_FEW. */
#define KEPT_MAX 4096U
#define KEPT_ALL_MAX (16U * KEPT_MAX)
#define KEPT_FEW 64U
#define SEND_BYTES 2048U

/* The server begins with the part that all protocols have. */
static struct ps_thrift_server *server_of(struct ps_call_server *base)
{
    return (struct ps_thrift_server *)(uintptr_t)base;
}

/* ---- the calls of a connection ---- */

static struct ps_call *newest_call(struct ps_call_server *base, const struct ps_connection *connection)
{
    return ps_calls_numbered(&base->calls, connection->bits >> CALL_SHIFT);
}

static void set_newest(struct ps_connection *connection, const struct ps_call *call)
{
    connection->bits = (connection->bits & REFUSED_MASK) | ps_call_number(call) << CALL_SHIFT;
}

/* Returns the call whose events are being read, which is the newest; NULL if there is none. */
static struct ps_call *open_call(struct ps_call_server *base, const struct ps_connection *connection)
{
    struct ps_call *call = newest_call(base, connection);
    return call != NULL && call->open ? call : NULL;
}

/* Begins a call, after the others of its connection. Returns NULL without memory. */
static struct ps_call *begin_call(struct ps_thrift_server *server, struct ps_connection *connection,
                                  const struct ps_thrift_request *request)
{
    struct ps_call *newest = newest_call(&server->base, connection);
    struct ps_call *call =
        ps_calls_begin(&server->base.calls, ps_connection_origin(connection), request->message.number);
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
    ps_calls_end(&server->base.calls, call);
}

/* Returns whether the call is refused because it must not overtake a call that was refused before. */
static bool must_fail(struct ps_connection *connection, const struct ps_thrift_request *request)
{
    unsigned refused = connection->bits & REFUSED_MASK;
    if (request->round != 0 && request->round == refused)
        return true;
    connection->bits &= ~REFUSED_MASK;
    return false;
}

/* Returns how many answers of the connection wait for the answers of earlier calls. */
static uint32_t count_kept(struct ps_thrift_server *server, const struct ps_connection *connection)
{
    const struct ps_call *newest = newest_call(&server->base, connection), *call = newest;
    uint32_t count = 0;
    if (newest == NULL)
        return 0;
    do {
        count += call->reply != NULL;
        call = ps_calls_at(&server->base.calls, call->next);
    } while (call != newest);
    return count;
}

static bool keeps_too_many(struct ps_thrift_server *server, const struct ps_connection *connection)
{
    if (server->kept_count < KEPT_MAX)
        return false;
    return count_kept(server, connection) >= (server->kept_count < KEPT_ALL_MAX ? KEPT_MAX : KEPT_FEW);
}

/* ---- answers ---- */

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

/* Answers the connection's oldest calls, as many as are decided. The function may close the connection. */
static void answer_in_turn(struct ps_thrift_server *server, uint64_t origin)
{
    struct ps_connection *connection;
    for (;;) {
        uint8_t replies[SEND_BYTES];
        size_t length = 0;
        connection = ps_stream_find(server->base.stream, origin);
        if (connection == NULL)
            return;
        struct ps_call *newest;
        while ((newest = newest_call(&server->base, connection)) != NULL &&
               length <= sizeof replies - PS_THRIFT_ANSWER_BYTES_MAX) {
            struct ps_call *oldest = ps_calls_oldest(&server->base.calls, newest);
            if (!ps_call_is_decided(oldest))
                break;
            set_newest(connection, ps_calls_pop(&server->base.calls, newest));
            connection->owed--;
            length += put_answer(server, replies + length, oldest);
            end_call(server, oldest);
        }
        if (length == 0)
            break;
        ps_stream_send(server->base.stream, connection, (const char *)replies, length);
    }
    ps_stream_settle(server->base.stream, connection);
}

/* Called when the call's last event is decided. */
static void finish(struct ps_call_server *base, struct ps_call *call)
{
    struct ps_thrift_server *server = server_of(base);
    if (!call->failed)
        ps_call_server_count_accepted(base, server->service->methods[call->bits >> CALL_METHOD_SHIFT].list);
    if (ps_stream_find(base->stream, call->connection) != NULL)
        answer_in_turn(server, call->connection);
    else
        end_call(server, call);
}

/* Refuses the calls that follow a refused one in the same round. */
static void note_refusal(struct ps_call_server *base, const struct ps_call *call)
{
    struct ps_connection *connection = ps_stream_find(base->stream, call->connection);
    if (connection != NULL)
        connection->bits =
            (connection->bits & ~REFUSED_MASK) | (call->bits >> CALL_ROUND_SHIFT & REFUSED_MASK);
}

/* Sends the answer of a call that needs no channel: now, or when the earlier calls are answered. Returns false
 * without memory. */
static bool answer_now(struct ps_thrift_server *server, struct ps_connection *connection,
                       const struct ps_thrift_request *request, const uint8_t *reply, size_t length)
{
    if (newest_call(&server->base, connection) == NULL) {
        if (length > 0)
            ps_stream_send(server->base.stream, connection, (const char *)reply, length);
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

/* Answers a request that brings no events into a batch. */
static enum ps_feed answer_request(struct ps_thrift_server *server, struct ps_connection *connection,
                                   const struct ps_thrift_request *request, bool failed)
{
    uint8_t reply[PS_THRIFT_ANSWER_BYTES_MAX];
    size_t length;
    if (keeps_too_many(server, connection))
        return ps_call_server_disconnect(&server->base, connection, "it does not wait for its answers", NULL,
                                         0);
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
        ps_count(server->base.port->counters, PS_COUNTER_malformed, 1);
        ps_log(PS_LOG_WARN, server->base.port->component, "a call is answered with an error: %s",
               request->reason);
        return PS_FEED_MORE;
    }
    ps_call_server_count_received(&server->base, request->method->list);
    if (!failed)
        ps_call_server_count_accepted(&server->base, request->method->list);
    return PS_FEED_MORE;
}

/* Reads the frame at `data`, which has at most `length` bytes. Sets *used to the number of finished bytes. */
static enum ps_feed read_frame(struct ps_call_server *base, struct ps_connection *connection,
                               struct ps_batch *batch, char *data, uint32_t length, uint32_t *used)
{
    struct ps_thrift_request request;
    struct ps_thrift_server *server = server_of(base);
    uint32_t message_length;
    *used = 0;
    switch (ps_thrift_frame_measure(data, length, base->message_bytes_max, &message_length)) {
    case PS_THRIFT_PARTIAL:
        return PS_FEED_MORE;
    case PS_THRIFT_GARBAGE:
        return ps_call_server_refuse(base, connection, data, length);
    case PS_THRIFT_WHOLE:
        break;
    }
    if (!ps_thrift_request_read(server->service, data + PS_THRIFT_FRAME_BYTES, message_length, &request))
        return ps_call_server_disconnect(
            base, connection, "not a message of Thrift's compact or binary protocol", data, length);
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
    ps_call_server_count_received(base, request.method->list);
    *used = PS_THRIFT_FRAME_BYTES + request.events_at;
    return PS_FEED_MORE;
}

/* Adds events of the call, until its end or until the batch is full. */
static enum ps_feed add_events(struct ps_call_server *base, struct ps_call *call, struct ps_batch *batch,
                               char *data, uint32_t *used)
{
    struct ps_thrift_reader in = {.at = (const uint8_t *)data, .compact = call->bits & CALL_IS_COMPACT};
    in.end = in.at + call->bytes_left;
    for (; call->items_left > 0; call->items_left--) {
        if (!server_of(base)->service->add(&base->headers, batch, &in))
            return batch->full ? PS_FEED_FULL : PS_FEED_MEMORY;
        *used = (uint32_t)(in.at - (const uint8_t *)data);
    }
    return PS_FEED_MORE;
}

static uint32_t measure(const struct ps_call_server *base, const char *data, uint32_t length)
{
    uint32_t message_length;
    switch (ps_thrift_frame_measure(data, length, base->message_bytes_max, &message_length)) {
    case PS_THRIFT_PARTIAL:
        return 0;
    case PS_THRIFT_GARBAGE:
        return UINT32_MAX;
    case PS_THRIFT_WHOLE:
        break;
    }
    return PS_THRIFT_FRAME_BYTES + message_length;
}

/* Bytes of the length that have not come are taken for those of a small one. A message begins with the id of the compact
 * protocol, the version of the binary one, or without one with the length of a name. */
static bool may_begin(const struct ps_call_server *base, const char *data, uint32_t length)
{
    char frame[PS_THRIFT_FRAME_BYTES] = {0, 0, 0, 1};
    uint32_t message_length;
    memcpy(frame, data, length < sizeof frame ? length : sizeof frame);
    if (ps_thrift_frame_measure(frame, sizeof frame, base->message_bytes_max, &message_length) ==
        PS_THRIFT_GARBAGE)
        return false;
    uint8_t first = length > sizeof frame ? (uint8_t)data[sizeof frame] : 0;
    return first == 0x82 || first == 0x80 || first == 0;
}

const struct ps_call_protocol ps_thrift_call_protocol = {
    .message = "a framed message of Thrift",
    .measure = measure,
    .may_begin = may_begin,
    .open_call = open_call,
    .read = read_frame,
    .add = add_events,
    .refused = note_refusal,
    .finish = finish,
};

void ps_thrift_server_closed(void *server_, struct ps_connection *connection)
{
    struct ps_thrift_server *server = server_;
    struct ps_call *newest = newest_call(&server->base, connection);
    ps_call_server_closed(&server->base, connection);
    if (newest == NULL)
        return;
    set_newest(connection, NULL);
    server->kept_count -= ps_calls_leave(&server->base.calls, newest);
}
