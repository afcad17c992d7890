/* Reloads with something under way, carried out by the agent's own code (core/engine/agent/agent.c): they remove a channel that
 * is not empty and bring it back, rename one, change its type, drop one of two sinks, add and remove a source, change an
 * interceptor. Control waits in the agent's loops, and the workers of the simulator cycle whenever it looks for signals
 * (`hurry`). The agent refuses a reload when patience ends first, and the running plan continues. */
#include "tests/support/sim.h"

#include <stdlib.h>

#include "core/engine/agent/internal.h"

#define ENOUGH_SEEDS 40U /* with fewer seeds, perhaps no reload removes a channel that has events */
#define SEEDS (SIM_SEEDS < ENOUGH_SEEDS ? SIM_SEEDS : ENOUGH_SEEDS)
#define STEPS_MAX 1000000U /* of one phase */

/* The parts of the agent that a reload changes. A refused reload takes them back. */
struct shape {
    unsigned source_count, channel_count, sink_count;
    unsigned names[FLOW_CHANNELS_MAX], as_memory;
    unsigned channels[FLOW_SOURCES_MAX]; /* of each source: mask */
};

struct run {
    struct sim sim;
    struct ps_agent agent;
    struct shape all, here; /* all: every part; here: the parts that run */
    unsigned gone;          /* channels of the running plan that the next one does not have: mask */
    uint64_t number, steps; /* of the phase: number of its orders; steps so far */
    enum ps_phase phase;
    uint64_t patience; /* steps after which a phase is cut short, if it may be */
    bool cut;          /* a DRAIN phase was cut short at least once */
    uint64_t counted;  /* number of the orders whose closed sources were counted */
};

static unsigned gone_with_events, refused, finished;

/* ---- shapes ---- */

static void shape_of(const struct flow *flow, struct shape *shape)
{
    *shape = (struct shape){flow->source_count, flow->channel_count, flow->sink_count,
                            .as_memory = flow->as_memory};
    memcpy(shape->names, flow->names, sizeof shape->names);
    for (unsigned i = 0; i < FLOW_SOURCES_MAX; i++)
        shape->channels[i] = flow->sources[i].channels;
}

static void take_shape(struct flow *flow, const struct shape *shape)
{
    flow->source_count = shape->source_count;
    flow->channel_count = shape->channel_count;
    flow->sink_count = shape->sink_count;
    flow->as_memory = shape->as_memory;
    memcpy(flow->names, shape->names, sizeof shape->names);
    for (unsigned i = 0; i < FLOW_SOURCES_MAX; i++)
        flow->sources[i].channels = shape->channels[i];
}

/* Returns the number of sinks without those of the last channel, which come last. */
static unsigned sinks_without_last(const struct run *run)
{
    unsigned count = 0;
    while (run->sim.flow.sinks[count].channel + 1 < run->all.channel_count)
        count++;
    return count;
}

/* Returns whether the last sink shares its channel with another one. */
static bool last_is_one_of_two(const struct flow *flow, unsigned sink_count)
{
    unsigned count = 0;
    for (unsigned i = 0; i < sink_count; i++)
        count += flow->sinks[i].channel == flow->sinks[sink_count - 1].channel;
    return count > 1;
}

static bool draw(struct run *run, uint64_t one_of)
{
    return sim_pick(&run->sim, one_of) == 0;
}

/* Draws the next spec's parts. */
static void draw_shape(struct run *run, struct shape *next)
{
    struct flow *flow = &run->sim.flow;
    *next = run->all;
    memcpy(next->names, run->here.names, sizeof next->names);
    next->as_memory = run->here.as_memory;
    for (unsigned c = 0; c < run->all.channel_count; c++) {
        next->names[c] += draw(run, 6);
        if (flow->durable >> c & 1 && draw(run, 5))
            next->as_memory ^= 1U << c;
    }
    if (draw(run, 3)) {
        next->channel_count--;
        next->sink_count = sinks_without_last(run);
        for (unsigned i = 0; i < FLOW_SOURCES_MAX; i++)
            next->channels[i] &= ~(1U << next->channel_count);
    }
    if (draw(run, 3) && last_is_one_of_two(flow, next->sink_count))
        next->sink_count--;
    if (draw(run, 2))
        next->source_count--;
}

