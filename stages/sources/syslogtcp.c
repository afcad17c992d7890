/* Source syslogtcp (Flume's SyslogTcpSource): syslog messages over TCP, one per line or octet-counted. Thread: its worker.
 * When a channel is full the source waits, which stops the senders; Flume drops the event. */
#include "core/stage.h"

#include "stages/lib/net/listen.h"
#include "stages/lib/net/options.h"
#include "stages/lib/stream/stream.h"
#include "stages/lib/syslog/framing.h"
#include "stages/lib/syslog/mistakes.h"
#include "stages/lib/syslog/source.h"
#include "stages/lib/tls/stage.h"

#define EVENT_SIZE_MAX (100 * 1024 * 1024)

struct syslogtcp_plan {
    struct ps_listen listen; /* must be first (stages/lib/net/listen.h) */
    int64_t event_size, idle_s, connections_max;
    int framing_mode;
    struct ps_syslog_source_options syslog;
    struct ps_syslog_source source;
    struct ps_syslog_framing framing;
};

struct syslogtcp_state {
    struct ps_stream stream; /* must be first (stages/lib/stream/stream.h) */
    const struct syslogtcp_plan *plan;
    struct ps_port *port;
    struct ps_syslog_single parser;
    struct ps_syslog_mistakes mistakes;
};

#define FIELD(name) offsetof(struct syslogtcp_plan, name)

static const struct ps_option options[] = {
    PS_HOST_OPTION_ROW_REQUIRED("host", FIELD(listen.host)),
    PS_PORT_OPTION_ROW("TCP", FIELD(listen.port)),
    PS_OPTION_ROW(
        "eventSize", INT, FIELD(event_size),
        "length at which a line is cut: the event gets flume.syslog.status = Incomplete, the rest is "
        "the next event. Below 10 counts as 10",
        .fallback = "2500", .min = INT32_MIN, .max = EVENT_SIZE_MAX, .unit = "bytes"),
    PS_SYSLOG_FRAMING_OPTION_ROW(FIELD(framing_mode)),
    PS_IDLE_OPTION_ROW(FIELD(idle_s)),
    PS_CONNECTIONS_OPTION_ROW(FIELD(connections_max)),
    PS_SYSLOG_SOURCE_OPTION_ROWS(struct syslogtcp_plan, syslog),
    PS_TLS_OPTION_ROWS(struct syslogtcp_plan, listen.tls),
    PS_OPTION_END,
};

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct syslogtcp_plan *plan = plan_;
    bool good = ps_tls_stage_check(&plan->listen.tls, context) == PS_OK;
    good &= ps_syslog_source_check(&plan->syslog, context) == PS_OK;
    return good ? PS_OK : PS_FAIL;
}

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct syslogtcp_plan *plan = plan_;
    int64_t event_size = plan->event_size > 0
                             ? ps_stream_message_max_of(context, "eventSize", (uint64_t)plan->event_size)
                             : plan->event_size;
    if (ps_syslog_source_build(&plan->source, &plan->syslog, event_size, false, context, err) != PS_OK)
        return PS_FAIL;
    plan->framing = (struct ps_syslog_framing){.mode = (enum ps_syslog_framing_mode)plan->framing_mode,
                                               .size_max = plan->source.rules.size_max,
                                               .skips_newlines = true};
    plan->source.rules.asks = plan->framing.mode == PS_SYSLOG_FRAMING_AUTO;
    if (ps_listen_build(&plan->listen, context, err) == PS_OK)
        return PS_OK;
    ps_syslog_source_teardown(&plan->source);
    return PS_FAIL;
}

static void teardown(void *plan_)
{
    struct syslogtcp_plan *plan = plan_;
    ps_listen_teardown(&plan->listen);
    ps_syslog_source_teardown(&plan->source);
}

/* The first message of bytes that are not simply a line. */
static enum ps_parsed next_framed(struct syslogtcp_state *state, uint32_t *bits, struct ps_batch *batch,
                                  char *data, uint32_t length, const struct ps_syslog_client *client,
                                  uint32_t *used)
{
    struct ps_syslog_single *parser = &state->parser;
    const struct ps_syslog_found_mistakes before = parser->mistakes;
    struct ps_syslog_frame frame;
    ps_syslog_frame_find(&state->plan->framing, *bits, data, length, &frame);
    *used = frame.skip;
    char *message = data + frame.skip;
    uint32_t took = 0;
    if (frame.found == PS_SYSLOG_MORE)
        return PS_PARSED_PARTIAL;
    if (frame.lost)
        ps_syslog_mistakes_keep(&state->mistakes, &before, message, length - frame.skip);
    enum ps_parsed parsed =
        frame.found == PS_SYSLOG_MESSAGE && frame.length == 0
            ? PS_PARSED_ADDED /* nothing, as an empty line */
        : frame.found == PS_SYSLOG_LINE
            ? ps_syslog_single_next(parser, batch, message, length - frame.skip, client, &took)
            : ps_syslog_single_message(parser, batch, message, frame.length, frame.cut, client);
    if (parsed == PS_PARSED_ADDED || parsed == PS_PARSED_DROPPED) {
        *used = frame.found == PS_SYSLOG_LINE ? frame.skip + took : frame.taken;
        *bits = frame.bits | (*bits >> PS_SYSLOG_SAID << PS_SYSLOG_SAID);
        if (frame.lost)
            ps_syslog_mistakes_lost(&state->mistakes, &parser->mistakes, &before, *used - frame.skip);
    } else {
        *used = parsed == PS_PARSED_PARTIAL ? frame.skip + took : 0;
    }
    return parsed;
}

