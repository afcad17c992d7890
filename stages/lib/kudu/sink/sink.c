/* Implements sink.h. */
#include "stages/lib/kudu/sink/sink.h"

#include <stdlib.h>
#include <string.h>

#define REASONS_KEPT 4096U
#define REQUESTS 16U /* of inserts: their order does not matter */

struct slot {
    struct ps_remote_parts parts; /* must be first (stages/lib/remote/parts.h) */
    struct ps_kudu_batch batch;
    struct ps_kudu_sink *state;
    bool is_made;
    uint64_t drawn[2];             /* writer.drawn, since the request is new */
    struct ps_byte_buffer reasons; /* why events make no rows, each with a NUL */
};

static struct slot *slot_of(const struct ps_kudu_sink *state, unsigned number)
{
    return (struct slot *)ps_remote_parts_at(&state->requests, number);
}

/* ---- making ---- */

/* Keeps the reason of an event. The text moves when more come: outcomes have its place until all are made. */
static bool keep_reason(struct slot *slot, struct ps_remote_part_outcome *outcome, const char *reason,
                        size_t *at)
{
    *at = slot->reasons.length;
    outcome->outcome = PS_REMOTE_REFUSED;
    return ps_byte_buffer_append(&slot->reasons, reason, strlen(reason) + 1);
}

/* Makes the rows of all events, for the table that the batch has. Returns false if that is not possible now: writer.reason. */
static bool make(struct ps_kudu_sink *state, struct slot *slot)
{
    const struct ps_held_range *range = &slot->parts.request.range;
    uint32_t position = range->from;
    size_t at;
    slot->parts.count = 0;
    memcpy(state->writer.drawn, slot->drawn, sizeof slot->drawn);
    ps_byte_buffer_clear(&slot->reasons, REASONS_KEPT);
    while (ps_held_range_next(range, &position) != NULL) {
        uint32_t event = slot->parts.count;
        struct ps_remote_part_outcome *outcome = ps_remote_parts_add(&slot->parts, position - 1);
        enum ps_kudu_added added =
            ps_kudu_produce(&state->writer, &slot->batch, event, range->lease, position - 1);
        if (added == PS_KUDU_LATER)
            return false;
        if (added == PS_KUDU_UNWRITABLE && !keep_reason(slot, outcome, state->writer.reason, &at))
            return false;
    }
    const char *reason = slot->reasons.data;
    for (uint32_t i = 0; i < slot->parts.count; i++) {
        if (slot->parts.outcomes[i].outcome != PS_REMOTE_REFUSED)
            continue;
        slot->parts.outcomes[i].reason = reason;
        reason += strlen(reason) + 1;
    }
    slot->is_made = true;
    return true;
}

/* Rows of events that are no longer in the request (dead letters) are not sent again. */
static void leave_out(struct slot *slot)
{
    for (uint32_t i = 0; i < slot->batch.count; i++)
        if (ps_remote_parts_has_left(&slot->parts, slot->batch.rows[i].event))
            slot->batch.rows[i].state = PS_PART_DELIVERED;
}

/* ---- results ---- */

static void done(struct ps_kudu_batch *batch)
{
    struct slot *slot = batch->framed.owner;
    struct ps_kudu_sink *state = slot->state;
    if (slot->is_made) {
        ps_remote_parts_begin(&slot->parts);
        for (uint32_t i = 0; i < batch->count; i++)
            ps_remote_parts_add_state(&slot->parts, batch->rows[i].event, batch->rows[i].state,
                                      batch->framed.reasons[batch->rows[i].reason]);
        ps_remote_parts_end(&slot->parts, batch->framed.reached);
    } else if (batch->is_refused) { /* it waited for the table */
        ps_remote_parts_failed(&slot->parts, batch->framed.reasons[0]);
    } else if (make(state, slot)) {
        ps_kudu_client_submit(state->client, batch);
    } else {
        ps_kudu_client_refresh(state->client);
        ps_remote_parts_failed(&slot->parts, state->writer.reason);
    }
}

