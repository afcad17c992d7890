/* Implements sink.h. */
#include "stages/lib/hbase/sink/sink.h"

#include <stdlib.h>
#include <string.h>

struct slot {
    struct ps_remote_parts parts; /* must be first (stages/lib/remote/parts.h) */
    struct ps_hbase_batch batch;
};

static struct slot *slot_of(const struct ps_hbase_sink *state, unsigned number)
{
    return (struct slot *)ps_remote_parts_at(&state->requests, number);
}

/* ---- making ---- */

/* Makes the mutations of all events. Returns false if there is no memory. */
static bool make(struct ps_hbase_sink *state, struct slot *slot)
{
    const struct ps_held_range *range = &slot->parts.request.range;
    uint32_t position = range->from;
    uint64_t increments = 0;
    ps_hbase_batch_clear(&slot->batch);
    while (ps_held_range_next(range, &position) != NULL) {
        uint32_t event = slot->parts.count;
        struct ps_remote_part_outcome *outcome = ps_remote_parts_add(&slot->parts, position - 1);
        switch (ps_hbase_write(&state->writer, &slot->batch, event, range->lease, position - 1, &increments,
                               &outcome->reason)) {
        case PS_HBASE_WRITTEN:
            break;
        case PS_HBASE_UNWRITABLE:
            outcome->outcome = PS_REMOTE_REFUSED;
            break;
        case PS_HBASE_NO_MEMORY:
            return false;
        }
    }
    return ps_hbase_write_increments(&state->writer, &slot->batch, increments);
}

/* Mutations of events that are no longer in the request (dead letters) are not sent again. */
static void leave_out(struct slot *slot)
{
    for (uint32_t i = 0; i < slot->batch.count; i++) {
        struct ps_hbase_mutation *mutation = &slot->batch.mutations[i];
        if (mutation->event != PS_HBASE_EVERY_EVENT &&
            ps_remote_parts_has_left(&slot->parts, mutation->event))
            mutation->state = PS_PART_DELIVERED;
    }
}

static void done(struct ps_hbase_batch *batch)
{
    struct slot *slot = batch->framed.owner;
    ps_remote_parts_begin(&slot->parts);
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct ps_hbase_mutation *mutation = &batch->mutations[i];
        const char *reason = batch->framed.reasons[mutation->reason];
        bool every = mutation->event == PS_HBASE_EVERY_EVENT;
        if (!every)
            ps_remote_parts_add_state(&slot->parts, mutation->event, mutation->state, reason);
        for (uint32_t k = 0; every && k < slot->parts.count; k++)
            ps_remote_parts_add_state(&slot->parts, k, mutation->state, reason);
    }
    ps_remote_parts_end(&slot->parts, batch->framed.reached);
}

/* ---- sending ---- */

/* Returns whether a request was submitted. */
static bool send_some(struct ps_hbase_sink *state)
{
    struct slot *slot;
    bool is_new, has_sent = false;
    while ((slot = (struct slot *)ps_remote_parts_next(&state->requests, &is_new)) != NULL) {
        bool is_made = slot->parts.count > 0;
        if (is_made)
            leave_out(slot);
        if (is_made || make(state, slot))
            ps_hbase_client_submit(state->client, &slot->batch);
        else
            ps_remote_parts_failed(&slot->parts, "no memory");
        has_sent = true;
    }
    return has_sent;
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
    if (sends && send_some(state))
        state->due_ns = ps_hbase_client_turn(state->client, &now);
    count(state);
}

/* ---- the stage ---- */

static uint64_t due_ns(const struct ps_remote_sink *sink)
{
    const struct ps_hbase_sink *state = (const struct ps_hbase_sink *)sink;
    return ps_remote_parts_due_ns(&state->requests, state->due_ns);
}

static bool awaits(const struct ps_remote_sink *sink)
{
    return ps_remote_requests_in_flight((const struct ps_remote_requests *)sink);
}

static void abandon(struct ps_remote_sink *sink)
{
    struct ps_hbase_sink *state = (struct ps_hbase_sink *)sink;
    for (unsigned i = 0; i < state->requests.count; i++)
        ps_hbase_client_withdraw(state->client, &slot_of(state, i)->batch);
    ps_remote_parts_abandon(&state->requests);
}

static const struct ps_remote_sink_calls calls = {
    .serve = serve, .due_ns = due_ns, .awaits = awaits, .abandon = abandon};

void ps_hbase_sink_close(const void *, void *state_)
{
    struct ps_hbase_sink *state = state_;
    ps_hbase_client_close(state->client);
    state->client = NULL;
    for (unsigned i = 0; i < state->requests.count; i++)
        ps_hbase_batch_free(&slot_of(state, i)->batch);
    ps_hbase_writer_close(&state->writer);
    ps_remote_parts_fini(&state->requests);
}

enum ps_status ps_hbase_sink_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct ps_hbase_plan *plan = plan_;
    struct ps_hbase_sink *state = state_;
    const struct ps_remote_parts_settings settings = {.calls = &calls,
                                                      .server = plan->server,
                                                      .batch_size = plan->batch_size,
                                                      .requests = (unsigned)plan->requests,
                                                      .stride = sizeof(struct slot),
                                                      .doublings = 12};
    *state = (struct ps_hbase_sink){.plan = plan,
                                    .writer = {.serializer = &plan->serializer,
                                               .coalesces = plan->coalesces,
                                               .value_max = plan->value_max}};
    struct ps_hbase_client_settings client = plan->client;
    client.port = port;
    client.done = done;
    bool good = ps_remote_parts_init(&state->requests, &settings, port, err) == PS_OK &&
                ps_hbase_client_open(&state->client, &client, err) == PS_OK;
    for (unsigned i = 0; good && i < state->requests.count; i++)
        slot_of(state, i)->batch = (struct ps_hbase_batch){
            .framed.owner = slot_of(state, i), .family = plan->family, .skips_log = !plan->uses_log};
    if (good && ps_hbase_writer_open(&state->writer))
        return PS_OK;
    ps_hbase_sink_close(plan, state);
    return good ? ps_err_set(err, "no memory") : PS_FAIL;
}

static const char *weakness(const void *plan_)
{
    const struct ps_hbase_plan *plan = plan_;
    return plan->uses_log ? NULL : "enableWal = false: a region server that fails loses delivered events";
}

const struct ps_sink_ops ps_hbase_sink_ops = {PS_REMOTE_SINK_FUNCTIONS, .weakness = weakness};
