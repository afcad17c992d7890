/* Source netcat (Flume's NetcatSource): lines over TCP, each answered with "OK" once the channels accepted
 * it.
 * Thread: its worker. The answers to a batch are sent when it was accepted, in the order of the lines. */
#include "core/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/quantity.h"
#include "core/text/utf8.h"
#include "stages/lib/net/listen.h"
#include "stages/lib/net/options.h"
#include "stages/lib/stream/calls.h"
#include "stages/lib/stream/stream.h"
#include "stages/lib/text/charset.h"
#include "stages/lib/text/scan.h"

#define LINE_CHARS_MAX (16 * 1024 * 1024)
#define WIDE_LINE_CHARS_MAX 32768 /* limit of a line in UTF-16 and UTF-32 */
#define OKS_AT_ONCE 1024U

/* In ps_connection.bits: flags for UTF-16, and above them the index + 1 of the connection's newest call, or 0. A call
 * is the lines of one read. Calls of a connection are answered in order: the engine may refuse lines while older ones
 * still wait for their outcome. */
enum { ORDER_KNOWN = 1, LITTLE = 2, MARKED = 4, CALL_SHIFT = 3 };

struct netcat_plan {
    struct ps_listen listen; /* must be first (stages/lib/net/listen.h) */
    const char *encoding;
    int64_t line_chars_max, idle_s, connections_max;
    /* bytes of a line of max-line-length characters, or less by the memory budget */
    uint32_t line_bytes_max;
    bool ack;
    struct ps_charset charset;
};

struct netcat_state {
    struct ps_stream stream; /* must be first (stages/lib/stream/stream.h) */
    const struct netcat_plan *plan;
    struct ps_port *port;
    struct ps_transcoder transcoder;
    struct ps_calls calls; /* the serial of a call is the number of its lines */
    char
        refused[PS_CHARSET_ENCODED_MAX(300)]; /* the answer to each line of the last batch that was refused */
    uint32_t refused_length;
    char too_long[PS_CHARSET_ENCODED_MAX(128)]; /* the last answer to a client whose line is too long */
    uint32_t too_long_length;
    char *oks; /* OKS_AT_ONCE answers */
    uint32_t ok_length;
    uint32_t
        mark_length; /* length of the byte order mark before a connection's first answer, in UTF-16 and its like */
};

#define FIELD(name) offsetof(struct netcat_plan, name)

static const struct ps_option options[] = {
    PS_HOST_OPTION_ROW_REQUIRED("bind", FIELD(listen.bind)),
    PS_PORT_OPTION_ROW("TCP", FIELD(listen.port)),
    PS_OPTION_ROW(
        "max-line-length", INT, FIELD(line_chars_max),
        "maximum number of Java characters (UTF-16 units) in a line, its newline included; a client "
        "that sends a longer line gets an error and is disconnected",
        .fallback = "512", .min = 1, .max = LINE_CHARS_MAX, .unit = "characters"),
    PS_OPTION_ROW("ack-every-event", BOOL, FIELD(ack), "answer OK for every line", .fallback = "true"),
    PS_OPTION_ROW("encoding", TEXT, FIELD(encoding),
                  "character set of the lines and the answers; bodies are always UTF-8", .fallback = "utf-8"),
    PS_IDLE_OPTION_ROW(FIELD(idle_s)),
    PS_CONNECTIONS_OPTION_ROW(FIELD(connections_max)),
    PS_OPTION_END,
};

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct netcat_plan *plan = plan_;
    struct ps_charset charset;
    struct ps_err err = {.length = 0};
    if (ps_charset_find(plan->encoding, &charset, &err) != PS_OK) {
        ps_report(context, PS_LOG_ERROR, "encoding", "%s", err.text);
        return PS_FAIL;
    }
    if (charset.unit > 1 && plan->line_chars_max > WIDE_LINE_CHARS_MAX) {
        ps_report(context, PS_LOG_ERROR, "max-line-length", "at most %d with encoding %s",
                  WIDE_LINE_CHARS_MAX, plan->encoding);
        return PS_FAIL;
    }
    return PS_OK;
}

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct netcat_plan *plan = plan_;
    plan->line_bytes_max =
        ps_stream_message_max_of(context, "max-line-length", 4 * (uint64_t)plan->line_chars_max);
    if (ps_charset_find(plan->encoding, &plan->charset, err) != PS_OK)
        return PS_FAIL;
    return ps_listen_build(&plan->listen, context, err);
}

