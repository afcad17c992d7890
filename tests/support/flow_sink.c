/* The sink of tests/support/flow.h: it keeps, delays, refuses and returns leases, and gives events up. */
#include "tests/support/flow_stages.h"

#include "core/engine/runner.h"
#include "tests/support/flow_answers.h"

/* A sink that cannot deliver its leases, and keeps trying, reports trouble. Alone at its channel it goes on then. */
static void may_be_troubled(struct flow *flow, struct ps_port *port, uint64_t *random, bool *failed)
{
    struct ps_err reason = {0};
    if (*failed || !flow_chance(random, __atomic_load_n(&flow->chances.troubled, __ATOMIC_RELAXED)))
        return;
    ps_err_set(&reason, "trouble, as drawn");
    ps_port_troubled(port, &reason);
    *failed = !ps_runner_is_open(port->runner);
}

struct kept {
    struct ps_lease *lease;
    uint64_t due_ns;
};

struct sink_state {
    struct ps_port *port;
    struct flow_sink *sink;
    uint64_t random;
    struct kept kept[FLOW_KEPT_MAX]; /* oldest first */
    unsigned kept_count;
    struct ps_lease *late; /* settled; a newer one may be returned before it */
    uint64_t letter;       /* number of the letter for the next event of the oldest lease; 0: none */
    struct flow_answers answers;
    bool failed;
};

static enum ps_status sink_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct flow_plan *plan = plan_;
    struct sink_state *state = state_;
    struct flow_sink *sink = &plan->flow->sinks[plan->number];
    assert_true(!sink->kept_open || ps_runner_state(port->runner) == PS_RUNNER_FAILED);
    if (sink->open_failures > 0) {
        sink->open_failures--;
        return ps_err_set(err, "does not open, %u more times", sink->open_failures);
    }
    state->port = port;
    state->sink = sink;
    state->random = flow_seed_of(plan, NULL, 99);
    flow_answers_open(&state->answers, port);
    return PS_OK;
}

static void sink_close(const void *plan, void *state_)
{
    struct sink_state *state = state_;
    assert_int_equal(state->kept_count, 0);
    assert_null(state->late);
    assert_true(!state->sink->kept_open || state->failed || state->port->runner->status == PS_RUNNER_ENDING);
    flow_answers_close(&state->answers);
}

static bool dies(const struct flow_plan *plan, const struct ps_lease *lease, uint32_t position)
{
    struct flow_body body;
    memcpy(&body, ps_lease_event(lease, position)->body, sizeof body);
    return flow_dies(plan->flow, body.origin, body.number);
}

/* Returns whether the sink will give up an event of the lease. Such a lease is kept: an event that came back after its letter
 * was written would get a second letter. */
static bool has_dying(const struct flow_plan *plan, const struct sink_state *state,
                      const struct ps_lease *lease)
{
    for (uint32_t i = lease->cursor; ps_port_has_deadletter(state->port) && i < lease->count; i++) {
        if (dies(plan, lease, i))
            return true;
    }
    return false;
}

/* Gives the next event up. Returns whether it is settled. */
static bool make_dead_letter(const struct flow_plan *plan, struct sink_state *state, struct ps_lease *lease,
                             bool begin)
{
    if (state->letter == 0 && begin)
        state->letter =
            ps_port_deadletter(state->port, lease->batch, ps_lease_event(lease, lease->cursor), &flow_drawn);
    if (state->letter == 0 || ps_port_deadletter_written(state->port) < state->letter)
        return false;
    state->letter = 0;
    flow_dead_letter(plan->flow, plan->number, lease, lease->cursor);
    ps_lease_settle_dead(lease, lease->cursor++);
    return true;
}

/* Settles at most `most` events of the oldest lease; stops at an event whose letter is not written. Returns whether
 * all of it is settled. */
static bool settle(const struct flow_plan *plan, struct sink_state *state, struct ps_lease *lease,
                   uint32_t most)
{
    while (lease->cursor < lease->count && most-- > 0) {
        assert_false(ps_lease_is_settled(lease, lease->cursor));
        if (ps_port_has_deadletter(state->port) && dies(plan, lease, lease->cursor)) {
            if (!make_dead_letter(plan, state, lease, true))
                return false;
            continue;
        }
        flow_saw(plan->flow, plan->number, lease, lease->cursor);
        ps_lease_settle(lease, lease->cursor);
        lease->cursor++;
    }
    return lease->cursor == lease->count;
}

