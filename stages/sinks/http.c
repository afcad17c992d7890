/* Sink http (Flume's HttpSink): each event is the body of a POST; rules by status code say whether it is delivered, and
 * whether the sink rests. Requests go out in the order of the events, one at a time unless penstock.requests allows more.
 * Thread: its worker; libcurl works on the sink's epoll. */
#include "core/stage.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

#include "core/quantity.h"
#include "stages/http/client.h"

#define STATUSES 1000U
#define REQUESTS_MAX 64
#define LEASES_MAX 8U
#define RECALL_NS (2 * PS_NS_PER_S) /* for answers, when it is recalled */

enum { BACKS_OFF = 1, ROLLS_BACK = 2, IS_COUNTED = 4 };
enum { COUNTER_COUNTED };

struct http_plan {
    const char *endpoint, *content_type, *accept, *ca;
    int64_t connect_ms, request_ms, requests;
    bool backs_off, rolls_back, is_counted;
    struct ps_pairs backoff, rollback, metrics;
    uint8_t rules[STATUSES]; /* by status */
    struct ps_http_settings settings;
    char *shown; /* the endpoint without user and password */
};

/* A request with the event that it sends until that is delivered. */
struct slot {
    struct ps_http_request request; /* must be first: the client knows only this */
    struct ps_lease *lease;         /* NULL: free */
    uint32_t position;
};

struct http_state {
    const struct http_plan *plan;
    struct ps_port *port;
    struct ps_http_client client;
    struct slot *slots;
    unsigned slot_count;
    struct ps_lease *kept[LEASES_MAX]; /* oldest first */
    unsigned kept_count;
    unsigned next_lease; /* the next event to send */
    uint64_t failures;   /* back-offs in a row */
    uint64_t rest_ns;    /* nothing is sent before */
    uint64_t recall_ns;
};

#define FIELD(name) offsetof(struct http_plan, name)

static const struct ps_option options[] = {
    {.key = "endpoint",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(endpoint),
     .flags = PS_OPTION_REQUIRED,
     .help = "URL that events are posted to: http or https"},
    {.key = "connectTimeout",
     .type = PS_OPTION_INT,
     .offset = FIELD(connect_ms),
     .fallback = "5000",
     .min = 1,
     .max = INT32_MAX,
     .unit = "ms",
     .help = "How long connecting may take"},
    {.key = "requestTimeout",
     .type = PS_OPTION_INT,
     .offset = FIELD(request_ms),
     .fallback = "5000",
     .min = 1,
     .max = INT32_MAX,
     .unit = "ms",
     .help = "How long a request may take, from the connection to the end of the answer"},
    {.key = "contentTypeHeader",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(content_type),
     .fallback = "text/plain",
     .help = "Content-Type of the requests"},
    {.key = "acceptHeader",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(accept),
     .fallback = "text/plain",
     .help = "Accept of the requests"},
    {.key = "defaultBackoff",
     .type = PS_OPTION_BOOL,
     .offset = FIELD(backs_off),
     .fallback = "true",
     .help = "Rest after an answer whose status has no backoff.CODE"},
    {.key = "defaultRollback",
     .type = PS_OPTION_BOOL,
     .offset = FIELD(rolls_back),
     .fallback = "true",
     .help =
         "Send the event again after an answer whose status has no rollback.CODE: set rollback.2XX = false"},
    {.key = "defaultIncrementMetrics",
     .type = PS_OPTION_BOOL,
     .offset = FIELD(is_counted),
     .fallback = "false",
     .help = "Count an answer whose status has no incrementMetrics.CODE"},
    {.key = "backoff.",
     .type = PS_OPTION_MAP,
     .offset = FIELD(backoff),
     .help = "backoff.503 or backoff.5XX: whether to rest after this status; the exact one counts first"},
    {.key = "rollback.",
     .type = PS_OPTION_MAP,
     .offset = FIELD(rollback),
     .help = "rollback.503 or rollback.5XX: whether to send the event again after this status"},
    {.key = "incrementMetrics.",
     .type = PS_OPTION_MAP,
     .offset = FIELD(metrics),
     .help = "incrementMetrics.200 or incrementMetrics.2XX: whether to count answers with this status in "
             "counted"},
    {.key = "penstock.requests",
     .type = PS_OPTION_INT,
     .offset = FIELD(requests),
     .fallback = "1",
     .min = 1,
     .max = REQUESTS_MAX,
     .flags = PS_OPTION_EXTENSION,
     .help = "Requests under way at a time, each on a connection of its own; with more than one the order of "
             "events is "
             "not kept"},
    {.key = "penstock.ssl.ca",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(ca),
     .flags = PS_OPTION_EXTENSION | PS_OPTION_FILE,
     .help = "PEM file of certificates to trust; if not set, the system's authorities"},
    PS_OPTION_END,
};

