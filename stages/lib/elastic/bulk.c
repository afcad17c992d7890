#include "stages/lib/elastic/bulk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "stages/lib/elastic/compare.h"
#include "stages/lib/http/login.h"
#include "stages/lib/http/urls.h"
#include "stages/lib/text/json/value.h"

#define HTTP_PORT 9200U
#define ACTION_BYTES 160U       /* of an action line without its names and its id */
#define ANSWER_ITEM_BYTES 1024U /* of an item in an answer, on the average */
#define ANSWER_BYTES_MIN (64U << 10)
#define FIRST_TYPELESS 7U /* the version from which on requests have no types (8 refuses them) */
#define FIRST_WITHOUT_TTL 5U
#define LATER_MS INT64_C(34304461001) /* 397 days, 1 h, 1 min, 1 s and 1 ms */
#define ID_KEY "penstock.ids"
#define SNIFF_KEY "penstock.sniff"
#define COMPARE_KEY "penstock.ids.compare"
#define FILTER "filter_path=items.*.status,items.*.error.type,items.*.error.reason"

enum {
    COUNTER_CREATED,
    COUNTER_EXISTING,
    COUNTER_LATER,
    COUNTER_REFUSED,
    COUNTER_UNKNOWN,
    COUNTER_DIFFERING
};

static const struct ps_elastic_plan *plan_of(const struct ps_http_sink *sink)
{
    return (const struct ps_elastic_plan *)sink->plan;
}

/* ---- requests ---- */

static size_t bound_of(const struct ps_remote_requests *requests, const struct ps_batch *batch,
                       const struct ps_event *event)
{
    const struct ps_elastic_plan *plan = plan_of((const struct ps_http_sink *)requests);
    return ACTION_BYTES + ps_elastic_name_bound(&plan->index) +
           (plan->has_type ? ps_elastic_name_bound(&plan->type) : 0) +
           ps_remote_id_bound(&plan->ids, batch, event) +
           ps_elastic_document_bound(&plan->document, batch, event) + 1;
}

/* Writes {"create":{"_index":"i","_id":"x"}} and a line feed. With an id the action is `create`: a repeat neither doubles a document nor
 * writes over one. A data stream takes no other. In a question: {"_index":"i","_id":"x"}. */
static char *put_action(struct ps_elastic_state *state, char *to, const struct ps_lease *lease,
                        uint32_t position, const struct ps_now *now)
{
    const struct ps_elastic_plan *plan = plan_of(&state->sink);
    const struct ps_event *event = ps_lease_event(lease, position);
    bool asks = state->sink.request->asks;
    char identity[PS_IDENTITY_TEXT_BYTES], name[PS_ELASTIC_NAME_BYTES];
    struct ps_slice id = {.length = 0};
    bool has_id = ps_remote_id_find(&plan->ids, lease, position, identity, &id);
    uint32_t length = ps_elastic_name_put(&plan->index, &state->index, lease->batch, event, now, name);
    to = ps_json_raw_put(to, asks                             ? "{\"_index\":"
                             : has_id || plan->is_data_stream ? "{\"create\":{\"_index\":"
                                                              : "{\"index\":{\"_index\":");
    to = ps_json_quoted_put(to, name, length);
    if (state->has_types && plan->has_type) {
        length = ps_elastic_name_put(&plan->type, &state->type, lease->batch, event, now, name);
        to = ps_json_quoted_put(ps_json_raw_put(to, ",\"_type\":"), name, length);
    }
    if (!asks && state->has_ttl && plan->ttl_ms > 0)
        to += sprintf(to, ",\"_ttl\":%lld", (long long)plan->ttl_ms);
    if (has_id)
        to = ps_json_quoted_put(ps_json_raw_put(to, ",\"_id\":"), id.data, id.length);
    else if (asks) /* the server wants one; what it says of it is not read */
        to = ps_json_raw_put(to, ",\"_id\":\"-\"");
    return ps_json_raw_put(to, asks ? "}," : "}}\n");
}

static struct ps_now now_of(const struct ps_http_sink *sink)
{
    const struct ps_remote_sink *remote = &sink->requests.sink;
    return (struct ps_now){.mono_ns = remote->now_ns, .wall_ms = remote->wall_ms};
}

