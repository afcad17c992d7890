/* Source http (Flume's HTTPSource): events in HTTP requests. A request is answered 200 when every required channel has
 * promised its events, 503 when one of them stayed full. Thread: its worker. */
#include "core/stage.h"

#include <string.h>
#include <strings.h>

#include "core/quantity.h"
#include "stages/lib/http/blob_handler.h"
#include "stages/lib/http/jetty.h"
#include "stages/lib/http/json/body.h"
#include "stages/lib/http/json/handler.h"
#include "stages/lib/http/server.h"
#include "stages/lib/net/listen.h"
#include "stages/lib/net/options.h"
#include "stages/lib/tls/stage.h"

#define BODY_BYTES_MAX (1 << 30)
#define BODY_BYTES (64U * 1024 * 1024) /* limit of a body, if the memory budget allows it */

enum handler { HANDLER_JSON, HANDLER_BLOB, HANDLER_MORPHLINE_BLOB };

struct http_plan {
    struct ps_listen listen; /* must be first (stages/lib/net/listen.h) */
    const char *handler_name;
    int64_t idle_s, request_s, connections_max, body_bytes_max;
    const char *mandatory;
    int64_t blob_bytes_max;
    struct ps_blob_handler blob;
    struct ps_jetty_options jetty;
    enum handler handler;
    struct ps_jetty_settings settings;
    struct ps_http_limits limits;
};

struct http_state {
    struct ps_http_server server; /* must be first (stages/lib/http/server.h) */
    const struct http_plan *plan;
    struct ps_json_handler json;
    struct ps_json_body body;
};

#define FIELD(name) offsetof(struct http_plan, name)

static const struct ps_option options[] = {
    PS_HOST_OPTION_ROW("bind", FIELD(listen.bind)),
    PS_PORT_OPTION_ROW("TCP", FIELD(listen.port)),
    PS_OPTION_ROW(
        "handler", TEXT, FIELD(handler_name),
        "the handler, which makes events from a request: org.apache.flume.source.http.JSONHandler, or "
        "JSON; org.apache.flume.source.http.BLOBHandler, or BLOB; "
        "org.apache.flume.sink.solr.morphline.BlobHandler; or a class of the class path: Flume's source "
        "runs in Java then",
        .fallback = "org.apache.flume.source.http.JSONHandler"),
    PS_OPTION_ROW(
        "handler.mandatoryParameters", TEXT, FIELD(mandatory),
        "BLOBHandler: parameters without which a request is answered 500, separated by commas alone: "
        "blanks belong to a name"),
    PS_OPTION_ROW(
        "handler.maxBlobLength", INT, FIELD(blob_bytes_max),
        "morphline's BlobHandler: maximum length of a body; a longer one is cut there, with a warning",
        .fallback = "100000000", .min = 1, .max = INT32_MAX, .unit = "bytes"),
    PS_OPTION_ROW("penstock.body.max", SIZE, FIELD(body_bytes_max),
                  "maximum length of a request's body; a longer one is answered with status 413; unset: a "
                  "sixteenth of the memory budget divided by the workers, at most 64 MiB",
                  .min = 1, .max = BODY_BYTES_MAX, .unit = "bytes", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "penstock.request.timeout", INT, FIELD(request_s),
        "longest time for a request, from its first byte to its last; one that takes longer is answered "
        "with 408; 0: no limit",
        .fallback = "300", .min = 0, .max = INT32_MAX, .unit = "s", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.idle.timeout", INT, FIELD(idle_s),
                  "time without a byte sent or received after which a connection is closed; 0: never",
                  .fallback = "30", .min = 0, .max = INT32_MAX, .unit = "s", .flags = PS_OPTION_EXTENSION),
    PS_CONNECTIONS_OPTION_ROW(FIELD(connections_max)),
    PS_JETTY_OPTION_ROWS(struct http_plan, jetty),
    PS_TLS_OPTION_ROWS_ALIASED(struct http_plan, listen.tls, PS_WORDS("enableSSL"),
                               PS_WORDS("keystorePassword"), PS_WORDS("excludeProtocols")),
    PS_OPTION_END,
};

/* ---- handlers ---- */

static const struct {
    const char *name;
    enum handler handler;
} handlers[] = {
    {"org.apache.flume.source.http.JSONHandler", HANDLER_JSON},
    {"org.apache.flume.http.source.JSONHandler", HANDLER_JSON},
    {"JSON", HANDLER_JSON},
    {"org.apache.flume.source.http.BLOBHandler", HANDLER_BLOB},
    {"org.apache.flume.http.source.BLOBHandler", HANDLER_BLOB},
    {"BLOB", HANDLER_BLOB},
    {"org.apache.flume.sink.solr.morphline.BlobHandler", HANDLER_MORPHLINE_BLOB},
};

static bool find_handler(const char *name, enum handler *handler)
{
    for (size_t i = 0; i < PS_COUNT_OF(handlers); i++) {
        if (strcasecmp(name, handlers[i].name) == 0) {
            *handler = handlers[i].handler;
            return true;
        }
    }
    return false;
}