static void draw_changes(struct run *run)
{
    struct flow *flow = &run->sim.flow;
    bool much = draw(run, 4);
    for (unsigned i = 0; i < run->all.source_count; i++) {
        flow->sources[i].changes = draw(run, much ? 2 : 8);
        flow->sources[i].chain_changes = draw(run, 4);
    }
    flow->channels_stay = much ? (unsigned)sim_pick(&run->sim, 1U << run->all.channel_count) : UINT32_MAX;
    for (unsigned i = 0; i < run->all.sink_count; i++)
        flow->sinks[i].stays = !draw(run, much ? 2 : 8);
    if (flow->options.workers < SIM_WORKERS_MAX && draw(run, 6))
        flow->options.workers++;
    if (draw(run, 6))
        flow->options.batch_events = 1 + (int64_t)sim_pick(&run->sim, 300);
}

/* Returns the mask of the channels that the next plan has under another name, with another type, or not at all. */
static unsigned channels_gone(const struct shape *here, const struct shape *next)
{
    unsigned gone = 0;
    for (unsigned c = 0; c < here->channel_count; c++) {
        bool stays = c < next->channel_count && here->names[c] == next->names[c] &&
                     !((here->as_memory ^ next->as_memory) >> c & 1);
        gone |= (unsigned)!stays << c;
    }
    return gone;
}

/* ---- control ---- */

static void revive_sinks(struct flow *flow)
{
    for (unsigned i = 0; i < FLOW_SINKS_MAX; i++)
        flow->sinks[i].dead = false;
}

/* Asserts that nothing is left on the disk of a channel that is removed, before the next plan has it under another name. */
static void expect_empty_stores(const struct run *run)
{
    for (unsigned went = run->gone; went != 0; went &= went - 1) {
        const struct flow_store *store = run->sim.flow.stores[__builtin_ctz(went)];
        bool here = store != NULL && !(run->here.as_memory >> __builtin_ctz(went) & 1);
        assert_true(!here || flow_store_is_empty(store));
    }
}

static uint64_t events_in(const struct ps_plan *plan, unsigned channels)
{
    uint64_t events = 0;
    for (; channels != 0; channels &= channels - 1)
        events += ps_channel_plan_left(&plan->channels[__builtin_ctz(channels)]);
    return events;
}

/* The agent calls this function while it waits. A phase whose end would lose events is not cut short: the agent gives
 * it the longer of its two times, and reports what was lost after that. */
static unsigned hurry(void *argument)
{
    struct run *run = argument;
    struct sim *sim = &run->sim;
    enum ps_phase phase;
    uint64_t number = ps_engine_ordered(sim->engine, &phase);
    if (number != run->number)
        run->steps = 0;
    run->number = number;
    if (phase == PS_PHASE_DRAIN && run->phase == PS_PHASE_PAUSE) /* no worker has run a cycle since */
        assert_int_equal(events_in(run->agent.plan, run->gone), 0);
    run->phase = phase;
    bool may_end = phase == PS_PHASE_PAUSE || (phase == PS_PHASE_DRAIN && run->gone == 0);
    if (phase == PS_PHASE_DRAIN && run->gone != 0)
        revive_sinks(&sim->flow);
    while (!ps_engine_reached(sim->engine, number)) {
        if (may_end && run->steps >= run->patience) {
            run->cut |= phase == PS_PHASE_DRAIN;
            return 2;
        }
        sim_step(sim);
        if (++run->steps > STEPS_MAX)
            fail_msg("phase %d does not end (seed %llu)", (int)phase, (unsigned long long)sim->flow.seed);
    }
    if (phase == PS_PHASE_CLOSE && run->counted != number) {
        run->counted = number;
        expect_empty_stores(run);
        sim_count_dropped(sim);
    }
    return 0;
}

/* Asserts that a component that the agent keeps open is not opened again. */
static void expect_kept(struct run *run, const struct ps_plan *next)
{
    struct flow *flow = &run->sim.flow;
    flow->channels_kept = 0;
    for (unsigned i = 0; i < flow->channel_count; i++)
        flow->channels_kept |= (unsigned)(next->channels[i].adopts != NULL) << i;
    for (unsigned i = 0; i < flow->sink_count; i++)
        flow->sinks[i].kept_open = next->sinks[i].adopts != NULL;
    for (unsigned i = 0; i < flow->source_count; i++)
        flow->sources[i].kept_open = next->sources[i].adopts != NULL;
}

static void expect_nothing(struct flow *flow)
{
    flow->channels_kept = 0;
    for (unsigned i = 0; i < FLOW_SINKS_MAX; i++)
        flow->sinks[i].kept_open = false;
    for (unsigned i = 0; i < FLOW_SOURCES_MAX; i++)
        flow->sources[i].kept_open = false;
}

