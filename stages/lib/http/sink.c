#include "stages/lib/http/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

#include "stages/lib/http/hosts.h"
#include "stages/lib/http/suspect.h"
#include "stages/lib/least.h"

#define HOSTS_FOUND 8U /* for which connections are kept, if the sink finds them */
#define LEASES_MAX 8U
#define LEASES_JUDGED_MAX 64U /* if it judges: witnesses may be in leases of their own */

struct slot {
    struct ps_remote_request request; /* must be first (stages/lib/remote/requests.h) */
    struct ps_http_request http;
    char *body; /* NULL: the body of the event itself is sent */
    size_t room;
    struct ps_http_suspect suspect;
    bool is_witness;
    unsigned host; /* with several: the one that the request was sent to */
    /* Maximum number of events of a request; of the range with this number. 0: no limit. */
    uint32_t limit;
    uint64_t limited;
    char reason[320]; /* status and first line of the answer, and the cure */
};

static struct slot *slot_of(const struct ps_http_sink *sink, unsigned number)
{
    return (struct slot *)ps_remote_request_at(&sink->requests, number);
}

/* ---- control ---- */

static bool add_field(struct ps_http_sink_plan *plan, const char *name, const char *value)
{
    char field[512];
    snprintf(field, sizeof field, "%s: %.400s", name, value);
    struct curl_slist *longer = curl_slist_append(plan->settings.headers, field);
    if (longer != NULL)
        plan->settings.headers = longer;
    return longer != NULL;
}

enum ps_status ps_http_sink_build(struct ps_http_sink_plan *plan, struct ps_context *context,
                                  const char *content_type, const char *accept, struct ps_err *err)
{
    size_t room = strlen(plan->settings.url) + 1;
    char *shown = ps_arena_alloc(context->arena, room);
    ps_http_print_url(plan->settings.url, shown, room);
    plan->shown = shown;
    plan->settings.timeout_ns = plan->settings.connect_ns + plan->request_ns;
    plan->settings.verify = true;
    curl_global_init(CURL_GLOBAL_DEFAULT); /* libcurl counts these calls */
    struct curl_slist *no_expect = NULL;
    if (add_field(plan, "Content-Type", content_type) && add_field(plan, "Accept", accept) &&
        add_field(plan, "User-Agent", "penstock"))
        /* removes the field, for which libcurl would wait up to 1 s for "100 Continue" before it sends a long body */
        no_expect = curl_slist_append(plan->settings.headers, "Expect:");
    if (no_expect != NULL)
        return PS_OK;
    ps_http_sink_teardown(plan);
    return ps_err_set(err, "no memory");
}

void ps_http_sink_teardown(struct ps_http_sink_plan *plan)
{
    curl_slist_free_all(plan->settings.headers);
    plan->settings.headers = NULL;
    curl_global_cleanup();
}

/* ---- answers ---- */

/* Writes status and first line of the answer, and the cure, which has a place behind a long line, too. */
static void print_reason(const struct ps_http_sink *sink, struct slot *slot)
{
    long status = slot->http.status;
    const char *cure = sink->plan->cure != NULL ? sink->plan->cure(sink, status) : NULL;
    ps_http_request_reason(&slot->http, slot->reason, sizeof slot->reason / 2);
    size_t length = strlen(slot->reason);
    if (cure != NULL)
        snprintf(slot->reason + length, sizeof slot->reason - length, "; %s", cure);
}

/* Returns the number of events that the request was sent with. */
static uint32_t sent_count(const struct slot *slot)
{
    return slot->request.part > 0 ? slot->request.part : slot->request.range.count;
}

/* Sets the results of a request that was not answered. */
static void set_unanswered(const struct ps_http_sink *sink, struct slot *slot)
{
    const char *reason = slot->http.failure != NULL ? slot->http.failure : "no HTTP answer";
    if (sink->host_count > 1) {
        snprintf(slot->reason, sizeof slot->reason, "%.120s: %.120s", sink->hosts[slot->host].names.shown,
                 reason);
        reason = slot->reason;
    }
    for (uint32_t i = 0; i < sent_count(slot); i++)
        slot->request.results[i] =
            (struct ps_remote_result){slot->request.asks ? PS_REMOTE_AGAIN : PS_REMOTE_UNKNOWN, reason};
}

/* Returns whether the request ended without the server's word on its first event, or with a word to try it again. */
static bool has_failed(const struct slot *slot)
{
    enum ps_remote_outcome outcome = slot->request.results->outcome;
    return outcome == PS_REMOTE_AGAIN || outcome == PS_REMOTE_UNKNOWN;
}

