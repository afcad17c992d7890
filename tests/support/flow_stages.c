/* The stages of tests/support/flow.h. Each one draws its behaviour from a random generator in its own
 * state. */
#include "tests/support/flow_stages.h"

#include "core/engine/runner.h"
#include "tests/support/flow_answers.h"

#include <stdio.h>

uint64_t flow_seed_of(const struct flow_plan *plan, const struct ps_port *port, uint64_t salt)
{
    uint64_t seed = plan->flow->seed * UINT64_C(0x9E3779B97F4A7C15) + plan->number * 1000 + salt;
    seed = (seed ^ (port != NULL ? port->instance + 1 : 0)) * UINT64_C(0xD1342543DE82EF95);
    return seed != 0 ? seed : 1;
}

const struct ps_dead_letter_reason flow_drawn = {"drawn", "the test draws it", 1};

/* Makes the stage report a failure, by chance. `failed` is set then: the engine must not call its `work` again. */
void flow_may_fail(struct flow *flow, struct ps_port *port, uint64_t *random, bool *failed)
{
    struct ps_err reason = {0};
    if (!flow_chance(random, __atomic_load_n(&flow->chances.fail, __ATOMIC_RELAXED)))
        return;
    *failed = true;
    __atomic_add_fetch(&flow->failed, 1, __ATOMIC_RELAXED);
    ps_err_set(&reason, "as drawn");
    ps_port_failed(port, &reason);
}

/* ---- sources ---- */

struct source_state {
    struct ps_port *port;
    struct flow_origin *origin;
    uint64_t random;
    uint64_t next;
    uint64_t call;     /* CALLS: number of events of the call that is not answered yet; 0 = no call */
    uint64_t call_ns;  /* CALLS: when it was made */
    uint64_t retry_ns; /* CALLS: no call before this time, because the last one was refused */
    unsigned number;
    char *scratch;
    bool failed;
};

static enum ps_status source_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct flow_plan *plan = plan_;
    struct source_state *state = state_;
    struct flow_source *source = &plan->flow->sources[plan->number];
    /* a reload may come before a source's first open, which waits for its chain */
    assert_true(!source->kept_open || source->origins[port->instance].opened == 0 ||
                ps_runner_state(port->runner) == PS_RUNNER_FAILED);
    if (source->open_failures > 0) {
        source->open_failures--;
        return ps_err_set(err, "does not open, %u more times", source->open_failures);
    }
    state->port = port;
    state->origin = &source->origins[port->instance];
    state->origin->opened++;
    state->number = flow_origin_number(plan->number, port->instance);
    state->random = flow_seed_of(plan, port, state->origin->opened * 31);
    state->next = source->kind == FLOW_POSITION ? state->origin->committed : state->origin->next;
    state->scratch = malloc(2 * PS_BLOCK_BYTES);
    assert_non_null(state->scratch);
    return PS_OK;
}

static void source_close(const void *plan_, void *state_)
{
    const struct flow_plan *plan = plan_;
    struct source_state *state = state_;
    assert_true(!plan->flow->sources[plan->number].kept_open ||
                state->port->runner->status == PS_RUNNER_ENDING);
    free(state->scratch);
}

/* Adds one event, in one of the two ways that a source may use: copied, or written in place. */
static bool make_event(const struct flow *flow, struct source_state *state, struct ps_batch *batch)
{
    uint32_t length = (uint32_t)(sizeof(struct flow_body) + ps_test_random(&state->random) % flow->body_max);
    if (flow_chance(&state->random, flow->chances.oversize))
        length = PS_BLOCK_BYTES + 1 + (uint32_t)(ps_test_random(&state->random) % 1000);
    struct flow_body body = {.origin = state->number,
                             .generation = (uint32_t)state->origin->opened,
                             .number = state->next,
                             .length = length};
    if (length > PS_BLOCK_BYTES || ps_test_random(&state->random) % 2 == 0) {
        flow_make_body(state->scratch, &body);
        return ps_batch_add_copy(batch, state->scratch, length) != NULL;
    }
    uint32_t room;
    char *bytes = ps_batch_reserve(batch, length, &room);
    if (bytes == NULL || ps_batch_add(batch, bytes, length) == NULL)
        return false;
    assert_true(room >= length);
    flow_make_body(bytes, &body);
    ps_batch_commit(batch, length);
    return true;
}

