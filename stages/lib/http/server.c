#include "stages/lib/http/server.h"

#include "stages/lib/http/answer.h"

#include <stdlib.h>
#include <string.h>

#define CONNECTION_CHUNK 64U
#define SWEEP_NS (250 * PS_NS_PER_MS)
#define CHANNEL_FULL "Error appending event to channel. Channel might be full."

/* A request that is not answered yet. */
struct outstanding {
    uint64_t events_left; /* in batches that are not accepted yet */
    struct ps_http_answer answer;
};

struct ps_http_connection {
    uint32_t generation; /* that of the stream's connection at this slot */
    struct ps_http_message message;
    uint32_t rest_at;       /* not 0: the request is in the queue; see ps_http_exchange */
    bool plain;             /* see ps_http_exchange */
    uint64_t rest_events;   /* events of this request that are in no batch yet */
    bool joined;            /* the chunks of the request's body are put together */
    uint64_t begun_ns;      /* when the first byte of an incomplete request came; 0: none did */
    struct ps_buffer queue; /* struct outstanding, in order */
    uint32_t first, count;  /* of the queue */
    uint32_t serial;        /* of the next request */
    struct ps_http_text text;
    uint32_t call; /* index + 1 of the call of the request that is being read; 0: none */
};

/* ---- connections ---- */

static bool grow_to(struct ps_http_server *server, uint32_t chunk)
{
    struct ps_http_connection **chunks = realloc(server->chunks, (chunk + 1U) * sizeof *chunks);
    if (chunks == NULL)
        return false;
    server->chunks = chunks;
    while (server->chunk_count <= chunk) {
        struct ps_http_connection *some = calloc(CONNECTION_CHUNK, sizeof *some);
        if (some == NULL)
            return false;
        server->chunks[server->chunk_count++] = some;
    }
    return true;
}

/* Returns the state of a connection; makes it for a new connection. NULL: no memory. */
static struct ps_http_connection *state_of(struct ps_http_server *server,
                                           const struct ps_connection *connection)
{
    uint32_t chunk = connection->slot / CONNECTION_CHUNK;
    if (PS_UNLIKELY(chunk >= server->chunk_count) && !grow_to(server, chunk))
        return NULL;
    struct ps_http_connection *http = &server->chunks[chunk][connection->slot % CONNECTION_CHUNK];
    if (http->generation != connection->generation) {
        PS_ASSERT(http->queue.data == NULL);
        *http = (struct ps_http_connection){.generation = connection->generation};
        ps_http_message_init(&http->message);
    }
    return http;
}

static struct outstanding *queue_at(const struct ps_http_connection *http, uint32_t index)
{
    return (struct outstanding *)(void *)http->queue.data + http->first + index;
}

/* Makes room for one more request. */
static enum ps_slab_result queue_reserve(struct ps_http_server *server, struct ps_connection *connection,
                                         struct ps_http_connection *http)
{
    uint32_t room = http->queue.room / (uint32_t)sizeof(struct outstanding);
    if (http->first + http->count < room)
        return PS_SLAB_OK;
    if (http->first > 0) {
        memmove(http->queue.data, queue_at(http, 0), http->count * sizeof(struct outstanding));
        http->first = 0;
        return PS_SLAB_OK;
    }
    return ps_stream_grow(&server->stream, connection, &http->queue,
                          (http->count + 1) * (uint32_t)sizeof(struct outstanding));
}

static void queue_push(struct ps_connection *connection, struct ps_http_connection *http,
                       struct outstanding one)
{
    http->count++;
    *queue_at(http, http->count - 1) = one;
    http->queue.length = (http->first + http->count) * (uint32_t)sizeof(struct outstanding);
    http->serial++;
    connection->owed++;
}

/* ---- calls ---- */

/* Returns the call of the request that is being read, whose events may be in several batches. A new request begins
 * a new call. NULL: no memory. */