/* ---- lines ---- */

/* Returns the end of the first newline, or NULL. */
static const char *line_end(const struct ps_charset *charset, bool little, const char *data, uint32_t length)
{
    if (PS_LIKELY(charset->unit == 1)) {
        const char *newline = memchr(data, '\n', length);
        return newline != NULL ? newline + 1 : NULL;
    }
    unsigned unit = charset->unit;
    for (uint32_t i = 0; i + unit <= length; i += unit) {
        uint8_t sum = 0;
        for (unsigned k = 0; k < unit; k++)
            sum |= (k == (little ? 0 : unit - 1)) ? (uint8_t)(data[i + k] ^ '\n') : (uint8_t)data[i + k];
        if (sum == 0)
            return data + i + unit;
    }
    return NULL;
}

/* Converts a line to UTF-8: in place if possible, else decoded into the batch. A byte order mark that begins
 * the connection is not part of the line; a mark that begins a later line is a character. Returns false without
 * memory. */
static bool decode(struct netcat_state *state, struct ps_batch *batch, bool little, char **line,
                   uint32_t *length)
{
    bool utf8 = state->plan->charset.kind == PS_CHARSET_UTF8;
    if (state->plan->charset.unit == 1 && state->plan->charset.kind < PS_CHARSET_UTF16 &&
        (ps_text_is_plain(*line, *length) || (utf8 && ps_utf8_valid_length(*line, *length) == *length)))
        return true;
    char *copy = ps_batch_alloc(batch, (uint32_t)PS_CHARSET_DECODED_MAX(*length));
    if (copy == NULL)
        return false;
    size_t used;
    (void)ps_transcoder_decode_on(&state->transcoder, *line, *length, true, little, copy, &used);
    *line = copy;
    *length = (uint32_t)used;
    return true;
}

/* Answers a line that is too long, after the lines before it. */
static enum ps_feed refuse_line(struct netcat_state *state, struct ps_connection *connection,
                                const char *line, uint32_t length)
{
    static const struct ps_dead_letter_reason reason = {
        "line-too-long", "longer than max-line-length; the rest of it may not have been read", 0};
    uint32_t skip = (connection->bits & MARKED) ? state->mark_length : 0;
    connection->farewell = state->too_long + skip;
    connection->farewell_length = state->too_long_length - skip;
    ps_count(state->port->counters, PS_COUNTER_EventReadFail, 1);
    ps_stream_discard(
        connection,
        &(struct ps_discard){
            .why = "a line longer than max-line-length", .bytes = line, .length = length, .letter = true},
        state->port);
    ps_log(PS_LOG_WARN, state->port->component,
           "%s sent a line longer than max-line-length = %lld characters, or than the %s bytes that memory "
           "allows: disconnected",
           connection->ip_text, (long long)state->plan->line_chars_max,
           ps_quantity_print_count(state->plan->line_bytes_max).text);
    (void)ps_port_deadletter_bytes(state->port, line, length, &reason);
    return PS_FEED_CLOSE;
}

static bool is_too_long(const struct netcat_state *state, const char *line, uint32_t length)
{
    uint64_t max = (uint64_t)state->plan->line_chars_max;
    return length >= state->plan->line_bytes_max ||
           (length >= max && ps_utf8_char_count(line, length) >= max);
}

