/* Stops of whole agents in the simulator (tests/support/sim.h), with channels that are durable and full. */
#include "tests/support/sim.h"

static uint64_t given_back(const struct flow *flow)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < flow->sink_count; i++)
        sum += flow->sinks[i].given_back;
    return sum;
}

/* A stop at any step, while durable channels are full: it ends, because sinks make room for what sources must
 * still put; and no sink gives anything back before it has had time to deliver. Events that stay in the
 * channels, or are read again, come in the next life. */
static unsigned stops, may_give_back;

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
        uint64_t began_ns = sim.now.mono_ns;
        if (!sim_drain(&sim, NULL, 2000000))
            fail_msg("a stop does not end (seed %llu)", (unsigned long long)seed);
        uint64_t before = given_back(&sim.flow);
        stops++;
        assert_int_equal(sim_stop(&sim, 0), 0);
        if (sim.now.mono_ns - began_ns < 500 * PS_NS_PER_MS)
            assert_int_equal(given_back(&sim.flow), before);
        else
            may_give_back++;
    }
    sim_last_life(&sim);
}

/* Regression: a stop did not wait for a source that will read its batches again. It counted the source's dead letter as lost,
 * which its durable channel had not written yet. */
static void test_letters_of_source_that_rereads(void **state)
{
    ps_log_set_level(PS_LOG_OFF);
    run_stop_seed(UINT64_C(2207560035786269069));
}

/* Regression: a stop did not wait for a sink with a durable channel, nor for its dead letters, which their durable channel had not written. It counted
 * these as lost, though the sink's channel kept the events. */
static void test_letters_whose_events_are_kept(void **state)
{
    ps_log_set_level(PS_LOG_OFF);
    run_stop_seed(UINT64_C(7492636673792023242));
    run_stop_seed(UINT64_C(7940875123962235379));
}

/* Regression: a stop did not wait for a sink whose source reads its batches again. But its dead letters were in a memory channel, which had promised them:
 * their events are settled, and exist nowhere else. */
static void test_letters_in_memory(void **state)
{
    ps_log_set_level(PS_LOG_OFF);
    run_stop_seed(UINT64_C(10588759839389745663));
    run_stop_seed(UINT64_C(1819174760171246158));
}

/* Regression: a sink for which the stop did not wait wrote a letter into a channel in memory, after the worker of that channel had found it empty. */
static void test_letter_behind_the_end(void **state)
{
    ps_log_set_level(PS_LOG_OFF);
    run_stop_seed(UINT64_C(17910711676371481982));
    run_stop_seed(
        UINT64_C(11108115221109792207)); /* the letter waited for the next orders, and these for the letter */
}

static void test_stop(void **state)
{
    sim_for_seeds(run_stop_seed, SIM_SEEDS / 2);
    print_message("%u of %u stops took longer than a sink is waited for\n", may_give_back, stops);
}

/* When a channel has promised an event, or a sink settled one, for the last time. */
static uint64_t progress_count, progress_ns;

static void note_progress(struct sim *sim)
{
    uint64_t count = sim->flow.promised;
    for (unsigned i = 0; i < sim->flow.sink_count; i++)
        count += sim->flow.sinks[i].settled;
    if (count != progress_count)
        progress_ns = sim->now.mono_ns;
    progress_count = count;
}

/* Sources read again what was not delivered, and there are no dead letters, so a stop waits for promises only, whether sinks deliver or
 * not: a second after the last one it is over. */
static void run_bounded_seed(uint64_t seed)
{
    struct sim sim;
    sim_draw(&sim, seed, true);
    for (unsigned life = 0; life < 2 && sim.flow.letters == 0; life++) {
        sim_start(&sim);
        sim_settle_phase(&sim, PS_PHASE_RUN, sim.plan, NULL);
        for (uint64_t i = sim_pick(&sim, 3000); i > 0; i--)
            sim_step(&sim);
        sim_calm(&sim);
        for (unsigned i = 0; i < sim.flow.sink_count; i++)
            sim.flow.sinks[i].dead = sim_pick(&sim, 4) > 0;
        sim.fine = true;
        sim.world = note_progress;
        progress_ns = sim.now.mono_ns;
        assert_true(sim_drain(&sim, NULL, 2000000));
        if (sim.now.mono_ns - progress_ns > PS_NS_PER_S)
            fail_msg("a stop ends %llu ms after the last promise (seed %llu)",
                     (unsigned long long)((sim.now.mono_ns - progress_ns) / PS_NS_PER_MS),
                     (unsigned long long)seed);
        sim.fine = false;
        sim.world = NULL;
        assert_int_equal(sim_stop(&sim, 0), 0);
    }
    sim_last_life(&sim);
}

/* Regression: a source that reads again had failed while a dead sink of another worker held its batches. The stop waited for them. */
static void test_batches_from_before_a_failure(void **state)
{
    ps_log_set_level(PS_LOG_OFF);
    run_bounded_seed(UINT64_C(1993749708671013753));
}

static void test_stop_is_bounded(void **state)
{
    sim_for_seeds(run_bounded_seed, SIM_SEEDS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_letters_of_source_that_rereads),
        cmocka_unit_test(test_letters_whose_events_are_kept),
        cmocka_unit_test(test_letters_in_memory),
        cmocka_unit_test(test_letter_behind_the_end),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_batches_from_before_a_failure),
        cmocka_unit_test(test_stop_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
