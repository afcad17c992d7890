/* Implements sink.h. */
#include "stages/lib/kudu/sink/sink.h"

#include "stages/lib/least.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEASES_MAX 64U
#define BATCH_BYTES_MAX (4U << 20) /* a request of this size gets no more events */
#define REST_NS (50 * PS_NS_PER_MS)
#define REASONS_KEPT 4096U
#define REQUESTS 16U /* of inserts: their order does not matter */

/* What became of an event. */
struct outcome {
    enum ps_remote_outcome outcome;
    const char *reason;
    uint32_t position; /* in the lease */
};

struct slot {
    struct ps_remote_request request; /* must be first (stages/lib/remote/requests.h) */
    struct ps_kudu_batch batch;
    struct ps_kudu_sink *state;
    struct outcome *outcomes; /* of the events with which the rows were made, in order */
    uint32_t count;           /* of events; 0: rows are made when the table is open */
    bool is_made;
    struct ps_byte_buffer reasons; /* why events make no rows, each with a NUL */
    unsigned failures;             /* in a row */
    uint64_t rest_ns;              /* it is not sent again before */
};

static struct slot *slot_of(const struct ps_kudu_sink *state, unsigned number)
{
    return (struct slot *)ps_remote_request_at(&state->requests, number);
}

/* ---- making ---- */

/* Keeps the reason of an event. The text moves when more come: outcomes have its place until all are made. */
static bool keep_reason(struct slot *slot, struct outcome *outcome, const char *reason, size_t *at)
{
    *at = slot->reasons.length;
    outcome->outcome = PS_REMOTE_REFUSED;
    return ps_byte_buffer_append(&slot->reasons, reason, strlen(reason) + 1);
}

/* Makes the rows of all events, for the table that the batch has. Returns false if that is not possible now: writer.reason. */
static bool make(struct ps_kudu_sink *state, struct slot *slot)
{
    const struct ps_held_range *range = &slot->request.range;
    uint32_t position = range->from;
    size_t at;
    slot->count = 0;
    ps_byte_buffer_clear(&slot->reasons, REASONS_KEPT);
    while (ps_held_range_next(range, &position) != NULL) {
        struct outcome *outcome = &slot->outcomes[slot->count];
        *outcome = (struct outcome){.position = position - 1};
        enum ps_kudu_added added =
            ps_kudu_produce(&state->writer, &slot->batch, slot->count, range->lease, position - 1);
        if (added == PS_KUDU_LATER)
            return false;
        if (added == PS_KUDU_UNWRITABLE && !keep_reason(slot, outcome, state->writer.reason, &at))
            return false;
        slot->count++;
    }
    const char *reason = slot->reasons.data;
    for (uint32_t i = 0; i < slot->count; i++) {
        if (slot->outcomes[i].outcome != PS_REMOTE_REFUSED)
            continue;
        slot->outcomes[i].reason = reason;
        reason += strlen(reason) + 1;
    }
    slot->is_made = true;
    return true;
}

/* Rows of events that are no longer in the request (dead letters) are not sent again. */
static void leave_out(struct slot *slot)
{
    const struct ps_held_range *range = &slot->request.range;
    for (uint32_t i = 0; i < slot->batch.count; i++) {
        struct ps_kudu_row *row = &slot->batch.rows[i];
        if (ps_lease_is_settled(range->lease, slot->outcomes[row->event].position))
            row->state = PS_KUDU_DELIVERED;
    }
}

/* ---- results ---- */

static void worsen(struct outcome *outcome, enum ps_remote_outcome what, const char *reason)
{
    static const unsigned rank[] = {
        [PS_REMOTE_DELIVERED] = 0, [PS_REMOTE_AGAIN] = 1, [PS_REMOTE_UNKNOWN] = 2, [PS_REMOTE_REFUSED] = 3};
    if (rank[what] <= rank[outcome->outcome])
        return;
    outcome->outcome = what;
    outcome->reason = reason;
}

