/* Sink http (Flume's HttpSink): sends each event as the body of a POST. Rules by status code decide whether it is
 * delivered, and whether the sink rests. Requests are sent in the order of the events, one at a time unless
 * penstock.requests allows more. Thread: its worker; libcurl uses the sink's epoll. */
#include "core/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

#include "core/sink/deadletter_pending.h"
#include "core/quantity.h"
#include "stages/lib/http/client.h"
#include "stages/lib/http/probe.h"
#include "stages/lib/http/status_rules.h"
#include "stages/lib/least.h"
#include "stages/lib/remote/sink.h"

#define REQUESTS_MAX 64
#define LEASES_MAX 8U
#define REASON_BYTES 320U

enum { COUNTER_COUNTED };

struct http_plan {
    const char *endpoint, *content_type, *accept, *ca;
    int64_t connect_ms, request_ms, requests;
    bool backs_off, rolls_back, is_counted;
    struct ps_pairs backoff, rollback, metrics;
    struct ps_http_status_rules rules;
    struct ps_http_settings settings;
    uint64_t request_ns;
    char *shown; /* the endpoint without user and password */
};

/* A request, with the event that it sends until that is delivered or given up. */
struct slot {
    struct ps_http_request request; /* must be first: the HTTP client only knows this member */
    struct ps_held_range range;     /* of one event; empty: unused */
    uint32_t attempts;              /* attempts with this event that reached the server */
    bool refused;                   /* this event was counted as refused */
    struct ps_deadletter_pending dead_letters;
    const char *letter; /* code and text of the dead letter */
    char reason[REASON_BYTES];
};