static struct ps_call *call_of(struct ps_http_server *server, const struct ps_connection *connection,
                               struct ps_http_connection *http)
{
    if (http->call > 0)
        return ps_calls_at(&server->calls, http->call - 1);
    struct ps_call *call = ps_calls_begin(&server->calls, ps_connection_origin(connection), http->serial);
    if (call != NULL)
        http->call = call->index + 1;
    return call;
}

/* Notes that the request has no more events. */
static void close_call(struct ps_http_server *server, struct ps_http_connection *http)
{
    if (http->text.block != NULL)
        ps_block_drop(server->port->blocks, http->text.block);
    http->text = (struct ps_http_text){.block = NULL};
    if (http->call == 0)
        return;
    struct ps_call *call = ps_calls_at(&server->calls, http->call - 1);
    http->call = 0;
    call->open = false;
    if (call->left == 0)
        ps_calls_end(&server->calls, call);
}

/* ---- answers ---- */

/* Returns NULL when the connection is closed. */
static struct ps_connection *send_answer(struct ps_http_server *server, struct ps_connection *connection,
                                         const struct ps_http_answer *answer)
{
    char text[PS_HTTP_ANSWER_BYTES_MAX];
    uint32_t length = ps_http_answer_write(server, answer, text);
    uint64_t origin = ps_connection_origin(connection);
    ps_stream_send(&server->stream, connection, text, length);
    return ps_stream_find(&server->stream, origin);
}

/* Asks for the body, which the client holds back. Returns NULL when the connection is closed. */
static struct ps_connection *send_continue(struct ps_http_server *server, struct ps_connection *connection,
                                           struct ps_http_connection *http)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    uint64_t origin = ps_connection_origin(connection);
    http->message.continues = false;
    ps_stream_send(&server->stream, connection, text, sizeof text - 1);
    return ps_stream_find(&server->stream, origin);
}

static bool waits_with_body(const struct ps_http_connection *http)
{
    return http->message.head_complete && http->message.continues && http->message.length == 0 &&
           http->message.status == 0 && http->message.body_length == 0;
}

/* Answers the first requests of the queue, as far as they have their outcome. Returns NULL when the
 * connection is closed. */
static struct ps_connection *send_answers(struct ps_http_server *server, struct ps_connection *connection,
                                          struct ps_http_connection *http)
{
    while (http->count > 0 && queue_at(http, 0)->events_left == 0) {
        const struct ps_http_answer answer = queue_at(http, 0)->answer;
        http->first++;
        http->count--;
        connection->owed--;
        if (http->count == 0) {
            http->first = 0;
            ps_stream_shrink(&server->stream, &http->queue);
        }
        if (send_answer(server, connection, &answer) == NULL)
            return NULL;
    }
    if (http->count == 0 && waits_with_body(http))
        return send_continue(server, connection, http);
    return connection;
}

/* ---- requests ---- */

/* Returns the status by which Flume's servlet answers a method; 0 if the handler gets the request. */
static uint16_t method_status(const struct ps_http_message *message, const char **reason)
{
    switch (message->parser.method) {
    case HTTP_POST:
    case HTTP_GET:
    case HTTP_HEAD:
        return 0;
    case HTTP_TRACE:
    case HTTP_OPTIONS:
        *reason = "Forbidden";
        return 403;
    case HTTP_PUT:
    case HTTP_DELETE:
        *reason = "the method is not supported; use POST";
        return 405;
    default:
        *reason = "the method is not known; use POST";
        return 501;
    }
}

char *ps_http_alloc(struct ps_batch *batch, uint32_t length, uint32_t meta_bytes_max)
{
    if (length > meta_bytes_max && length <= PS_BLOCK_BYTES / 2)
        length = PS_BLOCK_BYTES / 2 + 1;
    return ps_batch_alloc(batch, length > 0 ? length : 1);
}