static enum ps_result source_work(const void *plan_, void *state_, struct ps_batch *batch,
                                  const struct ps_now *now)
{
    const struct flow_plan *plan = plan_;
    const struct flow *flow = plan->flow;
    struct source_state *state = state_;
    assert_false(state->failed);
    flow_may_fail(plan->flow, state->port, &state->random, &state->failed);
    if (state->next >= flow->total || flow_chance(&state->random, flow->chances.source_back_off))
        return PS_BACKOFF;
    if (flow_chance(&state->random, flow->chances.source_idle))
        return PS_IDLE;
    uint64_t count = 1 + ps_test_random(&state->random) % flow->work_events_max;
    uint32_t made = 0;
    bool positions = flow->sources[plan->number].kind == FLOW_POSITION;
    uint32_t stream = state->port->instance, pass = (uint32_t)state->origin->opened;
    if (positions && !ps_batch_span(batch, stream, pass, (int64_t)state->next - 1, NULL))
        return batch->full ? PS_DONE : PS_IDLE; /* reserves the span; moving it later cannot fail */
    while (made < count && state->next < flow->total && make_event(flow, state, batch)) {
        assert_true(!positions || ps_batch_span(batch, stream, pass, (int64_t)state->next, NULL));
        state->next++;
        made++;
    }
    if (flow->sources[plan->number].kind == FLOW_STREAM)
        __atomic_store_n(&state->origin->next, state->next, __ATOMIC_RELAXED);
    if (made > 0)
        ps_count(state->port->counters, PS_COUNTER_EventReceivedCount, made);
    return made > 0 || batch->full ? PS_DONE : PS_IDLE;
}

/* The longest that a client waits before it repeats a refused call. Clients that repeat immediately fill one
 * channel with copies of their calls while another is full, and no client makes progress. */
#define CALL_RETRY_MAX_NS (20 * PS_NS_PER_S)

/* Makes one call, alone in its batch, so that it is accepted or refused as a whole. */
static enum ps_result calls_work(const void *plan_, void *state_, struct ps_batch *batch,
                                 const struct ps_now *now)
{
    const struct flow_plan *plan = plan_;
    struct source_state *state = state_;
    if (state->call > 0)
        return PS_IDLE;
    if (now->mono_ns < state->retry_ns)
        return PS_BACKOFF;
    uint64_t before = state->next;
    enum ps_result result = source_work(plan, state, batch, now);
    state->call = state->next - before;
    if (state->call > 0) {
        state->call_ns = now->mono_ns;
        assert_true(ps_batch_ticket(batch, before + 1, (uint32_t)state->call));
        batch->flush = true;
    }
    return result;
}

static void tell(struct flow *flow, const struct ps_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        struct flow_body body;
        memcpy(&body, batch->events[i].body, sizeof body);
        flow_told(flow, body.origin, body.number, false);
    }
}

static void stream_accepted(const void *plan_, void *state_, const struct ps_batch *batch,
                            const struct ps_now *now)
{
    const struct flow_plan *plan = plan_;
    struct source_state *state = state_;
    tell(plan->flow, batch);
    flow_may_fail(plan->flow, state->port, &state->random, &state->failed);
}

static void calls_accepted(const void *plan_, void *state_, const struct ps_batch *batch,
                           const struct ps_now *now)
{
    const struct flow_plan *plan = plan_;
    struct source_state *state = state_;
    assert_non_null(batch->tickets);
    assert_int_equal(batch->tickets->origin, state->next - state->call + 1);
    assert_int_equal(batch->tickets->events, state->call);
    tell(plan->flow, batch);
    state->call = 0;
    if (plan->flow->crashed)
        return;
    flow_may_fail(plan->flow, state->port, &state->random, &state->failed);
    state->origin->accepted_calls++;
    __atomic_store_n(&state->origin->next, state->next, __ATOMIC_RELAXED);
}

