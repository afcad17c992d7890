/* Sink opensearch: events become documents of OpenSearch or Elasticsearch over HTTP. Flume has no such type; the keys are like those of
 * Vector's and Logstash's outputs. The protocol, answers and ids are those of stages/lib/elastic/bulk.h. Thread: its worker. */
#include "core/stage.h"

#include "stages/lib/elastic/bulk.h"
#include "stages/lib/http/login.h"
#include "stages/lib/http/urls.h"
#include "stages/lib/keystore/keystore.h"

#include <string.h>
#include <strings.h>

#define PORT 9200U
#define REQUESTS_MAX 64

struct opensearch_plan {
    struct ps_elastic_plan elastic; /* must be first */
    struct ps_texts endpoints;
    const char *index, *data_stream, *zone, *pipeline, *user, *password, *api_key, *ca, *cert, *key, *ids,
        *body, *time;
    struct ps_pairs fields;
    int compression, headers;
    bool verify, compares;
    int64_t events, bytes, requests, connect_s, request_s, sniff_s;
    char *trust; /* made by `build`: PEM text of the authorities, or NULL */
};

#define FIELD(name) offsetof(struct opensearch_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("endpoints", COMMAS, FIELD(endpoints),
                  "servers of one cluster: URL (http, https), HOST:PORT, or HOST with port 9200",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("index", TEXT, FIELD(index),
                  "the index, with Flume's escapes: logs-%{app}-%Y.%m.%d; a time is that of the header "
                  "timestamp, else of the request"),
    PS_OPTION_ROW("data_stream", TEXT, FIELD(data_stream),
                  "the data stream in place of an index, with Flume's escapes; its template must exist"),
    PS_OPTION_ROW("time_zone", TEXT, FIELD(zone), "time zone of the escapes", .fallback = "UTC"),
    PS_OPTION_ROW("pipeline", TEXT, FIELD(pipeline), "ingest pipeline of the documents"),
    PS_OPTION_ROW("penstock.ids", TEXT, FIELD(ids),
                  "ids of the documents: identity (the default: the event's identity, where it has one), "
                  "header:NAME, or none. A document "
                  "with an id is created once, however often it is sent",
                  .flags = PS_OPTION_EXTENSION),
    PS_ELASTIC_SNIFF_ROW(FIELD(sniff_s)),
    PS_OPTION_ROW("penstock.ids.compare", BOOL, FIELD(compares), PS_ELASTIC_COMPARE_HELP, .fallback = "false",
                  .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("document.body", TEXT, FIELD(body),
                  "name of the member with the body, if the body is not a JSON object",
                  .fallback = "message"),
    PS_OPTION_ROW("document.timestamp", TEXT, FIELD(time),
                  "name of the member with the time, unless the body has it: that of the header timestamp or "
                  "@timestamp (ms), else that "
                  "of the request; none: no such member",
                  .fallback = "@timestamp"),
    PS_OPTION_ROW("document.headers", ENUM, FIELD(headers), "whether the event's headers are members, too",
                  .fallback = "none", .words = PS_WORDS("none", "all")),
    PS_OPTION_ROW("fields.", MAP, FIELD(fields),
                  "fields.NAME = VALUE: a member that is added, unless the body has it; VALUE is a text with "
                  "Flume's escapes"),
    PS_OPTION_ROW("auth.user", TEXT, FIELD(user), "user of basic authentication"),
    PS_OPTION_ROW("auth.password", TEXT, FIELD(password), "password of auth.user", .flags = PS_OPTION_SECRET),
    PS_OPTION_ROW("auth.api_key", TEXT, FIELD(api_key),
                  "API key, as the server encoded it (base64 of ID:KEY)", .flags = PS_OPTION_SECRET),
    PS_OPTION_ROW("compression", ENUM, FIELD(compression), "compression of the requests", .fallback = "none",
                  .words = PS_WORDS("none", "gzip")),
    PS_OPTION_ROW("tls.ca_file", TEXT, FIELD(ca),
                  "file with the certificates to trust: PEM; unset: javax.net.ssl.trustStore, "
                  "FLUME_SSL_TRUSTSTORE_PATH, else the "
                  "system's authorities",
                  .flags = PS_OPTION_FILE),
    PS_OPTION_ROW("tls.crt_file", TEXT, FIELD(cert), "file with the client's certificate: PEM; unset: none",
                  .flags = PS_OPTION_FILE),
    PS_OPTION_ROW("tls.key_file", TEXT, FIELD(key),
                  "file with the private key of tls.crt_file: PEM; unset: it is in that file",
                  .flags = PS_OPTION_FILE),
    PS_OPTION_ROW("tls.verify_certificate", BOOL, FIELD(verify),
                  "whether the server's certificate must be trusted", .fallback = "true"),
    PS_OPTION_ROW("batch.max_events", INT, FIELD(events), "maximum number of events of a request",
                  .fallback = "1000", .min = 1, .max = PS_BATCH_EVENTS_MAX, .unit = "events"),
    PS_OPTION_ROW("batch.max_bytes", INT, FIELD(bytes), "a request of this size gets no more events",
                  .fallback = "5000000", .min = 1, .max = INT32_MAX, .unit = "bytes"),
    PS_OPTION_ROW(
        "request.concurrency", INT, FIELD(requests),
        "maximum number of requests under way at a time; with more than one the order of events is not kept",
        .fallback = "4", .min = 1, .max = REQUESTS_MAX),
    PS_OPTION_ROW("request.connect_timeout_secs", INT, FIELD(connect_s), "longest time for a connection",
                  .fallback = "5", .min = 1, .max = 86400, .unit = "s"),
    PS_OPTION_ROW("request.timeout_secs", INT, FIELD(request_s),
                  "longest time for a request, from the connection to the end of the answer",
                  .fallback = "60", .min = 1, .max = 86400, .unit = "s"),
    PS_OPTION_END,
};