static size_t put_events(struct ps_elastic_state *state, char *to, const struct ps_held_range *range)
{
    const struct ps_elastic_plan *plan = plan_of(&state->sink);
    const struct ps_now now = now_of(&state->sink);
    const struct ps_event *event;
    uint32_t position = range->from;
    bool asks = state->sink.request->asks;
    char *at = ps_json_raw_put(to, asks ? "{\"docs\":[" : "");
    while ((event = ps_held_range_next(range, &position)) != NULL) {
        at = put_action(state, at, range->lease, position - 1, &now);
        if (asks)
            continue;
        at =
            ps_elastic_document_put(&plan->document, &state->documents, range->lease->batch, event, &now, at);
        *at++ = '\n';
    }
    return (size_t)((asks ? ps_json_raw_put(at - 1, "]}") : at) - to);
}

static size_t encode(const struct ps_http_sink *sink, char *to, const struct ps_held_range *range)
{
    return put_events((struct ps_elastic_state *)(uintptr_t)sink, to, range);
}

/* Makes room for this number of bytes in state->plain, whose content is lost. */
static void need_plain(struct ps_elastic_state *state, size_t bytes)
{
    if (bytes <= state->plain_room)
        return;
    free(state->plain);
    state->plain = ps_must_realloc(NULL, 2 * bytes, "a request");
    state->plain_room = 2 * bytes;
}

/* Returns the bound of the compressed request, too: zlib's bound of a request may be a little longer than the request. */
static size_t gzip_bound_of(const struct ps_remote_requests *requests, const struct ps_batch *batch,
                            const struct ps_event *event)
{
    size_t bytes = bound_of(requests, batch, event);
    return bytes + bytes / 512 + 32;
}

static size_t encode_gzip(const struct ps_http_sink *sink, char *to, const struct ps_held_range *range)
{
    struct ps_elastic_state *state = (struct ps_elastic_state *)(uintptr_t)sink;
    uint32_t position = range->from;
    const struct ps_event *event;
    size_t bytes = 0, room = 0;
    while ((event = ps_held_range_next(range, &position)) != NULL) {
        bytes += bound_of(&sink->requests, range->lease->batch, event);
        room += gzip_bound_of(&sink->requests, range->lease->batch, event);
    }
    need_plain(state, bytes);
    size_t length = put_events(state, state->plain, range);
    deflateReset(&state->zip);
    state->zip.next_in = (Bytef *)state->plain;
    state->zip.avail_in = (uInt)length;
    state->zip.next_out = (Bytef *)to;
    state->zip.avail_out = (uInt)room;
    int result = deflate(&state->zip, Z_FINISH);
    PS_ASSERT(result == Z_STREAM_END);
    return room - state->zip.avail_out;
}

/* ---- answers ---- */

static void count(const struct ps_http_sink *sink, const struct ps_elastic_counts *counts)
{
    struct ps_counters *counters = sink->requests.sink.port->counters;
    ps_count(counters, PS_COUNTER_extra + COUNTER_CREATED, counts->created);
    ps_count(counters, PS_COUNTER_extra + COUNTER_EXISTING, counts->existing);
    ps_count(counters, PS_COUNTER_extra + COUNTER_LATER, counts->later);
    ps_count(counters, PS_COUNTER_extra + COUNTER_REFUSED, counts->refused);
    ps_count(counters, PS_COUNTER_extra + COUNTER_UNKNOWN, counts->unknown);
}

/* A status of the whole request. 413, and 400 of a server that has taken others, is about the one event that is left of it (`narrows`);
 * otherwise the server, a proxy or an operator is in the way. */
static enum ps_remote_outcome outcome_of(struct ps_elastic_state *state, long status)
{
    if (status == 413 || (status == 400 && ps_http_sink_believes(&state->sink)))
        return PS_REMOTE_REFUSED;
    return status / 100 == 4 || status == 503 || status / 100 == 3 ? PS_REMOTE_AGAIN : PS_REMOTE_UNKNOWN;
}

static bool narrows(const struct ps_http_sink *sink, long status)
{
    return status == 413 || (status == 400 && sink->believed > 0);
}

/* ---- the documents whose ids were there ---- */

/* Makes the document of an event, and the same at another time behind it, and compares them with the server's. */
static bool is_same(struct ps_elastic_state *state, const struct ps_batch *batch,
                    const struct ps_event *event, struct ps_slice stored)
{
    const struct ps_elastic_document *document = &plan_of(&state->sink)->document;
    struct ps_now now = now_of(&state->sink);
    need_plain(state, 2 * ps_elastic_document_bound(document, batch, event));
    char *middle = ps_elastic_document_put(document, &state->documents, batch, event, &now, state->plain);
    now.wall_ms += LATER_MS;
    char *end = ps_elastic_document_put(document, &state->documents, batch, event, &now, middle);
    return ps_elastic_is_same((struct ps_slice){state->plain, (uint32_t)(middle - state->plain)},
                              (struct ps_slice){middle, (uint32_t)(end - middle)}, stored);
}