/* ---- rules ---- */

/* "503": exact, "5XX": a hundred. Returns false: neither. */
static bool is_code(const char *key, unsigned *first, unsigned *count)
{
    if (strlen(key) != 3 || key[0] < '1' || key[0] > '9')
        return false;
    *first = (unsigned)(key[0] - '0') * 100;
    *count = 100;
    if (strcmp(key + 1, "XX") == 0)
        return true;
    *first += (unsigned)(key[1] - '0') * 10 + (unsigned)(key[2] - '0');
    *count = 1;
    return isdigit((unsigned char)key[1]) && isdigit((unsigned char)key[2]);
}

static void set_rule(struct http_plan *plan, const struct ps_pairs *pairs, uint8_t bit, bool fallback)
{
    for (unsigned status = 0; status < STATUSES; status++)
        plan->rules[status] |= fallback ? bit : 0;
    for (unsigned exact = 0; exact < 2; exact++) {
        for (size_t i = 0; i < pairs->count; i++) {
            unsigned first, count;
            if (!is_code(pairs->items[i].key, &first, &count) || (count == 1) != (exact == 1))
                continue;
            bool on = strcasecmp(pairs->items[i].value, "true") == 0;
            for (unsigned status = first; status < first + count; status++)
                plan->rules[status] = (uint8_t)(on ? plan->rules[status] | bit : plan->rules[status] & ~bit);
        }
    }
}

static void make_rules(struct http_plan *plan)
{
    memset(plan->rules, 0, sizeof plan->rules);
    set_rule(plan, &plan->backoff, BACKS_OFF, plan->backs_off);
    set_rule(plan, &plan->rollback, ROLLS_BACK, plan->rolls_back);
    set_rule(plan, &plan->metrics, IS_COUNTED, plan->is_counted);
}

/* ---- set-up ---- */

static void report_codes(const struct ps_context *context, const char *prefix, const struct ps_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        unsigned first, count;
        char key[96];
        if (is_code(pairs->items[i].key, &first, &count))
            continue;
        snprintf(key, sizeof key, "%s%.60s", prefix, pairs->items[i].key);
        ps_report(context, PS_LOG_WARN, key, "has no effect: write a status, 503, or a hundred, 5XX");
    }
}

static enum ps_status check(const void *plan_, const struct ps_context *context)
{
    const struct http_plan *plan = plan_;
    struct http_plan *rules = calloc(1, sizeof *rules);
    if (strncasecmp(plan->endpoint, "http://", 7) != 0 && strncasecmp(plan->endpoint, "https://", 8) != 0) {
        ps_report(context, PS_LOG_ERROR, "endpoint", "%s is not a URL of http or https", plan->endpoint);
        free(rules);
        return PS_FAIL;
    }
    report_codes(context, "backoff.", &plan->backoff);
    report_codes(context, "rollback.", &plan->rollback);
    report_codes(context, "incrementMetrics.", &plan->metrics);
    if (rules != NULL) {
        *rules = *plan;
        make_rules(rules);
        if (rules->rules[200] & ROLLS_BACK)
            ps_report(context, PS_LOG_WARN, "rollback.200",
                      "an event that is answered 200 is sent again, for ever; set rollback.2XX = false");
    }
    free(rules);
    return PS_OK;
}

/* For logs: the endpoint without user and password. */
static void print_endpoint(const char *endpoint, char *out, size_t room)
{
    const char *host = strstr(endpoint, "//") + 2, *at = strchr(host, '@'), *slash = strchr(host, '/');
    if (at == NULL || (slash != NULL && slash < at))
        at = host - 1;
    snprintf(out, room, "%.*s%s", (int)(host - endpoint), endpoint, at + 1);
}

static bool add_field(struct http_plan *plan, const char *name, const char *value)
{
    char field[512];
    snprintf(field, sizeof field, "%s: %.400s", name, value);
    struct curl_slist *longer = curl_slist_append(plan->settings.headers, field);
    if (longer != NULL)
        plan->settings.headers = longer;
    return longer != NULL;
}

static void teardown(void *plan_)
{
    struct http_plan *plan = plan_;
    curl_slist_free_all(plan->settings.headers);
    plan->settings.headers = NULL;
    curl_global_cleanup();
}