/* ---- sending ---- */

static void send_one(struct ps_kudu_sink *state, struct slot *slot, bool is_new)
{
    for (unsigned i = 0; is_new && i < PS_COUNT_OF(slot->drawn); i++)
        slot->drawn[i] = ps_random_next(&state->random);
    if (is_new || !slot->is_made || !ps_kudu_client_fits(state->client, &slot->batch)) {
        slot->is_made = false;
        slot->parts.count = 0;
        ps_kudu_batch_clear(&slot->batch);
    } else {
        leave_out(slot);
    }
    ps_kudu_client_submit(state->client, &slot->batch);
}

/* Returns whether a request was submitted. */
static bool send_some(struct ps_kudu_sink *state)
{
    struct slot *slot;
    bool is_new, has_sent = false;
    while ((slot = (struct slot *)ps_remote_parts_next(&state->requests, &is_new)) != NULL) {
        send_one(state, slot, is_new);
        has_sent = true;
    }
    return has_sent;
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
    if (sends && send_some(state))
        state->due_ns = ps_kudu_client_turn(state->client, &now);
    count(state);
}

/* ---- the stage ---- */

static uint64_t due_ns(const struct ps_remote_sink *sink)
{
    const struct ps_kudu_sink *state = (const struct ps_kudu_sink *)sink;
    return ps_remote_parts_due_ns(&state->requests, state->due_ns);
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
    }
    ps_remote_parts_abandon(&state->requests);
}

static const struct ps_remote_sink_calls calls = {
    .serve = serve, .due_ns = due_ns, .awaits = awaits, .abandon = abandon};

/* The last one of several upserts of a key counts, so that upserts keep their order: one request after the other. */
static unsigned request_count(const struct ps_kudu_plan *plan)
{
    if (plan->requests > 0)
        return (unsigned)plan->requests;
    return plan->producer.operation == PS_KUDU_INSERT ? REQUESTS : 1;
}

void ps_kudu_sink_close(const void *, void *state_)
{
    struct ps_kudu_sink *state = state_;
    ps_kudu_client_close(state->client);
    state->client = NULL;
    for (unsigned i = 0; i < state->requests.count; i++) {
        ps_kudu_batch_free(&slot_of(state, i)->batch);
        ps_byte_buffer_clear(&slot_of(state, i)->reasons, 0);
    }
    ps_kudu_writer_close(&state->writer);
    ps_remote_parts_fini(&state->requests);
}

enum ps_status ps_kudu_sink_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct ps_kudu_plan *plan = plan_;
    struct ps_kudu_sink *state = state_;
    const struct ps_remote_parts_settings settings = {.calls = &calls,
                                                      .server = plan->server,
                                                      .batch_size = plan->batch_size,
                                                      .requests = request_count(plan),
                                                      .stride = sizeof(struct slot),
                                                      .doublings = 4};
    *state = (struct ps_kudu_sink){.plan = plan, .writer = {.producer = &plan->producer, .port = port}};
    ps_random_init(&state->random);
    struct ps_kudu_client_settings client = plan->client;
    client.port = port;
    client.done = done;
    bool good = ps_remote_parts_init(&state->requests, &settings, port, err) == PS_OK &&
                ps_kudu_client_open(&state->client, &client, err) == PS_OK;
    for (unsigned i = 0; good && i < state->requests.count; i++) {
        struct slot *slot = slot_of(state, i);
        slot->state = state;
        slot->batch.framed.owner = slot;
        ps_kudu_client_know(state->client, &slot->batch);
    }
    if (good && ps_kudu_writer_open(&state->writer))
        return PS_OK;
    ps_kudu_sink_close(plan, state);
    return good ? ps_err_set(err, "no memory") : PS_FAIL;
}

const struct ps_sink_ops ps_kudu_sink_ops = {PS_REMOTE_SINK_FUNCTIONS};