/* Returns true if the bytes after the last newline are already longer than any accepted line. In UTF-32 a character beyond the
 * BMP counts as one here. */
static bool is_already_too_long(const struct netcat_state *state, const char *data, uint32_t length)
{
    const struct ps_charset *charset = &state->plan->charset;
    if (length >= state->plan->line_bytes_max)
        return true;
    if (charset->kind == PS_CHARSET_UTF8)
        return is_too_long(state, data, length);
    return (charset->kind <= PS_CHARSET_LATIN1 || charset->unit > 1) &&
           length / charset->unit >= (uint64_t)state->plan->line_chars_max;
}

/* UTF-16, UTF-32: reads the byte order mark at the beginning of the connection. Returns its length. */
static uint32_t read_mark(const struct netcat_state *state, struct ps_connection *connection,
                          const char *data, uint32_t length)
{
    const struct ps_charset *charset = &state->plan->charset;
    bool little;
    if ((connection->bits & ORDER_KNOWN) || !ps_charset_is_marked(charset) || length < charset->unit)
        return 0;
    uint32_t mark_bytes = ps_charset_mark(charset, data, length, &little);
    connection->bits |= ORDER_KNOWN | (little ? LITTLE : 0);
    return mark_bytes;
}

static struct ps_call *newest_call(struct netcat_state *state, const struct ps_connection *connection)
{
    return ps_calls_numbered(&state->calls, connection->bits >> CALL_SHIFT);
}

static void set_newest(struct ps_connection *connection, const struct ps_call *call)
{
    connection->bits &= (1U << CALL_SHIFT) - 1;
    connection->bits |= ps_call_number(call) << CALL_SHIFT;
}

/* Notes that the last `rows` rows of the batch are the lines of a call. */
static void close_call(struct netcat_state *state, struct ps_connection *connection, struct ps_call *call,
                       struct ps_batch *batch, uint32_t rows)
{
    /* cannot fail: adds to the call's ticket */
    PS_ASSERT(ps_batch_ticket(batch, ps_call_origin(call), rows));
    call->left = call->serial = rows;
    call->open = false;
    ps_calls_push(newest_call(state, connection), call);
    set_newest(connection, call);
    connection->owed++;
    batch->flush |= state->plan->ack;
}

static enum ps_feed feed(void *owner, struct ps_connection *connection, struct ps_batch *batch, char *data,
                         uint32_t length, uint32_t *used)
{
    struct netcat_state *state = owner;
    const struct ps_charset *charset = &state->plan->charset;
    const struct ps_batch_point before = ps_batch_point(batch);
    uint32_t at = read_mark(state, connection, data, length);
    bool little = ps_charset_is_marked(charset) ? (connection->bits & LITTLE) != 0 : charset->little;
    enum ps_feed answer = PS_FEED_MORE;
    const char *end = line_end(charset, little, data + at, length - at);
    struct ps_call *call = ps_calls_begin(&state->calls, ps_connection_origin(connection), 0);
    *used = at;
    if (call == NULL)
        return PS_FEED_MEMORY;
    if (end != NULL &&
        /* makes the ticket first, so that every row has one */
        !ps_batch_ticket(batch, ps_call_origin(call), 0)) {
        ps_calls_end(&state->calls, call);
        return PS_FEED_MEMORY;
    }
    for (; end != NULL; end = line_end(charset, little, data + at, length - at)) {
        char *line = data + at;
        uint32_t line_length = (uint32_t)(end - line) - charset->unit;
        if (!decode(state, batch, little, &line, &line_length)) {
            answer = PS_FEED_MEMORY;
            break;
        }
        if (is_too_long(state, line, line_length)) {
            answer = refuse_line(state, connection, line, line_length);
            break;
        }
        if (ps_batch_add(batch, line, line_length) == NULL) {
            answer = PS_FEED_FULL;
            break;
        }
        *used = at = (uint32_t)(end - data);
    }
    if (answer == PS_FEED_MORE && is_already_too_long(state, data + at, length - at))
        answer = refuse_line(state, connection, data + at, length - at);
    if (batch->count > before.count) {
        close_call(state, connection, call, batch, batch->count - before.count);
    } else {
        ps_calls_end(&state->calls, call);
        /* withdraws a line that was refused, or for which there is no room */
        ps_batch_rewind(batch, &before);
    }
    return answer;
}