static enum ps_remote_outcome outcome_of(enum ps_kudu_state state)
{
    switch (state) {
    case PS_KUDU_DELIVERED:
        return PS_REMOTE_DELIVERED;
    case PS_KUDU_REJECTED:
        return PS_REMOTE_REFUSED;
    case PS_KUDU_UNKNOWN:
        return PS_REMOTE_UNKNOWN;
    case PS_KUDU_WAITING:
    case PS_KUDU_SENT:
    case PS_KUDU_AGAIN:
        break;
    }
    return PS_REMOTE_AGAIN;
}

static void collect(struct slot *slot)
{
    const struct ps_kudu_batch *batch = &slot->batch;
    for (uint32_t i = 0; i < slot->count; i++)
        if (slot->outcomes[i].outcome != PS_REMOTE_REFUSED)
            slot->outcomes[i].outcome = PS_REMOTE_DELIVERED;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct ps_kudu_row *row = &batch->rows[i];
        enum ps_remote_outcome what = outcome_of(row->state);
        if (what != PS_REMOTE_DELIVERED)
            worsen(&slot->outcomes[row->event], what, batch->reasons[row->reason]);
    }
}

/* Sets the results of the events that are left, in order. */
static bool set_results(struct slot *slot)
{
    const struct ps_held_range *range = &slot->request.range;
    uint32_t position = range->from, index = 0, number = 0;
    bool all = true;
    while (ps_held_range_next(range, &position) != NULL) {
        while (slot->outcomes[number].position != position - 1)
            number++;
        const struct outcome *outcome = &slot->outcomes[number];
        slot->request.results[index++] = (struct ps_remote_result){outcome->outcome, outcome->reason};
        all &= outcome->outcome == PS_REMOTE_DELIVERED || outcome->outcome == PS_REMOTE_REFUSED;
    }
    return all;
}

/* The request rests before it is sent again. */
static void rest(struct slot *slot)
{
    struct ps_remote_sink *sink = &slot->state->requests.sink;
    uint64_t rest_ns = REST_NS << (slot->failures < 4 ? slot->failures : 4);
    slot->failures++;
    slot->rest_ns = sink->now_ns + ps_least(rest_ns, ps_port_rest_ns(sink->port, slot->failures));
}

/* No row could be made. */
static void end_unmade(struct slot *slot, const char *reason)
{
    struct ps_kudu_sink *state = slot->state;
    struct ps_remote_sink *sink = &state->requests.sink;
    slot->is_made = false;
    rest(slot);
    sink->rest_ns = slot->rest_ns; /* for the report: only this request rests */
    ps_remote_request_ended_with(&state->requests, &slot->request,
                                 (struct ps_remote_result){PS_REMOTE_AGAIN, reason}, false);
    sink->rest_ns = 0;
}

static void done(struct ps_kudu_batch *batch)
{
    struct slot *slot = batch->owner;
    struct ps_kudu_sink *state = slot->state;
    struct ps_remote_sink *sink = &state->requests.sink;
    if (!slot->is_made) { /* it waited for the table */
        if (batch->is_refused)
            end_unmade(slot, batch->reasons[0]);
        else if (make(state, slot))
            ps_kudu_client_submit(state->client, batch);
        else {
            ps_kudu_client_refresh(state->client);
            end_unmade(slot, state->writer.reason);
        }
        return;
    }
    collect(slot);
    bool all = set_results(slot);
    if (all) {
        slot->failures = 0;
        slot->rest_ns = 0;
    } else {
        rest(slot);
    }
    sink->port->in_part = !all;    /* other servers may take theirs */
    sink->rest_ns = slot->rest_ns; /* for the report: only this request rests */
    ps_remote_request_ended(&state->requests, &slot->request, batch->reached);
    sink->port->in_part = false;
    sink->rest_ns = 0;
}

/* ---- sending ---- */

static void send_one(struct ps_kudu_sink *state, struct slot *slot, bool is_new)
{
    if (is_new) {
        slot->failures = 0;
        slot->rest_ns = 0;
    }
    if (is_new || !slot->is_made || !ps_kudu_client_fits(state->client, &slot->batch)) {
        slot->is_made = false;
        slot->count = 0;
        ps_kudu_batch_clear(&slot->batch);
    } else {
        leave_out(slot);
    }
    ps_kudu_client_submit(state->client, &slot->batch);
}