static struct ps_remote_result result_of(struct ps_elastic_state *state, const struct ps_batch *batch,
                                         const struct ps_event *event, const struct ps_elastic_found *found)
{
    if (found->has_no_source)
        return (struct ps_remote_result){PS_REMOTE_REFUSED,
                                         "a document has this id, and its index keeps no _source to compare"};
    if (found->document.length == 0)
        return (struct ps_remote_result){
            PS_REMOTE_AGAIN, found->reason != NULL ? found->reason : "no document has its id now"};
    if (is_same(state, batch, event, found->document))
        return (struct ps_remote_result){.outcome = PS_REMOTE_DELIVERED};
    return (struct ps_remote_result){PS_REMOTE_REFUSED, "another document has this id"};
}

/* Decides on the events by the documents that have their ids. What has none is sent in a bulk request again. */
static bool decode_found(struct ps_elastic_state *state, const struct ps_http_request *answer,
                         struct ps_remote_result *results, uint32_t events)
{
    const struct ps_held_range *range = &state->sink.request->range;
    struct ps_counters *counters = state->sink.requests.sink.port->counters;
    struct ps_elastic_reader reader = {.at = NULL};
    struct ps_elastic_found found;
    uint32_t at = 0, position = range->from;
    bool waits = false;
    for (; at < events && ps_elastic_found_next(&reader, answer->body, answer->body_length, &found); at++) {
        const struct ps_event *event = ps_held_range_next(range, &position);
        struct ps_slice id;
        char identity[PS_IDENTITY_TEXT_BYTES];
        bool has_id =
            ps_remote_id_find(&plan_of(&state->sink)->ids, range->lease, position - 1, identity, &id);
        results[at] = has_id ? result_of(state, range->lease->batch, event, &found)
                             : (struct ps_remote_result){PS_REMOTE_AGAIN, "it has no id"};
        enum ps_remote_outcome outcome = results[at].outcome;
        ps_count(counters, PS_COUNTER_extra + COUNTER_EXISTING, outcome == PS_REMOTE_DELIVERED);
        ps_count(counters, PS_COUNTER_extra + COUNTER_DIFFERING, outcome == PS_REMOTE_REFUSED);
        waits |= has_id && outcome == PS_REMOTE_AGAIN;
    }
    if (at == 0 && answer->too_long) {
        results[at++] = (struct ps_remote_result){PS_REMOTE_REFUSED,
                                                  "a document that is too long to be compared has this id"};
        ps_count(counters, PS_COUNTER_extra + COUNTER_DIFFERING, 1);
    }
    state->sink.request->asks = at < events;
    waits |= at < events && !answer->too_long;
    for (; at < events; at++)
        results[at] =
            (struct ps_remote_result){PS_REMOTE_AGAIN, "the server's answer does not have the event"};
    return waits;
}

static bool decode(struct ps_http_sink *sink, const struct ps_http_request *answer,
                   struct ps_remote_result *results, uint32_t events)
{
    struct ps_elastic_state *state = (struct ps_elastic_state *)sink;
    struct ps_elastic_counts counts;
    if (sink->request->asks && answer->status / 100 == 2)
        return decode_found(state, answer, results, events);
    if (sink->request->asks) {
        for (uint32_t i = 0; i < events; i++)
            results[i] = (struct ps_remote_result){.outcome = PS_REMOTE_AGAIN};
        return true;
    }
    if (answer->status / 100 != 2) {
        enum ps_remote_outcome outcome = outcome_of(state, answer->status);
        for (uint32_t i = 0; i < events; i++)
            results[i] = (struct ps_remote_result){.outcome = outcome};
        return outcome != PS_REMOTE_REFUSED;
    }
    bool compares = plan_of(sink)->compares;
    ps_elastic_answer_read(answer->body, answer->body_length,
                           compares ? PS_REMOTE_AGAIN : PS_REMOTE_DELIVERED, results, events, &counts);
    bool has_delivered = counts.created + counts.existing > 0;
    sink->request->asks = compares && counts.existing > 0;
    counts.existing = compares ? 0 : counts.existing; /* it is counted when it was compared */
    count(sink, &counts);
    if (has_delivered) {
        ps_http_sink_has_taken(sink);
        /* a part is delivered: the rest of the sink begins with the shortest */
        sink->requests.sink.failures = 0;
    }
    return counts.later + counts.unknown > 0;
}