/* Returns whether a call may be refused for this reason: a full channel refuses it after keep-alive, a
 * durable one may give up what it has taken, and an interceptor refuses what it cannot handle. */
static bool may_refuse(const struct flow *flow, const struct source_state *state, const char *reason,
                       const struct ps_now *now)
{
    uint64_t keep_alive_ns = strtoull(flow->keep_alive_s, NULL, 10) * PS_NS_PER_S;
    if (strcmp(reason, "an interceptor cannot handle the events") == 0)
        return flow->chances.chain_later > 0;
    if (now->mono_ns - state->call_ns < keep_alive_ns)
        return false;
    return strstr(reason, "is full") != NULL ||
           (flow->durable != 0 && strstr(reason, "could not keep it") != NULL);
}

static void calls_refused(const void *plan_, void *state_, const struct ps_batch *batch, const char *reason,
                          const struct ps_now *now)
{
    const struct flow_plan *plan = plan_;
    struct source_state *state = state_;
    state->retry_ns = now->mono_ns + ps_test_random(&state->random) % CALL_RETRY_MAX_NS;
    assert_non_null(batch->tickets);
    assert_true(may_refuse(plan->flow, state, reason, now));
    state->next -= state->call;
    state->call = 0;
    state->origin->refused_calls++;
}

static bool calls_drain(const void *plan, void *state_, const struct ps_now *now)
{
    struct source_state *state = state_;
    return state->call == 0;
}

/* Asserts that deliveries are reported in order, without a gap, and only after a sink of each required
 * channel saw every event, or a durable one promised it. */
static void position_delivered(const void *plan_, void *state_, const struct ps_batch *batch,
                               const struct ps_now *now)
{
    const struct flow_plan *plan = plan_;
    struct source_state *state = state_;
    if (plan->flow->crashed)
        return;
    assert_false(state->failed);
    flow_may_fail(plan->flow, state->port, &state->random, &state->failed);
    assert_int_equal(batch->span_count, 1);
    assert_int_equal(batch->spans[0].stream, state->port->instance);
    assert_int_equal(batch->spans[0].pass, state->origin->opened);
    uint64_t end = (uint64_t)batch->spans[0].position + 1;
    if (plan->flow->sources[plan->number].java_chain) /* its replies take the place of the batch's rows */
        assert_true(end - state->origin->committed >= batch->count);
    else
        assert_int_equal(end - state->origin->committed, batch->count);
    for (uint64_t n = state->origin->committed; n < end; n++)
        flow_told(plan->flow, state->number, n, true);
    __atomic_store_n(&state->origin->committed, end, __ATOMIC_RELAXED);
}

#define FLOW_SOURCE_STAGE(stage_name, ops_)                                                                  \
    {                                                                                                        \
        PS_STAGE(PS_KIND_SOURCE),                                                                            \
            .name = stage_name, .summary = "a test stage", .plan_size = sizeof(struct flow_plan),            \
            .state_size = sizeof(struct source_state), .open = source_open, .close = source_close,           \
            .source = (ops_)                                                                                 \
    }

static const struct ps_source_ops stream_ops = {
    .needs = PS_LEVEL_ACCEPTED, .when_full = PS_WAIT, .work = source_work, .accepted = stream_accepted};
static const struct ps_source_ops calls_ops = {.needs = PS_LEVEL_ACCEPTED,
                                               .when_full = PS_REFUSE,
                                               .work = calls_work,
                                               .accepted = calls_accepted,
                                               .refused = calls_refused,
                                               .drain = calls_drain};
static const struct ps_source_ops position_ops = {
    .needs = PS_LEVEL_DELIVERED, .when_full = PS_WAIT, .work = source_work, .delivered = position_delivered};

