/* Source avro (Flume's AvroSource): events by Avro RPC, from Flume's Avro sinks, its SDK clients and other
 * agents. Each call is answered with OK once all required channels have promised its events, with FAILED when
 * one channel is full. Thread: its worker. */
#include "core/stage.h"

#include <strings.h>

#include "core/quantity.h"
#include "stages/lib/avro/server.h"
#include "stages/lib/avro/session.h"
#include "stages/lib/net/ip_filter.h"
#include "stages/lib/net/listen.h"
#include "stages/lib/net/options.h"
#include "stages/lib/stream/stream.h"
#include "stages/lib/tls/stage.h"

#define MESSAGE_BYTES (INT64_C(64) << 20)

struct avro_plan {
    struct ps_listen listen; /* must be first (stages/lib/net/listen.h) */
    const char *compression;
    int64_t threads, message_bytes, message_s, idle_s, connections_max;
    bool filters;
    struct ps_texts rules;
    struct ps_ip_filter filter;
    uint32_t message_bytes_max; /* message_bytes, or what the memory budget allows */
};

struct avro_state {
    struct ps_stream stream; /* must be first (stages/lib/stream/stream.h) */
    const struct avro_plan *plan;
    struct ps_avro_server server;
};

#define FIELD(name) offsetof(struct avro_plan, name)

static const struct ps_option options[] = {
    PS_HOST_OPTION_ROW_REQUIRED("bind", FIELD(listen.bind)),
    PS_PORT_OPTION_ROW("TCP", FIELD(listen.port)),
    PS_SERVER_THREADS_OPTION_ROW(FIELD(threads)),
    PS_OPTION_ROW("compression-type", TEXT, FIELD(compression),
                  "none or deflate; must be the same as the clients' compression-type", .fallback = "none"),
    PS_OPTION_ROW("ipFilter", BOOL, FIELD(filters), "accept only the clients that ipFilterRules admits",
                  .fallback = "false"),
    PS_OPTION_ROW(
        "ipFilterRules", COMMAS, FIELD(rules),
        "rules allow|deny:ip|name:pattern, for example allow:ip:10.*,deny:ip:*; the first rule that "
        "matches decides; a peer that matches no rule may connect"),
    PS_TLS_OPTION_ROWS(struct avro_plan, listen.tls),
    PS_CALL_BYTES_OPTION_ROW(FIELD(message_bytes)),
    PS_MESSAGE_TIMEOUT_OPTION_ROW(FIELD(message_s)),
    PS_IDLE_OPTION_ROW(FIELD(idle_s)),
    PS_CONNECTIONS_OPTION_ROW(FIELD(connections_max)),
    PS_OPTION_END,
};

static bool compresses(const struct avro_plan *plan)
{
    return strcasecmp(plan->compression, "deflate") == 0;
}

static void warn_of_useless_rule(const struct ps_context *context, const struct ps_ip_filter *filter)
{
    const struct ps_ip_rule *rule = ps_ip_filter_useless(filter);
    if (rule == NULL)
        return;
    ps_report(context, PS_LOG_WARN, "ipFilterRules",
              "%s:%s:%s is a rule for nobody: a pattern has * for any text and ? for one character, and is "
              "compared with %s",
              rule->allow ? "allow" : "deny", rule->name ? "name" : "ip", rule->pattern,
              rule->name ? "a host's whole name, as *.example.org"
                         : "an address as 10.0.0.1 or 0:0:0:0:0:0:0:1; write 10.* for 10.0.0.0/8");
}

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct avro_plan *plan = plan_;
    struct ps_ip_filter filter;
    struct ps_err err = {.length = 0};
    bool good = ps_tls_stage_check(&plan->listen.tls, context) == PS_OK;
    if (plan->filters && ps_ip_filter_parse(&filter, &plan->rules, context->arena, &err) != PS_OK) {
        ps_report(context, PS_LOG_ERROR, "ipFilterRules", "%s", err.text);
        good = false;
    } else if (plan->filters) {
        warn_of_useless_rule(context, &filter);
    }
    if (!compresses(plan) && strcasecmp(plan->compression, "none") != 0)
        ps_report(context, PS_LOG_WARN, "compression-type",
                  "%s counts as none, as in Flume; the only compression is deflate", plan->compression);
    return good ? PS_OK : PS_FAIL;
}

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct avro_plan *plan = plan_;
    plan->message_bytes_max = ps_stream_message_max(context, (uint64_t)plan->message_bytes);
    if (plan->filters && ps_ip_filter_parse(&plan->filter, &plan->rules, context->arena, err) != PS_OK)
        return PS_FAIL;
    return ps_listen_build(&plan->listen, context, err);
}

