/* Whole agents with classes in Java, in the simulator (tests/support/fake_java_world.h): the Java host is late, dead, stopped, hangs and lies, as drawn. What
 * was acknowledged is not lost, nothing counts as delivered that the host has not committed, other flows go on, a stop ends within its bound, and
 * at the end no memory and no descriptor is left. */
#include "tests/support/fake_java_world.h"

#include "core/engine/engine.h"

/* The bound of a stop: a source's class has 5 s to stop and 5 s for its promised events, a sink's 5 s. The simulator's time passes in
 * steps of up to 1 s. */
#define STOP_NS (20 * PS_NS_PER_S)

static unsigned some(struct sim *sim, unsigned one_of, unsigned most)
{
    return sim_pick(sim, one_of) == 0 ? 1 + (unsigned)sim_pick(sim, most) : 0;
}

/* `honest`: no lies. */
static struct java_chances draw_chances(struct sim *sim, bool honest)
{
    if (honest && sim_pick(sim, 2) == 0) /* it only dies, and is late */
        return (struct java_chances){
            .die = 20 + some(sim, 2, 200), .late_max_ms = 1U << sim_pick(sim, 11), .promises = true};
    return (struct java_chances){.die = some(sim, 2, 200),
                                 .exit = some(sim, 4, 50),
                                 .still = some(sim, 3, 50),
                                 .silent = some(sim, 4, 30),
                                 .lie = honest ? 0 : 1 + some(sim, 2, 300),
                                 .fail = some(sim, 3, 20),
                                 .hang = some(sim, 4, 500),
                                 .renew = some(sim, 3, 50),
                                 .start = some(sim, 4, 300),
                                 .late_max_ms = 1U << sim_pick(sim, 13),
                                 .promises = sim_pick(sim, 2) == 0};
}

/* Draws which of the drawn agent's components are classes in Java: at least one is. */
static void draw_classes(struct sim *sim)
{
    struct flow *flow = &sim->flow;
    bool any = false;
    for (unsigned i = 0; i < flow->source_count; i++) {
        struct flow_source *source = &flow->sources[i];
        source->java = source->kind == FLOW_CALLS && source->instances == 1 && sim_pick(sim, 3) > 0;
        source->java_chain = sim_pick(sim, 2) == 0;
        source->java_drops = source->java_chain && source->kind != FLOW_STREAM && flow->letters == 0;
        any |= source->java || source->java_chain;
    }
    for (unsigned i = 0; i < flow->sink_count; i++) {
        struct flow_sink *sink = &flow->sinks[i];
        sink->java = sim_pick(sim, 2) == 0 || (!any && i + 1 == flow->sink_count);
        any |= sink->java;
    }
    /* A class that throws lets calls be refused. */
    flow->chances.chain_later = flow->chances.chain_later > 0 ? flow->chances.chain_later : 1;
}

static void steps(struct sim *sim, uint64_t count)
{
    while (count-- > 0)
        sim_step(sim);
}

static void run_to_end(struct sim *sim)
{
    java_world_calm();
    sim_run_to_end(sim);
}

static bool repeats(const struct flow *flow)
{
    for (unsigned i = 0; i < flow->source_count; i++) {
        if (flow->sources[i].kind == FLOW_CALLS)
            return true;
    }
    return false;
}

/* Returns whether the agent gets to know each commit before it gives the events back: the host does not lie, so that it is believed, and no recall
 * of a sink runs out of time. */
static bool answers_in_time(const struct java_chances *chances)
{
    return chances->lie == 0 && chances->still == 0 && chances->silent == 0 && chances->hang == 0 &&
           chances->exit == 0 && chances->late_max_ms <= 1024;
}

/* Events that come again count as out of order. */
static void forget_order(struct flow *flow)
{
    for (unsigned i = 0; i < flow->sink_count; i++) {
        for (unsigned k = 0; k < flow->sink_count && flow->sinks[i].java; k++) {
            if (flow->sinks[k].channel == flow->sinks[i].channel)
                flow->sinks[k].disorder = 0;
        }
    }
}

/* All events arrive, whatever the host does; without lies, those of sources that repeat nothing arrive once. */
static void run_seed(uint64_t seed)
{
    struct sim sim;
    sim_draw(&sim, seed, false);
    bool honest = sim_pick(&sim, 3) == 0, reloads = sim_pick(&sim, 2) == 0;
    struct java_chances chances = draw_chances(&sim, honest);
    chances.promises =
        chances.promises && !reloads; /* a reload that runs out of time gives promised events up */
    bool fails = sim.flow.chances.fail > 0;
    draw_classes(&sim);
    java_world_begin(&sim, &chances);
    sim_start(&sim);
    (void)sim_order(&sim, PS_PHASE_RUN, sim.plan, NULL, sim_pick(&sim, 100));
    for (unsigned round = 0; round < 8; round++) {
        steps(&sim, sim_pick(&sim, 1500));
        struct flow_sink *sink = &sim.flow.sinks[sim_pick(&sim, sim.flow.sink_count)];
        sink->dead = sim_pick(&sim, 3) == 0;
        if (reloads && sim_pick(&sim, 2) == 0)
            sim_reload(&sim);
    }
    run_to_end(&sim);
    assert_int_equal(sim_stop(&sim, 2000000), 0);
    java_world_end();
    bool again = !answers_in_time(&chances) || reloads || repeats(&sim.flow) || fails || chances.fail > 0;
    if (!answers_in_time(&chances) || reloads)
        forget_order(&sim.flow);
    sim.flow.given_up = sim.dropped - flow_dropped(&sim.flow);
    flow_verify(&sim.flow, again ? FLOW_AT_LEAST_ONCE : FLOW_EXACTLY_ONCE);
    flow_fini(&sim.flow);
}

