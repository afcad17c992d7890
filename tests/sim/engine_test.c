/* A whole agent on one thread with a simulated clock: workers are cycled in random order and go to sleep as real ones
 * do, time passes in random steps, and all faults are injected at random, from a seed. A worker that sleeps is
 * cycled only when another one woke it or its deadline has come; when all of them sleep, nothing may be left that
 * one of them could do. A run tries hundreds of seeds; a
 * failing seed is printed and can be replayed with PENSTOCK_SEED. */
#include "tests/support/flow_channel.h"

#include "core/engine/worker_parts.h"

#include <stdio.h>

#define WORKERS_MAX 5

struct sim {
    struct flow flow;
    struct ps_engine *engine;
    struct ps_plan *plan;
    struct ps_machine machine;
    struct ps_now now;
    uint64_t random;
    uint64_t steps;
    uint64_t dropped;          /* events that closed streams counted */
    bool idle[PS_WORKERS_MAX]; /* its last cycle moved nothing; others may have given it something since */
    bool sleeps[PS_WORKERS_MAX];
    uint64_t wake_ns[PS_WORKERS_MAX]; /* of those that sleep: their deadline */
    uint64_t run_number;              /* of the last orders, if they are to run; else 0 */
};

static uint64_t all_slept; /* how often all workers of a run slept */
static uint64_t all_kept;  /* sinks that a reload left open */

static uint64_t pick(struct sim *sim, uint64_t below)
{
    return ps_test_random(&sim->random) % below;
}

/* ---- the simulation ---- */

static struct ps_plan *build_plan(struct sim *sim)
{
    struct ps_err err = {0};
    struct ps_plan *plan = ps_plan_create(flow_spec(&sim->flow), &sim->machine, sim->plan, &err);
    if (plan != NULL && sim->plan != NULL)
        ps_plan_adopt(plan, sim->plan);
    if (plan == NULL || ps_plan_build(plan, &err) != PS_OK)
        fail_msg("%s", err.text);
    return plan;
}