static bool is_dead(const struct sink_state *state)
{
    return __atomic_load_n(&state->sink->dead, __ATOMIC_RELAXED);
}

/* Called by the sink's worker: if the sink is dead now, it settles none of the leases that it has. */
static void note_held(const struct sink_state *state)
{
    if (state->kept_count > 0 && is_dead(state))
        __atomic_store_n(&state->sink->holds, true, __ATOMIC_RELAXED);
}

static void keep(const struct flow_plan *plan, struct sink_state *state, struct ps_lease **lease,
                 const struct ps_now *now)
{
    uint64_t delay_ns =
        plan->flow->delay_max_ns > 0 ? ps_test_random(&state->random) % plan->flow->delay_max_ns : 0;
    state->kept[state->kept_count++] = (struct kept){*lease, now->mono_ns + delay_ns};
    *lease = NULL;
    note_held(state);
}

static enum ps_result sink_work(const void *plan_, void *state_, struct ps_lease **lease,
                                const struct ps_now *now)
{
    const struct flow_plan *plan = plan_;
    const struct flow_chances *chances = &plan->flow->chances;
    struct sink_state *state = state_;
    while (
        ps_lease_is_settled(*lease, (*lease)->cursor)) /* by a sink in Java, which leaves the cursor alone */
        (*lease)->cursor++;
    assert_true((*lease)->settled == (*lease)->cursor); /* this sink moves both together */
    assert_false(state->failed);
    flow_may_fail(plan->flow, state->port, &state->random, &state->failed);
    if (state->kept_count == FLOW_KEPT_MAX || flow_chance(&state->random, chances->sink_back_off))
        return PS_LATER;
    if (!is_dead(state) && flow_chance(&state->random, chances->sink_retry)) {
        state->sink->rolled_back++;
        return PS_RETRY;
    }
    if (is_dead(state)) /* more than it ever delivers: the account must not subtract them */
        ps_count(state->port->counters, PS_COUNTER_refused, (*lease)->count);
    if (is_dead(state) || state->kept_count > 0 || has_dying(plan, state, *lease) ||
        flow_chance(&state->random, chances->sink_keep)) {
        keep(plan, state, lease, now);
        return PS_TAKEN;
    }
    if (flow_chance(&state->random, chances->sink_partly)) {
        (void)settle(plan, state, *lease,
                     (uint32_t)(ps_test_random(&state->random) % ((*lease)->count - (*lease)->cursor)));
        if (ps_test_random(&state->random) % 4 > 0)
            return PS_LATER;
        if (chances->sink_retry == 0)
            return PS_LATER;
        state->sink->rolled_back++;
        return PS_RETRY;
    }
    assert_true(settle(plan, state, *lease, UINT32_MAX));
    return PS_DONE;
}

/* Called when the lease is settled. Where each lease is recorded by itself, some are returned after newer ones. */
static void finish(struct sink_state *state, struct ps_lease *lease)
{
    if (state->late == NULL && lease->batch->any_order && ps_test_random(&state->random) % 4 == 0) {
        state->late = lease;
        return;
    }
    ps_port_done(state->port, &lease);
    assert_null(lease);
}

static void finish_late(struct sink_state *state)
{
    if (state->late != NULL)
        ps_port_done(state->port, &state->late);
}

static void remove_oldest(struct sink_state *state)
{
    memmove(state->kept, state->kept + 1, --state->kept_count * sizeof state->kept[0]);
}

static uint64_t sink_tick(const void *plan_, void *state_, const struct ps_now *now)
{
    const struct flow_plan *plan = plan_;
    struct sink_state *state = state_;
    assert_false(state->failed);
    flow_answers_read(&state->answers);
    note_held(state);
    if (state->kept_count > 0)
        flow_may_fail(plan->flow, state->port, &state->random, &state->failed);
    if (state->kept_count > 0 && state->sink->group != 0)
        may_be_troubled(plan->flow, state->port, &state->random, &state->failed);
    if (is_dead(state) || state->failed)
        return PS_NEVER;
    while (state->kept_count > 0 && state->kept[0].due_ns <= now->mono_ns) {
        struct ps_lease *lease = state->kept[0].lease;
        if (!settle(plan, state, lease, UINT32_MAX))
            return now->mono_ns + PS_NS_PER_MS;
        remove_oldest(state);
        finish(state, lease);
    }
    if (state->kept_count == 0)
        finish_late(state);
    if (state->kept_count > 0 && state->kept[0].lease->cursor + 1 < state->kept[0].lease->count)
        (void)settle(plan, state, state->kept[0].lease,
                     1); /* settles some events before the rest of their lease */
    return state->kept_count > 0 ? flow_answers_await(&state->answers, state->kept[0].due_ns) : PS_NEVER;
}