/* Asserts that each stage that runs is that of the last loaded spec, or equal to it. */
static void expect_versions(struct run *run)
{
    struct flow *flow = &run->sim.flow;
    for (unsigned i = 0; i < ps_engine_worker_count(run->sim.engine); i++) {
        size_t count;
        struct ps_source_runner **sources = ps_worker_sources(ps_engine_worker(run->sim.engine, i), &count);
        for (size_t k = 0; k < count; k++) {
            const struct ps_links *links = sources[k]->links;
            const struct flow_plan *plan = links->interceptors[0].spec->plan;
            const struct flow_source *source = &flow->sources[plan->number];
            assert_int_equal(plan->version, source->version + source->chain_version);
            assert_int_equal(((const struct flow_plan *)sources[k]->base.spec->plan)->version,
                             source->version);
            assert_null(sources[k]->old_links);
            assert_int_equal(((const struct flow_plan *)links->selector.spec->plan)->channels,
                             source->channels);
        }
        struct ps_sink_runner **sinks = ps_worker_sinks(ps_engine_worker(run->sim.engine, i), &count);
        for (size_t k = 0; k < count; k++) {
            const struct flow_plan *plan = sinks[k]->base.spec->plan;
            assert_int_equal(plan->version, flow->sinks[plan->number].version);
        }
    }
}

/* Loads a spec of this shape. Returns whether it runs. */
static bool load(struct run *run, const struct shape *shape, uint64_t patience)
{
    struct sim *sim = &run->sim;
    struct ps_plan *old = run->agent.plan, *next;
    struct ps_err err = {0};
    run->gone = channels_gone(&run->here, shape);
    run->patience = patience;
    uint64_t held = events_in(old, run->gone), failures = run->agent.reload_failed_count;
    take_shape(&sim->flow, shape);
    if (ps_agent_reload_begin(&run->agent, flow_spec(&sim->flow), &sim->machine, &next, &err) != PS_OK)
        fail_msg("%s (seed %llu)", err.text, (unsigned long long)sim->flow.seed);
    if (next == NULL)
        return true;
    assert_int_equal(ps_plan_build(next, &err), PS_OK);
    expect_kept(run, next);
    sim->run_number = 0;
    bool done = ps_agent_reload_end(&run->agent, next, hurry, run, &err) == PS_OK;
    enum ps_phase phase;
    sim->plan = run->agent.plan;
    sim->run_number = ps_engine_ordered(sim->engine, &phase);
    assert_int_equal(phase, PS_PHASE_RUN);
    expect_nothing(&sim->flow);
    assert_int_equal(run->agent.reload_failed_count, failures + !done);
    if (!done) {
        assert_true(run->gone != 0 && sim->plan == old);
        take_shape(&sim->flow, &run->here);
        refused++;
        return false;
    }
    assert_ptr_equal(sim->plan, next);
    assert_int_equal(run->agent.past.undelivered, 0);
    expect_versions(run);
    gone_with_events += held > 0;
    finished++;
    run->here = *shape;
    return true;
}

/* ---- a run ---- */

/* The sinks of the last channel go to the end. */
static void sort_sinks(struct flow *flow)
{
    for (unsigned i = 1; i < flow->sink_count; i++) {
        for (unsigned k = i; k > 0 && flow->sinks[k].channel < flow->sinks[k - 1].channel; k--) {
            unsigned channel = flow->sinks[k].channel;
            flow->sinks[k].channel = flow->sinks[k - 1].channel;
            flow->sinks[k - 1].channel = channel;
        }
    }
}

