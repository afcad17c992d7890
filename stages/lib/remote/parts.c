#include "stages/lib/remote/parts.h"

#include "stages/lib/least.h"

#include <stdlib.h>

#define LEASES_MAX 64U
#define BATCH_BYTES_MAX (4U << 20) /* a request of this size gets no more events */
#define REST_NS (50 * PS_NS_PER_MS)

/* ---- making and sending ---- */

struct ps_remote_parts *ps_remote_parts_next(struct ps_remote_requests *requests, bool *is_new)
{
    size_t bytes;
    *is_new = false;
    for (unsigned i = 0; i < requests->count; i++) {
        struct ps_remote_parts *parts = ps_remote_parts_at(requests, i);
        if (!ps_remote_request_is_unsent(&parts->request) || requests->sink.now_ns < parts->rest_ns)
            continue;
        (void)ps_remote_request_send_again(requests, &parts->request);
        return parts;
    }
    struct ps_remote_parts *parts = (struct ps_remote_parts *)ps_remote_requests_next_new(requests, &bytes);
    if (parts == NULL)
        return NULL;
    parts->failures = 0;
    parts->rest_ns = 0;
    parts->count = 0;
    *is_new = true;
    return parts;
}

struct ps_remote_part_outcome *ps_remote_parts_add(struct ps_remote_parts *parts, uint32_t position)
{
    struct ps_remote_part_outcome *outcome = &parts->outcomes[parts->count++];
    *outcome = (struct ps_remote_part_outcome){.position = position};
    return outcome;
}

bool ps_remote_parts_has_left(const struct ps_remote_parts *parts, uint32_t event)
{
    return ps_lease_is_settled(parts->request.range.lease, parts->outcomes[event].position);
}

/* The request rests before it is sent again. */
static void rest(struct ps_remote_parts *parts)
{
    const struct ps_remote_sink *sink = &parts->requests->sink;
    uint64_t rest_ns = REST_NS << (parts->failures < parts->doublings ? parts->failures : parts->doublings);
    parts->failures++;
    parts->rest_ns = sink->now_ns + ps_least(rest_ns, ps_port_rest_ns(sink->port, parts->failures));
}

void ps_remote_parts_failed(struct ps_remote_parts *parts, const char *reason)
{
    struct ps_remote_sink *sink = &parts->requests->sink;
    parts->count = 0;
    rest(parts);
    sink->rest_ns = parts->rest_ns; /* for the report: only this request rests */
    ps_remote_request_ended_with(parts->requests, &parts->request,
                                 (struct ps_remote_result){PS_REMOTE_AGAIN, reason}, false);
    sink->rest_ns = 0;
}

/* ---- results ---- */

void ps_remote_parts_begin(struct ps_remote_parts *parts)
{
    for (uint32_t i = 0; i < parts->count; i++)
        if (parts->outcomes[i].outcome != PS_REMOTE_REFUSED)
            parts->outcomes[i].outcome = PS_REMOTE_DELIVERED;
}

void ps_remote_parts_add_state(struct ps_remote_parts *parts, uint32_t event, enum ps_remote_part_state state,
                               const char *reason)
{
    static const enum ps_remote_outcome outcomes[] = {
        [PS_PART_WAITING] = PS_REMOTE_AGAIN,   [PS_PART_SENT] = PS_REMOTE_AGAIN,
        [PS_PART_AGAIN] = PS_REMOTE_AGAIN,     [PS_PART_DELIVERED] = PS_REMOTE_DELIVERED,
        [PS_PART_UNKNOWN] = PS_REMOTE_UNKNOWN, [PS_PART_REJECTED] = PS_REMOTE_REFUSED};
    static const unsigned rank[] = {
        [PS_REMOTE_DELIVERED] = 0, [PS_REMOTE_AGAIN] = 1, [PS_REMOTE_UNKNOWN] = 2, [PS_REMOTE_REFUSED] = 3};
    struct ps_remote_part_outcome *outcome = &parts->outcomes[event];
    enum ps_remote_outcome what = outcomes[state];
    if (rank[what] <= rank[outcome->outcome])
        return;
    outcome->outcome = what;
    outcome->reason = reason;
}

