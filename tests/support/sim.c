#include "tests/support/sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/engine/worker_internal.h"

uint64_t sim_all_slept, sim_all_kept, sim_chains_exchanged;

uint64_t sim_pick(struct sim *sim, uint64_t below)
{
    return ps_test_random(&sim->random) % below;
}

/* ---- the simulation ---- */

struct ps_plan *sim_build_plan(struct sim *sim)
{
    struct ps_err err = {0};
    struct ps_plan *plan = ps_plan_create(flow_spec(&sim->flow), &sim->machine, sim->plan, &err);
    if (plan != NULL && sim->plan != NULL)
        ps_plan_adopt(plan, sim->plan);
    if (plan == NULL || ps_plan_build(plan, &err) != PS_OK)
        fail_msg("%s", err.text);
    return plan;
}

void sim_start(struct sim *sim)
{
    struct ps_err err = {0};
    sim->machine = (struct ps_machine){.cores = 4, .memory_bytes = 1 << 20};
    sim->plan = sim_build_plan(sim);
    struct ps_engine_settings settings = {
        .worker_count = sim->plan->worker_count,
        .memory_budget_bytes = sim->plan->block_budget_bytes,
        .simulated = true,
    };
    sim->engine = ps_engine_create(&settings, &err);
    if (sim->engine == NULL)
        fail_msg("%s", err.text);
    ps_plan_start(sim->plan);
}

/* ---- sleeping ---- */

static bool is_asleep(struct sim *sim, unsigned id)
{
    return sim->sleeps[id] && !(sim->flow.alarms >> id & 1) &&
           ps_worker_is_parked(ps_engine_worker(sim->engine, id)) && sim->now.mono_ns < sim->wake_ns[id];
}

static void wake(struct sim *sim, unsigned id)
{
    if (sim->sleeps[id]) {
        ps_worker_unpark(ps_engine_worker(sim->engine, id));
        sim->flow.alarms &= ~(UINT64_C(1) << id); /* it reads its eventfd when it wakes up */
    }
    sim->sleeps[id] = false;
}

static void go_to_sleep(struct sim *sim, unsigned id)
{
    struct ps_worker *worker = ps_engine_worker(sim->engine, id);
    sim->sleeps[id] = ps_worker_park(worker, &sim->now);
    sim->idle[id] = false;
    sim->wake_ns[id] = ps_worker_deadline_ns(worker);
    if (!sim->sleeps[id])
        ps_worker_unpark(worker);
}

/* Returns whether the order to run is carried out, and all workers sleep. */
static bool all_sleep(struct sim *sim)
{
    if (sim->run_number == 0 || !ps_engine_reached(sim->engine, sim->run_number))
        return false;
    for (unsigned i = 0; i < ps_engine_worker_count(sim->engine); i++) {
        if (!is_asleep(sim, i))
            return false;
    }
    return true;
}

/* ---- steps ---- */

/* Runs one cycle of one worker, or lets time pass. */
void sim_step(struct sim *sim)
{
    unsigned workers = ps_engine_worker_count(sim->engine);
    if (sim_pick(sim, 4) == 0) {
        uint64_t step_ns =
            sim_pick(sim, 3) == 0 && !sim->fine ? sim_pick(sim, PS_NS_PER_S) : sim_pick(sim, PS_NS_PER_MS);
        sim->now.mono_ns += step_ns;
        sim->now.wall_ms += (int64_t)(step_ns / PS_NS_PER_MS);
    }
    for (unsigned i = 0; i < FLOW_CHANNELS_MAX; i++)
        flow_store_run(sim->flow.stores[i], &sim->now);
    if (sim->world != NULL)
        sim->world(sim);
    unsigned id = (unsigned)sim_pick(sim, workers);
    if (!is_asleep(sim, id)) {
        wake(sim, id);
        if (sim->idle[id] && sim_pick(sim, 2) == 0)
            go_to_sleep(sim, id);
        else
            sim->idle[id] = !ps_worker_cycle(ps_engine_worker(sim->engine, id), &sim->now);
        if (all_sleep(sim)) {
            sim_all_slept++;
            for (unsigned i = 0; i < workers; i++)
                flow_check_sleeper(&sim->flow, sim->plan, ps_engine_worker(sim->engine, i), i, &sim->now);
        }
    }
    if (++sim->steps > 20000000)
        fail_msg("the run does not end (seed %llu)", (unsigned long long)sim->flow.seed);
}

/* Workers keep cycling while control works. */
static void some_steps(struct sim *sim)
{
    for (uint64_t i = sim_pick(sim, 2) * sim_pick(sim, 12); i > 0; i--)
        sim_step(sim);
}