enum ps_http_taken ps_http_text_use(struct ps_http_exchange *exchange, struct ps_batch *batch)
{
    struct ps_http_text *text = exchange->text;
    /* The block is counted in the batch that gets the request's first piece. If that batch was full, it is left
     * unchanged, and the first piece is tried again with the next batch. */
    if (!ps_batch_refer(batch, text->block, exchange->rest_at == 0 || !text->counted))
        return PS_HTTP_FULL;
    text->counted = true;
    exchange->body = text->block->base;
    exchange->body_length = text->length;
    return PS_HTTP_TAKEN;
}

/* Joins the pieces of a chunked body in place. */
static char *join_chunks(struct ps_http_connection *http, char *data)
{
    struct ps_http_message *message = &http->message;
    if (!http->joined)
        ps_http_message_unchunk(message, data, data + message->body_at);
    http->joined = true;
    return data + message->body_at;
}

static enum ps_http_taken take(struct ps_http_server *server, const struct ps_call *call,
                               struct ps_http_connection *http, struct ps_batch *batch, char *data,
                               struct ps_http_exchange *exchange)
{
    const struct ps_http_message *message = &http->message;
    *exchange = (struct ps_http_exchange){.message = message,
                                          .head = data,
                                          .body = data + message->body_at,
                                          .body_length = message->body_length,
                                          .origin = ps_call_origin(call),
                                          .rest_at = http->rest_at,
                                          .text = &http->text,
                                          .plain = http->plain};
    exchange->status = method_status(message, &exchange->reason);
    if (exchange->status != 0)
        return PS_HTTP_REFUSED;
    if (message->chunked && message->body_length > 0)
        exchange->body = join_chunks(http, data);
    return server->options.take(server->options.owner, batch, exchange);
}

static void set_refusal(struct ps_http_answer *answer, const struct ps_http_exchange *exchange)
{
    answer->status = exchange->status;
    answer->intro = exchange->intro;
    answer->reason = exchange->reason;
}

/* Notes that a request was read: its events, or the reason why there are none. */
static void note(struct ps_http_server *server, struct ps_connection *connection,
                 struct ps_http_connection *http, enum ps_http_taken taken,
                 const struct ps_http_exchange *exchange)
{
    const struct ps_http_message *message = &http->message;
    struct outstanding one = {.events_left = exchange->events,
                              .answer = {.status = 200,
                                         .without_body = message->parser.method == HTTP_HEAD,
                                         .last = !message->keep_alive}};
    if (taken == PS_HTTP_REFUSED) {
        one.events_left = 0;
        set_refusal(&one.answer, exchange);
        ps_count(server->port->counters, PS_COUNTER_EventReadFail, 1);
        ps_log(PS_LOG_WARN, server->port->component, "a request from %s is answered %u: %s",
               connection->ip_text, exchange->status, exchange->reason);
    } else {
        ps_count(server->port->counters, PS_COUNTER_AppendBatchReceivedCount, 1);
    }
    queue_push(connection, http, one);
}

/* Drops the rest of a request that is read in parts: the request's answer then waits only for the parts that are
 * in batches. */
static void give_up_rest(struct ps_http_connection *http)
{
    queue_at(http, http->count - 1)->events_left -= http->rest_events;
    http->rest_events = 0;
}

/* Returns whether a channel refused one of the request's parts. */
static bool has_refused_part(const struct ps_http_connection *http)
{
    return queue_at(http, http->count - 1)->answer.status != 200;
}

/* Called when the handler refuses a later part. Its only reason is lack of memory: for a mistake in any part
 * it refuses the first part. */
static void refuse_rest(struct ps_http_connection *http, const struct ps_http_exchange *exchange)
{
    set_refusal(&queue_at(http, http->count - 1)->answer, exchange);
    give_up_rest(http);
}

