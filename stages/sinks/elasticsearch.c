/* Sink elasticsearch (Flume's ElasticSearchSink, up to 1.9): events become documents over HTTP, whatever `client` says. The protocol,
 * answers and ids are those of stages/lib/elastic/bulk.h; here are Flume's keys. Thread: its worker. */
#include "core/stage.h"

#include "stages/lib/elastic/bulk.h"
#include "stages/lib/http/login.h"
#include "stages/lib/http/urls.h"
#include "stages/lib/keystore/keystore.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PACKAGE "org.apache.flume.sink.elasticsearch."
#define TRANSPORT_PORT 9300U /* Flume's default; HTTP is on 9200 of the same host */
#define HTTP_PORT 9200U
#define REQUESTS_MAX 64

struct elasticsearch_plan {
    struct ps_elastic_plan elastic; /* must be first */
    struct ps_texts hosts;
    const char *index, *type, *cluster, *ttl, *client, *serializer, *builder, *date, *zone;
    struct ps_pairs client_keys, serializer_keys, builder_keys;
    const char *ids, *user, *password, *api_key, *ca, *cert, *key, *pipeline;
    int compression;
    bool compares;
    int64_t batch, bytes, requests, connect_ms, request_ms, sniff_s;
    char *trust; /* made by `build`: PEM text of the authorities, or NULL */
};

#define FIELD(name) offsetof(struct elasticsearch_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("hostNames", COMMAS, FIELD(hosts),
                  "servers: HOST, HOST:PORT or URL (http, https); without a port, and for Flume's port 9300, "
                  "port 9200: HTTP of the "
                  "same host",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("indexName", TEXT, FIELD(index),
                  "the index, with Flume's escapes; indexNameBuilder adds the day", .fallback = "flume"),
    PS_OPTION_ROW("indexType", TEXT, FIELD(type),
                  "type of the documents, with Flume's escapes; servers from version 7 on have no types",
                  .fallback = "log"),
    PS_OPTION_ROW(
        "clusterName", TEXT, FIELD(cluster),
        "name of the cluster: nothing is sent to one of another name; unset: any (in Flume elasticsearch)"),
    PS_OPTION_ROW("batchSize", INT, FIELD(batch), "maximum number of events of a request", .fallback = "100",
                  .min = 1, .max = INT32_MAX, .unit = "events"),
    PS_OPTION_ROW("ttl", TEXT, FIELD(ttl),
                  "life of a document: a number with ms, s, m, h, d (the default) or w; only servers before "
                  "version 5 know it"),
    PS_OPTION_ROW("client", TEXT, FIELD(client), "transport or rest: both are HTTP here",
                  .fallback = "transport"),
    PS_OPTION_ROW("client.", MAP, FIELD(client_keys), "Flume's clients read no such key",
                  .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("serializer", TEXT, FIELD(serializer),
                  PACKAGE "ElasticSearchLogStashEventSerializer or " PACKAGE "ElasticSearchDynamicSerializer",
                  .fallback = PACKAGE "ElasticSearchLogStashEventSerializer"),
    PS_OPTION_ROW("serializer.", MAP, FIELD(serializer_keys), "Flume's serializers read no such key",
                  .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("indexNameBuilder", TEXT, FIELD(builder),
                  PACKAGE "TimeBasedIndexNameBuilder (indexName-yyyy-MM-dd) or " PACKAGE
                          "SimpleIndexNameBuilder (indexName)",
                  .fallback = PACKAGE "TimeBasedIndexNameBuilder"),
    PS_OPTION_ROW("indexNameBuilder.dateFormat", TEXT, FIELD(date),
                  "format of the time behind indexName: letters y M d E a H k K h m s S D of Java's "
                  "SimpleDateFormat, and quoted text",
                  .fallback = "yyyy-MM-dd"),
    PS_OPTION_ROW("indexNameBuilder.timeZone", TEXT, FIELD(zone), "time zone of that time",
                  .fallback = "Etc/UTC"),
    PS_OPTION_ROW("indexNameBuilder.", MAP, FIELD(builder_keys), "Flume's builders read no other key",
                  .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("penstock.ids", TEXT, FIELD(ids),
                  "ids of the documents: identity (the default: the event's identity, where it has one), "
                  "header:NAME, or none. A document "
                  "with an id is created once, however often it is sent",
                  .flags = PS_OPTION_EXTENSION),
    PS_ELASTIC_SNIFF_ROW(FIELD(sniff_s)),
    PS_OPTION_ROW("penstock.ids.compare", BOOL, FIELD(compares), PS_ELASTIC_COMPARE_HELP, .fallback = "false",
                  .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.pipeline", TEXT, FIELD(pipeline), "ingest pipeline of the documents",
                  .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.user", TEXT, FIELD(user), "user of basic authentication",
                  .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.password", TEXT, FIELD(password), "password of penstock.user",
                  .flags = PS_OPTION_EXTENSION | PS_OPTION_SECRET),
    PS_OPTION_ROW("penstock.api.key", TEXT, FIELD(api_key),
                  "API key, as the server encoded it (base64 of ID:KEY)",
                  .flags = PS_OPTION_EXTENSION | PS_OPTION_SECRET),
    PS_OPTION_ROW("penstock.compression", ENUM, FIELD(compression), "compression of the requests",
                  .fallback = "none", .words = PS_WORDS("none", "gzip"), .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.ssl.ca", TEXT, FIELD(ca),
                  "file with the certificates to trust: PEM; unset: javax.net.ssl.trustStore, "
                  "FLUME_SSL_TRUSTSTORE_PATH, else the "
                  "system's authorities",
                  .flags = PS_OPTION_EXTENSION | PS_OPTION_FILE),
    PS_OPTION_ROW("penstock.ssl.certificate", TEXT, FIELD(cert),
                  "file with the client's certificate: PEM; unset: none",
                  .flags = PS_OPTION_EXTENSION | PS_OPTION_FILE),
    PS_OPTION_ROW("penstock.ssl.key", TEXT, FIELD(key),
                  "file with the private key of penstock.ssl.certificate: PEM; unset: it is in that file",
                  .flags = PS_OPTION_EXTENSION | PS_OPTION_FILE),
    PS_OPTION_ROW(
        "penstock.requests", INT, FIELD(requests),
        "maximum number of requests under way at a time; with more than one the order of events is not kept",
        .fallback = "4", .min = 1, .max = REQUESTS_MAX, .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.request.bytes", SIZE, FIELD(bytes), "a request of this size gets no more events",
                  .fallback = "5m", .min = 1, .max = INT32_MAX, .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.connect.timeout", INT, FIELD(connect_ms), "longest time for a connection",
                  .fallback = "5000", .min = 1, .max = INT32_MAX, .unit = "ms", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.request.timeout", INT, FIELD(request_ms),
                  "longest time for a request, from the connection to the end of the answer",
                  .fallback = "60000", .min = 1, .max = INT32_MAX, .unit = "ms",
                  .flags = PS_OPTION_EXTENSION),
    PS_OPTION_END,
};

/* ---- keys ---- */

/* ElasticSearchSink.parseTTL. Returns 0 for a text that Flume refuses, too. */
static int64_t ttl_ms(const char *text)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1},       {"s", 1000},    {"m", 60000},    {"h", 3600000},
                 {"d", 86400000}, {"", 86400000}, {"w", 604800000}};
    char *end;
    long long number = isdigit((unsigned char)*text) ? strtoll(text, &end, 10) : 0;
    for (size_t i = 0; number > 0 && number <= INT32_MAX && i < PS_COUNT_OF(units); i++)
        if (strcmp(end, units[i].unit) == 0)
            return number * units[i].ms;
    return 0;
}