/* Returns false when `steps` steps were not enough. */
bool sim_order(struct sim *sim, enum ps_phase phase, struct ps_plan *plan, struct ps_plan *next,
               uint64_t steps)
{
    uint64_t number = ps_engine_order(sim->engine, phase, plan, next);
    sim->run_number = phase == PS_PHASE_RUN ? number : 0;
    for (uint64_t i = 0; i < steps; i++) {
        if (ps_engine_reached(sim->engine, number))
            return true;
        sim_step(sim);
    }
    return false;
}

void sim_settle_phase(struct sim *sim, enum ps_phase phase, struct ps_plan *plan, struct ps_plan *next)
{
    if (!sim_order(sim, phase, plan, next, 1000000))
        fail_msg("phase %d is never reached (seed %llu)", (int)phase, (unsigned long long)sim->flow.seed);
}

/* Orders DRAIN twice, as the agent does. Returns whether everything drained. */
bool sim_drain(struct sim *sim, struct ps_plan *next, uint64_t steps)
{
    return sim_order(sim, PS_PHASE_DRAIN, sim->plan, next, steps) &&
           sim_order(sim, PS_PHASE_DRAIN, sim->plan, next, steps);
}

void sim_count_dropped(struct sim *sim)
{
    for (unsigned i = 0; i < ps_engine_worker_count(sim->engine); i++) {
        size_t count;
        struct ps_source_runner **runners = ps_worker_sources(ps_engine_worker(sim->engine, i), &count);
        for (size_t k = 0; k < count; k++) {
            if (runners[k]->base.spec->ops == &flow_source_stream &&
                ps_runner_state(&runners[k]->base) == PS_RUNNER_CLOSED)
                sim->dropped += ps_counter_read(runners[k]->base.counters, PS_COUNTER_dropped);
        }
    }
}

static void leave_plan(struct sim *sim, struct ps_plan *next, uint64_t drain_steps)
{
    (void)sim_drain(sim, next, drain_steps);
    sim_settle_phase(sim, PS_PHASE_RECALL, sim->plan, next);
    sim_settle_phase(sim, PS_PHASE_CLOSE, sim->plan, next);
    sim_count_dropped(sim);
}

/* Returns how many events were lost in channels that `next` does not have. */
uint64_t sim_exchange_losing(struct sim *sim, struct ps_plan *next, uint64_t drain_steps)
{
    struct ps_left carried, lost;
    struct ps_plan *old = sim->plan;
    leave_plan(sim, next, drain_steps);
    some_steps(sim);
    ps_engine_carry_over(sim->engine, old, next, &carried, &lost);
    some_steps(sim);
    ps_plan_start(next);
    some_steps(sim);
    sim->plan = next;
    sim_settle_phase(sim, PS_PHASE_RUN, next, NULL);
    ps_plan_retire(old, next);
    return lost.events;
}

void sim_exchange(struct sim *sim, struct ps_plan *next, uint64_t drain_steps)
{
    assert_int_equal(sim_exchange_losing(sim, next, drain_steps), 0); /* the channels are carried over */
}

/* Expects that unchanged components are taken over, all of them, and neither opened nor started until the next call. */
static void expect_kept(struct sim *sim, const struct ps_plan *next)
{
    struct flow *flow = &sim->flow;
    for (unsigned i = 0; i < flow->source_count; i++) {
        struct flow_source *source = &flow->sources[i];
        source->kept_open = source->changes == 0;
        assert_true((next->sources[i].adopts != NULL) == source->kept_open);
        assert_true(next->sources[i].adopts_chain == (source->kept_open && source->chain_changes == 0));
        sim_chains_exchanged += source->kept_open && source->chain_changes;
        source->chain_open_failures = (unsigned)(sim_pick(sim, 8) == 0);
    }
    for (unsigned i = 0; i < flow->channel_count; i++)
        assert_true((next->channels[i].adopts != NULL) == (flow->channels_stay >> i & 1));
    for (unsigned i = 0; i < flow->sink_count; i++) {
        assert_true((next->sinks[i].adopts != NULL) == flow_sink_stays(flow, i));
        flow->sinks[i].kept_open = flow_sink_stays(flow, i);
        sim_all_kept += flow->sinks[i].kept_open;
    }
    flow->channels_kept = flow->channels_stay;
}

static void expect_nothing(struct sim *sim)
{
    for (unsigned i = 0; i < sim->flow.source_count; i++)
        sim->flow.sources[i].kept_open = false;
    for (unsigned i = 0; i < sim->flow.sink_count; i++)
        sim->flow.sinks[i].kept_open = false;
    sim->flow.channels_kept = 0;
}