/* Makes events of the complete request at `data`. Returns PS_FEED_MORE when all of the request is handled. */
static enum ps_feed feed_request(struct ps_http_server *server, struct ps_connection *connection,
                                 struct ps_http_connection *http, struct ps_batch *batch, char *data)
{
    struct ps_http_exchange exchange;
    bool begins = http->rest_at == 0;
    if (begins) {
        enum ps_slab_result room = queue_reserve(server, connection, http);
        if (room != PS_SLAB_OK)
            return room == PS_SLAB_LIMIT ? PS_FEED_CLOSE : PS_FEED_MEMORY;
    }
    if (!begins && has_refused_part(http)) {
        give_up_rest(http);
        http->rest_at = 0;
        close_call(server, http);
        return PS_FEED_MORE;
    }
    struct ps_call *call = call_of(server, connection, http);
    if (call == NULL)
        return PS_FEED_MEMORY;
    uint32_t rows = batch->count;
    const struct ps_batch_point before = ps_batch_point(batch);
    enum ps_http_taken taken = take(server, call, http, batch, data, &exchange);
    if (taken != PS_HTTP_TAKEN && taken != PS_HTTP_TAKEN_PART)
        ps_batch_rewind(batch, &before);
    if (taken == PS_HTTP_FULL) {
        batch->full = true;
        return PS_FEED_FULL;
    }
    if (taken == PS_HTTP_MEMORY)
        return PS_FEED_MEMORY;
    if (PS_UNLIKELY(taken != PS_HTTP_REFUSED && exchange.lost_count > 0))
        ps_stream_discard(connection,
                          &(struct ps_discard){.why = exchange.lost_why,
                                               .bytes = exchange.lost.data,
                                               .length = exchange.lost.length,
                                               .count = exchange.lost_count},
                          server->port);
    if (begins) {
        note(server, connection, http, taken, &exchange);
        http->rest_events = taken == PS_HTTP_REFUSED ? 0 : exchange.events;
    } else if (taken == PS_HTTP_REFUSED) {
        refuse_rest(http, &exchange);
    }
    http->rest_events -= batch->count - rows;
    call->left += batch->count - rows;
    batch->flush |= batch->count > rows;
    if (taken == PS_HTTP_TAKEN_PART) {
        http->rest_at = exchange.rest_at;
        http->plain = exchange.plain;
        batch->full = true;
        return PS_FEED_FULL;
    }
    http->rest_at = 0;
    close_call(server, http);
    return PS_FEED_MORE;
}

/* Sends the last answer of this connection after malformed bytes or a passed limit. */
static enum ps_feed feed_bad(struct ps_http_server *server, struct ps_connection *connection,
                             struct ps_http_connection *http)
{
    const struct ps_http_message *message = &http->message;
    ps_count(server->port->counters, PS_COUNTER_EventReadFail, 1);
    ps_count(server->port->counters, PS_COUNTER_malformed, 1);
    ps_log(PS_LOG_WARN, server->port->component, "closing the connection from %s after the answer %u: %s",
           connection->ip_text, message->status, message->reason);
    if (queue_reserve(server, connection, http) == PS_SLAB_OK) {
        queue_push(connection, http,
                   (struct outstanding){
                       .answer = {.status = message->status, .reason = message->reason, .last = true}});
        (void)send_answers(server, connection, http);
    }
    return PS_FEED_CLOSE;
}