static void closed(void *owner, struct ps_connection *connection)
{
    struct netcat_state *state = owner;
    struct ps_call *newest = newest_call(state, connection);
    ps_stream_unfinished(connection, state->port); /* a line without its newline: not an event, as in Flume */
    set_newest(connection, NULL);
    if (newest != NULL)
        ps_calls_leave(&state->calls, newest);
}

static const struct ps_stream_ops stream_ops = {.feed = feed, .closed = closed};

/* ---- answers ---- */

/* Sends an answer; before the first answer of a connection it sends the byte order mark. A farewell that waits to be
 * sent also begins with the mark, which is then removed from it. Returns NULL if the connection was closed. */
static struct ps_connection *answer_with(struct netcat_state *state, struct ps_connection *connection,
                                         const char *text, size_t length)
{
    uint64_t origin = ps_connection_origin(connection);
    if (state->mark_length > 0 && !(connection->bits & MARKED)) {
        connection->bits |= MARKED;
        if (connection->farewell == state->too_long) {
            connection->farewell += state->mark_length;
            connection->farewell_length -= state->mark_length;
        }
        ps_stream_send(&state->stream, connection, state->too_long, state->mark_length);
        if ((connection = ps_stream_find(&state->stream, origin)) == NULL)
            return NULL;
    }
    ps_stream_send(&state->stream, connection, text, length);
    return ps_stream_find(&state->stream, origin);
}

/* Answers each line of a call. Returns NULL if the connection was closed. */
static struct ps_connection *answer_lines(struct netcat_state *state, struct ps_connection *connection,
                                          uint32_t lines, bool failed)
{
    if (failed) {
        for (; lines > 0 && connection != NULL; lines--)
            connection = answer_with(state, connection, state->refused + state->mark_length,
                                     state->refused_length - state->mark_length);
        return connection;
    }
    while (state->plan->ack && lines > 0 && connection != NULL) {
        uint32_t some = lines < OKS_AT_ONCE ? lines : OKS_AT_ONCE;
        connection = answer_with(state, connection, state->oks, (size_t)some * state->ok_length);
        lines -= some;
    }
    return connection;
}

/* Answers the connection's oldest calls, as many as are decided. */
static void answer_in_turn(struct netcat_state *state, struct ps_connection *connection)
{
    struct ps_call *newest;
    while (connection != NULL && (newest = newest_call(state, connection)) != NULL) {
        struct ps_call *oldest = ps_calls_oldest(&state->calls, newest);
        if (!ps_call_is_decided(oldest))
            break;
        uint32_t lines = oldest->serial;
        bool failed = oldest->failed;
        set_newest(connection, ps_calls_pop(&state->calls, newest));
        ps_calls_end(&state->calls, oldest);
        connection->owed--;
        connection = answer_lines(state, connection, lines, failed);
    }
    if (connection != NULL)
        ps_stream_settle(&state->stream, connection);
}

static void settle_batch(struct netcat_state *state, const struct ps_batch *batch, bool failed)
{
    for (const struct ps_ticket *ticket = batch->tickets; ticket != NULL; ticket = ticket->next) {
        struct ps_call *call = ps_calls_count_off(&state->calls, ticket);
        if (call == NULL)
            continue;
        struct ps_connection *connection = ps_stream_find(&state->stream, call->connection);
        call->failed = failed;
        if (connection == NULL)
            ps_calls_end(&state->calls, call);
        else
            answer_in_turn(state, connection);
    }
}