/* Stops at any moment, in any state of the host: each ends within its bound. What a durable channel has promised, and what a source with positions
 * has not seen delivered, comes in a later life. */
static void run_stop_seed(uint64_t seed)
{
    struct sim sim;
    sim_draw(&sim, seed, false);
    struct java_chances chances = draw_chances(&sim, sim_pick(&sim, 3) == 0);
    draw_classes(&sim);
    sim.flow.crashes = true;
    for (unsigned life = 0; life < 3; life++) {
        java_world_begin(&sim, &chances);
        sim_start(&sim);
        (void)sim_order(&sim, PS_PHASE_RUN, sim.plan, NULL, 10);
        steps(&sim, sim_pick(&sim, 4000));
        (void)sim_drain(&sim, NULL, sim_pick(&sim, 400));
        uint64_t began_ns = sim.now.mono_ns;
        (void)sim_stop(&sim, 0);
        if (sim.now.mono_ns - began_ns > STOP_NS)
            fail_msg("a stop takes %llu ms (seed %llu)",
                     (unsigned long long)((sim.now.mono_ns - began_ns) / PS_NS_PER_MS),
                     (unsigned long long)seed);
        java_world_end();
    }
    java_world_begin(&sim, &chances);
    sim_start(&sim);
    sim_settle_phase(&sim, PS_PHASE_RUN, sim.plan, NULL);
    run_to_end(&sim);
    assert_int_equal(sim_stop(&sim, 2000000), 0);
    java_world_end();
    forget_order(&sim.flow);
    flow_verify(&sim.flow, FLOW_AT_LEAST_ONCE);
    flow_fini(&sim.flow);
}

/* A flow without a class in Java beside one with nothing but that, whose host never behaves: the first one goes on. */
static void run_beside_seed(uint64_t seed)
{
    struct sim sim = {.random = seed | 1, .now = {.mono_ns = PS_NS_PER_S, .wall_ms = 1700000000000}};
    struct flow *flow = &sim.flow;
    *flow = (struct flow){.seed = seed,
                          .total = 500,
                          .source_count = 2,
                          .channel_count = 2,
                          .sink_count = 2,
                          .sources = {{.kind = FLOW_POSITION, .channels = 1},
                                      {.kind = FLOW_CALLS, .channels = 2, .java = true, .java_chain = true}},
                          .sinks = {{.channel = 0}, {.channel = 1, .java = true}},
                          .chances = {.chain_later = 10},
                          .options = {.workers = 1}};
    flow_init(flow);
    struct java_chances chances = draw_chances(&sim, false);
    chances.silent += 10;
    chances.lie += 500;
    java_world_begin(&sim, &chances);
    sim_start(&sim);
    sim_settle_phase(&sim, PS_PHASE_RUN, sim.plan, NULL);
    for (uint64_t i = 0; flow->sources[0].origins[0].committed < flow->total; i++) {
        if (i > 20000)
            fail_msg("a flow without Java stands still (seed %llu)", (unsigned long long)seed);
        sim_step(&sim);
    }
    run_to_end(&sim);
    assert_int_equal(sim_stop(&sim, 2000000), 0);
    java_world_end();
    flow_verify(flow, FLOW_AT_LEAST_ONCE);
    flow_fini(flow);
}

static void test_faults(void **state)
{
    sim_for_seeds(run_seed, SIM_SEEDS / 12 + 2);
}

static void test_stops(void **state)
{
    sim_for_seeds(run_stop_seed, SIM_SEEDS / 30 + 3);
}

static void test_beside(void **state)
{
    sim_for_seeds(run_beside_seed, SIM_SEEDS / 30 + 3);
}

/* The hosts of the tests before have lied. A program with a sanitizer draws too few of them to be sure. */
static void test_lies_were_noticed(void **state)
{
    print_message("%llu processes, %llu lies, %llu of them to be noticed\n",
                  (unsigned long long)java_world_starts, (unsigned long long)java_lies,
                  (unsigned long long)java_lies_noticed);
    assert_true(SIM_SEEDS < 300 || getenv("PENSTOCK_SEED") != NULL || java_lies_noticed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_beside),
        cmocka_unit_test(test_lies_were_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