static uint32_t body_bytes(const struct slot *slot)
{
    uint32_t position = slot->request.range.from;
    const struct ps_event *event = ps_held_range_next(&slot->request.range, &position);
    return event != NULL ? event->body_length : 0;
}

/* Returns whether no older event waits for the server. Requests are sent oldest first: a server that takes only so many at a time takes
 * the oldest one sooner or later, and refuses those behind it meanwhile. */
static bool is_oldest(const struct ps_http_sink *sink, const struct slot *slot)
{
    for (unsigned i = 0; i < sink->requests.count; i++) {
        const struct ps_remote_request *other = ps_remote_request_at(&sink->requests, i);
        if (other->range.count > 0 && !other->has_letters && other->number < slot->request.number)
            return false;
    }
    return true;
}

/* Judges a request with one event that had a connection. Returns whether the event is the cause of its failure: its result says so
 * then. */
static bool judge(struct ps_http_sink *sink, struct slot *slot)
{
    struct ps_remote_result *result = slot->request.results;
    char reason[sizeof slot->reason / 2];
    if (result->outcome == PS_REMOTE_DELIVERED) {
        sink->taken++;
        sink->witness_failed = false;
    }
    if (!has_failed(slot))
        return false;
    bool counts = is_oldest(sink, slot);
    if (!ps_http_suspect_failed(&slot->suspect, &slot->request, sink->taken, counts)) {
        sink->witnesses |= !slot->is_witness && ps_http_suspect_wants_witness(&slot->suspect);
        return false;
    }
    if (slot->http.status >= 100)
        ps_http_request_reason(&slot->http, reason, sizeof reason);
    else
        snprintf(reason, sizeof reason, "%s", result->reason);
    snprintf(slot->reason, sizeof slot->reason,
             "the server fails at an event of %u bytes again and again, and takes others: %s",
             body_bytes(slot), reason);
    *result = (struct ps_remote_result){PS_REMOTE_REFUSED, slot->reason};
    return true;
}

/* Names the event of a failed request, and the cure, where nothing else will: without dead letters the sink asks for no other. */
static void name_event(const struct ps_http_sink *sink, struct slot *slot)
{
    struct ps_remote_result *result = slot->request.results;
    if (ps_port_has_deadletter(sink->requests.sink.port) || !has_failed(slot) || slot->http.begun_ns == 0 ||
        sink->plan->events_max > 1)
        return;
    char reason[sizeof slot->reason / 2];
    snprintf(reason, sizeof reason, "%s", result->reason);
    snprintf(slot->reason, sizeof slot->reason,
             "%s; an event of %u bytes waits: if the server means it, penstock.deadletter takes it out",
             reason, body_bytes(slot));
    result->reason = slot->reason;
}

/* Returns a request that waits to be sent again, of those that failed least often; not the oldest one, which is sent next
 * anyway. NULL: none. */
static struct slot *other_unsent(const struct ps_http_sink *sink)
{
    const struct ps_remote_request *oldest = ps_remote_requests_oldest_unsent(&sink->requests);
    struct slot *found = NULL;
    for (unsigned i = 0; i < sink->requests.count; i++) {
        struct slot *slot = slot_of(sink, i);
        if (&slot->request != oldest && ps_remote_request_is_unsent(&slot->request) &&
            (found == NULL || slot->suspect.failures < found->suspect.failures))
            found = slot;
    }
    return found;
}

/* Returns whether the failure of this request, which has a connection, may be that of its event: another one is asked before the
 * sink counts as one whose server is down. */
static bool is_in_part(struct ps_http_sink *sink, const struct slot *slot)
{
    if (!sink->judges || slot->http.begun_ns == 0 || !has_failed(slot))
        return false;
    sink->witness_failed = slot->is_witness || sink->witness_failed;
    return !sink->witness_failed && (sink->requests.sink.held.next != NULL || other_unsent(sink) != NULL);
}

/* Halves the limit of a request whose status may mean one of its events. Returns false if it has one event, or the status means all. */
static bool narrow(struct ps_http_sink *sink, struct slot *slot)
{
    uint32_t count = sent_count(slot);
    if (slot->http.status < 100 || count < 2 || sink->plan->narrows == NULL ||
        !sink->plan->narrows(sink, slot->http.status))
        return false;
    slot->limit = count / 2;
    slot->limited = slot->request.number;
    print_reason(sink, slot);
    for (uint32_t i = 0; i < count; i++)
        slot->request.results[i] = (struct ps_remote_result){PS_REMOTE_AGAIN, slot->reason};
    /* the attempt counts for none of the events: the answer does not say which one it means */
    ps_remote_request_ended(&sink->requests, &slot->request, false);
    return true;
}