static void accepted(const void *, void *state, const struct ps_batch *batch, const struct ps_now *)
{
    settle_batch(state, batch, false);
}

static void refused(const void *, void *state_, const struct ps_batch *batch, const char *reason,
                    const struct ps_now *)
{
    struct netcat_state *state = state_;
    char text[300];
    size_t encoded_length;
    int length = snprintf(text, sizeof text, "FAILED: %.250s\n", reason);
    ps_transcoder_encode(&state->transcoder, text, (size_t)length, state->refused, &encoded_length);
    state->refused_length = (uint32_t)encoded_length;
    settle_batch(state, batch, true);
}

/* ---- life cycle ---- */

static enum ps_status make_answers(struct netcat_state *state, struct ps_err *err)
{
    char text[128], ok[PS_CHARSET_ENCODED_MAX(3)];
    size_t length;
    int written = snprintf(text, sizeof text,
                           "FAILED: Event exceeds the maximum length (%lld chars, including newline)\n",
                           (long long)state->plan->line_chars_max);
    ps_transcoder_encode(&state->transcoder, text, (size_t)written, state->too_long, &length);
    state->too_long_length = (uint32_t)length;
    state->mark_length = ps_charset_mark_put(&state->plan->charset, ok);
    ps_transcoder_encode(&state->transcoder, "OK\n", 3, ok, &length);
    length -= state->mark_length;
    state->ok_length = (uint32_t)length;
    state->oks = malloc(OKS_AT_ONCE * length);
    if (state->oks == NULL)
        return ps_err_set(err, "no memory");
    for (uint32_t i = 0; i < OKS_AT_ONCE; i++)
        memcpy(state->oks + i * length, ok + state->mark_length, length);
    return PS_OK;
}

static void close_source(const void *, void *state_)
{
    struct netcat_state *state = state_;
    ps_stream_fini(&state->stream);
    ps_calls_fini(&state->calls);
    ps_transcoder_close(&state->transcoder);
    free(state->oks);
}

static enum ps_status open_source(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct netcat_plan *plan = plan_;
    struct netcat_state *state = state_;
    state->plan = plan;
    state->port = port;
    ps_calls_init(&state->calls);
    const struct ps_stream_options stream = {
        .ops = &stream_ops,
        .owner = state,
        .message_bytes_max = plan->line_bytes_max,
        .idle_ns = (uint64_t)plan->idle_s * PS_NS_PER_S,
        .connections_max = (uint32_t)plan->connections_max,
        .replies = true,
    };
    if (ps_transcoder_open(&state->transcoder, &plan->charset, err) != PS_OK)
        return PS_FAIL;
    if (make_answers(state, err) == PS_OK &&
        ps_stream_open(&state->stream, &stream, &plan->listen, port, err) == PS_OK)
        return PS_OK;
    ps_transcoder_close(&state->transcoder);
    free(state->oks);
    return PS_FAIL;
}

static const struct ps_source_ops source = {
    .needs = PS_LEVEL_ACCEPTED,
    .when_full = PS_REFUSE,
    .work = ps_stream_source_work,
    .tick = ps_stream_source_tick,
    .accepted = accepted,
    .refused = refused,
    .paused = ps_stream_source_paused,
    .drain = ps_stream_source_drain,
};

const struct ps_stage_ops ps_source_netcat = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "netcat",
    .aliases =
        PS_WORDS("org.apache.flume.source.NetcatSource", "org.apache.flume.source.netcat.NetcatSource"),
    .summary = "Lines over TCP, each answered with OK",
    .options = options,
    .plan_size = sizeof(struct netcat_plan),
    .state_size = sizeof(struct netcat_state),
    .check = check,
    .build = build,
    .teardown = ps_listen_source_teardown,
    .open = open_source,
    .close = close_source,
    PS_LISTEN_SOURCE,
    .source = &source,
};
