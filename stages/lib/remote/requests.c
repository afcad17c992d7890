#include "stages/lib/remote/requests.h"

#include "core/quantity.h"
#include "stages/lib/least.h"

#include <stdio.h>
#include <string.h>

enum ps_remote_fate ps_remote_fate_of(enum ps_remote_outcome outcome, uint32_t attempts,
                                      const struct ps_port *port)
{
    bool exhausted = port->retry_max > 0 && attempts >= port->retry_max;
    switch (outcome) {
    case PS_REMOTE_DELIVERED:
        return PS_REMOTE_SETTLE;
    case PS_REMOTE_REFUSED:
        return ps_port_has_deadletter(port) ? PS_REMOTE_DEAD_LETTER : PS_REMOTE_DROP;
    case PS_REMOTE_AGAIN:
    case PS_REMOTE_UNKNOWN:
        break;
    }
    return exhausted && ps_port_has_deadletter(port) ? PS_REMOTE_DEAD_LETTER : PS_REMOTE_REPEAT;
}

/* ---- sending ---- */

static size_t event_bound(const struct ps_remote_requests *requests, const struct ps_batch *batch,
                          const struct ps_event *event)
{
    return requests->bound_of != NULL ? requests->bound_of(requests, batch, event)
                                      : requests->bound(batch, event);
}

/* Cuts the events of a new request, and settles events that have nothing to send. Returns an upper bound of
 * the request's bytes. */
static size_t cut(struct ps_remote_requests *requests, struct ps_held_range *range)
{
    struct ps_held *held = &requests->sink.held;
    const struct ps_event *event;
    size_t bytes = 0;
    while (range->count < requests->events_max && bytes < requests->bytes_max &&
           (event = ps_held_next(held, range)) != NULL) {
        size_t more = event_bound(requests, held->next->batch, event);
        if (more == 0) {
            ps_held_settle_next(held);
            continue;
        }
        bytes += more;
        ps_held_cut(held, range);
    }
    return bytes;
}

static size_t bound_of(const struct ps_remote_requests *requests, const struct ps_held_range *range)
{
    size_t bytes = 0;
    uint32_t position = range->from;
    const struct ps_event *event;
    while ((event = ps_held_range_next(range, &position)) != NULL)
        bytes += event_bound(requests, range->lease->batch, event);
    return bytes;
}

/* Returns whether requests may be sent. */
static bool may_send(struct ps_remote_requests *requests)
{
    if (ps_remote_sink_rests(&requests->sink))
        return false;
    if (!requests->waits)
        return true;
    for (unsigned i = 0; i < requests->count; i++) {
        const struct ps_remote_request *request = ps_remote_request_at(requests, i);
        if (request->in_flight || request->has_letters)
            return false;
    }
    requests->waits = false;
    requests->rounds++;
    return true;
}

/* Returns whether ps_remote_requests_next may send one more request: a new one, or one again. */
static bool has_place(const struct ps_remote_requests *requests, bool is_new)
{
    unsigned in_flight = 0, used = 0;
    for (unsigned i = 0; requests->usual > 0 && i < requests->count; i++) {
        const struct ps_remote_request *request = ps_remote_request_at(requests, i);
        used += request->range.count > 0;
        in_flight += request->in_flight;
    }
    return requests->usual == 0 || (is_new ? used : in_flight) < requests->usual;
}

size_t ps_remote_request_send_again(struct ps_remote_requests *requests, struct ps_remote_request *request)
{
    if (!requests->one_result) /* with one result, attempts are counted only when the lease is taken */
        ps_count(requests->sink.port->counters, PS_COUNTER_EventDrainAttemptCount, request->range.count);
    request->in_flight = true;
    return bound_of(requests, &request->range);
}