const struct ps_stage_ops flow_source_stream = FLOW_SOURCE_STAGE("flow-stream", &stream_ops);
const struct ps_stage_ops flow_source_calls = FLOW_SOURCE_STAGE("flow-calls", &calls_ops);
const struct ps_stage_ops flow_source_position = FLOW_SOURCE_STAGE("flow-position", &position_ops);

/* ---- interceptor: sets two headers, drops events ---- */

struct chain_state {
    struct ps_port *port;
    struct flow_origin *origin;
    uint64_t random;
    uint32_t made; /* positions of this batch whose letters are made, if they are dropped */
    bool failed;
};

static enum ps_status chain_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct flow_plan *plan = plan_;
    struct chain_state *state = state_;
    struct flow_source *source = &plan->flow->sources[plan->number];
    if (source->chain_open_failures > 0) {
        source->chain_open_failures--;
        return ps_err_set(err, "does not open, %u more times", source->chain_open_failures);
    }
    state->port = port;
    state->random = flow_seed_of(plan, port, 7);
    state->origin = &source->origins[port->instance];
    assert_int_equal(state->origin->chains++, 0);
    return PS_OK;
}

static void chain_close(const void *plan, void *state_)
{
    struct chain_state *state = state_;
    assert_int_equal(state->origin->chains--, 1);
}

/* Makes dead letters of the dropped events. Returns false while there is no room for them. */
static bool make_dropped_letters(const struct flow *flow, struct chain_state *state,
                                 const struct ps_lease *lease)
{
    for (; ps_port_has_deadletter(state->port) && state->made < lease->count; state->made++) {
        const struct ps_event *event = ps_lease_event(lease, state->made);
        struct flow_body body;
        memcpy(&body, event->body, sizeof body);
        if (flow_drops(flow, body.origin, body.number) &&
            ps_port_deadletter(state->port, lease->batch, event, &flow_drawn) == 0)
            return false;
    }
    return true;
}

static enum ps_result interceptor_work(const void *plan_, void *state_, struct ps_lease *lease,
                                       const struct ps_now *now)
{
    const struct flow_plan *plan = plan_;
    struct chain_state *state = state_;
    const struct ps_name *number = ps_name_intern("number");
    char chain[16];
    uint32_t chain_length = (uint32_t)snprintf(chain, sizeof chain, "%u", plan->version);
    flow_may_fail(plan->flow, state->port, &state->random,
                  &state->failed); /* a batch that must not be lost continues */
    if (flow_chance(&state->random, plan->flow->chances.chain_later))
        return PS_LATER;
    if (!ps_batch_shared_set(lease->batch, ps_name_intern("agent"), "a1", 2, true) ||
        !ps_batch_shared_set(lease->batch, ps_name_intern("chain"), chain, chain_length, true))
        return PS_RETRY;
    for (uint32_t i = 0; i < lease->count; i++) {
        struct ps_event *event = ps_lease_event(lease, i);
        struct flow_body body;
        char text[32];
        memcpy(&body, event->body, sizeof body);
        if (flow_chance(&state->random, plan->flow->chances.chain_no_memory))
            return PS_RETRY; /* the headers set so far are set again by the next call */
        uint32_t length = (uint32_t)snprintf(text, sizeof text, "%llu", (unsigned long long)body.number);
        char *value = ps_batch_alloc(lease->batch, length);
        if (value == NULL)
            return PS_RETRY;
        memcpy(value, text, length);
        if (!ps_batch_header_set(lease->batch, event, number, value, length))
            return PS_RETRY;
    }
    if (!make_dropped_letters(plan->flow, state, lease))
        return PS_LATER;
    uint64_t keep[PS_BATCH_EVENTS_MAX / 64] = {0};
    struct flow_body first;
    memcpy(&first, ps_lease_event(lease, 0)->body, sizeof first);
    uint32_t before = lease->count;
    bool drops = !plan->flow->sources[plan->number].java_drops;
    for (uint32_t i = 0; i < before; i++) {
        uint16_t row = ps_lease_row(lease, i);
        struct flow_body body;
        memcpy(&body, ps_lease_event(lease, i)->body, sizeof body);
        keep[row / 64] |= (uint64_t) !(drops && flow_drops(plan->flow, body.origin, body.number))
                          << (row % 64);
    }
    if (!ps_lease_filter_bits(lease, keep))
        return PS_RETRY;
    state->made = 0;
    plan->flow->sources[plan->number].origins[first.origin % FLOW_INSTANCES_MAX].dropped +=
        before - lease->count;
    return PS_DONE;
}