static const char *cure_of(const struct ps_http_sink *, long status)
{
    switch (status) {
    case 401:
    case 403:
        return "the server wants another login, or grants this one no writing";
    case 404:
    case 405:
        return "is the URL that of the server, without a path?";
    case 406:
    case 415:
        return "the server does not take bulk requests of this form";
    default:
        return NULL;
    }
}

/* ---- the greeting ---- */

bool ps_elastic_judge(const struct ps_elastic_plan *plan, const struct ps_http_request *answer,
                      struct ps_elastic_server *server, struct ps_err *err)
{
    if (answer->status != 200) {
        ps_err_set(err, "HTTP %ld to a question for its version", answer->status);
        return false;
    }
    if (!ps_elastic_server_read(answer->body, answer->body_length, server)) {
        ps_err_set(err, "it is neither Elasticsearch nor OpenSearch: GET / tells no version.number");
        return false;
    }
    if (plan->cluster == NULL || strcmp(plan->cluster, server->cluster) == 0)
        return true;
    ps_err_set(err, "its cluster is %s, not %s: set clusterName", server->cluster, plan->cluster);
    return false;
}

static bool greeted(struct ps_http_sink *sink, const struct ps_http_request *answer, struct ps_err *err)
{
    struct ps_elastic_state *state = (struct ps_elastic_state *)sink;
    const char *shown = sink->hosts[sink->greeting_host].names.shown;
    const struct ps_elastic_server *server = &state->server;
    struct ps_err cause = {.length = 0};
    if (!ps_elastic_judge(plan_of(sink), answer, &state->server, &cause)) {
        const char *cure = cure_of(sink, answer->status);
        ps_err_set(err, "%s: %s%s%s", shown, cause.text, cure != NULL ? "; " : "", cure != NULL ? cure : "");
        return false;
    }
    state->has_types = !server->is_opensearch && server->major < FIRST_TYPELESS;
    state->has_ttl = !server->is_opensearch && server->major < FIRST_WITHOUT_TTL;
    ps_log(PS_LOG_INFO, sink->requests.sink.port->component, "%s is %s %u.%u, cluster %s", shown,
           server->is_opensearch ? "OpenSearch" : "Elasticsearch", server->major, server->minor,
           server->cluster);
    return true;
}

static void read_nodes(const struct ps_http_request *answer,
                       void (*add)(void *argument, const char *address, size_t length), void *argument)
{
    ps_elastic_nodes_read(answer->body, answer->body_length, add, argument);
}

/* ---- set-up ---- */

bool ps_elastic_urls(const struct ps_texts *hosts, unsigned default_port, unsigned transport_port,
                     const char *key, const struct ps_context *context, const char *const **urls)
{
    const char **made = ps_arena_alloc(context->arena, (hosts->count + 1) * sizeof *made);
    if (hosts->count == 0 || hosts->count > PS_HTTP_HOSTS_MAX) {
        ps_report(context, PS_LOG_ERROR, key, "write 1 to %u hosts", PS_HTTP_HOSTS_MAX);
        return false;
    }
    for (size_t i = 0; i < hosts->count; i++) {
        const char *host = hosts->items[i], *rest = strstr(host, "://");
        const char *scheme = rest != NULL ? "" : "http://", *name = rest != NULL ? rest + 3 : host;
        size_t length = strlen(host);
        while (length > 0 && host[length - 1] == '/')
            length--;
        const char *close = strrchr(name, ']'), *colon = strrchr(close != NULL ? close : name, ':');
        const char *at = strrchr(name, '@');
        bool has_port = colon != NULL && (at == NULL || colon > at);
        if (has_port && transport_port != 0 && strtoul(colon + 1, NULL, 10) == transport_port) {
            length = (size_t)(colon - host);
            has_port = false;
        }
        /* a URL without a port has that of its scheme, but one of Flume's hosts has 9200 */
        made[i] = has_port || rest != NULL
                      ? ps_arena_format(context->arena, "%s%.*s", scheme, (int)length, host)
                      : ps_arena_format(context->arena, "%s%.*s:%u", scheme, (int)length, host, default_port);
        if (context->report != NULL && ps_http_urls_check(key, made[i], context) != PS_OK)
            return false;
    }
    *urls = made;
    return true;
}