/* Lets the sink read the answer. Returns whether the sink backs off. */
static bool decode(struct ps_http_sink *sink, struct slot *slot)
{
    bool asked = slot->request.asks;
    print_reason(sink, slot);
    sink->request = &slot->request;
    bool rests = sink->plan->decode(sink, &slot->http, slot->request.results, sent_count(slot));
    for (uint32_t i = 0; i < sent_count(slot); i++)
        if (slot->request.results[i].reason == NULL)
            slot->request.results[i].reason = slot->reason;
    slot->limit *= slot->http.status / 100 == 2 ? 2 : 1;
    slot->request.goes_on = slot->request.asks && !asked;
    return rests;
}

/* Handles the end of a request. */
static void take_answer(struct ps_http_sink *sink, struct slot *slot)
{
    const struct ps_http_request *http = &slot->http;
    struct ps_remote_request *request = &slot->request;
    struct ps_port *port = sink->requests.sink.port;
    bool answered = http->status >= 100, rests = true, has_host = false;
    if (sink->hosts != NULL) {
        sink->hosts[slot->host].in_flight--;
        has_host = ps_http_hosts_note(sink, slot->host, answered);
    }
    if (narrow(sink, slot))
        return;
    if (answered) {
        rests = decode(sink, slot);
    } else {
        set_unanswered(sink, slot);
        rests = !has_host;
        sink->is_greeted &= has_host; /* the server may be another one when it is back */
    }
    if (sink->judges && http->begun_ns > 0 && judge(sink, slot))
        rests = false;
    name_event(sink, slot);
    if (rests)
        ps_remote_sink_rest(&sink->requests.sink);
    else
        sink->requests.sink.failures = 0;
    port->in_part = is_in_part(sink, slot);
    slot->is_witness = false;
    ps_remote_request_ended(&sink->requests, request, http->begun_ns > 0);
    port->in_part = false;
}

/* ---- turns ---- */

/* Sends and receives what is possible now, and handles the requests that ended. */
static void exchange(struct ps_http_sink *sink)
{
    struct ps_http_request *http;
    ps_http_client_work(&sink->client, sink->requests.sink.now_ns);
    while ((http = ps_http_client_next(&sink->client)) != NULL) {
        if (http == &sink->greeting)
            ps_http_hosts_take_greeting(sink);
        else
            take_answer(sink, (struct slot *)((char *)http - offsetof(struct slot, http)));
    }
}

/* Returns the time limit of the answer; libcurl's own limit is for connecting and answering together. */
static uint64_t answer_due_ns(const struct ps_http_sink *sink, const struct ps_http_request *http)
{
    return http->busy && http->begun_ns > 0 ? http->begun_ns + sink->plan->request_ns : PS_NEVER;
}

static void end_late(struct ps_http_sink *sink)
{
    for (unsigned i = 0; i < sink->requests.count; i++) {
        struct slot *slot = slot_of(sink, i);
        if (sink->requests.sink.now_ns < answer_due_ns(sink, &slot->http))
            continue;
        ps_http_request_cut(&slot->http, &sink->client, "no answer within requestTimeout");
        take_answer(sink, slot);
    }
}

/* ---- sending ---- */

/* Returns the request's body; NULL if there is no memory. */
static const char *body_of(struct ps_http_sink *sink, struct slot *slot, size_t bytes, size_t *length)
{
    struct ps_held_range sent = slot->request.range;
    const struct ps_held_range *range = &sent;
    uint32_t position = range->from;
    if (sink->plan->encode == NULL) {
        const struct ps_event *event = ps_held_range_next(range, &position);
        *length = event->body_length;
        return event->body;
    }
    if (bytes > slot->room) {
        char *body = realloc(slot->body, 2 * bytes);
        if (body == NULL)
            return NULL;
        slot->body = body;
        slot->room = 2 * bytes;
    }
    for (uint32_t i = 0; i < slot->request.part; i++)
        (void)ps_held_range_next(&sent, &position);
    if (slot->request.part > 0) {
        sent.to = position;
        sent.count = slot->request.part;
    }
    sink->request = &slot->request;
    *length = sink->plan->encode(sink, slot->body, &sent);
    PS_ASSERT(*length <= bytes);
    return slot->body;
}

