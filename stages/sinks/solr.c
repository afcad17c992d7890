/* Sink solr: each event becomes a JSON document of a collection of Solr, by POST to its handler /update. Solr takes a request as a whole
 * or stops at the first document that it refuses, and then says one error: the request is halved until that document is
 * found (stages/lib/http/sink.h). Documents are those of stages/lib/elastic/document.h, nodes those of `url` or of ZooKeeper
 * (stages/lib/solr/cloud.h). Thread: its worker. */
#include "core/stage.h"

#include "stages/lib/elastic/document.h"
#include "stages/lib/remote/id.h"
#include "stages/lib/http/login.h"
#include "stages/lib/http/probe.h"
#include "stages/lib/http/urls.h"
#include "stages/lib/keystore/keystore.h"
#include "stages/lib/solr/answer.h"
#include "stages/lib/solr/cloud.h"
#include "stages/lib/solr/outcome.h"
#include "stages/lib/text/json/value.h"

#include <stdlib.h>
#include <string.h>

#define REQUESTS_MAX 64
#define MEMBER_BYTES 64U          /* of a document beside what its parts say: brackets, "_version_":-1 */
#define KEY_BYTES 256U            /* of the collection's unique key */
#define ANSWER_BYTES (256U << 10) /* an answer has one error, or one for each document that was left out */
#define ID_KEY "penstock.ids"
#define VERSION "_version_" /* -1: the document must not exist (optimistic concurrency) */

struct solr_plan {
    struct ps_http_sink_plan sink; /* must be first: `decode` gets a pointer to this member */
    struct ps_texts urls;
    const char *zk_host, *collection, *body, *chain, *ids_text, *id_field, *user, *password, *ca;
    int headers;
    bool overwrite;
    struct ps_pairs fields;
    int64_t commit_ms, batch, bytes, requests, connect_ms, request_ms;
    struct ps_elastic_document document;
    struct ps_remote_id ids;
    struct ps_solr_cloud_plan cloud; /* if zkHost is set */
    char *trust;                     /* made by `build`: PEM text of the authorities, or NULL */
};

struct solr_state {
    struct ps_http_sink sink; /* must be first */
    bool has_versions;        /* a document that was encoded last has a version of its own */
    char key[KEY_BYTES];      /* the member of the id */
    struct ps_elastic_cache documents;
    struct ps_solr_cloud cloud;
    char *scratch; /* ANSWER_BYTES + 1 */
    struct ps_solr_refusal *refusals;
};