/* ---- the stream ---- */

static bool admits(void *owner, const struct ps_connection *connection)
{
    const struct ps_call_server *server = owner;
    const struct avro_state *state =
        (const struct avro_state *)(uintptr_t)server->stream; /* the stream is its first member */
    if (!state->plan->filters ||
        ps_ip_filter_admits(&state->plan->filter, &connection->ip, &connection->host,
                            ps_ip_filter_is_local(connection->fd, &connection->peer)))
        return true;
    ps_log(PS_LOG_INFO, server->port->component, "%s may not connect (ipFilterRules)", connection->ip_text);
    return false;
}

static const struct ps_stream_ops stream_ops = {.feed = ps_call_server_feed,
                                                .closed = ps_avro_server_closed,
                                                .message_bytes = ps_call_server_message_bytes,
                                                .admits = admits};

/* ---- answers ---- */

static void accepted(const void *, void *state_, const struct ps_batch *batch, const struct ps_now *)
{
    struct avro_state *state = state_;
    ps_call_server_answer(&state->server.base, batch, false);
}

static void refused(const void *, void *state_, const struct ps_batch *batch, const char *,
                    const struct ps_now *)
{
    struct avro_state *state = state_;
    ps_call_server_answer(&state->server.base, batch, true);
}

/* ---- life cycle ---- */

static void close_source(const void *, void *state_)
{
    struct avro_state *state = state_;
    ps_stream_fini(&state->stream);
    ps_call_server_fini(&state->server.base);
}

static enum ps_status open_source(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct avro_plan *plan = plan_;
    struct avro_state *state = state_;
    state->plan = plan;
    const struct ps_stream_options stream = {
        .ops = &stream_ops,
        .owner = &state->server,
        .message_bytes_max = plan->message_bytes_max,
        .tls = compresses(plan) ? NULL : plan->listen.server,
        .session = !compresses(plan)          ? NULL
                   : plan->listen.tls.enabled ? &ps_avro_session_deflate_tls
                                              : &ps_avro_session_deflate,
        .session_settings = plan->listen.server,
        .message_ns = (uint64_t)plan->message_s * PS_NS_PER_S,
        .idle_ns = (uint64_t)plan->idle_s * PS_NS_PER_S,
        .connections_max = (uint32_t)plan->connections_max,
        .replies = true,
        .names = plan->filters && plan->filter.names,
    };
    state->server.clients = (struct ps_avro_clients){.count = 0};
    ps_call_server_init(&state->server.base, &ps_avro_call_protocol, &state->stream, port,
                        plan->message_bytes_max);
    return ps_stream_open(&state->stream, &stream, &plan->listen, port, err);
}

static const struct ps_source_ops source = {
    .needs = PS_LEVEL_ACCEPTED,
    .when_full = PS_REFUSE_TOGETHER,
    .work = ps_stream_source_work,
    .tick = ps_stream_source_tick,
    .accepted = accepted,
    .refused = refused,
    .paused = ps_stream_source_paused,
    .drain = ps_stream_source_drain,
    .counts_calls = true,
};

const struct ps_stage_ops ps_source_avro = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "avro",
    .aliases = PS_WORDS("org.apache.flume.source.AvroSource", "org.apache.flume.rpc.avro.source.AvroSource"),
    .summary = "Events by Avro RPC from Flume's Avro sinks and clients, each call answered with OK or FAILED",
    .options = options,
    .plan_size = sizeof(struct avro_plan),
    .state_size = sizeof(struct avro_state),
    .check = check,
    .build = build,
    .teardown = ps_listen_source_teardown,
    .open = open_source,
    .close = close_source,
    PS_LISTEN_SOURCE,
    .source = &source,
};