/* Sets the results of the events that are left, in order. Returns whether all are decided. */
static bool set_results(struct ps_remote_parts *parts)
{
    const struct ps_held_range *range = &parts->request.range;
    uint32_t position = range->from, index = 0, number = 0;
    bool all = true;
    while (ps_held_range_next(range, &position) != NULL) {
        while (parts->outcomes[number].position != position - 1)
            number++;
        const struct ps_remote_part_outcome *outcome = &parts->outcomes[number];
        parts->request.results[index++] = (struct ps_remote_result){outcome->outcome, outcome->reason};
        all &= outcome->outcome == PS_REMOTE_DELIVERED || outcome->outcome == PS_REMOTE_REFUSED;
    }
    return all;
}

void ps_remote_parts_end(struct ps_remote_parts *parts, bool reached)
{
    struct ps_remote_sink *sink = &parts->requests->sink;
    bool all = set_results(parts);
    if (all) {
        parts->failures = 0;
        parts->rest_ns = 0;
    } else {
        rest(parts);
    }
    sink->port->in_part = !all;     /* other servers may take theirs */
    sink->rest_ns = parts->rest_ns; /* for the report: only this request rests */
    ps_remote_request_ended(parts->requests, &parts->request, reached);
    sink->port->in_part = false;
    sink->rest_ns = 0;
}

/* ---- functions of struct ps_remote_sink_calls ---- */

uint64_t ps_remote_parts_due_ns(const struct ps_remote_requests *requests, uint64_t due_ns)
{
    const struct ps_remote_sink *sink = &requests->sink;
    bool has_place = false;
    if (ps_remote_requests_have_letters(requests))
        due_ns = ps_least(due_ns, sink->now_ns + PS_DEADLETTER_LOOK_NS);
    for (unsigned i = 0; i < requests->count; i++) {
        const struct ps_remote_parts *parts = ps_remote_parts_at(requests, i);
        has_place |= parts->request.range.count == 0;
        if (ps_remote_request_is_unsent(&parts->request))
            due_ns = ps_least(due_ns, parts->rest_ns > sink->now_ns ? parts->rest_ns : sink->now_ns);
    }
    return has_place && sink->held.next != NULL ? sink->now_ns : due_ns;
}

void ps_remote_parts_abandon(struct ps_remote_requests *requests)
{
    for (unsigned i = 0; i < requests->count; i++) {
        ps_remote_parts_at(requests, i)->count = 0;
        ps_remote_parts_at(requests, i)->rest_ns = 0;
    }
    ps_remote_requests_abandon(requests);
    requests->sink.rest_ns = requests->sink.failures = 0;
}

/* ---- set-up ---- */

/* Every event has some parts beside its body: keys, names of columns. */
static size_t bound(const struct ps_batch *, const struct ps_event *event)
{
    return 256 + (size_t)event->body_length;
}

enum ps_status ps_remote_parts_init(struct ps_remote_requests *requests,
                                    const struct ps_remote_parts_settings *settings, struct ps_port *port,
                                    struct ps_err *err)
{
    *requests = (struct ps_remote_requests){.server = settings->server,
                                            .stride = settings->stride,
                                            .events_max = settings->batch_size < PS_BATCH_EVENTS_MAX
                                                              ? (uint32_t)settings->batch_size
                                                              : PS_BATCH_EVENTS_MAX,
                                            .bytes_max = BATCH_BYTES_MAX,
                                            .bound = bound};
    ps_remote_sink_init(&requests->sink, settings->calls, port, LEASES_MAX);
    requests->first = calloc(settings->requests, settings->stride);
    bool good = requests->first != NULL;
    while (good && requests->count < settings->requests) {
        struct ps_remote_parts *parts = ps_remote_parts_at(requests, requests->count++);
        parts->requests = requests;
        parts->doublings = settings->doublings;
        parts->outcomes = calloc(requests->events_max, sizeof *parts->outcomes);
        parts->request.results = calloc(requests->events_max, sizeof *parts->request.results);
        good = parts->outcomes != NULL && parts->request.results != NULL;
    }
    return good ? PS_OK : ps_err_set(err, "no memory");
}

void ps_remote_parts_fini(struct ps_remote_requests *requests)
{
    for (unsigned i = 0; i < requests->count; i++) {
        free(ps_remote_parts_at(requests, i)->outcomes);
        free(ps_remote_parts_at(requests, i)->request.results);
    }
    free(requests->first);
    requests->first = NULL;
    requests->count = 0;
}