#define FIELD(name) offsetof(struct solr_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW(
        "url", COMMAS, FIELD(urls),
        "the collection or core: http://HOST:8983/solr/NAME, or https; of several nodes, separated by "
        "commas, one that answers gets the requests. Without it: zkHost and collection"),
    PS_OPTION_ROW("zkHost", TEXT, FIELD(zk_host),
                  "servers of ZooKeeper that know the nodes of SolrCloud, and the path of Solr there: "
                  "zk1:2181,zk2:2181/solr"),
    PS_OPTION_ROW("collection", TEXT, FIELD(collection),
                  "with zkHost: name of the collection, or of an alias"),
    PS_OPTION_ROW("batchSize", INT, FIELD(batch), "maximum number of events of a request", .fallback = "100",
                  .min = 1, .max = INT32_MAX, .unit = "events"),
    PS_OPTION_ROW("commitWithin", INT, FIELD(commit_ms),
                  "the server makes documents visible within this time; unset: as its autoCommit and "
                  "autoSoftCommit say",
                  .min = 1, .max = INT32_MAX, .unit = "ms"),
    PS_OPTION_ROW("fields.", MAP, FIELD(fields),
                  "fields.NAME = VALUE: a field, whose value may have Flume's escapes: %{header}, %Y"),
    PS_OPTION_ROW("body", TEXT, FIELD(body),
                  "the field of a body that is no JSON object; one that is has the document's fields itself",
                  .fallback = "body"),
    PS_OPTION_ROW("headers", ENUM, FIELD(headers), "all: each header is a field, too", .fallback = "none",
                  .words = PS_WORDS("none", "all")),
    PS_OPTION_ROW("updateChain", TEXT, FIELD(chain), "update request processor chain; unset: the server's"),
    PS_OPTION_ROW("idField", TEXT, FIELD(id_field),
                  "the field of the id; unset: the collection's unique key, which the server is asked for"),
    PS_OPTION_ROW(ID_KEY, TEXT, FIELD(ids_text),
                  "ids of the documents: identity (the default: the event's identity, where it has one), "
                  "header:NAME, or none. A document "
                  "with an id is stored once, however often it is sent",
                  .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "overwrite", BOOL, FIELD(overwrite),
        "false: a document whose id is there stays as it is (_version_ = -1); true: the new one takes "
        "its place",
        .fallback = "true"),
    PS_OPTION_ROW("user", TEXT, FIELD(user), "user of basic authentication"),
    PS_OPTION_ROW("password", TEXT, FIELD(password), "password of `user`", .flags = PS_OPTION_SECRET),
    PS_OPTION_ROW("penstock.ssl.ca", TEXT, FIELD(ca),
                  "file with the certificates to trust: PEM; unset: javax.net.ssl.trustStore, "
                  "FLUME_SSL_TRUSTSTORE_PATH, else the system's authorities",
                  .flags = PS_OPTION_EXTENSION | PS_OPTION_FILE),
    PS_OPTION_ROW(
        "penstock.requests", INT, FIELD(requests),
        "maximum number of requests under way at a time; with more than one the order of events is not kept",
        .fallback = "2", .min = 1, .max = REQUESTS_MAX, .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("penstock.request.bytes", SIZE, FIELD(bytes), "a request of this size gets no more events",
                  .fallback = "5m", .min = 1, .max = INT32_MAX, .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW("connectTimeout", INT, FIELD(connect_ms), "longest time for a connection",
                  .fallback = "5000", .min = 1, .max = INT32_MAX, .unit = "ms"),
    PS_OPTION_ROW("requestTimeout", INT, FIELD(request_ms),
                  "longest time for a request, from the connection to the end of the answer",
                  .fallback = "60000", .min = 1, .max = INT32_MAX, .unit = "ms"),
    PS_OPTION_END,
};

static const struct solr_plan *plan_of(const struct ps_http_sink *sink)
{
    return (const struct solr_plan *)sink->plan;
}

/* ---- requests ---- */

static size_t bound_of(const struct ps_remote_requests *requests, const struct ps_batch *batch,
                       const struct ps_event *event)
{
    const struct solr_plan *plan = plan_of((const struct ps_http_sink *)requests);
    return MEMBER_BYTES + ps_json_string_bound("", 0) + 9 * KEY_BYTES /* ps_json_string_bound */ +
           ps_remote_id_bound(&plan->ids, batch, event) +
           ps_elastic_document_bound(&plan->document, batch, event);
}

/* Returns whether the document has this member without the sink's help: a body that is an object, fields and headers keep theirs. */
static bool has_member(const struct solr_plan *plan, const struct ps_batch *batch,
                       const struct ps_event *event, const char *name)
{
    struct ps_slice inside;
    const struct ps_header *header;
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    for (size_t i = 0; i < plan->document.field_count; i++)
        if (strcmp(plan->document.fields[i].name, name) == 0)
            return true;
    while (plan->document.all_headers && (header = ps_headers_next(&cursor)) != NULL)
        if (header->name->length == strlen(name) &&
            memcmp(header->name->text, name, header->name->length) == 0)
            return true;
    return ps_json_is_object(event->body, event->body_length, &inside) && inside.length > 0 &&
           ps_json_object_has(inside, name, strlen(name));
}

/* Writes {"id":"x","_version_":-1,MEMBERS}. The document is written where these members end, and its brace becomes their comma. */
static char *put_document(struct solr_state *state, char *to, const struct ps_lease *lease, uint32_t position,
                          const struct ps_now *now)
{
    const struct solr_plan *plan = plan_of(&state->sink);
    const struct ps_event *event = ps_lease_event(lease, position);
    char identity[PS_IDENTITY_TEXT_BYTES], *at = to;
    struct ps_slice id = {.length = 0};
    if (ps_remote_id_find(&plan->ids, lease, position, identity, &id) &&
        !has_member(plan, lease->batch, event, state->key)) {
        at = ps_json_string_put(ps_json_raw_put(at, "{\""), state->key, strlen(state->key));
        at = ps_json_string_put(ps_json_raw_put(at, "\":\""), id.data, id.length);
        *at++ = '"';
    }
    bool is_own = !plan->overwrite && has_member(plan, lease->batch, event, VERSION);
    state->has_versions |= is_own;
    if (!plan->overwrite && !is_own)
        at = ps_json_raw_put(at, at == to ? "{\"" VERSION "\":-1" : ",\"" VERSION "\":-1");
    char *end = ps_elastic_document_put(&plan->document, &state->documents, lease->batch, event, now, at);
    if (at > to && end - at == 2) { /* {} */
        *at = '}';
        return at + 1;
    }
    if (at > to)
        *at = ',';
    return end;
}

static size_t encode(const struct ps_http_sink *sink, char *to, const struct ps_held_range *range)
{
    struct solr_state *state = (struct solr_state *)(uintptr_t)sink;
    const struct ps_remote_sink *remote = &sink->requests.sink;
    const struct ps_now now = {.mono_ns = remote->now_ns, .wall_ms = remote->wall_ms};
    uint32_t position = range->from;
    char *at = to;
    state->has_versions = false;
    *at++ = '[';
    while (ps_held_range_next(range, &position) != NULL) {
        at = put_document(state, at, range->lease, position - 1, &now);
        *at++ = ',';
    }
    at[-1] = ']';
    return (size_t)(at - to);
}

/* Solr leaves out what conflicts, and says nothing of it: right for documents that must not be there yet, and are, but a version that a body
 * asks for must not be lost that way. */
static bool takes_other(const struct ps_http_sink *sink)
{
    return ((const struct solr_state *)sink)->has_versions;
}

/* ---- answers ---- */

static void set_all(struct ps_remote_result *results, uint32_t count, struct ps_remote_result result)
{
    for (uint32_t i = 0; i < count; i++)
        results[i] = result;
}

/* The collection left documents out and took the others (TolerantUpdateProcessorFactory). An id that no event has is one that the server
 * made: then nobody knows which events are meant, and all are refused, so that none of them gets lost. */
static void set_refusals(struct ps_http_sink *sink, const struct ps_solr_answer *answer,
                         struct ps_remote_result *results, uint32_t count)
{
    const struct solr_plan *plan = plan_of(sink);
    const struct ps_held_range *range = &sink->request->range;
    uint32_t found = 0, position = range->from;
    for (uint32_t k = 0; k < answer->refusal_count; k++)
        answer->refusals[k].is_found = false;
    for (uint32_t i = 0; i < count && ps_held_range_next(range, &position) != NULL; i++) {
        char identity[PS_IDENTITY_TEXT_BYTES];
        struct ps_slice id;
        if (!ps_remote_id_find(&plan->ids, range->lease, position - 1, identity, &id))
            continue;
        for (uint32_t k = 0; k < answer->refusal_count; k++) {
            struct ps_solr_refusal *refusal = &answer->refusals[k];
            if (strlen(refusal->id) != id.length || memcmp(refusal->id, id.data, id.length) != 0)
                continue;
            results[i] = (struct ps_remote_result){PS_REMOTE_REFUSED, refusal->reason};
            found += !refusal->is_found; /* several events may have the id */
            refusal->is_found = true;
            break;
        }
    }
    if (found < answer->refusal_count || answer->has_more_refusals)
        set_all(results, count, (struct ps_remote_result){PS_REMOTE_REFUSED, answer->refusals[0].reason});
}

/* A conflict of a document that must not be there yet: it is there. That of a version which a body asks for is a refusal. */
static void set_conflicts(struct ps_http_sink *sink, struct ps_remote_result *results, uint32_t count)
{
    const struct solr_plan *plan = plan_of(sink);
    const struct ps_held_range *range = &sink->request->range;
    const struct ps_event *event;
    uint32_t position = range->from;
    for (uint32_t i = 0; i < count && (event = ps_held_range_next(range, &position)) != NULL; i++)
        if (!plan->overwrite && !has_member(plan, range->lease->batch, event, VERSION))
            results[i].outcome = PS_REMOTE_DELIVERED;
}

static bool narrows(const struct ps_http_sink *, long status)
{
    return status == 400 || status == 409 || status == 413 || status == 500;
}

static bool decode(struct ps_http_sink *sink, const struct ps_http_request *http,
                   struct ps_remote_result *results, uint32_t count)
{
    struct solr_state *state = (struct solr_state *)sink;
    struct ps_solr_answer answer = {.refusals = state->refusals,
                                    .refusals_max = plan_of(sink)->sink.events_max};
    bool whole = ps_solr_answer_read(&answer, http->body, http->body_length, state->scratch) &&
                 !http->too_long && !http->cut;
    /* A page of something in front of Solr says nothing about a document, but for its size. */
    bool means_documents = http->status == 400 || http->status == 409 || http->status == 500;
    if (http->status / 100 != 2 && (whole || !means_documents)) {
        enum ps_remote_outcome outcome =
            ps_solr_outcome(&answer, http->status, ps_http_sink_believes(&state->sink));
        if (outcome == PS_REMOTE_AGAIN || outcome == PS_REMOTE_UNKNOWN)
            sink->sniff_ns = 0; /* it may have no replica any more */
        set_all(results, count, (struct ps_remote_result){outcome, answer.message});
        if (http->status == 409)
            set_conflicts(sink, results, count);
        return outcome == PS_REMOTE_AGAIN || outcome == PS_REMOTE_UNKNOWN;
    }
    if (!whole) {
        set_all(results, count,
                (struct ps_remote_result){PS_REMOTE_UNKNOWN, "the answer is not one of Solr, or is cut off"});
        return true;
    }
    set_all(results, count, (struct ps_remote_result){.outcome = PS_REMOTE_DELIVERED});
    if (answer.refusal_count > 0)
        set_refusals(sink, &answer, results, count);
    ps_http_sink_has_taken(sink);
    return false;
}

/* Reads the answer to the question for the unique key, which comes before the first request. One who may write need not be allowed to
 * read the schema, so 403 is no failure. Returns false with the cause. `scratch`: of ANSWER_BYTES + 1. */
static bool judge(const struct ps_http_request *http, struct ps_solr_answer *answer, char *scratch,
                  struct ps_err *err)
{
    bool whole = ps_solr_answer_read(answer, http->body, http->body_length, scratch);
    if (http->status == 403 || (http->status == 200 && whole))
        return true;
    ps_err_set(err, "HTTP %ld to a question for its unique key%s%.200s", http->status,
               answer->message != NULL ? ": " : "", answer->message != NULL ? answer->message : "");
    return false;
}

static bool greeted(struct ps_http_sink *sink, const struct ps_http_request *http, struct ps_err *err)
{
    struct solr_state *state = (struct solr_state *)sink;
    const struct solr_plan *plan = plan_of(sink);
    const char *shown = sink->hosts[sink->greeting_host].names.shown,
               *cure = ps_solr_cure(sink, http->status);
    struct ps_solr_answer answer = {.refusals_max = 0};
    struct ps_err cause = {.length = 0};
    if (!judge(http, &answer, state->scratch, &cause)) {
        ps_err_set(err, "%s: %s%s%s", shown, cause.text, cure != NULL ? "; " : "", cure != NULL ? cure : "");
        return false;
    }
    const char *key = plan->id_field != NULL ? plan->id_field : answer.unique_key;
    snprintf(state->key, sizeof state->key, "%s", key != NULL ? key : "id");
    return true;
}

/* ---- set-up ---- */

/* Reads where the documents go: URLs, or ZooKeeper and a collection. */
static enum ps_status compile_place(const struct solr_plan *plan, struct ps_solr_cloud_plan *cloud,
                                    const struct ps_context *context, const char **key, struct ps_err *err)
{
    *key = "collection";
    if (plan->collection != NULL && plan->zk_host == NULL)
        return ps_err_set(err, "it is for zkHost; a URL ends with the collection");
    *key = "zkHost";
    if (plan->zk_host != NULL && plan->urls.count > 0)
        return ps_err_set(err, "set url or zkHost, not both");
    if (plan->zk_host != NULL && plan->collection == NULL)
        return ps_err_set(err, "set collection, too");
    if (plan->zk_host != NULL)
        return ps_solr_cloud_read(cloud, plan->zk_host, plan->collection, context->arena, err);
    *key = "url";
    if (plan->urls.count == 0)
        return ps_err_set(err, "set it, or zkHost and collection");
    return plan->urls.count <= PS_HTTP_HOSTS_MAX ? PS_OK
                                                 : ps_err_set(err, "write 1 to %u URLs", PS_HTTP_HOSTS_MAX);
}

/* Compiles what `build` compiles, so that `check` reports its errors. */
static enum ps_status compile(const struct solr_plan *plan, struct ps_elastic_document *document,
                              struct ps_remote_id *ids, struct ps_solr_cloud_plan *cloud,
                              const struct ps_context *context, const char **key, struct ps_err *err)
{
    *document = (struct ps_elastic_document){
        .form = PS_ELASTIC_JSON, .body = plan->body, .all_headers = plan->headers == 1};
    if (compile_place(plan, cloud, context, key, err) != PS_OK)
        return PS_FAIL;
    *key = "idField";
    if (plan->id_field != NULL && strlen(plan->id_field) >= KEY_BYTES)
        return ps_err_set(err, "a name has less than %u bytes", KEY_BYTES);
    *key = "password";
    if (plan->password != NULL && plan->user == NULL)
        return ps_err_set(err, "set user, too");
    *key = ID_KEY;
    if (ps_remote_id_read(ids, plan->ids_text) != PS_OK)
        return ps_err_set(err, "write identity, none, or header:NAME");
    *key = "fields.";
    return ps_elastic_fields_build(document, context->arena, &plan->fields, err);
}

static enum ps_status read_trust(const struct solr_plan *plan, char **text, const struct ps_context *context,
                                 struct ps_err *err)
{
    static const char *const perhaps[] = {"https://"}; /* ZooKeeper knows whether the nodes speak TLS */
    bool finds = plan->zk_host != NULL;
    return ps_http_sink_trust(finds ? perhaps : plan->urls.items, finds ? 1 : plan->urls.count, plan->ca,
                              text, context, err);
}

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct solr_plan *plan = plan_;
    struct ps_elastic_document document;
    struct ps_remote_id ids;
    struct ps_solr_cloud_plan cloud;
    struct ps_err err = {.length = 0};
    const char *key;
    char *trust;
    if (compile(plan, &document, &ids, &cloud, context, &key, &err) != PS_OK) {
        ps_report(context, PS_LOG_ERROR, key, "%s", err.text);
        return PS_FAIL;
    }
    for (size_t i = 0; i < plan->urls.count; i++)
        if (ps_http_urls_check("url", plan->urls.items[i], context) != PS_OK)
            return PS_FAIL;
    if (read_trust(plan, &trust, context, &err) != PS_OK) {
        ps_report(context, PS_LOG_ERROR, "url", "%s; name the authorities in penstock.ssl.ca", err.text);
        return PS_FAIL;
    }
    ps_keystore_wipe(trust);
    if (ids.from == PS_REMOTE_IDS_HEADER)
        ps_report(
            context, PS_LOG_INFO, ID_KEY,
            plan->overwrite
                ? "a document takes the place of an earlier one with its id: the values of the header "
                  "must differ from event to event"
                : "a document that has the id of an earlier one counts as delivered, and is not stored: "
                  "the values of the header must differ from event to event");
    return PS_OK;
}

