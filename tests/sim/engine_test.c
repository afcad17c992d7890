/* Whole agents in the simulator (tests/support/sim.h): all faults at random, reloads, crashes. */
#include "tests/support/sim.h"

#include "core/engine/engine.h"

static bool has(const struct flow *flow, enum flow_kind kind)
{
    for (unsigned i = 0; i < flow->source_count; i++) {
        if (flow->sources[i].kind == kind)
            return true;
    }
    return false;
}

/* All events that are not lost by design arrive, however often the plan changes. */
static void run_seed(uint64_t seed)
{
    struct sim sim;
    sim_draw(&sim, seed, false);
    bool reloads = sim_pick(&sim, 2) == 0, fails = sim.flow.chances.fail > 0;
    bool gives_back = fails || sim.flow.chances.troubled > 0 || sim.flow.chances.sink_retry > 0;
    sim_start(&sim);
    (void)sim_order(&sim, PS_PHASE_RUN, sim.plan, NULL, sim_pick(&sim, 100));
    for (unsigned round = 0; round < 12; round++) {
        uint64_t steps = sim_pick(&sim, 600);
        for (uint64_t i = 0; i < steps; i++)
            sim_step(&sim);
        struct flow_sink *sink = &sim.flow.sinks[sim_pick(&sim, sim.flow.sink_count)];
        sink->dead = sim_pick(&sim, 3) == 0;
        if (reloads && sim_pick(&sim, 2) == 0)
            sim_reload(&sim);
    }
    sim_run_to_end(&sim);
    assert_int_equal(sim_stop(&sim, 2000000), 0);
    bool doubles = has(&sim.flow, FLOW_CALLS) || ((reloads || fails) && has(&sim.flow, FLOW_POSITION)) ||
                   (reloads && sim.flow.durable != 0);
    sim.flow.given_up = sim.dropped - flow_dropped(&sim.flow);
    assert_true(reloads || sim.flow.given_up == 0);
    flow_verify(&sim.flow, doubles ? FLOW_AT_LEAST_ONCE : FLOW_EXACTLY_ONCE);
    /* A letter is repeated if its channel has not promised it when the sink gives the event back. */
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
    sim_draw(&sim, seed, seed % 2 == 0);
    sim.flow.crashes = true;
    for (unsigned life = 0; life < 4; life++) {
        sim_start(&sim);
        (void)sim_order(&sim, PS_PHASE_RUN, sim.plan, NULL, 10);
        uint64_t steps = sim_pick(&sim, 3000);
        for (uint64_t i = 0; i < steps; i++)
            sim_step(&sim);
        if (sim_pick(&sim, 3) == 0 &&
            ps_engine_taken(sim.engine, sim.run_number)) /* control waits for that */
            sim_reload(&sim);
        sim.flow.crashed = sim_pick(&sim, 3) > 0;
        (void)sim_stop(&sim, 0); /* undelivered events are discarded */
        sim.flow.crashed = false;
    }
    sim_last_life(&sim);
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
                          .multiplex = may_multiplex && sim_pick(sim, 2) == 0,
                          .work_events_max = 20,
                          .options = {.workers = (int64_t)(1 + sim_pick(sim, 3)), .batch_events = 50},
                          .chances = {.recall_later = (unsigned)sim_pick(sim, 900)}};
    flow_init(flow);
    flow_keep_routes(flow);
    sim_start(sim);
    sim_settle_phase(sim, PS_PHASE_RUN, sim->plan, NULL);
    uint64_t some = 200 + sim_pick(sim, 500), more = some + 200 + sim_pick(sim, 500);
    while (flow->sources[0].origins[0].committed < some)
        sim_step(sim);
    flow->sinks[0].dead = true;
    uint64_t reads = sim->steps + more;
    while (sim->steps < reads)
        sim_step(sim);
    assert_true(flow->sources[0].origins[0].committed < flow->total);
    flow->sources[0].changes = 1;
}

/* A reload closes the source of an optional channel that has events. Those before the source's position are
 * carried over, the others are read again, and each is there once. */
static void run_optional_seed(uint64_t seed)
{
    struct sim sim;
    struct flow *flow = &sim.flow;
    start_optional(&sim, seed, true);
    uint64_t committed = flow->sources[0].origins[0].committed;
    sim_exchange(&sim, sim_build_plan(&sim), sim_pick(&sim, 400));
    flow->sinks[0].dead = flow->sinks[1].dead = false;
    sim_run_to_end(&sim);
    assert_int_equal(sim_stop(&sim, 2000000), 0);
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

/* A reload removes the optional channel, and a later one brings it back: events that its source had passed are lost with
 * it, and counted; the required channel misses nothing, and the new one gets no event twice. */
static void run_removed_seed(uint64_t seed)
{
    struct sim sim;
    struct flow *flow = &sim.flow;
    start_optional(&sim, seed, false);
    flow->channel_count = flow->sink_count = flow->sources[0].channels = 1;
    uint64_t lost = sim_exchange_losing(&sim, sim_build_plan(&sim), sim_pick(&sim, 400));
    assert_int_equal(lost, flow->sources[0].origins[0].committed);
    flow->sinks[0].dead = flow->sinks[1].dead = false;
    uint64_t steps = sim.steps + sim_pick(&sim, 3000);
    while (sim.steps < steps)
        sim_step(&sim);
    flow->channel_count = flow->sink_count = 2;
    flow->sources[0].channels = 3;
    sim_exchange(&sim, sim_build_plan(&sim), sim_pick(&sim, 400));
    sim_run_to_end(&sim);
    assert_int_equal(sim_stop(&sim, 2000000), 0);
    for (uint64_t n = 0; n < flow->total; n++)
        assert_true(times_seen(flow, 1, n) <= 1);
    flow_verify(flow, FLOW_AT_LEAST_ONCE);
    flow_fini(flow);
}

static void test_random_faults(void **state)
{
    sim_all_kept = sim_chains_exchanged = 0;
    for (unsigned i = 0; i < 4 && (i == 0 || sim_all_kept <= SIM_SEEDS || sim_chains_exchanged == 0); i++)
        sim_for_seeds(run_seed,
                      SIM_SEEDS); /* a seed adds 6 on average, but many add none: ten may be too few */
    assert_true(sim_all_kept > SIM_SEEDS || getenv("PENSTOCK_SEED") != NULL);
    assert_true(sim_chains_exchanged > 0 || getenv("PENSTOCK_SEED") != NULL);
}

static void test_optional_channels(void **state)
{
    sim_for_seeds(run_optional_seed, SIM_SEEDS / 10 + 3);
}

static void test_removed_channel(void **state)
{
    sim_for_seeds(run_removed_seed, SIM_SEEDS / 10 + 3);
}

static void test_crash(void **state)
{
    sim_for_seeds(run_crash_seed, SIM_SEEDS / 2);
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