void sim_reload(struct sim *sim)
{
    struct ps_err err = {0};
    struct ps_plan *old = sim->plan;
    flow_draw_changes(&sim->flow, &sim->random);
    if (sim->flow.options.workers < SIM_WORKERS_MAX && sim_pick(sim, 4) == 0)
        sim->flow.options.workers++;
    struct ps_plan *next = sim_build_plan(sim);
    expect_kept(sim, next);
    if (ps_engine_grow(sim->engine, next->worker_count, (struct ps_texts){0}, &err) != PS_OK)
        fail_msg("%s", err.text);
    if (sim_pick(sim, 3) == 0)
        (void)sim_order(sim, PS_PHASE_PAUSE, old, next, sim_pick(sim, 100));
    if (sim_pick(sim, 6) == 0) { /* refused: the old plan continues, paused before or running */
        sim_settle_phase(sim, PS_PHASE_PAUSE, old, next);
        sim_settle_phase(sim, PS_PHASE_RUN, old, NULL);
        ps_plan_destroy(next);
        flow_take_back(&sim->flow);
        expect_nothing(sim);
        return;
    }
    sim_exchange(sim, next, sim_pick(sim, 400));
    expect_nothing(sim);
}

/* Asserts that everything was returned: batch descriptors, and all blocks except those in caches. */
static void assert_home(struct sim *sim)
{
    assert_int_equal(ps_engine_batches_out(sim->engine), 0);
    uint64_t used = ps_depot_used_bytes(ps_engine_depot(sim->engine));
    for (unsigned i = 0; i < ps_engine_worker_count(sim->engine); i++)
        used -= ps_pool_cache(ps_worker_pool(ps_engine_worker(sim->engine, i)))->free_count *
                (uint64_t)PS_BLOCK_BYTES;
    assert_int_equal(used, 0);
}

/* Closes the agent, and gives up the events that are left, as a stop that ran out of time does. Returns how many
 * events were given up. */
uint64_t sim_stop(struct sim *sim, uint64_t drain_steps)
{
    struct ps_left carried, lost;
    leave_plan(sim, NULL, drain_steps);
    ps_engine_carry_over(sim->engine, sim->plan, NULL, &carried, &lost);
    sim_settle_phase(sim, PS_PHASE_CLOSE, NULL, NULL); /* leases that were given up are returned */
    assert_home(sim);
    for (unsigned i = 0; i < ps_engine_worker_count(sim->engine); i++)
        wake(sim, i);
    ps_engine_destroy(sim->engine);
    ps_plan_destroy(sim->plan);
    sim->engine = NULL;
    sim->plan = NULL;
    return lost.events;
}

/* ---- the seeds ---- */

void sim_draw(struct sim *sim, uint64_t seed, bool positions)
{
    static const char *const capacities[] = {"1", "10", "100", "1000", "100000"};
    static const char *const keep_alives[] = {"0", "1", "3"};
    *sim = (struct sim){.random = seed | 1, .now = {.mono_ns = PS_NS_PER_S, .wall_ms = 1700000000000}};
    struct flow *flow = &sim->flow;
    flow->seed = seed;
    flow->total = 300 + sim_pick(sim, 3000);
    flow->options.workers = (int64_t)(1 + sim_pick(sim, 3));
    flow->source_count = 1 + (unsigned)sim_pick(sim, 4);
    flow->channel_count = 1 + (unsigned)sim_pick(sim, 3);
    flow->sink_count = flow->channel_count + (unsigned)sim_pick(sim, 3);
    flow->multiplex = sim_pick(sim, 2) == 0;
    flow->capacity = capacities[sim_pick(sim, PS_COUNT_OF(capacities))];
    flow->keep_alive_s = keep_alives[sim_pick(sim, PS_COUNT_OF(keep_alives))];
    if (sim_pick(sim, 2) == 0) { /* one more, for the dead letters */
        flow->letters = ++flow->channel_count;
        flow->sink_count++;
        flow->chances.die = (unsigned)sim_pick(sim, 40);
    }
    for (unsigned i = 0; i < flow->source_count; i++) {
        flow->sources[i].kind = positions ? FLOW_POSITION : (enum flow_kind)(sim_pick(sim, 3));
        flow->sources[i].instances = 1 + (unsigned)sim_pick(sim, (uint64_t)flow->options.workers);
    }
    for (unsigned i = 0; i < flow->sink_count; i++) {
        flow->sinks[i].channel = i < flow->channel_count ? i : (unsigned)sim_pick(sim, flow->channel_count);
        flow->sinks[i].open_failures = sim_pick(sim, 6) == 0 ? (unsigned)sim_pick(sim, 3) : 0;
    }
    if (sim_pick(sim, 2) == 0)
        flow_draw_groups(flow, &sim->random, 3000);
    flow->body_max = sim_pick(sim, 4) == 0 ? 20000 : 300;
    flow->work_events_max = 1 + (uint32_t)sim_pick(sim, 300);
    flow->delay_max_ns = sim_pick(sim, 3) == 0 ? PS_NS_PER_S : PS_NS_PER_MS;
    bool small = sim_pick(sim, 2) == 0;
    flow->options.batch_events = sim_pick(sim, 3) == 0 ? 1 + (int64_t)sim_pick(sim, 64) : PS_BATCH_EVENTS_MAX;
    struct flow_chances *chances = &flow->chances;
    chances->source_idle = (unsigned)sim_pick(sim, 300);
    chances->source_back_off = (unsigned)sim_pick(sim, 100);
    chances->oversize = sim_pick(sim, 4) == 0 ? 3 : 0;
    chances->drop = sim_pick(sim, 2) == 0 ? (unsigned)sim_pick(sim, 400) : 0;
    chances->chain_later = (unsigned)sim_pick(sim, 300);
    chances->chain_no_memory = (unsigned)sim_pick(sim, 4);
    chances->sink_keep = (unsigned)sim_pick(sim, 1000);
    chances->sink_back_off = (unsigned)sim_pick(sim, 300);
    chances->sink_retry = (unsigned)sim_pick(sim, 100);
    chances->sink_partly = (unsigned)sim_pick(sim, 200);
    chances->recall_later = (unsigned)sim_pick(sim, 900);
    chances->fail = sim_pick(sim, 3) == 0 ? 1 + (unsigned)sim_pick(sim, 20) : 0;
    chances->troubled = sim_pick(sim, 2) == 0 ? 1 + (unsigned)sim_pick(sim, 50) : 0;
    flow->durable = sim_pick(sim, 3) == 0 ? 0 : (unsigned)sim_pick(sim, 1U << flow->channel_count);
    chances->disk_breaks = sim_pick(sim, 2) == 0 ? 1 + (unsigned)sim_pick(sim, 4) : 0;
    flow_init(flow);
    flow->options.memory_budget = small ? 0 : 128 << 20; /* 0: the least that the plan allows */
}