static enum ps_status wrong(const struct ps_context *context, struct ps_err *err, const char *key,
                            const char *text)
{
    if (context->report != NULL)
        ps_report(context, PS_LOG_ERROR, key, "%s", text);
    return ps_err_set(err, "%s: %s", key, text);
}

/* Reads the keys that rows cannot express. Reports each problem, as far as there is a `report`. */
static enum ps_status read_keys(const struct opensearch_plan *plan, const struct ps_context *context,
                                struct ps_elastic_settings *settings, struct ps_err *err)
{
    *settings = (struct ps_elastic_settings){
        .index = plan->data_stream != NULL ? plan->data_stream : plan->index,
        .index_zone = plan->zone,
        .is_data_stream = plan->data_stream != NULL,
        .ids = plan->ids,
        .compares = plan->compares,
        .sniff_s = plan->sniff_s,
        .pipeline = plan->pipeline,
        .user = plan->user,
        .password = plan->password,
        .api_key = plan->api_key,
        .ca = plan->ca,
        .cert = plan->cert,
        .key = plan->key,
        .gzip = plan->compression == 1,
        .verify = plan->verify,
        .events_max = plan->events,
        .bytes_max = plan->bytes,
        .requests = plan->requests,
        .connect_ms = plan->connect_s * 1000,
        .request_ms = plan->request_s * 1000,
        .fields = plan->fields,
        .document = {.form = PS_ELASTIC_JSON,
                     .body = plan->body,
                     .time = strcasecmp(plan->time, "none") != 0 ? plan->time : NULL,
                     .all_headers = plan->headers == 1},
    };
    if (!ps_elastic_urls(&plan->endpoints, PORT, 0, "endpoints", context, &settings->urls))
        return ps_err_set(err, "endpoints cannot be used");
    settings->url_count = (unsigned)plan->endpoints.count;
    if ((plan->index == NULL) == (plan->data_stream == NULL))
        return wrong(context, err, "index", "write either index or data_stream");
    if (plan->user != NULL && plan->api_key != NULL)
        return wrong(context, err, "auth.api_key", "set it or auth.user, not both");
    if (settings->document.time != NULL && strcmp(plan->body, settings->document.time) == 0)
        return wrong(context, err, "document.body", "document.body and document.timestamp name one member");
    if (settings->is_data_stream &&
        (settings->document.time == NULL || strcmp(settings->document.time, "@timestamp") != 0))
        return wrong(context, err, "document.timestamp", "a data stream needs @timestamp in each document");
    return PS_OK;
}