static void begin(struct run *run, uint64_t seed)
{
    struct sim *sim = &run->sim;
    struct flow *flow = &sim->flow;
    *sim = (struct sim){.random = seed | 1, .now = {.mono_ns = PS_NS_PER_S, .wall_ms = 1700000000000}};
    *flow = (struct flow){.seed = seed,
                          .total = 2000 + sim_pick(sim, 4000),
                          .source_count = 2 + (unsigned)sim_pick(sim, 3),
                          .channel_count = 2 + (unsigned)sim_pick(sim, 2),
                          .multiplex = draw(run, 2),
                          .capacity = draw(run, 2) ? "100" : "1000",
                          .keep_alive_s = draw(run, 2) ? "0" : "1",
                          .work_events_max = 1 + (uint32_t)sim_pick(sim, 300),
                          .delay_max_ns = draw(run, 3) ? PS_NS_PER_S : PS_NS_PER_MS,
                          .options = {.workers = (int64_t)(1 + sim_pick(sim, 4)),
                                      .batch_events = 1 + (int64_t)sim_pick(sim, 300),
                                      .memory_budget = 128 << 20,
                                      .drain_timeout_ms = 3600000,
                                      .reload_timeout_ms = 3600000},
                          .chances = {.source_idle = (unsigned)sim_pick(sim, 300),
                                      .drop = draw(run, 2) ? (unsigned)sim_pick(sim, 300) : 0,
                                      .chain_later = (unsigned)sim_pick(sim, draw(run, 3) ? 900 : 200),
                                      .sink_keep = (unsigned)sim_pick(sim, 1000),
                                      .sink_back_off = (unsigned)sim_pick(sim, 200),
                                      .sink_retry = (unsigned)sim_pick(sim, 50),
                                      .sink_partly = (unsigned)sim_pick(sim, 200),
                                      .recall_later = (unsigned)sim_pick(sim, 900)}};
    flow->durable = draw(run, 2) ? (unsigned)sim_pick(sim, 1U << flow->channel_count) : 0;
    flow->retyped = flow->durable;
    for (unsigned i = 0; i < flow->source_count; i++) {
        flow->sources[i].kind = (enum flow_kind)sim_pick(sim, 3);
        flow->sources[i].instances = 1 + (unsigned)sim_pick(sim, 2);
    }
    flow->sink_count = flow->channel_count + (unsigned)sim_pick(sim, 3);
    for (unsigned i = 0; i < flow->sink_count; i++)
        flow->sinks[i].channel = i < flow->channel_count ? i : (unsigned)sim_pick(sim, flow->channel_count);
    sort_sinks(flow);
    flow_init(flow);
    flow_keep_routes(flow);
    shape_of(flow, &run->all);
    draw_shape(run, &run->here);
    take_shape(flow, &run->here);
    sim_start(sim);
    run->agent = (struct ps_agent){.engine = sim->engine, .plan = sim->plan};
    pthread_mutex_init(&run->agent.lock, NULL);
    sim_settle_phase(sim, PS_PHASE_RUN, sim->plan, NULL);
}

/* Asserts that no event of a stream is in a memory channel twice. */
static void expect_no_doubles_of_streams(const struct flow *flow)
{
    for (unsigned origin = 0; origin < FLOW_ORIGINS_MAX; origin++) {
        bool stream =
            flow->told[origin] != NULL && flow->sources[origin / FLOW_INSTANCES_MAX].kind == FLOW_STREAM;
        for (unsigned c = 0; stream && c < flow->channel_count; c++) {
            for (uint64_t n = 0; !(flow->durable >> c & 1) && n < flow->total; n++) {
                if (flow->seen[c][origin][n] > 1)
                    fail_msg("seen %u times: channel c%u, origin %u, event %llu (seed %llu)",
                             flow->seen[c][origin][n], c, origin, (unsigned long long)n,
                             (unsigned long long)flow->seed);
            }
        }
    }
}

static void run_seed(uint64_t seed)
{
    struct run run = {0};
    struct sim *sim = &run.sim;
    struct flow *flow = &sim->flow;
    begin(&run, seed);
    for (unsigned round = 0; round < 6; round++) {
        flow->sinks[sim_pick(sim, run.all.sink_count)].dead = draw(&run, 2);
        for (uint64_t i = sim_pick(sim, 300); i > 0; i--)
            sim_step(sim);
        struct shape next;
        draw_shape(&run, &next);
        draw_changes(&run);
        if (draw(&run, 3))
            revive_sinks(flow);
        (void)load(&run, &next, sim_pick(sim, draw(&run, 2) ? 200 : 20000));
    }
    struct shape last = run.all;
    memcpy(last.names, run.here.names, sizeof last.names);
    last.as_memory = run.here.as_memory;
    sim_calm(sim);
    revive_sinks(flow);
    draw_changes(&run);
    assert_true(load(&run, &last, 100000));
    sim_run_to_end(sim);
    assert_int_equal(sim_stop(sim, 2000000), 0);
    pthread_mutex_destroy(&run.agent.lock);
    flow->given_up = sim->dropped - flow_dropped(flow);
    assert_true(run.cut || flow->given_up == 0);
    flow_verify(flow, FLOW_AT_LEAST_ONCE);
    expect_no_doubles_of_streams(flow);
    flow_fini(flow);
}

static void test_reloads(void **state)
{
    gone_with_events = refused = finished = 0;
    sim_for_seeds(run_seed, SEEDS);
    if (getenv("PENSTOCK_SEED") != NULL || SEEDS < ENOUGH_SEEDS)
        return;
    assert_true(gone_with_events > SEEDS / 4);
    assert_true(refused > 0 && finished > SEEDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reloads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
