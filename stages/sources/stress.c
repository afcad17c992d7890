/* Source StressSource (Flume's, class name only): events of `size` bytes 0x7F as fast as the channel accepts
 * them, or at maxEventsPerSecond. Thread: its worker. The bytes of each event are written again, so that a
 * measurement downstream does not read one cached line. Several workers share the totals and the rate. */
#include "core/stage.h"

#include <string.h>

struct stress_plan {
    int64_t size, total, successful, batch_size, per_second;
    char *oversize_body; /* a body longer than a block, made once by build */
};

struct stress_state {
    struct ps_port *port;
    uint64_t left;       /* events still to be made; UINT64_MAX: no limit */
    uint64_t per_second; /* 0: no limit */
    uint64_t epoch_ns;   /* pacing: `paced` events are due by epoch_ns + paced / per_second */
    uint64_t paced;
    bool paused; /* the channel is full */
};

#define FIELD(name) offsetof(struct stress_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("size", INT, FIELD(size), "length of a body", .fallback = "500", .min = 0, .max = 1 << 27,
                  .unit = "bytes"),
    PS_OPTION_ROW("maxTotalEvents", INT, FIELD(total),
                  "number of events after which the source stops; below 0: never", .fallback = "-1",
                  .unit = "events"),
    PS_OPTION_ROW(
        "maxSuccessfulEvents", INT, FIELD(successful),
        "number of accepted events after which the source stops, in whole batches of batchSize; below "
        "0: never",
        .fallback = "-1", .unit = "events"),
    PS_OPTION_ROW(
        "batchSize", INT, FIELD(batch_size),
        "events in one transaction; only maxSuccessfulEvents is rounded up to it, the size of batches "
        "here depends on the channel",
        .fallback = "1", .min = 1, .max = INT32_MAX, .unit = "events"),
    PS_OPTION_ROW("maxEventsPerSecond", INT, FIELD(per_second),
                  "maximum number of events in a second; 0 or less: no limit", .fallback = "0",
                  .min = INT32_MIN, .max = INT32_MAX, .unit = "events/s"),
    PS_OPTION_END,
};

static enum ps_status stress_build(void *plan_, struct ps_context *context, struct ps_err *)
{
    struct stress_plan *plan = plan_;
    if (plan->size > PS_BLOCK_BYTES) {
        plan->oversize_body = ps_arena_alloc(context->arena, (size_t)plan->size);
        memset(plan->oversize_body, 0x7F, (size_t)plan->size);
    }
    return PS_OK;
}

/* Returns this instance's share of a whole. */
static uint64_t share(uint64_t whole, const struct ps_port *port)
{
    return whole / port->instances + (port->instance < whole % port->instances);
}

static enum ps_status stress_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *)
{
    const struct stress_plan *plan = plan_;
    struct stress_state *state = state_;
    uint64_t limit = plan->total < 0 ? UINT64_MAX : (uint64_t)plan->total;
    if (plan->successful >= 0) { /* Flume checks this limit only between batches */
        uint64_t batch = (uint64_t)plan->batch_size;
        uint64_t whole = ((uint64_t)plan->successful + batch - 1) / batch * batch;
        if (whole < limit)
            limit = whole;
    }
    *state = (struct stress_state){.port = port, .left = UINT64_MAX};
    if (limit != UINT64_MAX)
        state->left = share(limit, port);
    if (plan->per_second > 0) {
        state->per_second = share((uint64_t)plan->per_second, port);
        if (state->per_second == 0)
            state->per_second = 1;
    }
    return PS_OK;
}