static uint64_t turn(struct ps_http_sink *sink)
{
    return ps_solr_cloud_turn(&((struct solr_state *)sink)->cloud);
}

static const char *escaped(struct ps_context *context, const char *text)
{
    char *made = curl_easy_escape(NULL, text, 0);
    const char *copy = ps_arena_format(context->arena, "%s", made != NULL ? made : "");
    curl_free(made);
    return copy;
}

static void add_hosts(struct solr_plan *plan, struct ps_context *context)
{
    const char *post = "/update?wt=json&indent=off";
    if (plan->commit_ms > 0)
        post = ps_arena_format(context->arena, "%s&commitWithin=%lld", post, (long long)plan->commit_ms);
    if (plan->chain != NULL)
        post = ps_arena_format(context->arena, "%s&update.chain=%s", post, escaped(context, plan->chain));
    const char *lenient = post;
    if (!plan->overwrite) /* Solr 8.1 and later go on behind a document that is there */
        lenient = ps_arena_format(context->arena, "%s&failOnVersionConflicts=false", post);
    if (plan->zk_host == NULL) {
        ps_http_urls_set(&plan->sink, context, plan->urls.items, plan->urls.count, lenient, post,
                         "/schema/uniquekey?wt=json");
        return;
    }
    const char *collection = escaped(context, plan->collection);
    plan->sink.post_path = ps_arena_format(context->arena, "/%s%s", collection, lenient);
    plan->sink.other_path = ps_arena_format(context->arena, "/%s%s", collection, post);
    plan->sink.greeting_path = ps_arena_format(context->arena, "/%s/schema/uniquekey?wt=json", collection);
    plan->sink.scheme = "";
    plan->sink.finds_hosts = true;
    plan->sink.turn = turn;
    plan->sink.shown =
        ps_arena_format(context->arena, "collection %s of zkHost %s", plan->collection, plan->zk_host);
    plan->cloud.timeout_ns = (uint64_t)plan->connect_ms * PS_NS_PER_MS;
}

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct solr_plan *plan = plan_;
    const char *key;
    if (compile(plan, &plan->document, &plan->ids, &plan->cloud, context, &key, err) != PS_OK ||
        read_trust(plan, &plan->trust, context, err) != PS_OK)
        return PS_FAIL;
    plan->sink = (struct ps_http_sink_plan){
        .settings = {.url = plan->zk_host == NULL ? plan->urls.items[0] : "http://node/",
                     .connect_ns = (uint64_t)plan->connect_ms * PS_NS_PER_MS,
                     .ca = plan->ca,
                     .ca_text = plan->trust},
        .request_ns = (uint64_t)plan->request_ms * PS_NS_PER_MS,
        .requests = (unsigned)plan->requests,
        .events_max = (uint32_t)(plan->batch < PS_BATCH_EVENTS_MAX ? plan->batch : PS_BATCH_EVENTS_MAX),
        .bytes_max = (size_t)plan->bytes,
        .answer_bytes_max = ANSWER_BYTES,
        .bound_of = bound_of,
        .encode = encode,
        .takes_other = takes_other,
        .decode = decode,
        .cure = ps_solr_cure,
        .greeted = greeted,
        .narrows = narrows,
    };
    if (ps_http_sink_build(&plan->sink, context, "application/json", "application/json", err) != PS_OK)
        return PS_FAIL;
    add_hosts(plan, context);
    if (plan->user == NULL ||
        ps_http_sink_login(&plan->sink, context, plan->user, plan->password, err) == PS_OK)
        return PS_OK;
    ps_http_sink_teardown(&plan->sink);
    return PS_FAIL;
}

