/* Sink http (Flume's HttpSink): sends each event as the body of a POST. Rules by status code decide whether the
 * event is delivered, and whether the sink backs off. Requests are sent in the order of the events, one at a time
 * unless penstock.requests allows more. The back-off is that of all sinks of a server: ps_remote_sink_rest
 * (stages/lib/remote/sink.c), for the time of ps_port_rest_ns (core/flow/port.h). Thread: its worker. */
#include "core/stage.h"

#include "stages/lib/http/login.h"
#include "stages/lib/http/sink.h"
#include "stages/lib/http/urls.h"
#include "stages/lib/http/status_rules.h"
#include "stages/lib/text/json/event.h"
#include "stages/lib/keystore/keystore.h"

#include <string.h>

#define REQUESTS_MAX 64
#define TEXT_PLAIN "text/plain"

enum { COUNTER_COUNTED };

/* After so many events in a row that the server refused for their content, and none that it took, it may refuse everything: the sink
 * rests as its keys say. */
#define REFUSED_IN_A_ROW 10U

struct http_plan {
    struct ps_http_sink_plan sink; /* must be first: `decode` gets a pointer to this member */
    const char *endpoint, *content_type, *accept, *ca;
    int64_t connect_ms, request_ms, requests;
    bool backs_off, rolls_back, is_counted;
    struct ps_pairs backoff, rollback, metrics;
    struct ps_pairs serializer_keys;
    const char *serializer;
    const struct ps_event_json *json; /* NULL: a request has the event's body */
    struct ps_http_status_rules rules;
    /* Bits by status: ROLLS_BACK, BACKS_OFF if rollback.CODE or .4XX, backoff.CODE or .4XX, is set. */
    struct ps_http_status_rules set;
    char *trust; /* made by `build`: PEM text of the authorities, or NULL */
};

struct http_state {
    struct ps_http_sink sink; /* must be first: `decode` gets a pointer to this member */
    uint32_t refused;         /* events in a row that were refused for their content */
};

#define FIELD(name) offsetof(struct http_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("endpoint", TEXT, FIELD(endpoint), "URL that events are posted to: http or https",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("connectTimeout", INT, FIELD(connect_ms), "longest time for the connection",
                  .fallback = "5000", .min = 1, .max = INT32_MAX, .unit = "ms"),
    PS_OPTION_ROW("requestTimeout", INT, FIELD(request_ms),
                  "longest time for a request, from the connection to the end of the answer",
                  .fallback = "5000", .min = 1, .max = INT32_MAX, .unit = "ms"),
    PS_OPTION_ROW("contentTypeHeader", TEXT, FIELD(content_type),
                  "Content-Type of the requests; with serializer = json text/plain becomes application/json",
                  .fallback = TEXT_PLAIN),
    PS_OPTION_ROW("acceptHeader", TEXT, FIELD(accept), "Accept of the requests", .fallback = "text/plain"),
    PS_OPTION_ROW("defaultBackoff", BOOL, FIELD(backs_off),
                  "rest after an answer whose status has no backoff.CODE", .fallback = "true"),
    PS_OPTION_ROW(
        "defaultRollback", BOOL, FIELD(rolls_back),
        "send the event again after an answer whose status has no rollback.CODE: set rollback.2XX = false",
        .fallback = "true"),
    PS_OPTION_ROW("defaultIncrementMetrics", BOOL, FIELD(is_counted),
                  "count an answer whose status has no incrementMetrics.CODE", .fallback = "false"),
    PS_OPTION_ROW(
        "backoff.", MAP, FIELD(backoff),
        "backoff.503 or backoff.5XX: whether to rest after this status; the exact one counts first"),
    PS_OPTION_ROW("rollback.", MAP, FIELD(rollback),
                  "rollback.503 or rollback.5XX: whether to send the event again after this status"),
    PS_OPTION_ROW(
        "incrementMetrics.", MAP, FIELD(metrics),
        "incrementMetrics.200 or incrementMetrics.2XX: whether to count answers with this status in "
        "counted"),
    PS_JSON_EVENT_OPTION_ROWS(FIELD(serializer), FIELD(serializer_keys)),
    PS_OPTION_ROW(
        "penstock.requests", INT, FIELD(requests),
        "maximum number of requests under way at a time, each on a connection of its own; with more "
        "than one the order of events is not kept",
        .fallback = "1", .min = 1, .max = REQUESTS_MAX, .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.ssl.ca", TEXT, FIELD(ca),
                  "file with the certificates to trust: PEM; unset: javax.net.ssl.trustStore, "
                  "FLUME_SSL_TRUSTSTORE_PATH, else "
                  "the system's authorities",
                  .flags = PS_OPTION_EXTENSION | PS_OPTION_FILE),
    PS_OPTION_END,
};

/* ---- set-up ---- */

static enum ps_status read_trust(const struct http_plan *plan, char **text, const struct ps_context *context,
                                 struct ps_err *err)
{
    return ps_http_sink_trust(&plan->endpoint, 1, plan->ca, text, context, err);
}

