/* A source stays open over a reload: batches that it has not put yet get the channel numbers of the new plan, which
 * differ from the old ones, at each place of its list. */
#include "core/engine/worker.h"
#include "tests/support/stage.h"

#define CHANNELS 4U

static void test_numbers(void **unused)
{
    /* the same channels of the source, in the old plan and in the new one */
    static unsigned before[CHANNELS] = {0, 1, 2, 3}, after[CHANNELS] = {5, 3, 0, 1};
    static unsigned old_producers[2 * CHANNELS], producers[2 * CHANNELS];
    static struct ps_channel_plan old_channels[CHANNELS], channels[6];
    static struct ps_channel_spec specs[CHANNELS] = {{.stage = {.name = "c0"}},
                                                     {.stage = {.name = "c1"}},
                                                     {.stage = {.name = "c2"}},
                                                     {.stage = {.name = "c3"}}};
    static struct ps_dead_letter_target targets[2];
    const struct ps_source_spec old_spec = {.channels = before, .channel_count = CHANNELS},
                                spec = {.channels = after, .channel_count = CHANNELS};
    struct ps_source_plan old_plan = {.spec = &old_spec};
    for (unsigned i = 0; i < CHANNELS; i++) {
        old_channels[before[i]].spec = &specs[i];
        channels[after[i]].spec = &specs[i];
    }
    for (unsigned waiting = 0; waiting < 1U << (2 * CHANNELS); waiting++) { /* each set of places */
        struct ps_test_stage stage;
        struct ps_lease *pending[2 * CHANNELS] = {NULL};
        struct ps_source_plan source = {.spec = &spec,
                                        .adopts = &old_plan,
                                        .adopts_chain = true,
                                        .producers = producers,
                                        .letters = targets};
        struct ps_plan plan = {.sources = &source, .channels = channels};
        struct ps_source_runner runner = {.base = {.instance = waiting % 2},
                                          .plan = &old_plan,
                                          .channels = old_channels,
                                          .producers = old_producers,
                                          .pending = pending};
        ps_test_stage_init(&stage, &ps_sink_null);
        for (unsigned i = 0; i < 2 * CHANNELS; i++) {
            if ((waiting >> i & 1) == 0)
                continue;
            pending[i] = PS_LEASE(&stage, PS_BODY("x"));
            ps_lease_home(pending[i])->channel = (uint16_t)before[i / 2];
        }
        ps_source_runner_adopt(&runner, &plan, 0);
        for (unsigned i = 0; i < 2 * CHANNELS; i++) {
            assert_int_equal(runner.pending[i] != NULL, waiting >> i & 1);
            if (runner.pending[i] != NULL)
                assert_int_equal(ps_lease_home(runner.pending[i])->channel, after[i / 2]);
        }
        assert_ptr_equal(runner.plan, &source);
        assert_ptr_equal(runner.channels, channels);
        assert_ptr_equal(runner.producers, producers + waiting % 2 * CHANNELS);
        assert_null(runner.old_links); /* the chain stays */
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numbers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