static void teardown(void *plan_)
{
    struct solr_plan *plan = plan_;
    ps_http_sink_teardown(&plan->sink);
    ps_keystore_wipe(plan->trust);
    plan->trust = NULL;
}

static void close_sink(const void *plan, void *state_)
{
    struct solr_state *state = state_;
    ps_solr_cloud_close(&state->cloud);
    ps_http_sink_close(plan, state_);
    free(state->scratch);
    free(state->refusals);
    state->scratch = NULL;
    state->refusals = NULL;
}

static enum ps_status open_sink(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct solr_plan *plan = plan_;
    struct solr_state *state = state_;
    *state = (struct solr_state){.has_versions = false};
    if (ps_http_sink_open(&state->sink, &plan->sink, port, err) != PS_OK)
        return PS_FAIL;
    state->scratch = malloc(ANSWER_BYTES + 1);
    state->refusals = calloc(plan->sink.events_max, sizeof *state->refusals);
    if (state->scratch == NULL || state->refusals == NULL)
        ps_err_set(err, "no memory");
    else if (plan->zk_host == NULL ||
             ps_solr_cloud_open(&state->cloud, &plan->cloud, &state->sink, port, err) == PS_OK)
        return PS_OK;
    close_sink(plan, state);
    return PS_FAIL;
}