struct http_state {
    struct ps_remote_sink sink; /* must be first (stages/lib/remote/sink.h) */
    const struct http_plan *plan;
    struct ps_http_client client;
    struct slot *slots;
    unsigned slot_count;
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

/* ---- set-up ---- */

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
    char reason[160];
    if (strncasecmp(plan->endpoint, "http://", 7) != 0 && strncasecmp(plan->endpoint, "https://", 8) != 0) {
        ps_report(context, PS_LOG_ERROR, "endpoint", "%s is not a URL of http or https", plan->endpoint);
        return PS_FAIL;
    }
    if (!ps_http_url_is_usable(plan->endpoint, reason, sizeof reason)) {
        ps_report(context, PS_LOG_ERROR, "endpoint", "%s", reason);
        return PS_FAIL;
    }
    ps_http_status_rules_check(context, "backoff.", &plan->backoff);
    ps_http_status_rules_check(context, "rollback.", &plan->rollback);
    ps_http_status_rules_check(context, "incrementMetrics.", &plan->metrics);
    make_rules(plan, &rules);
    if (rules.bits[200] & PS_HTTP_ROLLS_BACK)
        ps_report(context, PS_LOG_WARN, "rollback.200",
                  "an event that is answered 200 is sent again, for ever; set rollback.2XX = false");
    return PS_OK;
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
    ps_http_print_url(plan->endpoint, plan->shown, room);
    curl_global_init(CURL_GLOBAL_DEFAULT); /* libcurl counts these calls */
    make_rules(plan, &plan->rules);
    plan->request_ns = (uint64_t)plan->request_ms * PS_NS_PER_MS;
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
        no_expect = curl_slist_append(plan->settings.headers, "Expect:"); /* else long bodies wait */
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

/* ---- sending ---- */

/* Cuts the next event. Settles events without a body, as Flume does. Returns false if there is none. */
static bool cut_next(struct ps_held *held, struct ps_held_range *range)
{
    const struct ps_event *event;
    while ((event = ps_held_next(held, range)) != NULL) {
        if (event->body_length > 0) {
            ps_held_cut(held, range);
            return true;
        }
        ps_held_settle_next(held);
    }
    return false;
}

static void send_event(struct http_state *state, struct slot *slot)
{
    const struct ps_event *event = ps_lease_event(slot->range.lease, slot->range.from);
    ps_http_request_send(&slot->request, &state->client, event->body, event->body_length, state->sink.now_ns);
}

/* Returns whether the slot's event has to be sent again. */
static bool is_unsent(const struct slot *slot)
{
    return slot->range.count > 0 && !slot->request.busy &&
           !ps_deadletter_pending_has_begun(&slot->dead_letters);
}

/* Sends what may be sent now, first the events that failed before. */
static void send_some(struct http_state *state)
{
    if (ps_remote_sink_rests(&state->sink))
        return;
    for (unsigned i = 0; i < state->slot_count; i++) {
        struct slot *slot = &state->slots[i];
        if (!is_unsent(slot))
            continue;
        ps_count(state->sink.port->counters, PS_COUNTER_EventDrainAttemptCount, 1);
        send_event(state, slot);
    }
    for (unsigned i = 0; i < state->slot_count; i++) {
        struct slot *slot = &state->slots[i];
        if (slot->range.count > 0)
            continue;
        if (!cut_next(&state->sink.held, &slot->range))
            break;
        slot->attempts = 0;
        slot->refused = false;
        send_event(state, slot);
    }
}

/* ---- answers ---- */

/* Gives the event up: it becomes a dead letter. */
static void make_dead_letter(struct http_state *state, struct slot *slot, const char *letter)
{
    slot->letter = letter;
    ps_log(PS_LOG_WARN, state->sink.port->component, "an event goes to the dead letters: %s (%s)", letter,
           slot->reason);
    ps_deadletter_pending_begin(&slot->dead_letters, slot->range.lease, slot->range.from, slot->range.to);
}

/* Handles an answer other than 2XX whose rule does not roll back: the server has finally refused the event. */
static void give_up(struct http_state *state, struct slot *slot)
{
    if (ps_port_has_deadletter(state->sink.port)) {
        make_dead_letter(state, slot, "request-refused");
        return;
    }
    ps_log(PS_LOG_WARN, state->sink.port->component,
           "%s; the event is dropped, because rollback.%ld is false", slot->reason, slot->request.status);
    ps_held_settle(&state->sink.held, &slot->range);
}

/* Schedules the event again, unless no attempts are left. */
static void roll_back(struct http_state *state, struct slot *slot, bool backs_off)
{
    struct ps_port *port = state->sink.port;
    struct ps_err err = {.length = 0};
    if (port->retry_max > 0 && slot->attempts >= port->retry_max && ps_port_has_deadletter(port)) {
        make_dead_letter(state, slot, "attempts-exhausted");
        return;
    }
    ps_count(port->counters, PS_COUNTER_retried, 1);
    ps_err_set(&err, "%s", slot->reason);
    ps_port_tries_again(port, &err, backs_off ? state->sink.rest_ns - state->sink.now_ns : 0);
}

static void take_reason(const struct http_state *state, struct slot *slot)
{
    const struct ps_http_request *request = &slot->request;
    char reason[160];
    if (request->status > 0)
        ps_http_request_reason(request, reason, sizeof reason);
    else
        snprintf(reason, sizeof reason, "%s", request->failure != NULL ? request->failure : "no HTTP answer");
    snprintf(slot->reason, sizeof slot->reason, "%s: %s", state->plan->shown, reason);
}

static void take_answer(struct http_state *state, struct slot *slot)
{
    const struct ps_http_request *request = &slot->request;
    struct ps_counters *counters = state->sink.port->counters;
    bool answered = request->status >= 100 && request->status < (long)PS_HTTP_STATUSES;
    uint8_t rule =
        answered ? state->plan->rules.bits[request->status] : PS_HTTP_BACKS_OFF | PS_HTTP_ROLLS_BACK;
    slot->attempts += request->begun_ns > 0;
    if (rule & PS_HTTP_IS_COUNTED)
        ps_count(counters, PS_COUNTER_extra + COUNTER_COUNTED, 1);
    if (rule & PS_HTTP_BACKS_OFF)
        ps_remote_sink_rest(&state->sink);
    else
        state->sink.failures = 0;
    if (answered && request->status / 100 == 2 && !(rule & PS_HTTP_ROLLS_BACK)) {
        ps_held_settle(&state->sink.held, &slot->range);
        return;
    }
    take_reason(state, slot);
    ps_count(counters, PS_COUNTER_EventWriteFail, !answered);
    ps_count(counters, PS_COUNTER_refused, answered && !slot->refused);
    slot->refused |= answered;
    if (rule & PS_HTTP_ROLLS_BACK)
        roll_back(state, slot, rule & PS_HTTP_BACKS_OFF);
    else
        give_up(state, slot);
}

/* Returns the time limit of the answer; libcurl's own limit is for connecting and answering together. */
static uint64_t answer_due_ns(const struct http_state *state, const struct ps_http_request *request)
{
    return request->busy && request->begun_ns > 0 ? request->begun_ns + state->plan->request_ns : PS_NEVER;
}

static void end_late(struct http_state *state)
{
    for (unsigned i = 0; i < state->slot_count; i++) {
        struct ps_http_request *request = &state->slots[i].request;
        if (state->sink.now_ns < answer_due_ns(state, request))
            continue;
        ps_http_request_cut(request, &state->client, "no answer within requestTimeout");
        take_answer(state, &state->slots[i]);
    }
}

/* Frees the slots of events whose dead letters are written. */
static void write_dead_letters(struct http_state *state)
{
    for (unsigned i = 0; i < state->slot_count; i++) {
        struct slot *slot = &state->slots[i];
        if (PS_LIKELY(!ps_deadletter_pending_has_begun(&slot->dead_letters)))
            continue;
        const struct ps_letter_reason reason = {slot->letter, slot->reason, slot->attempts};
        if (ps_deadletter_pending_work(&slot->dead_letters, state->sink.port, &reason))
            ps_held_release(&state->sink.held, &slot->range);
    }
}

/* Sends and receives what is possible now, and handles the requests that ended. */
static void exchange(struct http_state *state)
{
    struct ps_http_request *request;
    ps_http_client_work(&state->client, state->sink.now_ns);
    while ((request = ps_http_client_next(&state->client)) != NULL)
        take_answer(state, (struct slot *)request);
}

/* A new request may end while it is begun (a refused connection). libcurl then has no socket and no timer for it, so its end
 * is taken in the same cycle. */
static void serve(struct ps_remote_sink *sink, bool sends)
{
    struct http_state *state = (struct http_state *)sink;
    exchange(state);
    end_late(state);
    write_dead_letters(state);
    if (!sends)
        return;
    send_some(state);
    if (state->client.timer_ns <= sink->now_ns) /* a new request is due */
        exchange(state);
}

/* ---- the stage ---- */

/* Returns whether an event can be sent as soon as the sink does not rest. */
static bool can_send(const struct http_state *state)
{
    bool has_free_slot = false;
    for (unsigned i = 0; i < state->slot_count; i++) {
        if (is_unsent(&state->slots[i]))
            return true;
        has_free_slot |= state->slots[i].range.count == 0;
    }
    return has_free_slot && state->sink.held.next != NULL;
}

static uint64_t due_ns(const struct ps_remote_sink *sink)
{
    const struct http_state *state = (const struct http_state *)sink;
    uint64_t next = state->client.timer_ns;
    if (can_send(state))
        next = ps_least(next, ps_remote_sink_rests(sink) ? sink->rest_ns : sink->now_ns);
    for (unsigned i = 0; i < state->slot_count; i++) {
        const struct slot *slot = &state->slots[i];
        next = ps_least(next, answer_due_ns(state, &slot->request));
        if (ps_deadletter_pending_has_begun(&slot->dead_letters))
            next = ps_least(next, sink->now_ns + PS_DEADLETTER_LOOK_NS);
    }
    return next;
}

static bool is_busy(const struct ps_remote_sink *sink)
{
    const struct http_state *state = (const struct http_state *)sink;
    for (unsigned i = 0; i < state->slot_count; i++) {
        if (state->slots[i].request.busy)
            return true;
    }
    return false;
}

static void abandon(struct ps_remote_sink *sink)
{
    struct http_state *state = (struct http_state *)sink;
    for (unsigned i = 0; i < state->slot_count; i++) {
        ps_http_request_cancel(&state->slots[i].request, &state->client);
        ps_deadletter_pending_stop(&state->slots[i].dead_letters, sink->port);
        state->slots[i].range = (struct ps_held_range){.lease = NULL};
    }
    sink->rest_ns = sink->failures = 0;
}

static const struct ps_remote_sink_calls calls = {
    .serve = serve, .due_ns = due_ns, .awaits = is_busy, .abandon = abandon};

static enum ps_status open_sink(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct http_plan *plan = plan_;
    struct http_state *state = state_;
    unsigned count = (unsigned)plan->requests;
    *state = (struct http_state){.plan = plan};
    ps_remote_sink_init(&state->sink, &calls, port, LEASES_MAX);
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

static void outline(const void *plan_, const struct ps_context *context, FILE *out)
{
    const struct http_plan *plan = plan_;
    (void)context;
    char shown[256];
    ps_http_print_url(plan->endpoint, shown, sizeof shown);
    fprintf(out, "posts to %s", shown);
}

static void probe(const void *plan_, struct ps_context *context, const struct ps_probe *probe)
{
    const struct http_plan *plan = plan_;
    (void)context;
    char shown[256];
    const struct ps_http_settings settings = {
        .url = plan->endpoint,
        .connect_ns = probe->timeout_ms * PS_NS_PER_MS,
        .timeout_ns = probe->timeout_ms * PS_NS_PER_MS,
        .ca = plan->ca,
        .verify = true,
    };
    ps_http_print_url(plan->endpoint, shown, sizeof shown);
    ps_http_probe(probe, &settings, shown);
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
    .close = close_sink,
    .outline = outline,
    .probe = probe,
    .sink = &ps_remote_sink_ops,
};