struct ps_remote_request *ps_remote_requests_next_new(struct ps_remote_requests *requests, size_t *bytes)
{
    struct ps_remote_request *unused = NULL;
    for (unsigned i = 0; i < requests->count && unused == NULL; i++) {
        struct ps_remote_request *request = ps_remote_request_at(requests, i);
        if (request->range.count == 0)
            unused = request;
    }
    if (unused == NULL)
        return NULL;
    *bytes = cut(requests, &unused->range);
    if (unused->range.count == 0)
        return NULL;
    unused->attempts = unused->part = 0;
    unused->refused = unused->asks = false;
    unused->number = requests->numbers++;
    unused->in_flight = true;
    return unused;
}

struct ps_remote_request *ps_remote_requests_oldest_unsent(const struct ps_remote_requests *requests)
{
    struct ps_remote_request *oldest = NULL;
    for (unsigned i = 0; i < requests->count; i++) {
        struct ps_remote_request *request = ps_remote_request_at(requests, i);
        if (ps_remote_request_is_unsent(request) && (oldest == NULL || request->number < oldest->number))
            oldest = request;
    }
    return oldest;
}

struct ps_remote_request *ps_remote_requests_next(struct ps_remote_requests *requests, size_t *bytes)
{
    if (!may_send(requests))
        return NULL;
    struct ps_remote_request *unsent = ps_remote_requests_oldest_unsent(requests);
    if (!has_place(requests, unsent == NULL))
        return NULL;
    if (unsent == NULL)
        return ps_remote_requests_next_new(requests, bytes);
    *bytes = ps_remote_request_send_again(requests, unsent);
    return unsent;
}

/* ---- results ---- */

static struct ps_remote_result *result_of(const struct ps_remote_requests *requests,
                                          const struct ps_remote_request *request, uint32_t index)
{
    return &request->results[requests->one_result ? 0 : index];
}

static bool is_oldest(const struct ps_remote_requests *requests, const struct ps_remote_request *request)
{
    for (unsigned i = 0; i < requests->count; i++) {
        const struct ps_remote_request *other = ps_remote_request_at(requests, i);
        if (other->range.count > 0 && other->number < request->number)
            return false;
    }
    return true;
}

static void set_reason(const struct ps_remote_requests *requests, struct ps_remote_request *request,
                       const struct ps_remote_result *result)
{
    snprintf(request->reason, sizeof request->reason, "%s: %s", requests->server, result->reason);
}

static void report_repeat(struct ps_remote_requests *requests, struct ps_remote_request *request,
                          const struct ps_remote_result *result)
{
    struct ps_remote_sink *sink = &requests->sink;
    struct ps_err err = {.length = 0};
    set_reason(requests, request, result);
    ps_err_set(&err, "%s", request->reason);
    ps_port_tries_again(sink->port, &err, ps_remote_sink_rests(sink) ? sink->rest_ns - sink->now_ns : 0);
}

static void count(const struct ps_remote_requests *requests, const struct ps_remote_request *request,
                  enum ps_remote_outcome outcome, bool reached)
{
    struct ps_counters *counters = requests->sink.port->counters;
    bool unknown = outcome == PS_REMOTE_UNKNOWN, waits = outcome == PS_REMOTE_AGAIN && !request->goes_on;
    ps_count(counters, PS_COUNTER_duplicated, unknown && reached && !requests->repeat_is_harmless);
    if (requests->one_result) /* the answer says nothing about a single event */
        return;
    ps_count(counters, PS_COUNTER_EventWriteFail, unknown);
    ps_count(counters, PS_COUNTER_refused, (waits || outcome == PS_REMOTE_REFUSED) && !request->refused);
}

/* Returns whether the request was sent with the event of this index. */
static bool is_sent(const struct ps_remote_request *request, uint32_t index)
{
    return request->part == 0 || index < request->part;
}