static void outline(const void *plan_, const struct ps_context *, FILE *out)
{
    const struct solr_plan *plan = plan_;
    if (plan->zk_host != NULL) {
        fprintf(out, "documents to collection %s of zkHost %s", plan->collection, plan->zk_host);
        return;
    }
    fputs("documents to", out);
    ps_http_urls_print(plan->urls.items, plan->urls.count, out);
}

static void judge_server(void *scratch, const struct ps_http_request *http, struct ps_http_verdict *verdict)
{
    struct ps_solr_answer answer = {.refusals_max = 0};
    struct ps_err err = {.length = 0};
    if (!judge(http, &answer, scratch, &err)) {
        verdict->result = PS_PROBED_FAILED;
        verdict->cure = ps_solr_cure(NULL, http->status);
        snprintf(verdict->text, sizeof verdict->text, "%.300s", err.text);
    } else if (answer.unique_key != NULL)
        snprintf(verdict->text, sizeof verdict->text, "answers; the unique key is %.100s", answer.unique_key);
    else
        snprintf(verdict->text, sizeof verdict->text, "answers; this login may not read the schema");
}

struct found {
    struct solr_plan *plan;
    struct ps_context *context;
};

static void add_found(void *found_, const char *url, size_t length)
{
    const struct found *found = found_;
    struct ps_http_sink_plan *sink = &found->plan->sink;
    struct ps_arena *arena = found->context->arena;
    const char *base = ps_arena_copy(arena, url, length);
    if (sink->host_count < PS_HTTP_HOSTS_MAX)
        sink->hosts[sink->host_count++] =
            (struct ps_http_host){.url = ps_arena_format(arena, "%s%s", base, sink->post_path),
                                  .greeting = ps_arena_format(arena, "%s%s", base, sink->greeting_path),
                                  .shown = base};
}