static enum ps_status build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct http_plan *plan = plan_;
    size_t room = strlen(plan->endpoint) + 1;
    plan->shown = ps_arena_alloc(context->arena, room);
    print_endpoint(plan->endpoint, plan->shown, room);
    curl_global_init(CURL_GLOBAL_DEFAULT); /* libcurl counts these calls */
    make_rules(plan);
    plan->settings = (struct ps_http_settings){
        .url = plan->endpoint,
        .connect_ns = (uint64_t)plan->connect_ms * PS_NS_PER_MS,
        .timeout_ns = (uint64_t)(plan->connect_ms + plan->request_ms) * PS_NS_PER_MS,
        .ca = plan->ca,
        .verify = true,
    };
    struct curl_slist *no_expect = NULL;
    if (add_field(plan, "Content-Type", plan->content_type) && add_field(plan, "Accept", plan->accept) &&
        add_field(plan, "User-Agent", "penstock"))
        no_expect = curl_slist_append(plan->settings.headers, "Expect:"); /* libcurl waits with long bodies */
    if (no_expect != NULL)
        return PS_OK;
    teardown(plan);
    return ps_err_set(err, "no memory");
}

static void close_sink(const void *plan, void *state_)
{
    struct http_state *state = state_;
    (void)plan;
    for (unsigned i = 0; i < state->slot_count; i++)
        ps_http_request_close(&state->slots[i].request, &state->client);
    ps_http_client_close(&state->client);
    free(state->slots);
    state->slots = NULL;
    state->slot_count = 0;
}

static enum ps_status open_sink(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct http_plan *plan = plan_;
    struct http_state *state = state_;
    unsigned count = (unsigned)plan->requests;
    *state = (struct http_state){.plan = plan, .port = port};
    if (ps_http_client_open(&state->client, count, err) != PS_OK)
        return PS_FAIL;
    state->slots = calloc(count, sizeof *state->slots);
    bool good = state->slots != NULL;
    for (unsigned i = 0; good && i < count; i++, state->slot_count++)
        good = ps_http_request_open(&state->slots[i].request, &plan->settings);
    struct epoll_event event = {.events = EPOLLIN};
    if (good &&
        (port->epoll_fd < 0 || epoll_ctl(port->epoll_fd, EPOLL_CTL_ADD, state->client.poll_fd, &event) == 0))
        return PS_OK;
    close_sink(plan, state);
    return ps_err_set(err, "an HTTP client: no memory or no descriptors");
}

/* ---- sending ---- */

/* The next event that is not settled, of the leases from next_lease on, in order. Those without a body are settled, as
 * Flume does. Returns false: there is none. */
static bool next_event(struct http_state *state, struct ps_lease **lease, uint32_t *position)
{
    for (; state->next_lease < state->kept_count; state->next_lease++) {
        struct ps_lease *one = state->kept[state->next_lease];
        for (; one->cursor < one->count; one->cursor++) {
            if (ps_lease_is_settled(one, one->cursor))
                continue;
            if (ps_lease_event(one, one->cursor)->body_length == 0) {
                ps_lease_settle(one, one->cursor);
                continue;
            }
            *lease = one;
            *position = one->cursor++;
            return true;
        }
    }
    return false;
}

static void send_event(struct http_state *state, struct slot *slot, const struct ps_now *now)
{
    const struct ps_event *event = ps_lease_event(slot->lease, slot->position);
    ps_http_request_send(&slot->request, &state->client, event->body, event->body_length, now->mono_ns);
}

/* Sends what may be sent now: first what failed before. */
static void send_some(struct http_state *state, const struct ps_now *now)
{
    if (now->mono_ns < state->rest_ns)
        return;
    for (unsigned i = 0; i < state->slot_count; i++) {
        struct slot *slot = &state->slots[i];
        if (slot->lease != NULL && !slot->request.busy)
            send_event(state, slot, now);
    }
    for (unsigned i = 0; i < state->slot_count; i++) {
        struct slot *slot = &state->slots[i];
        if (slot->lease != NULL)
            continue;
        if (!next_event(state, &slot->lease, &slot->position))
            break;
        send_event(state, slot, now);
    }
}

/* ---- answers ---- */

static void rest(struct http_state *state, const struct ps_now *now)
{
    state->rest_ns = now->mono_ns + ps_port_rest_ns(state->port, ++state->failures);
}