static const struct ps_interceptor_ops interceptor_ops = {.work = interceptor_work};
const struct ps_stage_ops flow_interceptor = {
    PS_STAGE(PS_KIND_INTERCEPTOR),
    .name = "flow-interceptor",
    .summary = "a test stage",
    .plan_size = sizeof(struct flow_plan),
    .state_size = sizeof(struct chain_state),
    .open = chain_open,
    .close = chain_close,
    .interceptor = &interceptor_ops,
};

/* ---- a second interceptor: changes nothing ---- */

struct second_state {
    uint64_t random;
};

/* Asserts that the header of the first interceptor is from the same plan, or from the test itself. */
static void expect_one_chain(const struct flow_plan *plan, const struct ps_lease *lease)
{
    struct ps_slice chain;
    char own[16];
    snprintf(own, sizeof own, "%u", plan->version);
    if (!ps_event_header(lease->batch, ps_lease_event(lease, 0), ps_name_intern("chain"), &chain))
        return;
    assert_int_equal(chain.length, strlen(own));
    assert_memory_equal(chain.data, own, chain.length);
}

static enum ps_status second_open(const void *plan, void *state_, struct ps_port *port, struct ps_err *err)
{
    struct second_state *state = state_;
    state->random = flow_seed_of(plan, port, 17);
    return PS_OK;
}

static enum ps_result second_work(const void *plan_, void *state_, struct ps_lease *lease,
                                  const struct ps_now *now)
{
    const struct flow_plan *plan = plan_;
    struct second_state *state = state_;
    expect_one_chain(plan, lease);
    if (!flow_chance(&state->random, plan->flow->chances.chain_later))
        return PS_DONE;
    return flow_chance(&state->random, 500) ? PS_BACKOFF : PS_LATER; /* calls are refused, others wait */
}

static const struct ps_interceptor_ops second_ops = {.work = second_work};
const struct ps_stage_ops flow_second_interceptor = {
    PS_STAGE(PS_KIND_INTERCEPTOR),
    .name = "flow-second-interceptor",
    .summary = "a test stage",
    .plan_size = sizeof(struct flow_plan),
    .state_size = sizeof(struct second_state),
    .open = second_open,
    .interceptor = &second_ops,
};

/* ---- selector ---- */

static enum ps_result selector_work(const void *plan_, void *state, const struct ps_lease *lease,
                                    struct ps_route *route, const struct ps_now *now)
{
    const struct flow_plan *plan = plan_;
    const struct flow *flow = plan->flow;
    unsigned mine = plan->channels;
    expect_one_chain(plan, lease);
    flow_remember_routes(flow, mine, lease);
    for (unsigned c = 0, nth = 0; c < FLOW_CHANNELS_MAX; c++) {
        if (!(mine >> c & 1))
            continue;
        bool required = !(flow->optional >> c & 1);
        if (!flow->multiplex)
            ps_route_all(route, nth, required);
        for (uint32_t i = 0; flow->multiplex && i < lease->count; i++) {
            struct flow_body body;
            memcpy(&body, ps_lease_event(lease, i)->body, sizeof body);
            if (flow_choose(flow, mine, body.number) >> c & 1)
                ps_route_row(route, nth, required, ps_lease_row(lease, i));
        }
        nth++;
    }
    return PS_DONE;
}

static const struct ps_selector_ops selector_ops = {.work = selector_work};
const struct ps_stage_ops flow_selector = {
    PS_STAGE(PS_KIND_SELECTOR), .name = "flow-selector",
    .summary = "a test stage",  .plan_size = sizeof(struct flow_plan),
    .selector = &selector_ops,
};