static enum ps_feed feed(void *owner, struct ps_connection *connection, struct ps_batch *batch, char *data,
                         uint32_t length, uint32_t *used)
{
    struct ps_http_server *server = owner;
    struct ps_http_connection *http = state_of(server, connection);
    uint64_t origin = ps_connection_origin(connection);
    *used = 0;
    if (http == NULL)
        return PS_FEED_MEMORY;
    while (*used < length) {
        struct ps_http_message *message = &http->message;
        enum ps_http_read read =
            ps_http_message_read(message, &server->options.limits, data + *used, length - *used);
        enum ps_feed fed = PS_FEED_MORE;
        if (read != PS_HTTP_PART)
            http->begun_ns = 0; /* the server no longer waits for the client */
        if (read == PS_HTTP_BAD)
            fed = feed_bad(server, connection, http);
        else if (read == PS_HTTP_COMPLETE)
            fed = feed_request(server, connection, http, batch, data + *used);
        if (fed == PS_FEED_FULL || fed == PS_FEED_MEMORY)
            return fed;
        if (fed == PS_FEED_CLOSE) {
            *used = length;
            return ps_stream_find(&server->stream, origin) != NULL ? fed : PS_FEED_MORE;
        }
        if (read == PS_HTTP_PART) {
            if (http->begun_ns == 0)
                http->begun_ns = server->stream.mono_ns;
            if (http->count == 0 && waits_with_body(http) && send_continue(server, connection, http) == NULL)
                *used = length;
            return PS_FEED_MORE;
        }
        bool keep_alive = message->keep_alive;
        *used += message->length;
        http->joined = false;
        ps_http_message_init(message);
        if (send_answers(server, connection, http) == NULL || !keep_alive) {
            *used = length;
            return ps_stream_find(&server->stream, origin) != NULL ? PS_FEED_CLOSE : PS_FEED_MORE;
        }
    }
    return PS_FEED_MORE;
}

/* Returns the length of a long request, which is received into the connection's own buffer; 0 while it is not
 * complete. */
static uint32_t frame(void *owner, struct ps_connection *connection, const char *data, uint32_t length)
{
    struct ps_http_server *server = owner;
    struct ps_http_connection *http = state_of(server, connection);
    if (http == NULL)
        return length;
    switch (ps_http_message_read(&http->message, &server->options.limits, data, length)) {
    case PS_HTTP_COMPLETE:
        http->begun_ns = 0;
        return http->message.length;
    case PS_HTTP_BAD:
        return length;
    default:
        return 0;
    }
}

static void closed(void *owner, struct ps_connection *connection)
{
    struct ps_http_server *server = owner;
    uint32_t chunk = connection->slot / CONNECTION_CHUNK;
    ps_stream_unfinished(connection, server->port);
    if (chunk >= server->chunk_count)
        return;
    struct ps_http_connection *http = &server->chunks[chunk][connection->slot % CONNECTION_CHUNK];
    if (http->generation != connection->generation)
        return;
    ps_stream_shrink(&server->stream, &http->queue);
    close_call(server, http);
}

/* ---- outcomes ---- */

/* Notes the outcome of `events` events of a request. */
static void settle_events(struct ps_http_connection *http, uint32_t serial, uint32_t events, bool refused)
{
    uint32_t index = serial - (http->serial - http->count);
    PS_ASSERT(index < http->count);
    struct outstanding *one = queue_at(http, index);
    PS_ASSERT(one->events_left >= events);
    if (refused) {
        one->answer.status = 503;
        one->answer.intro = NULL; /* the handler may have set it when it refused the rest */
        one->answer.reason = CHANNEL_FULL;
    }
    one->events_left -= events;
}

/* A batch that is refused because a channel is full gets its outcome before older batches that wait for their
 * channel's promise: each ticket names its request. */
static void settle_batch(struct ps_http_server *server, const struct ps_batch *batch, bool refused)
{
    for (const struct ps_ticket *ticket = batch->tickets; ticket != NULL; ticket = ticket->next) {
        struct ps_call *call = ps_calls_count_off(&server->calls, ticket);
        if (call == NULL)
            continue;
        struct ps_connection *connection = ps_stream_find(&server->stream, call->connection);
        uint32_t serial = call->serial;
        if (ps_call_is_decided(call))
            ps_calls_end(&server->calls, call);
        if (connection == NULL)
            continue;
        struct ps_http_connection *http = state_of(server, connection);
        settle_events(http, serial, ticket->events, refused);
        connection = send_answers(server, connection, http);
        if (connection != NULL)
            ps_stream_settle(&server->stream, connection);
    }
}