static void take_answer(struct http_state *state, struct slot *slot, const struct ps_now *now)
{
    const struct ps_http_request *request = &slot->request;
    bool answered = request->status >= 100 && request->status < (long)STATUSES;
    uint8_t rule = answered ? state->plan->rules[request->status] : BACKS_OFF | ROLLS_BACK;
    if (rule & IS_COUNTED)
        ps_count(state->port->counters, PS_COUNTER_extra + COUNTER_COUNTED, 1);
    if (rule & BACKS_OFF)
        rest(state, now);
    else
        state->failures = 0;
    if (!(rule & ROLLS_BACK)) {
        ps_lease_settle(slot->lease, slot->position);
        slot->lease = NULL;
        return;
    }
    char reason[160];
    struct ps_err err = {.length = 0};
    if (answered)
        ps_http_request_reason(request, reason, sizeof reason);
    else
        snprintf(reason, sizeof reason, "%s", request->failure != NULL ? request->failure : "no HTTP answer");
    ps_count(state->port->counters, PS_COUNTER_retried, 1);
    ps_count(state->port->counters, answered ? PS_COUNTER_refused : PS_COUNTER_EventWriteFail, 1);
    ps_log(PS_LOG_WARN, state->port->component, "%s: %s; sending the event again%s%s", state->plan->shown,
           reason, rule & BACKS_OFF ? " in " : "",
           rule & BACKS_OFF ? ps_quantity_print_ns(state->rest_ns - now->mono_ns).text : "");
    ps_err_set(&err, "%s: %s", state->plan->shown, reason);
    ps_port_troubled(state->port, &err);
}

/* Gives up leases whose events are all settled, in order. */
static void finish(struct http_state *state)
{
    while (state->kept_count > 0 && state->kept[0]->settled == state->kept[0]->count) {
        struct ps_lease *lease = state->kept[0];
        memmove(state->kept, state->kept + 1, --state->kept_count * sizeof lease);
        if (state->next_lease > 0)
            state->next_lease--;
        ps_port_done(state->port, &lease);
    }
}

static void serve(struct http_state *state, bool sends, const struct ps_now *now)
{
    struct ps_http_request *request;
    ps_http_client_work(&state->client, now->mono_ns);
    while ((request = ps_http_client_next(&state->client)) != NULL)
        take_answer(state, (struct slot *)request, now);
    if (sends) {
        send_some(state, now);
        if (state->client.timer_ns <= now->mono_ns) /* libcurl begins a new request so */
            ps_http_client_work(&state->client, now->mono_ns);
    }
    finish(state);
}

/* ---- the stage ---- */

static enum ps_result work(const void *plan, void *state_, struct ps_lease **lease, const struct ps_now *now)
{
    struct http_state *state = state_;
    (void)plan;
    if (state->kept_count == LEASES_MAX)
        return PS_LATER;
    state->recall_ns = 0;
    state->kept[state->kept_count++] = *lease;
    *lease = NULL;
    send_some(state, now);
    return PS_TAKEN;
}

static bool has_unsent(const struct http_state *state)
{
    for (unsigned i = 0; i < state->slot_count; i++) {
        if (state->slots[i].lease != NULL && !state->slots[i].request.busy)
            return true;
    }
    return state->next_lease < state->kept_count;
}

static uint64_t tick(const void *plan, void *state_, const struct ps_now *now)
{
    struct http_state *state = state_;
    (void)plan;
    serve(state, true, now);
    uint64_t next = state->client.timer_ns;
    if (state->rest_ns > now->mono_ns && has_unsent(state) && state->rest_ns < next)
        next = state->rest_ns;
    return next;
}

static bool is_busy(const struct http_state *state)
{
    for (unsigned i = 0; i < state->slot_count; i++) {
        if (state->slots[i].request.busy)
            return true;
    }
    return false;
}

/* Waits for the answers to what it sent, so that it does not arrive twice; then gives everything back. */
static bool recall(const void *plan, void *state_, struct ps_lease **back, const struct ps_now *now)
{
    struct http_state *state = state_;
    (void)plan;
    if (state->recall_ns == 0)
        state->recall_ns = now->mono_ns + RECALL_NS;
    serve(state, false, now);
    if (is_busy(state) && now->mono_ns < state->recall_ns)
        return false;
    for (unsigned i = 0; i < state->slot_count; i++) {
        ps_http_request_cancel(&state->slots[i].request, &state->client);
        state->slots[i].lease = NULL;
    }
    while (*back != NULL)
        back = &(*back)->next;
    for (unsigned i = 0; i < state->kept_count; i++) {
        state->kept[i]->cursor = 0;
        *back = state->kept[i];
        back = &(*back)->next;
    }
    *back = NULL;
    state->kept_count = state->next_lease = 0;
    state->rest_ns = state->failures = state->recall_ns = 0;
    return true;
}

static bool drain(const void *plan, void *state_, const struct ps_now *now)
{
    const struct http_state *state = state_;
    (void)plan;
    (void)now;
    return state->kept_count == 0;
}

static void outline(const void *plan_, const struct ps_context *context, FILE *out)
{
    const struct http_plan *plan = plan_;
    (void)context;
    char shown[256];
    print_endpoint(plan->endpoint, shown, sizeof shown);
    fprintf(out, "posts to %s", shown);
}

static const struct ps_sink_ops sink = {
    .sockets = true, .work = work, .tick = tick, .recall = recall, .drain = drain};

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
    .close = close_sink,
    .outline = outline,
    .sink = &sink,
};