static void start(struct sim *sim)
{
    struct ps_err err = {0};
    sim->machine = (struct ps_machine){.cores = 4, .memory_bytes = 1 << 20};
    sim->plan = build_plan(sim);
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

/* Whether all sleep, and none is ordered to do anything but run. */
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
static void step(struct sim *sim)
{
    unsigned workers = ps_engine_worker_count(sim->engine);
    if (pick(sim, 4) == 0) {
        uint64_t step_ns = pick(sim, 3) == 0 ? pick(sim, PS_NS_PER_S) : pick(sim, PS_NS_PER_MS);
        sim->now.mono_ns += step_ns;
        sim->now.wall_ms += (int64_t)(step_ns / PS_NS_PER_MS);
    }
    for (unsigned i = 0; i < FLOW_CHANNELS_MAX; i++)
        flow_store_run(sim->flow.stores[i], &sim->now);
    unsigned id = (unsigned)pick(sim, workers);
    if (!is_asleep(sim, id)) {
        wake(sim, id);
        if (sim->idle[id] && pick(sim, 2) == 0)
            go_to_sleep(sim, id);
        else
            sim->idle[id] = !ps_worker_cycle(ps_engine_worker(sim->engine, id), &sim->now);
        if (all_sleep(sim)) {
            all_slept++;
            for (unsigned i = 0; i < workers; i++)
                flow_check_sleeper(&sim->flow, sim->plan, ps_engine_worker(sim->engine, i), i, &sim->now);
        }
    }
    if (++sim->steps > 20000000)
        fail_msg("the run does not end (seed %llu)", (unsigned long long)sim->flow.seed);
}

/* Workers go on cycling while control works. */
static void some_steps(struct sim *sim)
{
    for (uint64_t i = pick(sim, 2) * pick(sim, 12); i > 0; i--)
        step(sim);
}

/* Returns false when `steps` steps were not enough. */
static bool order(struct sim *sim, enum ps_phase phase, struct ps_plan *plan, struct ps_plan *next,
                  uint64_t steps)
{
    uint64_t number = ps_engine_order(sim->engine, phase, plan, next);
    sim->run_number = phase == PS_PHASE_RUN ? number : 0;
    for (uint64_t i = 0; i < steps; i++) {
        if (ps_engine_reached(sim->engine, number))
            return true;
        step(sim);
    }
    return false;
}

static void settle_phase(struct sim *sim, enum ps_phase phase, struct ps_plan *plan, struct ps_plan *next)
{
    if (!order(sim, phase, plan, next, 1000000))
        fail_msg("phase %d is never reached (seed %llu)", (int)phase, (unsigned long long)sim->flow.seed);
}

static void leave_plan(struct sim *sim, struct ps_plan *next, uint64_t drain_steps)
{
    (void)order(sim, PS_PHASE_DRAIN, sim->plan, next, drain_steps);
    settle_phase(sim, PS_PHASE_RECALL, sim->plan, next);
    settle_phase(sim, PS_PHASE_CLOSE, sim->plan, next);
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

/* Returns how many events were lost, with channels that `next` does not have. */
static uint64_t exchange_losing(struct sim *sim, struct ps_plan *next, uint64_t drain_steps)
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
    settle_phase(sim, PS_PHASE_RUN, next, NULL);
    ps_plan_retire(old, next);
    return lost.events;
}

static void exchange(struct sim *sim, struct ps_plan *next, uint64_t drain_steps)
{
    assert_int_equal(exchange_losing(sim, next, drain_steps), 0); /* the channels are carried over */
}

/* What did not change is taken over, all of it, and is neither opened nor started until the next call. */
static void expect_kept(struct sim *sim, const struct ps_plan *next)
{
    struct flow *flow = &sim->flow;
    for (unsigned i = 0; i < flow->source_count; i++)
        assert_true((next->sources[i].adopts != NULL) == (flow->sources[i].changes == 0));
    for (unsigned i = 0; i < flow->channel_count; i++)
        assert_true((next->channels[i].adopts != NULL) == (flow->channels_stay >> i & 1));
    for (unsigned i = 0; i < flow->sink_count; i++) {
        assert_true((next->sinks[i].adopts != NULL) == flow_sink_stays(flow, i));
        flow->sinks[i].kept_open = flow_sink_stays(flow, i);
        all_kept += flow->sinks[i].kept_open;
    }
    flow->channels_kept = flow->channels_stay;
}

static void expect_nothing(struct sim *sim)
{
    for (unsigned i = 0; i < sim->flow.sink_count; i++)
        sim->flow.sinks[i].kept_open = false;
    sim->flow.channels_kept = 0;
}

static void reload(struct sim *sim)
{
    struct ps_err err = {0};
    struct ps_plan *old = sim->plan;
    flow_draw_changes(&sim->flow, &sim->random);
    if (sim->flow.options.workers < WORKERS_MAX && pick(sim, 4) == 0)
        sim->flow.options.workers++;
    struct ps_plan *next = build_plan(sim);
    expect_kept(sim, next);
    if (ps_engine_grow(sim->engine, next->worker_count, (struct ps_texts){0}, &err) != PS_OK)
        fail_msg("%s", err.text);
    if (pick(sim, 3) == 0)
        (void)order(sim, PS_PHASE_PAUSE, old, next, pick(sim, 100));
    if (pick(sim, 6) == 0) { /* refused: the old plan goes on, paused before or not */
        settle_phase(sim, PS_PHASE_PAUSE, old, next);
        settle_phase(sim, PS_PHASE_RUN, old, NULL);
        ps_plan_destroy(next);
        flow_take_back(&sim->flow);
        expect_nothing(sim);
        return;
    }
    exchange(sim, next, pick(sim, 400));
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

/* Closes and gives up the events that are left, as a stop that ran out of time does. Returns how many
 * events were given up. */
static uint64_t stop(struct sim *sim, uint64_t drain_steps)
{
    struct ps_left carried, lost;
    leave_plan(sim, NULL, drain_steps);
    ps_engine_carry_over(sim->engine, sim->plan, NULL, &carried, &lost);
    settle_phase(sim, PS_PHASE_CLOSE, NULL, NULL); /* leases that were given up come home */
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

static void draw(struct sim *sim, uint64_t seed, bool positions)
{
    static const char *const capacities[] = {"1", "10", "100", "1000", "100000"};
    static const char *const keep_alives[] = {"0", "1", "3"};
    *sim = (struct sim){.random = seed | 1, .now = {.mono_ns = PS_NS_PER_S, .wall_ms = 1700000000000}};
    struct flow *flow = &sim->flow;
    flow->seed = seed;
    flow->total = 300 + pick(sim, 3000);
    flow->options.workers = (int64_t)(1 + pick(sim, 3));
    flow->source_count = 1 + (unsigned)pick(sim, 4);
    flow->channel_count = 1 + (unsigned)pick(sim, 3);
    flow->sink_count = flow->channel_count + (unsigned)pick(sim, 3);
    flow->multiplex = pick(sim, 2) == 0;
    flow->capacity = capacities[pick(sim, PS_COUNT_OF(capacities))];
    flow->keep_alive_s = keep_alives[pick(sim, PS_COUNT_OF(keep_alives))];
    if (pick(sim, 2) == 0) { /* one more, for the dead letters */
        flow->letters = ++flow->channel_count;
        flow->sink_count++;
        flow->chances.die = (unsigned)pick(sim, 40);
    }
    for (unsigned i = 0; i < flow->source_count; i++) {
        flow->sources[i].kind = positions ? FLOW_POSITION : (enum flow_kind)(pick(sim, 3));
        flow->sources[i].instances = 1 + (unsigned)pick(sim, (uint64_t)flow->options.workers);
    }
    for (unsigned i = 0; i < flow->sink_count; i++) {
        flow->sinks[i].channel = i < flow->channel_count ? i : (unsigned)pick(sim, flow->channel_count);
        flow->sinks[i].open_failures = pick(sim, 6) == 0 ? (unsigned)pick(sim, 3) : 0;
    }
    if (pick(sim, 2) == 0)
        flow_draw_groups(flow, &sim->random, 3000);
    flow->body_max = pick(sim, 4) == 0 ? 20000 : 300;
    flow->work_events_max = 1 + (uint32_t)pick(sim, 300);
    flow->delay_max_ns = pick(sim, 3) == 0 ? PS_NS_PER_S : PS_NS_PER_MS;
    bool small = pick(sim, 2) == 0;
    flow->options.batch_events = pick(sim, 3) == 0 ? 1 + (int64_t)pick(sim, 64) : PS_BATCH_EVENTS_MAX;
    struct flow_chances *chances = &flow->chances;
    chances->source_idle = (unsigned)pick(sim, 300);
    chances->source_back_off = (unsigned)pick(sim, 100);
    chances->oversize = pick(sim, 4) == 0 ? 3 : 0;
    chances->drop = pick(sim, 2) == 0 ? (unsigned)pick(sim, 400) : 0;
    chances->chain_later = (unsigned)pick(sim, 300);
    chances->chain_no_memory = (unsigned)pick(sim, 4);
    chances->sink_keep = (unsigned)pick(sim, 1000);
    chances->sink_back_off = (unsigned)pick(sim, 300);
    chances->sink_retry = (unsigned)pick(sim, 100);
    chances->sink_partly = (unsigned)pick(sim, 200);
    chances->recall_later = (unsigned)pick(sim, 900);
    chances->fail = pick(sim, 3) == 0 ? 1 + (unsigned)pick(sim, 20) : 0;
    chances->troubled = pick(sim, 2) == 0 ? 1 + (unsigned)pick(sim, 50) : 0;
    flow->durable = pick(sim, 3) == 0 ? 0 : (unsigned)pick(sim, 1U << flow->channel_count);
    chances->disk_breaks = pick(sim, 2) == 0 ? 1 + (unsigned)pick(sim, 4) : 0;
    flow_init(flow);
    flow->options.memory_budget = small ? 0 : 128 << 20; /* 0: the least that the plan allows */
}

/* No faults from here on: the run must end. */
static void calm(struct sim *sim)
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

static bool has(const struct flow *flow, enum flow_kind kind)
{
    for (unsigned i = 0; i < flow->source_count; i++) {
        if (flow->sources[i].kind == kind)
            return true;
    }
    return false;
}

/* A stop leaves what is in a durable channel there, so its sinks get everything before. */
static bool all_is_delivered(const struct sim *sim)
{
    for (unsigned i = 0; sim->flow.durable != 0 && i < ps_engine_worker_count(sim->engine); i++) {
        size_t count;
        struct ps_source_runner **sources = ps_worker_sources(ps_engine_worker(sim->engine, i), &count);
        for (size_t k = 0; k < count; k++) {
            if (sources[k]->chain != NULL || sources[k]->inherited != NULL ||
                !ps_batch_is_empty(sources[k]->batch) || ps_window_outstanding(sources[k]->window) > 0 ||
                !ps_letter_channel_is_home(sources[k]->base.letters))
                return false;
        }
        struct ps_sink_runner **sinks = ps_worker_sinks(ps_engine_worker(sim->engine, i), &count);
        for (size_t k = 0; k < count; k++) {
            if (!ps_sink_runner_is_idle(sinks[k]) || !ps_letter_channel_is_home(sinks[k]->base.letters))
                return false;
        }
    }
    for (unsigned i = 0; i < FLOW_CHANNELS_MAX; i++) {
        if (sim->flow.stores[i] != NULL && !flow_store_is_empty(sim->flow.stores[i]))
            return false;
    }
    return true;
}

static void run_to_end(struct sim *sim)
{
    calm(sim);
    while (!flow_is_made(&sim->flow) || !all_is_delivered(sim))
        step(sim);
}

/* All events that are not lost by design arrive, however often the plan changes. */
static void run_seed(uint64_t seed)
{
    struct sim sim;
    draw(&sim, seed, false);
    bool reloads = pick(&sim, 2) == 0, fails = sim.flow.chances.fail > 0;
    bool gives_back = fails || sim.flow.chances.troubled > 0 || sim.flow.chances.sink_retry > 0;
    start(&sim);
    (void)order(&sim, PS_PHASE_RUN, sim.plan, NULL, pick(&sim, 100));
    for (unsigned round = 0; round < 12; round++) {
        uint64_t steps = pick(&sim, 600);
        for (uint64_t i = 0; i < steps; i++)
            step(&sim);
        struct flow_sink *sink = &sim.flow.sinks[pick(&sim, sim.flow.sink_count)];
        sink->dead = pick(&sim, 3) == 0;
        if (reloads && pick(&sim, 2) == 0)
            reload(&sim);
    }
    run_to_end(&sim);
    assert_int_equal(stop(&sim, 2000000), 0);
    bool doubles = has(&sim.flow, FLOW_CALLS) || ((reloads || fails) && has(&sim.flow, FLOW_POSITION)) ||
                   (reloads && sim.flow.durable != 0);
    sim.flow.given_up = sim.dropped - flow_dropped(&sim.flow);
    assert_true(reloads || sim.flow.given_up == 0);
    flow_verify(&sim.flow, doubles ? FLOW_AT_LEAST_ONCE : FLOW_EXACTLY_ONCE);
    /* A letter that its channel has not promised when its sink gives the event back comes again. */
    bool again = sim.flow.letters > 0 && (sim.flow.durable >> (sim.flow.letters - 1) & 1) && gives_back;
    flow_verify_letters(&sim.flow, doubles || again ? FLOW_AT_LEAST_ONCE : FLOW_EXACTLY_ONCE);
    if (!doubles && sim.flow.given_up == 0)
        assert_int_equal(flow_seen(&sim.flow), flow_expected(&sim.flow));
    flow_fini(&sim.flow);
}

/* A crash at any step: everything in memory is lost, and positions are those of the delivered events. No
 * event of a source with positions is lost, and none that a durable channel has promised. */
static void run_crash_seed(uint64_t seed)
{
    struct sim sim;
    draw(&sim, seed, seed % 2 == 0);
    sim.flow.crashes = true;
    for (unsigned life = 0; life < 4; life++) {
        start(&sim);
        (void)order(&sim, PS_PHASE_RUN, sim.plan, NULL, 10);
        uint64_t steps = pick(&sim, 3000);
        for (uint64_t i = 0; i < steps; i++)
            step(&sim);
        if (pick(&sim, 3) == 0 && ps_engine_taken(sim.engine, sim.run_number)) /* control waits for that */
            reload(&sim);
        sim.flow.crashed = pick(&sim, 3) > 0;
        (void)stop(&sim, 0); /* undelivered events are discarded */
        sim.flow.crashed = false;
    }
    start(&sim);
    settle_phase(&sim, PS_PHASE_RUN, sim.plan, NULL);
    run_to_end(&sim);
    assert_int_equal(stop(&sim, 2000000), 0);
    flow_verify(&sim.flow, FLOW_AT_LEAST_ONCE);
    flow_fini(&sim.flow);
}

static unsigned times_seen(const struct flow *flow, unsigned channel, uint64_t number)
{
    return flow->seen[channel][flow_origin_number(0, 0)][number];
}

/* Begins with a source that needs DELIVERED, a required channel, and an optional one whose sink is dead; stops in the
 * middle, with events in both. */
static void start_optional(struct sim *sim, uint64_t seed, bool may_multiplex)
{
    struct flow *flow = &sim->flow;
    *sim = (struct sim){.random = seed | 1, .now = {.mono_ns = PS_NS_PER_S, .wall_ms = 1700000000000}};
    *flow = (struct flow){.seed = seed,
                          .total = 2000,
                          .source_count = 1,
                          .channel_count = 2,
                          .sink_count = 2,
                          .sources = {{.kind = FLOW_POSITION}},
                          .sinks = {{.channel = 0}, {.channel = 1, .dead = true}},
                          .capacity = "100000",
                          .optional = 2,
                          .multiplex = may_multiplex && pick(sim, 2) == 0,
                          .work_events_max = 20,
                          .options = {.workers = (int64_t)(1 + pick(sim, 3)), .batch_events = 50},
                          .chances = {.recall_later = (unsigned)pick(sim, 900)}};
    flow_init(flow);
    start(sim);
    settle_phase(sim, PS_PHASE_RUN, sim->plan, NULL);
    uint64_t some = 200 + pick(sim, 500), more = some + 200 + pick(sim, 500);
    while (flow->sources[0].origins[0].committed < some)
        step(sim);
    flow->sinks[0].dead = true;
    uint64_t reads = sim->steps + more;
    while (sim->steps < reads)
        step(sim);
    assert_true(flow->sources[0].origins[0].committed < flow->total);
    flow->sources[0].changes = 1;
}

/* The contents of an optional channel over a reload that closes their source: those that its position has moved
 * past are carried over, the others are read again, and none is there twice or missing. */
static void run_optional_seed(uint64_t seed)
{
    struct sim sim;
    struct flow *flow = &sim.flow;
    start_optional(&sim, seed, true);
    uint64_t committed = flow->sources[0].origins[0].committed;
    exchange(&sim, build_plan(&sim), pick(&sim, 400));
    flow->sinks[0].dead = flow->sinks[1].dead = false;
    run_to_end(&sim);
    assert_int_equal(stop(&sim, 2000000), 0);
    for (uint64_t n = 0; n < flow->total; n++) {
        unsigned channels = flow_route(flow, flow_origin_number(0, 0), n);
        if (times_seen(flow, 1, n) != (channels >> 1 & 1))
            fail_msg("event %llu (%llu were delivered before) is there %u times (seed %llu)",
                     (unsigned long long)n, (unsigned long long)committed, times_seen(flow, 1, n),
                     (unsigned long long)seed);
    }
    flow_verify(flow, FLOW_AT_LEAST_ONCE);
    flow_fini(flow);
}

/* A reload removes the optional channel, and a later one brings it back: what its source had moved past is lost with it, and
 * counted; the required channel misses nothing, and nothing comes to the new one twice. */
static void run_removed_seed(uint64_t seed)
{
    struct sim sim;
    struct flow *flow = &sim.flow;
    start_optional(&sim, seed, false);
    flow->channel_count = flow->sink_count = flow->sources[0].channels = 1;
    uint64_t lost = exchange_losing(&sim, build_plan(&sim), pick(&sim, 400));
    assert_int_equal(lost, flow->sources[0].origins[0].committed);
    flow->sinks[0].dead = flow->sinks[1].dead = false;
    uint64_t steps = sim.steps + pick(&sim, 3000);
    while (sim.steps < steps)
        step(&sim);
    flow->channel_count = flow->sink_count = 2;
    flow->sources[0].channels = 3;
    struct ps_plan *next = build_plan(&sim);
    flow->sources[0].channels = 1; /* the selector that still runs has one channel */
    exchange(&sim, next, pick(&sim, 400));
    flow->sources[0].channels = 3;
    run_to_end(&sim);
    assert_int_equal(stop(&sim, 2000000), 0);
    for (uint64_t n = 0; n < flow->total; n++)
        assert_true(times_seen(flow, 1, n) <= 1);
    flow_verify(flow, FLOW_AT_LEAST_ONCE);
    flow_fini(flow);
}

static void for_seeds(void (*run)(uint64_t seed), unsigned count)
{
    uint64_t seed = ps_test_seed();
    if (getenv("PENSTOCK_SEED") != NULL) {
        run(seed);
        return;
    }
    ps_log_set_level(PS_LOG_OFF);
    all_slept = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t one = ps_test_random(&seed);
        char text[32];
        snprintf(text, sizeof text, "%llu", (unsigned long long)one);
        fprintf(stderr, "PENSTOCK_SEED=%s\n", text);
        run(one);
    }
    assert_true(all_slept > 10 * (uint64_t)count);
}

#if defined(__SANITIZE_THREAD__) /* one thread: races cannot show, what the sanitizer knows of rings can */
#define SEEDS 10
#elif defined(__SANITIZE_ADDRESS__)
#define SEEDS 40
#else
#define SEEDS 300
#endif

static void test_random_faults(void **state)
{
    (void)state;
    all_kept = 0;
    for (unsigned i = 0; i < 4 && (i == 0 || all_kept <= SEEDS); i++)
        for_seeds(run_seed, SEEDS); /* 6 of a seed on average, but of many none: ten may draw too few */
    assert_true(all_kept > SEEDS || getenv("PENSTOCK_SEED") != NULL);
}

static void test_optional_channels(void **state)
{
    (void)state;
    for_seeds(run_optional_seed, SEEDS / 10 + 3);
}

static void test_removed_channel(void **state)
{
    (void)state;
    for_seeds(run_removed_seed, SEEDS / 10 + 3);
}

static void test_crash(void **state)
{
    (void)state;
    for_seeds(run_crash_seed, SEEDS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_faults),
        cmocka_unit_test(test_optional_channels),
        cmocka_unit_test(test_removed_channel),
        cmocka_unit_test(test_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