/* Settles leases after the oldest one, which is not settled. They are given back with it, and the engine must notice
 * that they are settled. Used only where the order does not matter. */
static void settle_behind(const struct flow_plan *plan, struct sink_state *state)
{
    bool may = !is_dead(state) && !flow_order_counts(plan->flow, state->sink->channel);
    for (unsigned i = 1; may && i < state->kept_count; i++) {
        struct ps_lease *lease = state->kept[i].lease;
        if (!has_dying(plan, state, lease) && ps_test_random(&state->random) % 3 == 0)
            assert_true(settle(plan, state, lease, UINT32_MAX));
    }
}

/* Completes some of the oldest leases and gives the others back. Of those, the oldest may be settled in part, and
 * later ones in part or completely. */
static bool sink_recall(const void *plan_, void *state_, struct ps_lease **back, const struct ps_now *now)
{
    const struct flow_plan *plan = plan_;
    struct sink_state *state = state_;
    if (flow_chance(&state->random, plan->flow->chances.recall_later))
        return false;
    /* A letter that is not written is withdrawn, or comes twice. */
    if (state->kept_count > 0 && state->letter > 0 &&
        make_dead_letter(plan, state, state->kept[0].lease, false) &&
        state->kept[0].lease->cursor == state->kept[0].lease->count) {
        struct ps_lease *lease = state->kept[0].lease;
        remove_oldest(state);
        ps_port_done(state->port, &lease);
    }
    finish_late(state);
    state->letter = 0;
    while (!is_dead(state) && state->kept_count > 0 && !has_dying(plan, state, state->kept[0].lease) &&
           ps_test_random(&state->random) % 3 == 0) {
        struct ps_lease *lease = state->kept[0].lease;
        remove_oldest(state);
        assert_true(settle(plan, state, lease, UINT32_MAX));
        ps_port_done(state->port, &lease);
    }
    if (!is_dead(state) && state->kept_count > 0 &&
        !has_dying(plan, state, state->kept[0].lease)) { /* never all events: the lease would be done */
        struct ps_lease *lease = state->kept[0].lease;
        (void)settle(plan, state, lease,
                     (uint32_t)(ps_test_random(&state->random) % (lease->count - lease->cursor)));
    }
    settle_behind(plan, state);
    struct ps_lease **end = back;
    while (*end != NULL)
        end = &(*end)->next;
    while (state->kept_count > 0) {
        *end = state->kept[0].lease;
        (*end)->next = NULL;
        end = &(*end)->next;
        state->sink->given_back++;
        remove_oldest(state);
    }
    return true;
}

static bool sink_drain(const void *plan, void *state_, const struct ps_now *now)
{
    return ((struct sink_state *)state_)->kept_count == 0;
}

static const struct ps_sink_ops sink_ops = {
    .work = sink_work, .tick = sink_tick, .recall = sink_recall, .drain = sink_drain};
const struct ps_stage_ops flow_sink_stage = {
    PS_STAGE(PS_KIND_SINK),
    .name = "flow-sink",
    .summary = "a test stage",
    .plan_size = sizeof(struct flow_plan),
    .state_size = sizeof(struct sink_state),
    .open = sink_open,
    .close = sink_close,
    .sink = &sink_ops,
};

static const struct ps_sink_ops sockets_ops = {
    .sockets = true, .work = sink_work, .tick = sink_tick, .recall = sink_recall, .drain = sink_drain};
const struct ps_stage_ops flow_sink_with_sockets = {
    PS_STAGE(PS_KIND_SINK),
    .name = "flow-sink",
    .summary = "a test stage",
    .plan_size = sizeof(struct flow_plan),
    .state_size = sizeof(struct sink_state),
    .open = sink_open,
    .close = sink_close,
    .sink = &sockets_ops,
};