static void send_some(struct ps_kudu_sink *state)
{
    uint64_t now_ns = state->requests.sink.now_ns;
    struct slot *slot;
    size_t bytes;
    for (unsigned i = 0; i < state->requests.count; i++) {
        slot = slot_of(state, i);
        if (!ps_remote_request_is_unsent(&slot->request) || now_ns < slot->rest_ns)
            continue;
        (void)ps_remote_request_send_again(&state->requests, &slot->request);
        send_one(state, slot, false);
    }
    while ((slot = (struct slot *)ps_remote_requests_next_new(&state->requests, &bytes)) != NULL)
        send_one(state, slot, true);
}

static void count(struct ps_kudu_sink *state)
{
    struct ps_counters *counters = state->requests.sink.port->counters;
    const struct ps_kudu_client_counts *now = ps_kudu_client_counts(state->client);
    struct ps_kudu_client_counts *then = &state->counted;
    ps_count(counters, PS_COUNTER_extra + PS_KUDU_COUNTER_UNMATCHED, state->writer.unmatched);
    ps_count(counters, PS_COUNTER_extra + PS_KUDU_COUNTER_SKIPPED, state->writer.skipped);
    ps_count(counters, PS_COUNTER_extra + PS_KUDU_COUNTER_DUPLICATES, now->duplicates - then->duplicates);
    ps_count(counters, PS_COUNTER_extra + PS_KUDU_COUNTER_LOOKUPS, now->lookups - then->lookups);
    ps_count(counters, PS_COUNTER_extra + PS_KUDU_COUNTER_RELOCATED, now->relocated - then->relocated);
    ps_count(counters, PS_COUNTER_extra + PS_KUDU_COUNTER_OVERLOADED, now->overloaded - then->overloaded);
    state->writer.unmatched = state->writer.skipped = 0;
    *then = *now;
}

static void serve(struct ps_remote_sink *sink, bool sends)
{
    struct ps_kudu_sink *state = (struct ps_kudu_sink *)sink;
    struct ps_now now = ps_clock_now();
    now.mono_ns = sink->now_ns;
    state->writer.now_ns = sink->now_ns;
    state->due_ns = ps_kudu_client_turn(state->client, &now);
    ps_remote_requests_work(&state->requests);
    if (sends) {
        send_some(state);
        state->due_ns = ps_kudu_client_turn(state->client, &now);
    }
    count(state);
}

/* ---- the stage ---- */

static uint64_t due_ns(const struct ps_remote_sink *sink)
{
    const struct ps_kudu_sink *state = (const struct ps_kudu_sink *)sink;
    uint64_t due = state->due_ns;
    bool has_place = false;
    if (ps_remote_requests_have_letters(&state->requests))
        due = ps_least(due, sink->now_ns + PS_DEADLETTER_LOOK_NS);
    for (unsigned i = 0; i < state->requests.count; i++) {
        const struct slot *slot = slot_of(state, i);
        has_place |= slot->request.range.count == 0;
        if (ps_remote_request_is_unsent(&slot->request))
            due = ps_least(due, slot->rest_ns > sink->now_ns ? slot->rest_ns : sink->now_ns);
    }
    return has_place && sink->held.next != NULL ? sink->now_ns : due;
}

static bool awaits(const struct ps_remote_sink *sink)
{
    return ps_remote_requests_in_flight((const struct ps_remote_requests *)sink);
}

static void abandon(struct ps_remote_sink *sink)
{
    struct ps_kudu_sink *state = (struct ps_kudu_sink *)sink;
    for (unsigned i = 0; i < state->requests.count; i++) {
        struct slot *slot = slot_of(state, i);
        ps_kudu_client_withdraw(state->client, &slot->batch);
        ps_kudu_batch_clear(&slot->batch);
        slot->is_made = false;
        slot->count = 0;
        slot->rest_ns = 0;
    }
    ps_remote_requests_abandon(&state->requests);
    sink->rest_ns = sink->failures = 0;
}