static void make_rules(const struct http_plan *plan, struct ps_http_status_rules *rules)
{
    *rules = (struct ps_http_status_rules){.bits = {0}};
    ps_http_status_rules_set(rules, PS_HTTP_BACKS_OFF, &plan->backoff, plan->backs_off);
    ps_http_status_rules_set(rules, PS_HTTP_ROLLS_BACK, &plan->rollback, plan->rolls_back);
    ps_http_status_rules_set(rules, PS_HTTP_IS_COUNTED, &plan->metrics, plan->is_counted);
}

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct http_plan *plan = plan_;
    struct ps_http_status_rules rules;
    struct ps_err err = {.length = 0};
    const struct ps_event_json *json;
    char *trust;
    if (ps_json_event_of_sink(plan->serializer, &plan->serializer_keys,
                              (struct ps_context *)(uintptr_t)context, &json, &err) != PS_OK)
        return PS_FAIL;
    if (ps_http_urls_check("endpoint", plan->endpoint, context) != PS_OK)
        return PS_FAIL;
    if (read_trust(plan, &trust, context, &err) != PS_OK) {
        ps_report(context, PS_LOG_ERROR, "endpoint", "%s; name the authorities in penstock.ssl.ca", err.text);
        return PS_FAIL;
    }
    ps_keystore_wipe(trust);
    ps_http_status_rules_check(context, "backoff.", &plan->backoff);
    ps_http_status_rules_check(context, "rollback.", &plan->rollback);
    ps_http_status_rules_check(context, "incrementMetrics.", &plan->metrics);
    make_rules(plan, &rules);
    if (rules.bits[200] & PS_HTTP_ROLLS_BACK)
        ps_report(context, PS_LOG_WARN, "rollback.200",
                  "an event that is answered 200 is sent again, for ever; set rollback.2XX = false");
    return PS_OK;
}

static size_t bound(const struct ps_batch *, const struct ps_event *event)
{
    return event->body_length; /* an event without a body is settled without a request, as in Flume */
}

static size_t json_bound(const struct ps_batch *batch, const struct ps_event *event)
{
    return ps_json_event_bound(NULL, batch, event);
}

static size_t json_encode(const struct ps_http_sink *sink, char *to, const struct ps_held_range *range)
{
    const struct http_plan *plan = (const struct http_plan *)sink->plan;
    uint32_t position = range->from;
    const struct ps_event *event = ps_held_range_next(range, &position);
    PS_ASSERT(event != NULL); /* a request has one event */
    return ps_json_event_write(plan->json, range->lease->batch, event, to);
}

/* Returns whether the status judges the event's content: malformed, too large, of a wrong type, not to be processed. Others (401,
 * 403, 404, 429..) say something about the server, or about this client. */
static bool judges_content(long status)
{
    return status == 400 || status == 413 || status == 415 || status == 422;
}

/* An event that is refused for its content is refused for ever: unless a key has a rule for the status, it becomes a dead letter, if
 * there are any, and the next event need not wait. */
static uint8_t rule_of(const struct http_plan *plan, struct http_state *state, long status)
{
    uint8_t rule = plan->rules.bits[status % (long)PS_HTTP_STATUSES];
    uint8_t set = plan->set.bits[status % (long)PS_HTTP_STATUSES];
    if (!judges_content(status) || !ps_port_has_deadletter(state->sink.requests.sink.port)) {
        state->refused = status / 100 == 2 ? 0 : state->refused;
        return rule;
    }
    if (!(set & PS_HTTP_ROLLS_BACK))
        rule &= (uint8_t)~PS_HTTP_ROLLS_BACK;
    if (rule & PS_HTTP_ROLLS_BACK)
        return rule;
    if (!(set & PS_HTTP_BACKS_OFF) && state->refused < REFUSED_IN_A_ROW)
        rule &= (uint8_t)~PS_HTTP_BACKS_OFF;
    if (++state->refused == REFUSED_IN_A_ROW)
        ps_log(PS_LOG_WARN, state->sink.requests.sink.port->component,
               "%s has refused %u events in a row, the last one with HTTP %ld, and has taken none since: "
               "from now on the "
               "sink rests before the next one; look whether the server wants other requests",
               plan->sink.shown, REFUSED_IN_A_ROW, status);
    return rule;
}

/* A status that judges neither the event's content nor the time of the request, and has no rule of its own, may mean this event all
 * the same, and would hold up those behind it for ever. */
static const char *cure_of(const struct ps_http_sink *sink, long status)
{
    const struct http_plan *plan = (const struct http_plan *)sink->plan;
    const struct ps_port *port = sink->requests.sink.port;
    uint8_t code = (uint8_t)(plan->rules.bits[status % (long)PS_HTTP_STATUSES] &
                             (uint8_t)~plan->set.bits[status % (long)PS_HTTP_STATUSES]);
    bool waits = status / 100 == 4 && status != 408 && status != 429 && (code & PS_HTTP_ROLLS_BACK) != 0 &&
                 !judges_content(status);
    if (!waits || port->retry_max > 0 || !ps_port_has_deadletter(port))
        return NULL;
    return "if it means this event, rollback.CODE = false or penstock.retry.max makes it a dead letter";
}