/* Finds the nodes by ZooKeeper. */
static void find_nodes(struct solr_plan *plan, struct ps_context *context, const struct ps_probe *probe)
{
    struct found found = {plan, context};
    struct ps_err err = {.length = 0};
    if (!probe->local && !ps_solr_cloud_ask(&plan->cloud, probe, add_found, &found, &err))
        ps_probe_key_failed(probe, "zkHost", plan->sink.shown, err.text,
                            "see whether ZooKeeper and Solr run");
    else if (!probe->local)
        ps_probe_ok(probe, "%s: %u nodes", plan->sink.shown, plan->sink.host_count);
}

static void probe(const void *plan_, struct ps_context *context, const struct ps_probe *probe)
{
    struct solr_plan plan = *(const struct solr_plan *)plan_;
    struct ps_context silent = *context;
    struct ps_err err = {.length = 0};
    char *scratch = malloc(ANSWER_BYTES + 1);
    silent.report = NULL;
    if (scratch != NULL && build(&plan, &silent, &err) == PS_OK) { /* else `check` has said it */
        if (plan.zk_host != NULL)
            find_nodes(&plan, context, probe);
        (void)ps_http_probe_hosts(probe, &plan.sink, judge_server, scratch);
        teardown(&plan);
    }
    free(scratch);
}

const struct ps_stage_ops ps_sink_solr = {
    PS_STAGE(PS_KIND_SINK),
    .name = "solr",
    .summary = "JSON documents in a collection of Solr, each event once where it has an identity",
    .options = options,
    .plan_size = sizeof(struct solr_plan),
    .state_size = sizeof(struct solr_state),
    .check = check,
    .build = build,
    .teardown = teardown,
    .open = open_sink,
    .close = close_sink,
    .outline = outline,
    .probe = probe,
    .sink = &ps_remote_sink_ops,
};
