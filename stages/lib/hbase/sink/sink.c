/* Implements sink.h. */
#include "stages/lib/hbase/sink/sink.h"

#include "stages/lib/least.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEASES_MAX 64U
#define BATCH_BYTES_MAX (4U << 20) /* a request of this size gets no more events */
#define REST_NS (50 * PS_NS_PER_MS)

/* What became of an event. */
struct outcome {
    enum ps_remote_outcome outcome;
    const char *reason;
    uint32_t position; /* in the lease */
};

struct slot {
    struct ps_remote_request request; /* must be first (stages/lib/remote/requests.h) */
    struct ps_hbase_batch batch;
    struct ps_hbase_sink *state;
    struct outcome *outcomes; /* of the events with which the request was made, in order */
    uint32_t count;
    unsigned failures; /* in a row */
    uint64_t rest_ns;  /* it is not sent again before */
};

static struct slot *slot_of(const struct ps_hbase_sink *state, unsigned number)
{
    return (struct slot *)ps_remote_request_at(&state->requests, number);
}

/* ---- making ---- */

/* Makes the mutations of all events. Returns false if there is no memory. */
static bool make(struct ps_hbase_sink *state, struct slot *slot)
{
    const struct ps_held_range *range = &slot->request.range;
    uint32_t position = range->from;
    uint64_t increments = 0;
    ps_hbase_batch_clear(&slot->batch);
    slot->count = 0;
    while (ps_held_range_next(range, &position) != NULL) {
        struct outcome *outcome = &slot->outcomes[slot->count];
        *outcome = (struct outcome){.position = position - 1};
        switch (ps_hbase_write(&state->writer, &slot->batch, slot->count, range->lease, position - 1,
                               &increments, &outcome->reason)) {
        case PS_HBASE_WRITTEN:
            break;
        case PS_HBASE_UNWRITABLE:
            outcome->outcome = PS_REMOTE_REFUSED;
            break;
        case PS_HBASE_NO_MEMORY:
            return false;
        }
        slot->count++;
    }
    return ps_hbase_write_increments(&state->writer, &slot->batch, increments);
}