/* Sets the result of the request's event, by the rule of its status. */
static bool decode(struct ps_http_sink *sink, const struct ps_http_request *answer,
                   struct ps_remote_result *results, uint32_t)
{
    uint8_t rule = rule_of((const struct http_plan *)sink->plan, (struct http_state *)sink, answer->status);
    if (rule & PS_HTTP_IS_COUNTED)
        ps_count(sink->requests.sink.port->counters, PS_COUNTER_extra + COUNTER_COUNTED, 1);
    *results = (struct ps_remote_result){.outcome = rule & PS_HTTP_ROLLS_BACK   ? PS_REMOTE_AGAIN
                                                    : answer->status / 100 == 2 ? PS_REMOTE_DELIVERED
                                                                                : PS_REMOTE_REFUSED};
    return rule & PS_HTTP_BACKS_OFF;
}

static bool is_set(const struct ps_pairs *codes, long status)
{
    char code[8];
    (void)snprintf(code, sizeof code, "%ld", status % 1000);
    return ps_pairs_get(codes, code) != NULL || ps_pairs_get(codes, "4XX") != NULL;
}

static void find_set(struct http_plan *plan)
{
    for (long status = 400; status < 500; status++)
        plan->set.bits[status] = (uint8_t)((is_set(&plan->rollback, status) ? PS_HTTP_ROLLS_BACK : 0) |
                                           (is_set(&plan->backoff, status) ? PS_HTTP_BACKS_OFF : 0));
}

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct http_plan *plan = plan_;
    make_rules(plan, &plan->rules);
    find_set(plan);
    if (ps_json_event_of_sink(plan->serializer, &plan->serializer_keys, context, &plan->json, err) != PS_OK ||
        read_trust(plan, &plan->trust, context, err) != PS_OK)
        return PS_FAIL;
    bool is_plain = strcmp(plan->content_type, TEXT_PLAIN) == 0;
    plan->sink = (struct ps_http_sink_plan){
        .settings = {.url = plan->endpoint,
                     .connect_ns = (uint64_t)plan->connect_ms * PS_NS_PER_MS,
                     .ca = plan->ca,
                     .ca_text = plan->trust},
        .request_ns = (uint64_t)plan->request_ms * PS_NS_PER_MS,
        .requests = (unsigned)plan->requests,
        .events_max = 1,
        .bytes_max = SIZE_MAX,
        .bound = plan->json != NULL ? json_bound : bound,
        .encode = plan->json != NULL ? json_encode : NULL,
        .decode = decode,
        .cure = cure_of,
    };
    return ps_http_sink_build(&plan->sink, context,
                              plan->json != NULL && is_plain ? "application/json" : plan->content_type,
                              plan->accept, err);
}

static void teardown(void *plan_)
{
    struct http_plan *plan = plan_;
    ps_http_sink_teardown(&plan->sink);
    ps_keystore_wipe(plan->trust);
    plan->trust = NULL;
}

static enum ps_status open_sink(const void *plan, void *state, struct ps_port *port, struct ps_err *err)
{
    struct http_state *http = state;
    http->refused = 0;
    return ps_http_sink_open(&http->sink, &((const struct http_plan *)plan)->sink, port, err);
}

static void outline(const void *plan_, const struct ps_context *, FILE *out)
{
    const struct http_plan *plan = plan_;
    char shown[256];
    ps_http_print_url(plan->endpoint, shown, sizeof shown);
    fprintf(out, "posts to %s", shown);
}

static void probe(const void *plan_, struct ps_context *context, const struct ps_probe *probe)
{
    const struct http_plan *plan = plan_;
    struct ps_err err = {.length = 0};
    char *trust; /* one that cannot be read was reported by `check` */
    if (read_trust(plan, &trust, context, &err) == PS_OK)
        ps_http_urls_try(&plan->endpoint, 1, plan->ca, trust, probe);
    ps_keystore_wipe(trust);
}

const struct ps_stage_ops ps_sink_http = {
    PS_STAGE(PS_KIND_SINK),
    .name = "http",
    .aliases = PS_WORDS("org.apache.flume.sink.http.HttpSink", "org.apache.flume.http.sink.HttpSink"),
    .summary = "Each event is the body of a POST",
    .options = options,
    .plan_size = sizeof(struct http_plan),
    .state_size = sizeof(struct http_state),
    .counters = PS_WORDS("counted"),
    .check = check,
    .build = build,
    .teardown = teardown,
    .open = open_sink,
    .close = ps_http_sink_close,
    .outline = outline,
    .probe = probe,
    .sink = &ps_remote_sink_ops,
};