/* Returns whether the value is the class, with or without its package, in any case. */
static bool is_class(const char *value, const char *name)
{
    size_t length = sizeof PACKAGE - 1;
    return strcasecmp(value, name) == 0 ||
           (strncasecmp(value, PACKAGE, length) == 0 && strcasecmp(value + length, name) == 0);
}

static enum ps_status wrong(const struct ps_context *context, struct ps_err *err, const char *key,
                            const char *text)
{
    if (context->report != NULL)
        ps_report(context, PS_LOG_ERROR, key, "%s", text);
    return ps_err_set(err, "%s: %s", key, text);
}

/* Reads the keys that rows cannot express. Reports each problem, as far as there is a `report`. */
static enum ps_status read_keys(const struct elasticsearch_plan *plan, const struct ps_context *context,
                                struct ps_elastic_settings *settings, struct ps_err *err)
{
    bool is_simple = is_class(plan->builder, "SimpleIndexNameBuilder");
    bool is_dynamic = is_class(plan->serializer, "ElasticSearchDynamicSerializer");
    *settings = (struct ps_elastic_settings){
        .index = plan->index,
        .date = is_simple ? NULL : plan->date,
        .date_zone = plan->zone,
        .type = plan->type,
        .ids = plan->ids,
        .compares = plan->compares,
        .sniff_s = plan->sniff_s,
        .cluster = plan->cluster,
        .pipeline = plan->pipeline,
        .user = plan->user,
        .password = plan->password,
        .api_key = plan->api_key,
        .ca = plan->ca,
        .cert = plan->cert,
        .key = plan->key,
        .gzip = plan->compression == 1,
        .verify = true,
        .events_max = plan->batch < PS_BATCH_EVENTS_MAX ? plan->batch : PS_BATCH_EVENTS_MAX,
        .bytes_max = plan->bytes,
        .requests = plan->requests,
        .connect_ms = plan->connect_ms,
        .request_ms = plan->request_ms,
        .document = {.form = is_dynamic ? PS_ELASTIC_DYNAMIC : PS_ELASTIC_LOGSTASH},
    };
    if (!ps_elastic_urls(&plan->hosts, HTTP_PORT, TRANSPORT_PORT, "hostNames", context, &settings->urls))
        return ps_err_set(err, "hostNames cannot be used");
    settings->url_count = (unsigned)plan->hosts.count;
    if (plan->ttl != NULL && (settings->ttl_ms = ttl_ms(plan->ttl)) == 0)
        return wrong(context, err, "ttl", "write a number above 0, with ms, s, m, h, d or w");
    if (strcasecmp(plan->client, "transport") != 0 && strcasecmp(plan->client, "rest") != 0)
        return wrong(context, err, "client", "Flume has transport and rest");
    if (!is_dynamic && !is_class(plan->serializer, "ElasticSearchLogStashEventSerializer"))
        return wrong(context, err, "serializer",
                     "this sink has ElasticSearchLogStashEventSerializer and ElasticSearchDynamicSerializer; "
                     "another class of Flume's "
                     "runs with penstock.engine = java");
    if (!is_simple && !is_class(plan->builder, "TimeBasedIndexNameBuilder"))
        return wrong(
            context, err, "indexNameBuilder",
            "this sink has TimeBasedIndexNameBuilder and SimpleIndexNameBuilder; another class runs with "
            "penstock.engine = java");
    if (plan->user != NULL && plan->api_key != NULL)
        return wrong(context, err, "penstock.api.key", "set it or penstock.user, not both");
    return PS_OK;
}

