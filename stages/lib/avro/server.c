#include "stages/lib/avro/server.h"

#include "stages/lib/avro/reader.h"
#include "stages/lib/avro/rpc.h"

#include <string.h>

/* In ps_connection.bits: the handshake is done; the round (rpc.h) in which a call was refused, or 0; in the
 * bits above, the index + 1 of the call that is being read, or 0. */
#define SHAKEN 1U
#define REFUSED_SHIFT 1U
#define REFUSED_MASK (3U << REFUSED_SHIFT)
#define CALL_SHIFT 3U

/* In ps_call.bits. */
enum {
    CALL_IS_BATCH = 1,
    CALL_SHAKES = 2,      /* the call's answer includes the answer to the handshake */
    CALL_MATCH_SHIFT = 2, /* two bits */
    CALL_ROUND_SHIFT = 4,
};

/* The server begins with the part that all protocols have. */
static struct ps_avro_server *server_of(struct ps_call_server *base)
{
    return (struct ps_avro_server *)(uintptr_t)base;
}

/* Returns the call whose events are being read; NULL if there is none. */
static struct ps_call *open_call(struct ps_call_server *base, const struct ps_connection *connection)
{
    struct ps_call *call = ps_calls_numbered(&base->calls, connection->bits >> CALL_SHIFT);
    return call != NULL && call->open && call->connection == ps_connection_origin(connection) ? call : NULL;
}

static void set_call(struct ps_connection *connection, const struct ps_call *call)
{
    connection->bits &= SHAKEN | REFUSED_MASK;
    connection->bits |= ps_call_number(call) << CALL_SHIFT;
}

static void set_refused(struct ps_connection *connection, unsigned round)
{
    connection->bits = (connection->bits & ~REFUSED_MASK) | round << REFUSED_SHIFT;
}

/* Returns whether the call is refused because it must not overtake a call that was refused before. */
static bool must_fail(struct ps_connection *connection, const struct ps_avro_request *request)
{
    unsigned refused = (connection->bits & REFUSED_MASK) >> REFUSED_SHIFT;
    if (request->round != 0 && request->round == refused)
        return true;
    set_refused(connection, 0);
    return false;
}

/* ---- answers ---- */

static void send_reply(struct ps_call_server *base, struct ps_connection *connection, const uint8_t *reply,
                       size_t length)
{
    ps_stream_send(base->stream, connection, (const char *)reply, length);
}

/* Called when the outcome of the call's last event is known: answers the call, and forgets it. */
static void finish(struct ps_call_server *base, struct ps_call *call)
{
    struct ps_connection *connection = ps_stream_find(base->stream, call->connection);
    if (!call->failed)
        ps_call_server_count_accepted(base, call->bits & CALL_IS_BATCH);
    if (connection != NULL) {
        uint8_t reply[PS_AVRO_REPLY_BYTES_MAX];
        enum ps_avro_match match = call->bits >> CALL_MATCH_SHIFT & 3;
        size_t length = ps_avro_put_status(reply, call->serial, call->bits & CALL_SHAKES ? &match : NULL,
                                           call->failed ? PS_AVRO_FAILED : PS_AVRO_OK);
        connection->owed--;
        if (call->failed)
            set_refused(connection, call->bits >> CALL_ROUND_SHIFT);
        uint64_t origin = call->connection;
        send_reply(base, connection, reply, length);
        if ((connection = ps_stream_find(base->stream, origin)) != NULL)
            ps_stream_settle(base->stream, connection);
    }
    ps_calls_end(&base->calls, call);
}

/* Answers calls that put nothing into a channel. */
static void answer_now(struct ps_call_server *base, struct ps_connection *connection, uint32_t serial,
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
    send_reply(base, connection, reply, length);
}

/* ---- reading a call ---- */

/* Begins to read the events of a call, after the whole call has arrived and was checked. */
static bool begin_call(struct ps_call_server *base, struct ps_connection *connection,
                       const struct ps_avro_message *message, const struct ps_avro_request *request)
{
    struct ps_call *call = ps_calls_begin(&base->calls, ps_connection_origin(connection), message->serial);
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
    ps_call_server_count_received(base, request->batch);
    return true;
}

/* Reads the message at `data`, which has at most `length` bytes. Sets *used to the number of finished
 * bytes. */