void ps_remote_request_ended(struct ps_remote_requests *requests, struct ps_remote_request *request,
                             bool reached)
{
    struct ps_port *port = requests->sink.port;
    struct ps_held_range *range = &request->range;
    const struct ps_remote_result *repeated = NULL;
    uint32_t index = 0, kept = 0, position = range->from;
    bool answered = false, reports = !requests->waits &&
                                     !request->goes_on; /* requests that wait for each other share a report */
    request->in_flight = false;
    reached = reached && !request->goes_on;
    request->attempts += reached && (!requests->ordered || is_oldest(requests, request));
    for (; is_sent(request, index) && ps_held_range_next(range, &position) != NULL; index++) {
        struct ps_remote_result *result = result_of(requests, request, index);
        enum ps_remote_fate fate = ps_remote_fate_of(result->outcome, request->attempts, port);
        count(requests, request, result->outcome, reached);
        answered |= result->outcome != PS_REMOTE_UNKNOWN;
        if (fate == PS_REMOTE_DROP) {
            set_reason(requests, request, result);
            ps_log(PS_LOG_WARN, port->component,
                   "%s; the event is dropped, because penstock.deadletter is not set", request->reason);
        }
        if (fate == PS_REMOTE_SETTLE || fate == PS_REMOTE_DROP) {
            ps_lease_settle(range->lease, position - 1);
            continue;
        }
        request->has_letters |= fate == PS_REMOTE_DEAD_LETTER;
        ps_count(port->counters, PS_COUNTER_retried, fate == PS_REMOTE_REPEAT && !request->goes_on);
        struct ps_remote_result *kept_result = result_of(requests, request, kept++);
        *kept_result = *result;
        if (fate == PS_REMOTE_REPEAT && repeated == NULL)
            repeated = kept_result;
    }
    uint32_t left = range->count - (index - kept);
    if (!requests->one_result && request->part > 0)
        request->part = kept;
    if (kept == 0 && left > 0) /* a part is delivered: the others begin again */
        request->attempts = 0;
    request->refused |= answered && !request->goes_on;
    request->goes_on = false;
    requests->waits |= requests->ordered && left > 0;
    if (repeated != NULL && reports)
        report_repeat(requests, request, repeated);
    request->position = range->from;
    request->index = 0;
    ps_held_settled(&requests->sink.held, range, index - kept);
}

void ps_remote_request_ended_with(struct ps_remote_requests *requests, struct ps_remote_request *request,
                                  struct ps_remote_result result, bool reached)
{
    for (uint32_t i = 0; i < request->range.count; i++)
        *result_of(requests, request, i) = result;
    ps_remote_request_ended(requests, request, reached);
}

void ps_remote_requests_lost(struct ps_remote_requests *requests, const char *reason,
                             const struct ps_remote_request *unsent)
{
    requests->waits = false;
    for (;;) {
        struct ps_remote_request *oldest = NULL;
        for (unsigned i = 0; i < requests->count; i++) {
            struct ps_remote_request *request = ps_remote_request_at(requests, i);
            if (request->in_flight && (oldest == NULL || request->number < oldest->number))
                oldest = request;
        }
        if (oldest == NULL)
            return;
        ps_remote_request_ended_with(requests, oldest, (struct ps_remote_result){PS_REMOTE_UNKNOWN, reason},
                                     oldest != unsent);
    }
}

/* ---- dead letters ---- */

static const char *letter_of(const struct ps_remote_result *result)
{
    return result->outcome == PS_REMOTE_REFUSED ? "request-refused" : "attempts-exhausted";
}

static bool is_letter(const struct ps_remote_requests *requests, const struct ps_remote_request *request,
                      const struct ps_remote_result *result)
{
    return ps_remote_fate_of(result->outcome, request->attempts, requests->sink.port) ==
           PS_REMOTE_DEAD_LETTER;
}

/* Begins to write the next events that become letters for the same reason; only one event while other
 * requests write letters. Returns false if no event is left. */