/* Returns how many events are due and not made; accumulates at most one second, like Guava's RateLimiter. */
static uint64_t due_count(struct stress_state *state, uint64_t mono_ns)
{
    if (state->epoch_ns == 0)
        state->epoch_ns = mono_ns;
    while (state->paced >= state->per_second) {
        state->paced -= state->per_second;
        state->epoch_ns += PS_NS_PER_S;
    }
    if (mono_ns < state->epoch_ns)
        return 0;
    uint64_t passed = mono_ns - state->epoch_ns;
    if (passed > 2 * PS_NS_PER_S) {
        state->epoch_ns = mono_ns - PS_NS_PER_S;
        state->paced = 0;
        passed = PS_NS_PER_S;
    }
    uint64_t due = passed * state->per_second / PS_NS_PER_S + 1; /* the first event is due immediately */
    return due > state->paced ? due - state->paced : 0;
}

static uint32_t oversize_add(const struct stress_plan *plan, struct ps_batch *batch, uint64_t want)
{
    uint32_t made = 0;
    while (made < want && ps_batch_add_copy(batch, plan->oversize_body, (uint32_t)plan->size) != NULL)
        made++;
    return made;
}

static uint32_t events_add(const struct stress_plan *plan, struct ps_batch *batch, uint64_t want)
{
    if (plan->oversize_body != NULL)
        return oversize_add(plan, batch, want);
    uint32_t size = (uint32_t)plan->size, made = 0;
    while (made < want && !batch->full) {
        uint32_t room, count = batch->capacity - batch->count;
        char *bodies = ps_batch_reserve(batch, size > 0 ? size : 1, &room);
        if (bodies == NULL)
            break;
        if (size > 0 && count > room / size)
            count = room / size;
        if (count > want - made)
            count = (uint32_t)(want - made);
        count = ps_batch_add_run(batch, bodies, size, count);
        memset(bodies, 0x7F, (size_t)count * size);
        ps_batch_commit(batch, count * size);
        made += count;
        if (batch->count == batch->capacity)
            batch->full = true;
    }
    return made;
}

static enum ps_result stress_work(const void *plan_, void *state_, struct ps_batch *batch,
                                  const struct ps_now *now)
{
    const struct stress_plan *plan = plan_;
    struct stress_state *state = state_;
    if (state->left == 0)
        return PS_BACKOFF;
    uint64_t want = state->left;
    if (state->per_second > 0) {
        uint64_t due = due_count(state, now->mono_ns);
        if (due == 0)
            return PS_IDLE;
        if (due < want)
            want = due;
    }
    uint32_t made = events_add(plan, batch, want);
    if (state->left != UINT64_MAX)
        state->left -= made;
    state->paced += made;
    ps_count(state->port->counters, PS_COUNTER_EventReceivedCount, made);
    return made > 0 || batch->full ? PS_DONE : PS_IDLE;
}

static uint64_t stress_tick(const void *, void *state_, const struct ps_now *now)
{
    struct stress_state *state = state_;
    if (state->paused || state->per_second == 0 || state->left == 0 || state->epoch_ns == 0)
        return PS_NEVER;
    uint64_t due_ns = state->epoch_ns + (state->paced / state->per_second) * PS_NS_PER_S +
                      state->paced % state->per_second * PS_NS_PER_S / state->per_second;
    /* Wakes at most once every millisecond, and then makes all events of that time. */
    uint64_t soon_ns = now->mono_ns + PS_NS_PER_MS;
    return due_ns > soon_ns ? due_ns : soon_ns;
}

/* While the channel is full no event is due: the worker sleeps until the sinks make room. */
static void stress_paused(const void *, void *state_, bool paused, const struct ps_now *)
{
    struct stress_state *state = state_;
    state->paused = paused;
}

static const struct ps_source_ops source = {
    .needs = PS_LEVEL_ACCEPTED,
    .when_full = PS_WAIT,
    .work = stress_work,
    .tick = stress_tick,
    .paused = stress_paused,
};

const struct ps_stage_ops ps_source_stress = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "stress",
    .aliases = PS_WORDS("org.apache.flume.source.StressSource"),
    .summary = "events of a fixed size as fast as the channel accepts them",
    .options = options,
    .plan_size = sizeof(struct stress_plan),
    .state_size = sizeof(struct stress_state),
    .build = stress_build,
    .open = stress_open,
    .source = &source,
};