static enum ps_feed read_message(struct ps_call_server *base, struct ps_connection *connection,
                                 struct ps_batch *batch, char *data, uint32_t length, uint32_t *used)
{
    struct ps_avro_message message;
    struct ps_avro_request request;
    struct ps_avro_server *server = server_of(base);
    *used = 0;
    switch (ps_avro_message_measure(data, length, base->message_bytes_max, &message)) {
    case PS_AVRO_PARTIAL:
        return PS_FEED_MORE;
    case PS_AVRO_GARBAGE:
        return ps_call_server_refuse(base, connection, data, length);
    case PS_AVRO_WHOLE:
        break;
    }
    char *begin = ps_avro_message_flatten(data, &message);
    char *payload = begin + message.wire_bytes - message.payload_bytes;
    bool shakes = !(connection->bits & SHAKEN);
    *used = (uint32_t)(begin - data);
    ps_avro_request_read(payload, message.payload_bytes, shakes, &server->clients, &request);
    if (request.call == PS_AVRO_CALL_ERROR && shakes && request.match == PS_AVRO_MATCH_NONE)
        return ps_call_server_disconnect(base, connection, "not an Avro handshake", payload,
                                         message.payload_bytes);
    if (request.call == PS_AVRO_CALL_ERROR) {
        ps_count(base->port->counters, PS_COUNTER_malformed, 1);
        ps_log(PS_LOG_WARN, base->port->component, "%s: a call is answered with an error: %s",
               connection->ip_text, request.reason);
    }
    bool fits = request.events <= batch->capacity - batch->count;
    if (request.call == PS_AVRO_CALL_APPEND && request.events > 0 && !must_fail(connection, &request)) {
        if (!fits && batch->count > 0) {
            batch->full = true; /* a call is one transaction where one batch can hold it */
            return PS_FEED_FULL;
        }
        if (!begin_call(base, connection, &message, &request))
            return PS_FEED_MEMORY;
        *used += message.wire_bytes - message.payload_bytes + request.events_at;
        return PS_FEED_MORE;
    }
    if (request.call == PS_AVRO_CALL_APPEND)
        ps_call_server_count_received(base, request.batch);
    if (request.call == PS_AVRO_CALL_APPEND && request.events == 0)
        ps_call_server_count_accepted(base, true);
    *used += message.wire_bytes;
    answer_now(base, connection, message.serial, &request);
    return PS_FEED_MORE;
}

/* Adds the event at `at` to the batch. */
static enum ps_feed add_event(struct ps_call_server *base, struct ps_batch *batch, struct ps_avro_reader *in)
{
    struct ps_avro_datum datum;
    const char *bytes = (const char *)in->at;
    bool whole = ps_avro_event_read(bytes, (size_t)(in->end - in->at), &datum);
    PS_ASSERT(whole); /* the call was checked when it began */
    const struct ps_batch_point point = ps_batch_point(batch);
    struct ps_event *event = ps_batch_add(batch, (char *)(uintptr_t)datum.body.data, datum.body.length);
    if (event == NULL)
        return PS_FEED_FULL;
    if (datum.headers.count > 0 && !ps_avro_event_add_headers(&base->headers, batch, event, bytes, &datum)) {
        ps_event_withdraw(&base->headers, batch, &point);
        return batch->full ? PS_FEED_FULL : PS_FEED_MEMORY;
    }
    in->at += datum.length;
    return PS_FEED_MORE;
}

/* Adds events of the call that is being read, until its end or until the batch is full. `in` is the rest of
 * the call. */
static enum ps_feed add_blocks(struct ps_call_server *base, struct ps_call *call, struct ps_batch *batch,
                               struct ps_avro_reader *in)
{
    for (;;) {
        if (call->items_left == 0 && call->bits & CALL_IS_BATCH)
            call->items_left = (uint64_t)ps_avro_read_block(in);
        if (call->items_left == 0)
            return PS_FEED_MORE;
        for (; call->items_left > 0; call->items_left--) {
            enum ps_feed fed = add_event(base, batch, in);
            if (fed != PS_FEED_MORE)
                return fed;
        }
        if (!(call->bits & CALL_IS_BATCH))
            return PS_FEED_MORE;
    }
}

static enum ps_feed add_events(struct ps_call_server *base, struct ps_call *call, struct ps_batch *batch,
                               char *data, uint32_t *used)
{
    struct ps_avro_reader in = {.at = (const uint8_t *)data};
    in.end = in.at + call->bytes_left;
    enum ps_feed fed = add_blocks(base, call, batch, &in);
    *used = (uint32_t)(in.at - (const uint8_t *)data);
    return fed;
}

static uint32_t measure(const struct ps_call_server *base, const char *data, uint32_t length)
{
    struct ps_avro_message message;
    switch (ps_avro_message_measure(data, length, base->message_bytes_max, &message)) {
    case PS_AVRO_PARTIAL:
        return 0;
    case PS_AVRO_GARBAGE:
        return UINT32_MAX;
    case PS_AVRO_WHOLE:
        break;
    }
    return message.wire_bytes;
}

static bool is_text(const char *data, uint32_t length)
{
    uint32_t text = 0;
    while (text < length && (uint8_t)data[text] >= '\t' && (uint8_t)data[text] < 0x7f)
        text++;
    return text == length;
}

/* A serial number that is text is none, because clients count from 0 on. Bytes of the head that have not come are taken for 0,
 * which is a valid number of pieces. */
static bool may_begin(const struct ps_call_server *base, const char *data, uint32_t length)
{
    char head[8] = {0};
    struct ps_avro_message message;
    memcpy(head, data, length < sizeof head ? length : sizeof head);
    if (is_text(data, length < sizeof(uint32_t) ? length : sizeof(uint32_t)))
        return false;
    if (length < sizeof head)
        return ps_avro_message_measure(head, sizeof head, base->message_bytes_max, &message) !=
               PS_AVRO_GARBAGE;
    return ps_avro_message_measure(data, length, base->message_bytes_max, &message) != PS_AVRO_GARBAGE;
}

const struct ps_call_protocol ps_avro_call_protocol = {
    .message = "a message of Flume's Avro protocol",
    .measure = measure,
    .may_begin = may_begin,
    .open_call = open_call,
    .read = read_message,
    .add = add_events,
    .finish = finish,
};

void ps_avro_server_closed(void *server, struct ps_connection *connection)
{
    struct ps_call_server *base = server;
    struct ps_call *call = open_call(base, connection);
    ps_call_server_closed(base, connection);
    if (call == NULL)
        return;
    call->open = false;
    if (call->left == 0)
        ps_calls_end(&base->calls, call);
}