static bool begin_letters(struct ps_remote_requests *requests, struct ps_remote_request *request)
{
    const struct ps_held_range *range = &request->range;
    const struct ps_remote_result *first = NULL;
    uint32_t from = 0, position = request->position;
    for (request->letter_count = 0;
         is_sent(request, request->index) && ps_held_range_next(range, &position) != NULL; request->index++) {
        const struct ps_remote_result *result = result_of(requests, request, request->index);
        bool is_one = is_letter(requests, request, result);
        if (first == NULL && is_one) {
            first = result;
            from = position - 1;
        } else if (first != NULL && (!is_one || requests->writers > 0 || result->outcome != first->outcome ||
                                     strcmp(result->reason, first->reason) != 0)) {
            break;
        }
        request->position = position;
        request->letter_count += first != NULL;
    }
    if (first == NULL)
        return false;
    set_reason(requests, request, first);
    requests->writers++;
    requests->run = request->letter_count > 1;
    ps_log(PS_LOG_WARN, requests->sink.port->component, "%s%s to the dead letters: %s (%s)",
           request->letter_count > 1 ? ps_quantity_print_count(request->letter_count).text : "",
           request->letter_count > 1 ? " events go" : "an event goes", letter_of(first), request->reason);
    ps_deadletter_pending_begin(&request->letters, range->lease, from, request->position);
    return true;
}

static void write_letters(struct ps_remote_requests *requests, struct ps_remote_request *request)
{
    for (;;) {
        bool has_begun = ps_deadletter_pending_has_begun(&request->letters);
        if (!has_begun && requests->run)
            return;
        if (!has_begun && !begin_letters(requests, request)) {
            request->has_letters = false;
            request->part = request->attempts = 0; /* of the events that are left */
            if (requests->ordered)                 /* the next events are not the cause of the failure */
                requests->sink.failures = requests->sink.rest_ns = 0;
            return;
        }
        const struct ps_remote_result *last = result_of(requests, request, request->index - 1);
        const struct ps_dead_letter_reason reason = {letter_of(last), request->reason, request->attempts};
        if (!ps_deadletter_pending_work(&request->letters, requests->sink.port, &reason))
            return;
        requests->writers--;
        requests->run = false;
        ps_held_settled(&requests->sink.held, &request->range, request->letter_count);
    }
}

/* ---- the sink's functions ---- */

void ps_remote_requests_work(struct ps_remote_requests *requests)
{
    for (unsigned i = 0; i < requests->count; i++) {
        struct ps_remote_request *request = ps_remote_request_at(requests, i);
        if (PS_UNLIKELY(request->has_letters))
            write_letters(requests, request);
    }
}

bool ps_remote_requests_have_letters(const struct ps_remote_requests *requests)
{
    bool have = false;
    for (unsigned i = 0; i < requests->count; i++)
        have |= ps_remote_request_at(requests, i)->has_letters;
    return have;
}

uint64_t ps_remote_requests_due_ns(const struct ps_remote_requests *requests)
{
    const struct ps_remote_sink *sink = &requests->sink;
    bool can_send = false, letters = ps_remote_requests_have_letters(requests);
    uint64_t due_ns = letters ? sink->now_ns + PS_DEADLETTER_LOOK_NS : PS_NEVER;
    if (letters && requests->ordered)
        return due_ns;
    for (unsigned i = 0; i < requests->count; i++) {
        const struct ps_remote_request *request = ps_remote_request_at(requests, i);
        can_send |= (ps_remote_request_is_unsent(request) && has_place(requests, false)) ||
                    (request->range.count == 0 && sink->held.next != NULL && has_place(requests, true));
    }
    if (can_send)
        due_ns = ps_least(due_ns, ps_remote_sink_rests(sink) ? sink->rest_ns : sink->now_ns);
    return due_ns;
}

bool ps_remote_requests_in_flight(const struct ps_remote_requests *requests)
{
    bool in_flight = false;
    for (unsigned i = 0; i < requests->count; i++)
        in_flight |= ps_remote_request_at(requests, i)->in_flight;
    return in_flight;
}

void ps_remote_requests_abandon(struct ps_remote_requests *requests)
{
    for (unsigned i = 0; i < requests->count; i++) {
        struct ps_remote_request *request = ps_remote_request_at(requests, i);
        struct ps_remote_result *results = request->results;
        ps_deadletter_pending_stop(&request->letters, requests->sink.port);
        if (request->in_flight && !requests->repeat_is_harmless)
            ps_count(requests->sink.port->counters, PS_COUNTER_duplicated, request->range.count);
        *request = (struct ps_remote_request){.results = results};
    }
    requests->writers = 0;
    requests->run = requests->waits = false;
}