/* Compiles what `build` compiles, so that `check` reports its errors. */
static enum ps_status compile(struct ps_elastic_plan *plan, const struct ps_elastic_settings *settings,
                              const struct ps_context *context, const char **key, struct ps_err *err)
{
    bool known = true;
    *key = ID_KEY;
    if (ps_remote_id_read(&plan->ids, settings->ids) != PS_OK)
        return ps_err_set(err, "write identity, none, or header:NAME");
    *key = settings->is_data_stream ? "data_stream" : "index";
    if (ps_elastic_name_build(&plan->index, context->arena, settings->index, settings->index_zone, err) !=
        PS_OK)
        return PS_FAIL;
    *key = "indexType";
    plan->has_type = settings->type != NULL;
    if (plan->has_type &&
        ps_elastic_name_build(&plan->type, context->arena, settings->type, NULL, err) != PS_OK)
        return PS_FAIL;
    *key = "indexNameBuilder.dateFormat";
    if (settings->date != NULL) {
        const struct ps_time_zone *zone = ps_time_zone_load(context->arena, settings->date_zone, &known);
        plan->index.date = ps_java_print_create(context->arena, settings->date, zone, err);
        if (plan->index.date == NULL)
            return PS_FAIL;
    }
    *key = "fields.";
    plan->document = settings->document;
    return ps_elastic_fields_build(&plan->document, context->arena, &settings->fields, err);
}

enum ps_status ps_elastic_check(const struct ps_elastic_settings *settings, const struct ps_context *context)
{
    struct ps_elastic_plan plan = {.ttl_ms = 0};
    struct ps_err err = {.length = 0};
    const char *key;
    if (compile(&plan, settings, context, &key, &err) != PS_OK) {
        ps_report(context, PS_LOG_ERROR, key, "%s", err.text);
        return PS_FAIL;
    }
    for (unsigned i = 0; settings->sniff_s > 0 && i < settings->url_count; i++)
        if (strchr(strstr(settings->urls[i], "://") + 3, '/') != NULL) {
            ps_report(context, PS_LOG_ERROR, SNIFF_KEY,
                      "a URL with a path is that of a proxy, behind which servers cannot be reached by the "
                      "addresses that the cluster has");
            return PS_FAIL;
        }
    if (settings->date_zone != NULL)
        ps_escape_check_zone(context, "indexNameBuilder.timeZone", settings->date_zone);
    if (settings->compares && plan.ids.from != PS_REMOTE_IDS_HEADER) {
        ps_report(context, PS_LOG_ERROR, COMPARE_KEY, "set penstock.ids = header:NAME, too");
        return PS_FAIL;
    }
    if (settings->compares && (settings->is_data_stream || settings->pipeline != NULL)) {
        ps_report(context, PS_LOG_ERROR, COMPARE_KEY, "%s",
                  settings->pipeline != NULL
                      ? "a pipeline changes the documents, so that they cannot be compared"
                      : "a document of a data stream cannot be asked for by its id");
        return PS_FAIL;
    }
    if (plan.ids.from == PS_REMOTE_IDS_HEADER && !settings->compares)
        ps_report(context, PS_LOG_INFO, ID_KEY,
                  "a document that has the id of an earlier one counts as delivered, and is not stored: the "
                  "values of the header "
                  "must differ from event to event (counter items_existing; " COMPARE_KEY
                  " = true makes another document a dead letter)");
    if (settings->is_data_stream && plan.ids.from != PS_REMOTE_IDS_NONE)
        ps_report(
            context, PS_LOG_INFO, "data_stream",
            "at least once: ids are unique in each index behind a data stream only, and an event that is "
            "sent again after a rollover is stored twice");
    return PS_OK;
}

static enum ps_status add_field(struct ps_elastic_plan *plan, const char *field, struct ps_err *err)
{
    struct curl_slist *longer = curl_slist_append(plan->sink.settings.headers, field);
    if (longer == NULL)
        return ps_err_set(err, "no memory");
    plan->sink.settings.headers = longer;
    return PS_OK;
}

