/* Source syslogtcp (Flume's SyslogTcpSource): syslog messages over TCP, one per line. Thread: its worker.
 * When a channel is full the source waits, which stops the senders; Flume drops the event. */
#include "core/stage.h"

#include "stages/lib/net/listen.h"
#include "stages/lib/net/options.h"
#include "stages/lib/stream/stream.h"
#include "stages/lib/syslog/source.h"
#include "stages/lib/tls/stage.h"

#define EVENT_SIZE_MAX (100 * 1024 * 1024)

struct syslogtcp_plan {
    struct ps_listen listen; /* must be first (stages/lib/net/listen.h) */
    int64_t event_size, idle_s, connections_max;
    struct ps_syslog_source_options syslog;
    struct ps_syslog_source source;
};

struct syslogtcp_state {
    struct ps_stream stream; /* must be first (stages/lib/stream/stream.h) */
    const struct syslogtcp_plan *plan;
    struct ps_port *port;
    struct ps_syslog_single parser;
};

#define FIELD(name) offsetof(struct syslogtcp_plan, name)

static const struct ps_option options[] = {
    PS_HOST_OPTION_ROW_REQUIRED("host", FIELD(listen.host)),
    PS_PORT_OPTION_ROW("TCP", FIELD(listen.port)),
    {.key = "eventSize",
     .type = PS_OPTION_INT,
     .offset = FIELD(event_size),
     .fallback = "2500",
     .min = INT32_MIN,
     .max = EVENT_SIZE_MAX,
     .unit = "bytes",
     .help = "length at which a line is cut: the event gets flume.syslog.status = Incomplete, the rest is "
             "the next event. Below 10 counts as 10"},
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

static enum ps_feed feed(void *owner, struct ps_connection *connection, struct ps_batch *batch, char *data,
                         uint32_t length, uint32_t *used)
{
    struct syslogtcp_state *state = owner;
    const struct ps_syslog_client *names = &state->plan->source.client;
    struct ps_syslog_client client = {.ip_name = names->ip_name,
                                      .host_name = names->host_name,
                                      .ip = connection->ip,
                                      .host = connection->host};
    bool wanted = names->ip_name != NULL || names->host_name != NULL;
    for (*used = 0;;) {
        uint32_t took = 0;
        enum ps_parsed parsed = ps_syslog_single_next(&state->parser, batch, data + *used, length - *used,
                                                      wanted ? &client : NULL, &took);
        *used += took;
        switch (parsed) {
        case PS_PARSED_ADDED:
            break;
        case PS_PARSED_DROPPED:
            ps_count(state->port->counters, PS_COUNTER_EventReadFail, 1);
            break;
        case PS_PARSED_FULL:
            return PS_FEED_FULL;
        case PS_PARSED_MEMORY:
            return PS_FEED_MEMORY;
        case PS_PARSED_PARTIAL:
            return PS_FEED_MORE;
        }
    }
}

static void closed(void *owner, struct ps_connection *connection)
{
    struct syslogtcp_state *state = owner;
    ps_stream_unfinished(connection,
                         state->port); /* a message without its newline: not an event, as in Flume */
}

static const struct ps_stream_ops stream_ops = {.feed = feed, .closed = closed};

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
    .aliases = PS_WORDS("org.apache.flume.source.SyslogTcpSource"),
    .summary = "Syslog messages over TCP, one per line",
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