/* Sends the request, which is marked as in flight. */
static void send_one(struct ps_http_sink *sink, struct slot *slot, size_t bytes)
{
    size_t length;
    uint32_t limit = slot->limited == slot->request.number ? slot->limit : 0;
    slot->request.part = limit < slot->request.range.count ? limit : 0;
    bool opened = slot->http.easy != NULL || ps_http_request_open(&slot->http, &sink->plan->settings);
    const char *body = opened ? body_of(sink, slot, bytes, &length) : NULL;
    if (body != NULL) {
        if (sink->hosts != NULL) {
            slot->host = ps_http_hosts_choose(sink);
            sink->hosts[slot->host].in_flight++;
            bool other =
                slot->request.asks || (sink->plan->takes_other != NULL && sink->plan->takes_other(sink));
            const struct ps_http_host *host = &sink->hosts[slot->host].names;
            curl_easy_setopt(slot->http.easy, CURLOPT_URL, other ? host->other : host->url);
        }
        ps_http_request_send(&slot->http, &sink->client, body, length, sink->requests.sink.now_ns);
        return;
    }
    if (!opened) {
        ps_http_request_close(&slot->http, &sink->client);
        slot->http.body_max = sink->plan->answer_bytes_max;
    }
    ps_remote_sink_rest(&sink->requests.sink);
    ps_remote_request_ended_with(&sink->requests, &slot->request,
                                 (struct ps_remote_result){PS_REMOTE_UNKNOWN, "no memory for a request"},
                                 false);
}

/* Sends another event at once, to see whether the server takes it: one that failed less than twice, else a new one. */
static void send_witness(struct ps_http_sink *sink)
{
    struct slot *slot = other_unsent(sink), *new_slot = NULL;
    size_t bytes = 0;
    sink->witnesses = false;
    if (slot == NULL || ps_http_suspect_wants_witness(&slot->suspect))
        new_slot = (struct slot *)ps_remote_requests_next_new(&sink->requests, &bytes);
    if (new_slot != NULL)
        slot = new_slot;
    else if (slot != NULL)
        bytes = ps_remote_request_send_again(&sink->requests, &slot->request);
    if (slot == NULL)
        return;
    slot->is_witness = true;
    send_one(sink, slot, bytes);
}

static bool is_suspected(const struct slot *slot)
{
    return slot->suspect.number == slot->request.number && ps_http_suspect_wants_witness(&slot->suspect);
}

/* Returns whether nothing is sent beside what is under way: an event that failed twice is tried alone, because a server that takes only so
 * many requests at a time fails at any of them. */
static bool tries_alone(const struct ps_http_sink *sink)
{
    bool any = false, tries = false;
    for (unsigned i = 0; sink->judges && i < sink->requests.count; i++) {
        const struct slot *slot = slot_of(sink, i);
        any |= slot->request.in_flight;
        tries |= slot->request.in_flight && is_suspected(slot);
    }
    if (tries || !any)
        return tries;
    const struct slot *oldest = (const struct slot *)ps_remote_requests_oldest_unsent(&sink->requests);
    return oldest != NULL && is_suspected(oldest);
}

static void send_some(struct ps_http_sink *sink)
{
    struct slot *slot;
    size_t bytes;
    if (PS_UNLIKELY(sink->witnesses))
        send_witness(sink);
    while (!tries_alone(sink) &&
           (slot = (struct slot *)ps_remote_requests_next(&sink->requests, &bytes)) != NULL)
        send_one(sink, slot, bytes);
}

/* A new request may end while it is begun (a refused connection). libcurl then has no socket and no timer for it, so its end
 * is taken in the same cycle. */
static void serve(struct ps_remote_sink *remote, bool sends)
{
    struct ps_http_sink *sink = (struct ps_http_sink *)remote;
    if (sink->plan->turn != NULL)
        sink->turn_ns = sink->plan->turn(sink);
    exchange(sink);
    end_late(sink);
    ps_remote_requests_work(&sink->requests);
    if (!sends)
        return;
    if (ps_http_hosts_greet(sink)) {
        ps_http_hosts_sniff(sink);
        send_some(sink);
    }
    if (sink->client.timer_ns <= remote->now_ns) /* a new request is due */
        exchange(sink);
}

/* ---- the stage ---- */

static uint64_t due_ns(const struct ps_remote_sink *remote)
{
    const struct ps_http_sink *sink = (const struct ps_http_sink *)remote;
    uint64_t next = ps_remote_requests_due_ns(&sink->requests);
    if (next <= remote->now_ns && tries_alone(sink)) /* the end of what is under way is the next event */
        next = ps_remote_requests_have_letters(&sink->requests) ? remote->now_ns + PS_DEADLETTER_LOOK_NS
                                                                : PS_NEVER;
    if (sink->greeting.busy && !sink->is_greeted && next <= remote->now_ns)
        next = PS_NEVER; /* its answer is the next event */
    if (sink->plan->finds_hosts && sink->host_count == 0 && next <= remote->now_ns)
        next = PS_NEVER; /* what `turn` waits for is the next event */
    next = ps_least(sink->client.timer_ns, next);
    if (sink->plan->turn != NULL)
        next = ps_least(next, sink->turn_ns);
    if (PS_UNLIKELY(sink->witnesses))
        next = remote->now_ns;
    for (unsigned i = 0; i < sink->requests.count; i++)
        next = ps_least(next, answer_due_ns(sink, &slot_of(sink, i)->http));
    return next;
}