/* Ends the faults, so that the run must end. */
void sim_calm(struct sim *sim)
{
    struct flow_chances *chances = &sim->flow.chances;
    chances->chain_no_memory = chances->sink_retry = chances->fail = chances->troubled = 0;
    for (unsigned i = 0; i < sim->flow.sink_count; i++)
        sim->flow.sinks[i].dead = false;
    for (unsigned i = 0; i < FLOW_CHANNELS_MAX; i++) {
        if (sim->flow.stores[i] != NULL)
            flow_store_calm(sim->flow.stores[i]);
    }
}

/* A stop leaves events in a durable channel, so its sinks must get everything before the stop. */
static bool all_is_delivered(const struct sim *sim)
{
    for (unsigned i = 0; sim->flow.durable != 0 && i < ps_engine_worker_count(sim->engine); i++) {
        size_t count;
        struct ps_source_runner **sources = ps_worker_sources(ps_engine_worker(sim->engine, i), &count);
        for (size_t k = 0; k < count; k++) {
            if (sources[k]->chain.lease != NULL || sources[k]->inherited != NULL ||
                !ps_batch_is_empty(sources[k]->batch) || ps_window_outstanding(sources[k]->window) > 0 ||
                !ps_dead_letter_channel_is_home(sources[k]->base.letters))
                return false;
        }
        struct ps_sink_runner **sinks = ps_worker_sinks(ps_engine_worker(sim->engine, i), &count);
        for (size_t k = 0; k < count; k++) {
            if (!ps_sink_runner_is_idle(sinks[k]) || !ps_dead_letter_channel_is_home(sinks[k]->base.letters))
                return false;
        }
    }
    for (unsigned i = 0; i < FLOW_CHANNELS_MAX; i++) {
        if (sim->flow.stores[i] != NULL && !flow_store_is_empty(sim->flow.stores[i]))
            return false;
    }
    return true;
}

void sim_run_to_end(struct sim *sim)
{
    sim_calm(sim);
    while (!flow_is_made(&sim->flow) || !all_is_delivered(sim))
        sim_step(sim);
}

void sim_last_life(struct sim *sim)
{
    sim_start(sim);
    sim_settle_phase(sim, PS_PHASE_RUN, sim->plan, NULL);
    sim_run_to_end(sim);
    assert_int_equal(sim_stop(sim, 2000000), 0);
    flow_verify(&sim->flow, FLOW_AT_LEAST_ONCE);
    flow_fini(&sim->flow);
}

void sim_for_seeds(void (*run)(uint64_t seed), unsigned count)
{
    uint64_t seed = ps_test_seed();
    if (getenv("PENSTOCK_SEED") != NULL) {
        run(seed);
        return;
    }
    ps_log_set_level(PS_LOG_OFF);
    sim_all_slept = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t one = ps_test_random(&seed);
        char text[32];
        snprintf(text, sizeof text, "%llu", (unsigned long long)one);
        fprintf(stderr, "PENSTOCK_SEED=%s\n", text);
        run(one);
    }
    assert_true(sim_all_slept > 10 * (uint64_t)count);
}