static void note_mistakes(struct syslogtcp_state *state, struct ps_connection *connection)
{
    ps_count(state->port->counters, PS_COUNTER_malformed, state->parser.mistakes.invalid);
    ps_syslog_mistakes_say(&state->mistakes, &state->parser.mistakes, &state->plan->framing, state->port,
                           connection->ip_text, &connection->bits);
    state->parser.mistakes = (struct ps_syslog_found_mistakes){0};
}

static enum ps_feed feed(void *owner, struct ps_connection *connection, struct ps_batch *batch, char *data,
                         uint32_t length, uint32_t *used)
{
    struct syslogtcp_state *state = owner;
    const struct ps_syslog_client *names = &state->plan->source.client;
    struct ps_syslog_client whole = {.ip_name = names->ip_name,
                                     .host_name = names->host_name,
                                     .ip = connection->ip,
                                     .host = connection->host};
    const struct ps_syslog_client *client =
        names->ip_name != NULL || names->host_name != NULL ? &whole : NULL;
    uint64_t dropped = 0;
    enum ps_parsed parsed;
    ps_syslog_final(&connection->bits, connection->ended, connection->silent, data, length);
    *used = 0;
    do {
        uint32_t took = 0, left = length - *used;
        char *at = data + *used;
        parsed = ps_syslog_is_line(&state->plan->framing, connection->bits, at, left)
                     ? ps_syslog_single_next(&state->parser, batch, at, left, client, &took)
                     : next_framed(state, &connection->bits, batch, at, left, client, &took);
        *used += took;
        dropped += parsed == PS_PARSED_DROPPED;
    } while (ps_syslog_goes_on(&state->plan->framing, &connection->bits, parsed, data + *used, length - *used,
                               &state->parser.cuts, &connection->undecided));
    if (dropped > 0)
        ps_count(state->port->counters, PS_COUNTER_EventReadFail, dropped);
    if (state->parser.mistakes.kinds != 0)
        note_mistakes(state, connection);
    return parsed == PS_PARSED_FULL     ? PS_FEED_FULL
           : parsed == PS_PARSED_MEMORY ? PS_FEED_MEMORY
                                        : PS_FEED_MORE;
}

static uint32_t message_bytes(void *owner, struct ps_connection *connection, const char *data,
                              uint32_t length)
{
    const struct syslogtcp_state *state = owner;
    uint32_t bytes;
    ps_syslog_final(&connection->bits, connection->ended, connection->silent, data, length);
    bool known = ps_syslog_message_bytes(&state->plan->framing, connection->bits, data, length, &bytes);
    return known ? bytes : PS_STREAM_LINE;
}

static void closed(void *owner, struct ps_connection *connection)
{
    struct syslogtcp_state *state = owner;
    ps_stream_unfinished(connection, state->port); /* a message without its end: not an event, as in Flume */
    if (state->stream.drain_until_ns == 0)         /* else this source ends, not the sender */
        ps_syslog_mistakes_unfinished(&state->mistakes, &state->plan->framing, state->port,
                                      connection->ip_text,
                                      &(struct ps_slice){connection->carry.data, connection->carry.length});
}

static const struct ps_stream_ops stream_ops = {
    .feed = feed, .message_bytes = message_bytes, .closed = closed};

static enum ps_status open_source(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct syslogtcp_plan *plan = plan_;
    struct syslogtcp_state *state = state_;
    state->plan = plan;
    state->port = port;
    if (!ps_syslog_single_init(&state->parser, &plan->source.rules))
        return ps_err_set(err, "no memory");
    const struct ps_stream_options stream = {
        .ops = &stream_ops,
        .owner = state,
        .message_bytes_max = plan->source.rules.size_max,
        .tls = plan->listen.server,
        .idle_ns = (uint64_t)plan->idle_s * PS_NS_PER_S,
        .connections_max = (uint32_t)plan->connections_max,
        .names = plan->source.client.host_name != NULL,
    };
    if (ps_stream_open(&state->stream, &stream, &plan->listen, port, err) == PS_OK)
        return PS_OK;
    ps_syslog_single_fini(&state->parser);
    return PS_FAIL;
}

static void close_source(const void *, void *state_)
{
    struct syslogtcp_state *state = state_;
    ps_stream_fini(&state->stream);
    ps_syslog_single_fini(&state->parser);
}

static enum ps_result work(const void *, void *state_, struct ps_batch *batch, const struct ps_now *now)
{
    struct syslogtcp_state *state = state_;
    ps_syslog_time_now(&state->parser.time, now->wall_ms);
    return ps_stream_work(&state->stream, batch, now);
}

static const struct ps_source_ops source = {
    .needs = PS_LEVEL_ACCEPTED,
    .when_full = PS_WAIT,
    .work = work,
    .tick = ps_stream_source_tick,
    .paused = ps_stream_source_paused,
    .drain = ps_stream_source_drain,
};

const struct ps_stage_ops ps_source_syslogtcp = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "syslogtcp",
    .aliases =
        PS_WORDS("org.apache.flume.source.SyslogTcpSource", "org.apache.flume.source.syslog.SyslogTcpSource"),
    .summary = "Syslog messages over TCP, one per line or octet-counted",
    .options = options,
    .plan_size = sizeof(struct syslogtcp_plan),
    .state_size = sizeof(struct syslogtcp_state),
    .check = check,
    .build = build,
    .teardown = teardown,
    .open = open_source,
    .close = close_source,
    PS_LISTEN_SOURCE,
    .source = &source,
};