static enum ps_status read_trust(const struct opensearch_plan *plan, char **text,
                                 const struct ps_context *context, struct ps_err *err)
{
    return ps_http_sink_trust(plan->endpoints.items, plan->endpoints.count, plan->ca, text, context, err);
}

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct opensearch_plan *plan = plan_;
    struct ps_elastic_settings settings;
    struct ps_err err = {.length = 0};
    char *trust;
    if (read_keys(plan, context, &settings, &err) != PS_OK)
        return PS_FAIL;
    if (read_trust(plan, &trust, context, &err) != PS_OK) {
        ps_report(context, PS_LOG_ERROR, "endpoints", "%s; name the authorities in tls.ca_file", err.text);
        return PS_FAIL;
    }
    ps_keystore_wipe(trust);
    ps_escape_check_zone(context, "time_zone", plan->zone);
    ps_escape_check(context, settings.is_data_stream ? "data_stream" : "index", settings.index);
    return ps_elastic_check(&settings, context);
}

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct opensearch_plan *plan = plan_;
    struct ps_elastic_settings settings;
    if (read_keys(plan, context, &settings, err) != PS_OK ||
        read_trust(plan, &plan->trust, context, err) != PS_OK)
        return PS_FAIL;
    settings.trust = plan->trust;
    return ps_elastic_build(&plan->elastic, &settings, context, err);
}

static void teardown(void *plan_)
{
    struct opensearch_plan *plan = plan_;
    ps_http_sink_teardown(&plan->elastic.sink);
    ps_keystore_wipe(plan->trust);
    plan->trust = NULL;
}

static enum ps_status open_sink(const void *plan, void *state, struct ps_port *port, struct ps_err *err)
{
    return ps_elastic_open(&((const struct opensearch_plan *)plan)->elastic, state, port, err);
}

static int64_t batch_events(const void *)
{
    return 0;
}

static void outline(const void *plan_, const struct ps_context *context, FILE *out)
{
    const struct opensearch_plan *plan = plan_;
    struct ps_context silent = *context;
    const char *const *urls;
    silent.report = NULL;
    if (plan->data_stream != NULL)
        fprintf(out, "data stream %s at", plan->data_stream);
    else
        fprintf(out, "index %s at", plan->index);
    if (ps_elastic_urls(&plan->endpoints, PORT, 0, "endpoints", &silent, &urls))
        ps_http_urls_print(urls, plan->endpoints.count, out);
}

static void probe(const void *plan_, struct ps_context *context, const struct ps_probe *probe)
{
    struct opensearch_plan plan = *(const struct opensearch_plan *)plan_;
    struct ps_context silent = *context;
    struct ps_err err = {.length = 0};
    silent.report = NULL;
    if (build(&plan, &silent, &err) != PS_OK)
        return; /* `check` has said it */
    ps_elastic_probe(&plan.elastic, context, probe);
    teardown(&plan);
}

const struct ps_stage_ops ps_sink_opensearch = {
    PS_STAGE(PS_KIND_SINK),
    .name = "opensearch",
    .summary = "Documents in OpenSearch or Elasticsearch: indices, data streams, JSON bodies as they are",
    .options = options,
    .plan_size = sizeof(struct opensearch_plan),
    .state_size = sizeof(struct ps_elastic_state),
    .counters = PS_ELASTIC_COUNTER_NAMES,
    .counter_helps = PS_ELASTIC_COUNTER_HELPS,
    .refuses = true,
    .check = check,
    .build = build,
    .teardown = teardown,
    .open = open_sink,
    .close = ps_elastic_close,
    .outline = outline,
    .batch_events = batch_events,
    .probe = probe,
    .sink = &ps_remote_sink_ops,
};