static void accepted(const void *, void *state, const struct ps_batch *batch, const struct ps_now *)
{
    settle_batch(state, batch, false);
}

/* Answers the requests of a refused batch. The engine has logged the reason. */
static void refused(const void *, void *state, const struct ps_batch *batch, const char *,
                    const struct ps_now *)
{
    settle_batch(state, batch, true);
}

/* ---- slow requests ---- */

static void end_slow(struct ps_http_server *server, struct ps_http_connection *http, uint32_t slot)
{
    struct ps_connection *connection =
        ps_stream_find(&server->stream, (uint64_t)http->generation << 32 | slot);
    http->begun_ns = 0;
    if (connection == NULL || connection->closing)
        return;
    http->message.status = 408;
    http->message.reason = "the request did not come to its end in time";
    if (feed_bad(server, connection, http) == PS_FEED_CLOSE &&
        (connection = ps_stream_find(&server->stream, (uint64_t)http->generation << 32 | slot)) != NULL)
        ps_stream_finish(&server->stream, connection);
}

/* Ends requests that take too long. Time in which the source itself does not read does not count. */
static void look_at_slow(struct ps_http_server *server, uint64_t passed_ns, const struct ps_now *now)
{
    bool reads = !server->stream.paused && server->stream.rest == NULL;
    for (uint32_t slot = 0; slot < server->chunk_count * CONNECTION_CHUNK; slot++) {
        struct ps_http_connection *http = &server->chunks[slot / CONNECTION_CHUNK][slot % CONNECTION_CHUNK];
        if (http->begun_ns == 0)
            continue;
        if (!reads)
            http->begun_ns +=
                now->mono_ns - http->begun_ns < passed_ns ? now->mono_ns - http->begun_ns : passed_ns;
        else if (now->mono_ns - http->begun_ns >= server->options.request_ns)
            end_slow(server, http, slot);
    }
}

static uint64_t tick(const void *, void *state, const struct ps_now *now)
{
    struct ps_http_server *server = state;
    uint64_t next = ps_stream_tick(&server->stream, now);
    if (server->stream.open_count == 0 || server->options.request_ns == 0)
        return next;
    if (now->mono_ns >= server->sweep_ns) {
        look_at_slow(server, now->mono_ns - server->swept_ns, now);
        server->swept_ns = now->mono_ns;
        server->sweep_ns = now->mono_ns + SWEEP_NS;
    }
    return server->sweep_ns < next ? server->sweep_ns : next;
}

/* ---- life cycle ---- */

static const struct ps_stream_ops stream_ops = {.feed = feed, .message_bytes = frame, .closed = closed};

enum ps_status ps_http_server_open(struct ps_http_server *server,
                                   const struct ps_http_server_options *options,
                                   const struct ps_listen *listen, struct ps_port *port, struct ps_err *err)
{
    const struct ps_stream_options stream = {
        .ops = &stream_ops,
        .owner = server,
        .message_bytes_max = ps_http_message_bytes_max(&options->limits),
        .tls = options->tls,
        .idle_ns = options->idle_ns,
        .connections_max = options->connections_max,
        .replies = true,
    };
    server->options = *options;
    server->port = port;
    ps_calls_init(&server->calls);
    return ps_stream_open(&server->stream, &stream, listen, port, err);
}

void ps_http_server_fini(struct ps_http_server *server)
{
    ps_stream_fini(&server->stream);
    ps_calls_fini(&server->calls);
    for (uint32_t i = 0; i < server->chunk_count; i++)
        free(server->chunks[i]);
    free(server->chunks);
}

const struct ps_source_ops ps_http_source_ops = {
    .needs = PS_LEVEL_ACCEPTED,
    .when_full = PS_REFUSE_TOGETHER,
    .work = ps_stream_source_work,
    .tick = tick,
    .accepted = accepted,
    .refused = refused,
    .paused = ps_stream_source_paused,
    .drain = ps_stream_source_drain,
};