/* Adds the login to the header of the requests. */
static enum ps_status add_login(struct ps_elastic_plan *plan, const struct ps_elastic_settings *settings,
                                struct ps_context *context, struct ps_err *err)
{
    if (settings->api_key != NULL)
        return add_field(plan, ps_arena_format(context->arena, "Authorization: ApiKey %s", settings->api_key),
                         err);
    if (settings->user == NULL)
        return PS_OK;
    return ps_http_sink_login(&plan->sink, context, settings->user, settings->password, err);
}

static void add_hosts(struct ps_elastic_plan *plan, const struct ps_elastic_settings *settings,
                      struct ps_context *context)
{
    const char *pipeline = "", *before = "";
    if (settings->pipeline != NULL) {
        char *escaped = curl_easy_escape(NULL, settings->pipeline, 0);
        pipeline = ps_arena_format(context->arena, "%s", escaped != NULL ? escaped : "");
        curl_free(escaped);
        before = "&pipeline=";
    }
    ps_http_urls_set(&plan->sink, context, settings->urls, settings->url_count,
                     ps_arena_format(context->arena, "/_bulk?" FILTER "%s%s", before, pipeline),
                     plan->compares ? "/_mget" : NULL, "/");
}

enum ps_status ps_elastic_build(struct ps_elastic_plan *plan, const struct ps_elastic_settings *settings,
                                struct ps_context *context, struct ps_err *err)
{
    const char *key;
    if (compile(plan, settings, context, &key, err) != PS_OK)
        return PS_FAIL;
    plan->ttl_ms = settings->ttl_ms;
    plan->cluster = settings->cluster;
    plan->is_data_stream = settings->is_data_stream;
    plan->gzip = settings->gzip;
    plan->compares = settings->compares;
    plan->sink = (struct ps_http_sink_plan){
        .settings = {.url = settings->urls[0],
                     .connect_ns = (uint64_t)settings->connect_ms * PS_NS_PER_MS,
                     .ca = settings->ca,
                     .cert = settings->cert,
                     .key = settings->key,
                     .ca_text = settings->trust},
        .request_ns = (uint64_t)settings->request_ms * PS_NS_PER_MS,
        .requests = (unsigned)settings->requests,
        .events_max = (uint32_t)settings->events_max,
        .bytes_max = (size_t)settings->bytes_max,
        .answer_bytes_max = ANSWER_BYTES_MIN + (size_t)settings->events_max * ANSWER_ITEM_BYTES +
                            (settings->compares ? 2 * (size_t)settings->bytes_max : 0),
        .bound_of = settings->gzip ? gzip_bound_of : bound_of,
        .encode = settings->gzip ? encode_gzip : encode,
        .decode = decode,
        .cure = cure_of,
        .greeted = greeted,
        .sniff_ns = (uint64_t)settings->sniff_s * PS_NS_PER_S,
        .nodes_path = "/_nodes/http?filter_path=nodes.*.http.publish_address,nodes.*.roles",
        .read_nodes = read_nodes,
        .narrows = narrows,
    };
    add_hosts(plan, settings, context);
    if (ps_http_sink_build(&plan->sink, context, "application/x-ndjson", "application/json", err) != PS_OK)
        return PS_FAIL;
    plan->sink.settings.verify = settings->verify;
    if (settings->url_count > 1)
        plan->sink.shown =
            ps_arena_format(context->arena, "%s and %u more", plan->sink.shown, settings->url_count - 1);
    if (add_login(plan, settings, context, err) == PS_OK &&
        (!settings->gzip || add_field(plan, "Content-Encoding: gzip", err) == PS_OK))
        return PS_OK;
    ps_http_sink_teardown(&plan->sink);
    return PS_FAIL;
}

enum ps_status ps_elastic_open(const struct ps_elastic_plan *plan, void *state_, struct ps_port *port,
                               struct ps_err *err)
{
    struct ps_elastic_state *state = state_;
    *state = (struct ps_elastic_state){.has_types = false};
    if (plan->gzip && deflateInit2(&state->zip, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return ps_err_set(err, "no memory");
    if (ps_http_sink_open(&state->sink, &plan->sink, port, err) == PS_OK)
        return PS_OK;
    if (plan->gzip)
        deflateEnd(&state->zip);
    return PS_FAIL;
}

void ps_elastic_close(const void *plan, void *state_)
{
    struct ps_elastic_state *state = state_;
    ps_http_sink_close(plan, state_);
    if (((const struct ps_elastic_plan *)plan)->gzip)
        deflateEnd(&state->zip);
    free(state->plain);
    state->plain = NULL;
    state->plain_room = 0;
}