static const struct ps_remote_sink_calls calls = {
    .serve = serve, .due_ns = due_ns, .awaits = awaits, .abandon = abandon};

static size_t bound(const struct ps_batch *, const struct ps_event *event)
{
    return 256 + (size_t)event->body_length;
}

/* The last one of several upserts of a key counts, so that upserts keep their order: one request after the other. */
static unsigned request_count(const struct ps_kudu_plan *plan)
{
    if (plan->requests > 0)
        return (unsigned)plan->requests;
    return plan->producer.operation == PS_KUDU_INSERT ? REQUESTS : 1;
}

static bool open_slot(struct ps_kudu_sink *state, struct slot *slot)
{
    slot->state = state;
    slot->batch.owner = slot;
    ps_kudu_client_know(state->client, &slot->batch);
    slot->outcomes = calloc(state->requests.events_max, sizeof *slot->outcomes);
    slot->request.results = calloc(state->requests.events_max, sizeof *slot->request.results);
    return slot->outcomes != NULL && slot->request.results != NULL;
}

void ps_kudu_sink_close(const void *, void *state_)
{
    struct ps_kudu_sink *state = state_;
    ps_kudu_client_close(state->client);
    state->client = NULL;
    for (unsigned i = 0; state->requests.first != NULL && i < state->requests.count; i++) {
        struct slot *slot = slot_of(state, i);
        ps_kudu_batch_free(&slot->batch);
        ps_byte_buffer_clear(&slot->reasons, 0);
        free(slot->outcomes);
        free(slot->request.results);
    }
    ps_kudu_writer_close(&state->writer);
    free(state->requests.first);
    state->requests.first = NULL;
    state->requests.count = 0;
}

enum ps_status ps_kudu_sink_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct ps_kudu_plan *plan = plan_;
    struct ps_kudu_sink *state = state_;
    struct ps_remote_requests *requests = &state->requests;
    uint32_t events =
        plan->batch_size < PS_BATCH_EVENTS_MAX ? (uint32_t)plan->batch_size : PS_BATCH_EVENTS_MAX;
    *state = (struct ps_kudu_sink){.plan = plan,
                                   .requests = {.server = plan->server,
                                                .stride = sizeof(struct slot),
                                                .events_max = events,
                                                .bytes_max = BATCH_BYTES_MAX,
                                                .bound = bound},
                                   .writer = {.producer = &plan->producer, .port = port}};
    unsigned number = request_count(plan);
    ps_remote_sink_init(&requests->sink, &calls, port, LEASES_MAX);
    struct ps_kudu_client_settings client = plan->client;
    client.port = port;
    client.done = done;
    if (ps_kudu_client_open(&state->client, &client, err) != PS_OK)
        return PS_FAIL;
    requests->first = calloc(number, sizeof(struct slot));
    bool good = requests->first != NULL && ps_kudu_writer_open(&state->writer);
    while (good && requests->count < number)
        good = open_slot(state, slot_of(state, requests->count++));
    if (good)
        return PS_OK;
    ps_kudu_sink_close(plan, state);
    return ps_err_set(err, "no memory");
}

static enum ps_result work(const void *plan, void *state, struct ps_lease **lease, const struct ps_now *now)
{
    return ps_remote_sink_ops.work(plan, state, lease, now);
}

static uint64_t tick(const void *plan, void *state, const struct ps_now *now)
{
    return ps_remote_sink_ops.tick(plan, state, now);
}

static bool recall(const void *plan, void *state, struct ps_lease **back, const struct ps_now *now)
{
    return ps_remote_sink_ops.recall(plan, state, back, now);
}

static bool drain(const void *plan, void *state, const struct ps_now *now)
{
    return ps_remote_sink_ops.drain(plan, state, now);
}

const struct ps_sink_ops ps_kudu_sink_ops = {
    .sockets = true, .work = work, .tick = tick, .recall = recall, .drain = drain};