static enum ps_http_taken take(void *owner, struct ps_batch *batch, struct ps_http_exchange *exchange)
{
    struct http_state *state = owner;
    const struct http_plan *plan = state->plan;
    if (plan->handler == HANDLER_JSON) {
        struct ps_block_cache *blocks = state->server.port->blocks;
        enum ps_http_taken taken =
            ps_json_body_make(&state->body, blocks, plan->limits.body_bytes_max, batch, exchange);
        return taken == PS_HTTP_TAKEN ? ps_json_handler_take(&state->json, blocks, batch, exchange) : taken;
    }
    /* a body is kept unchanged, as in Flume */
    if (plan->handler == HANDLER_MORPHLINE_BLOB && exchange->body_length > (uint64_t)plan->blob_bytes_max) {
        ps_log(PS_LOG_WARN, state->server.port->component, "a body of %s is cut to handler.maxBlobLength",
               ps_quantity_print_bytes(exchange->body_length).text);
        exchange->body_length = (uint32_t)plan->blob_bytes_max;
    }
    return ps_blob_handler_take(&plan->blob, batch, exchange);
}

/* ---- life cycle ---- */

/* Warns about "a, b", which requires a parameter " b" that hardly any client sends. */
static void check_mandatory(const char *list, const struct ps_context *context)
{
    const struct ps_texts names = ps_blob_handler_mandatory(context->arena, list);
    for (size_t i = 0; i < names.count; i++) {
        size_t length = strlen(names.items[i]);
        if (length == 0 || names.items[i][0] == ' ' || names.items[i][length - 1] == ' ')
            ps_report(context, PS_LOG_WARN, "handler.mandatoryParameters",
                      "requests need a parameter with the name \"%s\", as in Flume: blanks belong to it",
                      names.items[i]);
    }
}

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct http_plan *plan = plan_;
    enum handler handler;
    bool good = find_handler(plan->handler_name, &handler);
    if (good && handler == HANDLER_BLOB)
        check_mandatory(plan->mandatory, context);
    if (!good) {
        ps_report(context, PS_LOG_ERROR, "handler",
                  "%s is not known; the known handlers are org.apache.flume.source.http.JSONHandler, "
                  "org.apache.flume.source.http.BLOBHandler and "
                  "org.apache.flume.sink.solr.morphline.BlobHandler, and classes of the class path",
                  plan->handler_name);
    }
    good &= ps_jetty_check(&plan->jetty, context) == PS_OK;
    struct ps_tls_options tls = plan->listen.tls;
    ps_jetty_tls(&plan->jetty, context->arena, &tls);
    good &= ps_tls_stage_check(&tls, context) == PS_OK;
    return good ? PS_OK : PS_FAIL;
}

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct http_plan *plan = plan_;
    if (!find_handler(plan->handler_name, &plan->handler))
        return ps_err_set(err, "handler %s is not known", plan->handler_name);
    plan->blob = (struct ps_blob_handler){.content_type = plan->handler == HANDLER_MORPHLINE_BLOB};
    if (plan->handler == HANDLER_BLOB)
        plan->blob.mandatory = ps_blob_handler_mandatory(context->arena, plan->mandatory);
    ps_jetty_read(&plan->jetty, &plan->settings);
    ps_jetty_tls(&plan->jetty, context->arena, &plan->listen.tls);
    plan->limits.head_bytes_max = plan->settings.head_bytes_max;
    plan->limits.body_bytes_max =
        plan->body_bytes_max > 0
            ? ps_stream_message_max_of(context, "penstock.body.max", (uint64_t)plan->body_bytes_max)
            : ps_stream_message_max(context, BODY_BYTES);
    return ps_listen_build(&plan->listen, context, err);
}

static void close_source(const void *, void *state_)
{
    struct http_state *state = state_;
    ps_http_server_fini(&state->server);
    ps_json_handler_fini(&state->json);
    ps_json_body_fini(&state->body);
}

static enum ps_status open_source(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct http_plan *plan = plan_;
    struct http_state *state = state_;
    const struct ps_http_server_options server = {
        .take = take,
        .owner = state,
        .limits = plan->limits,
        .request_ns = (uint64_t)plan->request_s * PS_NS_PER_S,
        .idle_ns = plan->settings.idle_ms >= 0 ? (uint64_t)plan->settings.idle_ms * PS_NS_PER_MS
                                               : (uint64_t)plan->idle_s * PS_NS_PER_S,
        .connections_max = (uint32_t)plan->connections_max,
        .tls = plan->listen.server,
        .sends_server = plan->settings.sends_server,
        .sends_date = plan->settings.sends_date,
        .sends_powered_by = plan->settings.sends_powered_by,
    };
    state->plan = plan;
    if (ps_json_handler_init(&state->json, err) != PS_OK)
        return PS_FAIL;
    if (ps_http_server_open(&state->server, &server, &plan->listen, port, err) == PS_OK)
        return PS_OK;
    ps_json_handler_fini(&state->json);
    return PS_FAIL;
}

const struct ps_stage_ops ps_source_http = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "http",
    .aliases = PS_WORDS("org.apache.flume.source.http.HTTPSource", "org.apache.flume.http.source.HTTPSource"),
    .summary = "Events in HTTP requests: JSON, or any bytes",
    .options = options,
    .plan_size = sizeof(struct http_plan),
    .state_size = sizeof(struct http_state),
    .check = check,
    .build = build,
    .teardown = ps_listen_source_teardown,
    .open = open_source,
    .close = close_source,
    PS_LISTEN_SOURCE,
    .source = &ps_http_source_ops,
};
