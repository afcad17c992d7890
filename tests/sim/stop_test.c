/* Stops of whole agents in the simulator (tests/support/sim.h), with channels that are durable and full. */
#include "tests/support/sim.h"

static uint64_t given_back(const struct flow *flow)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < flow->sink_count; i++)
        sum += flow->sinks[i].given_back;
    return sum;
}

/* A stop at any step, while durable channels are full: it ends, because sinks make room for what sources must still put;
 * and then no sink has anything to give back. What stays in the channels comes in the next life. */
static void run_stop_seed(uint64_t seed)
{
    struct sim sim;
    sim_draw(&sim, seed, false);
    for (unsigned life = 0; life < 3; life++) {
        sim_start(&sim);
        sim_settle_phase(&sim, PS_PHASE_RUN, sim.plan, NULL);
        for (uint64_t i = sim_pick(&sim, 3000); i > 0; i--)
            sim_step(&sim);
        sim_calm(&sim);
        if (!sim_drain(&sim, NULL, 2000000))
            fail_msg("a stop does not end (seed %llu)", (unsigned long long)seed);
        uint64_t before = given_back(&sim.flow);
        assert_int_equal(sim_stop(&sim, 0), 0);
        assert_int_equal(given_back(&sim.flow), before);
    }
    sim_start(&sim);
    sim_settle_phase(&sim, PS_PHASE_RUN, sim.plan, NULL);
    sim_run_to_end(&sim);
    assert_int_equal(sim_stop(&sim, 2000000), 0);
    flow_verify(&sim.flow, FLOW_AT_LEAST_ONCE);
    flow_fini(&sim.flow);
}

static void test_stop(void **state)
{
    (void)state;
    sim_for_seeds(run_stop_seed, SIM_SEEDS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