/* Mutations of events that are no longer in the request (dead letters) are not sent again. */
static void leave_out(struct slot *slot)
{
    const struct ps_held_range *range = &slot->request.range;
    for (uint32_t i = 0; i < slot->batch.count; i++) {
        struct ps_hbase_mutation *mutation = &slot->batch.mutations[i];
        if (mutation->event != PS_HBASE_EVERY_EVENT &&
            ps_lease_is_settled(range->lease, slot->outcomes[mutation->event].position))
            mutation->state = PS_HBASE_DELIVERED;
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

static enum ps_remote_outcome outcome_of(enum ps_hbase_state state)
{
    switch (state) {
    case PS_HBASE_DELIVERED:
        return PS_REMOTE_DELIVERED;
    case PS_HBASE_REJECTED:
        return PS_REMOTE_REFUSED;
    case PS_HBASE_UNKNOWN:
        return PS_REMOTE_UNKNOWN;
    case PS_HBASE_WAITING:
    case PS_HBASE_SENT:
    case PS_HBASE_AGAIN:
        break;
    }
    return PS_REMOTE_AGAIN;
}

static void collect(struct slot *slot)
{
    const struct ps_hbase_batch *batch = &slot->batch;
    for (uint32_t i = 0; i < slot->count; i++)
        if (slot->outcomes[i].outcome != PS_REMOTE_REFUSED)
            slot->outcomes[i].outcome = PS_REMOTE_DELIVERED;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct ps_hbase_mutation *mutation = &batch->mutations[i];
        enum ps_remote_outcome what = outcome_of(mutation->state);
        bool every = mutation->event == PS_HBASE_EVERY_EVENT;
        for (uint32_t k = every ? 0 : mutation->event; what != PS_REMOTE_DELIVERED && k < slot->count; k++) {
            worsen(&slot->outcomes[k], what, batch->reasons[mutation->reason]);
            if (!every)
                break;
        }
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

static void done(struct ps_hbase_batch *batch)
{
    struct slot *slot = batch->owner;
    struct ps_hbase_sink *state = slot->state;
    struct ps_remote_sink *sink = &state->requests.sink;
    collect(slot);
    bool all = set_results(slot);
    slot->failures = all ? 0 : slot->failures + 1;
    uint64_t rest_ns = REST_NS << (slot->failures < 12 ? slot->failures : 12);
    slot->rest_ns = all ? 0 : sink->now_ns + ps_least(rest_ns, ps_port_rest_ns(sink->port, slot->failures));
    sink->port->in_part = !all;    /* other servers may take theirs */
    sink->rest_ns = slot->rest_ns; /* for the report: only this request rests */
    ps_remote_request_ended(&state->requests, &slot->request, batch->reached);
    sink->port->in_part = false;
    sink->rest_ns = 0;
}

/* ---- sending ---- */

static void send_one(struct ps_hbase_sink *state, struct slot *slot, bool is_new)
{
    if (is_new) {
        slot->failures = 0;
        slot->rest_ns = 0;
    }
    if (is_new && !make(state, slot)) {
        static const struct ps_remote_result starved = {PS_REMOTE_AGAIN, "no memory"};
        slot->count = 0;
        slot->rest_ns = state->requests.sink.now_ns + REST_NS;
        ps_remote_request_ended_with(&state->requests, &slot->request, starved, false);
        return;
    }
    if (!is_new)
        leave_out(slot);
    ps_hbase_client_submit(state->client, &slot->batch);
}

static void send_some(struct ps_hbase_sink *state)
{
    uint64_t now_ns = state->requests.sink.now_ns;
    struct slot *slot;
    size_t bytes;
    for (unsigned i = 0; i < state->requests.count; i++) {
        slot = slot_of(state, i);
        if (!ps_remote_request_is_unsent(&slot->request) || now_ns < slot->rest_ns)
            continue;
        (void)ps_remote_request_send_again(&state->requests, &slot->request);
        send_one(state, slot, slot->count == 0);
    }
    while ((slot = (struct slot *)ps_remote_requests_next_new(&state->requests, &bytes)) != NULL)
        send_one(state, slot, true);
}

static void count(struct ps_hbase_sink *state)
{
    struct ps_counters *counters = state->requests.sink.port->counters;
    const struct ps_hbase_client_counts *now = ps_hbase_client_counts(state->client);
    struct ps_hbase_client_counts *then = &state->counted;
    ps_count(counters, PS_COUNTER_extra + PS_HBASE_COUNTER_UNMATCHED, state->writer.unmatched);
    ps_count(counters, PS_COUNTER_extra + PS_HBASE_COUNTER_LOOKUPS, now->lookups - then->lookups);
    ps_count(counters, PS_COUNTER_extra + PS_HBASE_COUNTER_RELOCATED, now->relocated - then->relocated);
    ps_count(counters, PS_COUNTER_extra + PS_HBASE_COUNTER_OVERLOADED, now->overloaded - then->overloaded);
    state->writer.unmatched = 0;
    *then = *now;
}

static void serve(struct ps_remote_sink *sink, bool sends)
{
    struct ps_hbase_sink *state = (struct ps_hbase_sink *)sink;
    struct ps_now now = ps_clock_now();
    now.mono_ns = sink->now_ns;
    state->writer.now_ms = (uint64_t)now.wall_ms;
    state->due_ns = ps_hbase_client_turn(state->client, &now);
    ps_remote_requests_work(&state->requests);
    if (sends) {
        send_some(state);
        state->due_ns = ps_hbase_client_turn(state->client, &now);
    }
    count(state);
}

/* ---- the stage ---- */

static uint64_t due_ns(const struct ps_remote_sink *sink)
{
    const struct ps_hbase_sink *state = (const struct ps_hbase_sink *)sink;
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
    struct ps_hbase_sink *state = (struct ps_hbase_sink *)sink;
    for (unsigned i = 0; i < state->requests.count; i++) {
        struct slot *slot = slot_of(state, i);
        ps_hbase_client_withdraw(state->client, &slot->batch);
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

static bool open_slot(struct ps_hbase_sink *state, struct slot *slot)
{
    const struct ps_hbase_plan *plan = state->plan;
    slot->state = state;
    slot->batch =
        (struct ps_hbase_batch){.family = plan->family, .skips_log = !plan->uses_log, .owner = slot};
    slot->outcomes = calloc(state->requests.events_max, sizeof *slot->outcomes);
    slot->request.results = calloc(state->requests.events_max, sizeof *slot->request.results);
    return slot->outcomes != NULL && slot->request.results != NULL;
}

void ps_hbase_sink_close(const void *, void *state_)
{
    struct ps_hbase_sink *state = state_;
    ps_hbase_client_close(state->client);
    state->client = NULL;
    for (unsigned i = 0; state->requests.first != NULL && i < state->requests.count; i++) {
        struct slot *slot = slot_of(state, i);
        ps_hbase_batch_free(&slot->batch);
        free(slot->outcomes);
        free(slot->request.results);
    }
    ps_hbase_writer_close(&state->writer);
    free(state->requests.first);
    state->requests.first = NULL;
    state->requests.count = 0;
}

enum ps_status ps_hbase_sink_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct ps_hbase_plan *plan = plan_;
    struct ps_hbase_sink *state = state_;
    struct ps_remote_requests *requests = &state->requests;
    uint32_t events =
        plan->batch_size < PS_BATCH_EVENTS_MAX ? (uint32_t)plan->batch_size : PS_BATCH_EVENTS_MAX;
    *state = (struct ps_hbase_sink){.plan = plan,
                                    .requests = {.server = plan->server,
                                                 .stride = sizeof(struct slot),
                                                 .events_max = events,
                                                 .bytes_max = BATCH_BYTES_MAX,
                                                 .bound = bound},
                                    .writer = {.serializer = &plan->serializer,
                                               .coalesces = plan->coalesces,
                                               .value_max = plan->value_max}};
    ps_remote_sink_init(&requests->sink, &calls, port, LEASES_MAX);
    struct ps_hbase_client_settings client = plan->client;
    client.port = port;
    client.done = done;
    if (ps_hbase_client_open(&state->client, &client, err) != PS_OK)
        return PS_FAIL;
    requests->first = calloc((size_t)plan->requests, sizeof(struct slot));
    bool good = requests->first != NULL && ps_hbase_writer_open(&state->writer);
    while (good && requests->count < (unsigned)plan->requests)
        good = open_slot(state, slot_of(state, requests->count++));
    if (good)
        return PS_OK;
    ps_hbase_sink_close(plan, state);
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

static const char *weakness(const void *plan_)
{
    const struct ps_hbase_plan *plan = plan_;
    return plan->uses_log ? NULL : "enableWal = false: a region server that fails loses delivered events";
}

const struct ps_sink_ops ps_hbase_sink_ops = {
    .sockets = true, .work = work, .tick = tick, .recall = recall, .drain = drain, .weakness = weakness};