static enum ps_status read_trust(const struct elasticsearch_plan *plan, char **text,
                                 const struct ps_context *context, struct ps_err *err)
{
    return ps_http_sink_trust(plan->hosts.items, plan->hosts.count, plan->ca, text, context, err);
}

/* ---- the stage ---- */

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct elasticsearch_plan *plan = plan_;
    struct ps_elastic_settings settings;
    struct ps_err err = {.length = 0};
    char *trust;
    if (read_keys(plan, context, &settings, &err) != PS_OK)
        return PS_FAIL;
    if (read_trust(plan, &trust, context, &err) != PS_OK) {
        ps_report(context, PS_LOG_ERROR, "hostNames", "%s; name the authorities in penstock.ssl.ca",
                  err.text);
        return PS_FAIL;
    }
    ps_keystore_wipe(trust);
    return ps_elastic_check(&settings, context);
}

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct elasticsearch_plan *plan = plan_;
    struct ps_elastic_settings settings;
    if (read_keys(plan, context, &settings, err) != PS_OK ||
        read_trust(plan, &plan->trust, context, err) != PS_OK)
        return PS_FAIL;
    settings.trust = plan->trust;
    return ps_elastic_build(&plan->elastic, &settings, context, err);
}

static void teardown(void *plan_)
{
    struct elasticsearch_plan *plan = plan_;
    ps_http_sink_teardown(&plan->elastic.sink);
    ps_keystore_wipe(plan->trust);
    plan->trust = NULL;
}

static enum ps_status open_sink(const void *plan, void *state, struct ps_port *port, struct ps_err *err)
{
    return ps_elastic_open(&((const struct elasticsearch_plan *)plan)->elastic, state, port, err);
}

static void outline(const void *plan_, const struct ps_context *context, FILE *out)
{
    const struct elasticsearch_plan *plan = plan_;
    struct ps_context silent = *context;
    const char *const *urls;
    silent.report = NULL;
    fprintf(out, "index %s%s at", plan->index,
            is_class(plan->builder, "SimpleIndexNameBuilder") ? "" : "-DATE");
    if (ps_elastic_urls(&plan->hosts, HTTP_PORT, TRANSPORT_PORT, "hostNames", &silent, &urls))
        ps_http_urls_print(urls, plan->hosts.count, out);
}

static void probe(const void *plan_, struct ps_context *context, const struct ps_probe *probe)
{
    struct elasticsearch_plan plan = *(const struct elasticsearch_plan *)plan_;
    struct ps_context silent = *context;
    struct ps_err err = {.length = 0};
    silent.report = NULL;
    if (build(&plan, &silent, &err) != PS_OK)
        return; /* `check` has said it */
    ps_elastic_probe(&plan.elastic, context, probe);
    teardown(&plan);
}

const struct ps_stage_ops ps_sink_elasticsearch = {
    PS_STAGE(PS_KIND_SINK),
    .name = "elasticsearch",
    .aliases = PS_WORDS(PACKAGE "ElasticSearchSink"),
    .summary = "Documents in Elasticsearch or OpenSearch, each event once where it has an identity",
    .options = options,
    .plan_size = sizeof(struct elasticsearch_plan),
    .state_size = sizeof(struct ps_elastic_state),
    .counters = PS_ELASTIC_COUNTER_NAMES,
    .counter_helps = PS_ELASTIC_COUNTER_HELPS,
    .check = check,
    .build = build,
    .teardown = teardown,
    .open = open_sink,
    .close = ps_elastic_close,
    .outline = outline,
    .probe = probe,
    .sink = &ps_remote_sink_ops,
};