static bool awaits(const struct ps_remote_sink *remote)
{
    return ps_remote_requests_in_flight((const struct ps_remote_requests *)remote);
}

static void abandon(struct ps_remote_sink *remote)
{
    struct ps_http_sink *sink = (struct ps_http_sink *)remote;
    for (unsigned i = 0; i < sink->requests.count; i++) {
        struct slot *slot = slot_of(sink, i);
        ps_http_request_cancel(&slot->http, &sink->client);
        slot->request.in_flight &= slot->http.begun_ns > 0; /* the other requests never had a connection */
        slot->is_witness = false;
    }
    ps_http_request_cancel(&sink->greeting, &sink->client);
    for (unsigned i = 0; sink->hosts != NULL && i < sink->host_count; i++)
        sink->hosts[i].in_flight = 0;
    ps_remote_requests_abandon(&sink->requests);
    remote->rest_ns = remote->failures = 0;
    sink->witnesses = sink->witness_failed = false;
}

static const struct ps_remote_sink_calls calls = {
    .serve = serve, .due_ns = due_ns, .awaits = awaits, .abandon = abandon};

void ps_http_sink_close(const void *, void *state)
{
    struct ps_http_sink *sink = state;
    for (unsigned i = 0; i < sink->requests.count; i++) {
        struct slot *slot = slot_of(sink, i);
        ps_http_request_close(&slot->http, &sink->client);
        free(slot->request.results);
        free(slot->body);
    }
    ps_http_request_close(&sink->greeting, &sink->client);
    ps_http_hosts_close(sink);
    ps_http_client_close(&sink->client);
    free(sink->requests.first);
    sink->requests.first = NULL;
    sink->requests.count = 0;
}

/* The requests for witnesses are opened when they are sent for the first time. */
static bool open_slot(struct slot *slot, const struct ps_http_sink_plan *plan, bool is_usual)
{
    slot->request.results = calloc(plan->events_max, sizeof *slot->request.results);
    slot->http.body_max = plan->answer_bytes_max;
    return slot->request.results != NULL && (!is_usual || ps_http_request_open(&slot->http, &plan->settings));
}

enum ps_status ps_http_sink_open(struct ps_http_sink *sink, const struct ps_http_sink_plan *plan,
                                 struct ps_port *port, struct ps_err *err)
{
    *sink = (struct ps_http_sink){.plan = plan,
                                  .requests = {.server = plan->shown,
                                               .repeat_is_harmless = plan->repeat_is_harmless,
                                               .stride = sizeof(struct slot),
                                               .events_max = plan->events_max,
                                               .bytes_max = plan->bytes_max,
                                               .bound = plan->bound,
                                               .bound_of = plan->bound_of}};
    struct ps_remote_requests *requests = &sink->requests;
    sink->judges = plan->events_max == 1 && ps_port_has_deadletter(port) && port->retry_max == 0;
    requests->usual = sink->judges ? plan->requests : 0;
    ps_remote_sink_init(&requests->sink, &calls, port, sink->judges ? LEASES_JUDGED_MAX : LEASES_MAX);
    unsigned hosts = plan->finds_hosts ? HOSTS_FOUND : plan->host_count > 0 ? plan->host_count : 1;
    if (ps_http_client_open(&sink->client, plan->requests * hosts, err) != PS_OK)
        return PS_FAIL;
    unsigned count = plan->requests + (sink->judges ? PS_HTTP_WITNESSES : 0);
    requests->first = calloc(count, sizeof(struct slot));
    bool good = ps_http_hosts_open(sink) && requests->first != NULL;
    while (good && requests->count < count) {
        good = open_slot(slot_of(sink, requests->count), plan, requests->count < plan->requests);
        requests->count++;
    }
    struct epoll_event event = {.events = EPOLLIN};
    if (good &&
        (port->epoll_fd < 0 || epoll_ctl(port->epoll_fd, EPOLL_CTL_ADD, sink->client.poll_fd, &event) == 0))
        return PS_OK;
    ps_http_sink_close(plan, sink);
    return ps_err_set(err, "cannot create an HTTP client: not enough memory or file descriptors");
}
