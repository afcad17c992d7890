#include "tests/support/fake_route.h"

static const char *const channels[] = {"c1", "c2", "c3"};

static void start(struct ps_test_stage *stage, const char *const *keys)
{
    ps_test_stage_init(stage, &ps_selector_load_balancing);
    stage->context.channels = (struct ps_texts){3, channels};
    assert_int_equal(ps_test_stage_bind(stage, keys), PS_OK);
    assert_int_equal(ps_test_stage_build(stage), PS_OK);
    assert_int_equal(ps_test_stage_open(stage), PS_OK);
}

/* Channels are used in turn, across batches. */
static void test_round_robin(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, NULL);
    unsigned expected = 0;
    for (int batch = 0; batch < 5; batch++) {
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_BODY("b"), PS_BODY("c"), PS_BODY("d"));
        struct ps_route *route = ps_test_selector_work(&stage, lease);
        for (uint32_t i = 0; i < 4; i++, expected = (expected + 1) % 3) {
            for (unsigned channel = 0; channel < 3; channel++)
                assert_int_equal(ps_test_route_way(route, lease, i, channel),
                                 channel == expected ? PS_WAY_REQUIRED : PS_WAY_NONE);
        }
        ps_test_route_free(route);
    }
    ps_test_stage_fini(&stage);
}

/* Every event goes to exactly one channel, and every channel is chosen at some time. */
static void test_random(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("policy", "RANDOM"));
    unsigned chosen[3] = {0, 0, 0};
    for (int batch = 0; batch < 100; batch++) {
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_BODY("b"), PS_BODY("c"));
        struct ps_route *route = ps_test_selector_work(&stage, lease);
        for (uint32_t i = 0; i < 3; i++) {
            unsigned ways = 0;
            for (unsigned channel = 0; channel < 3; channel++) {
                bool goes = ps_test_route_way(route, lease, i, channel) == PS_WAY_REQUIRED;
                chosen[channel] += goes;
                ways += goes;
            }
            assert_int_equal(ways, 1);
        }
        ps_test_route_free(route);
    }
    /* 300 draws: less than 40 for one of three has a chance below 10^-13. */
    for (unsigned channel = 0; channel < 3; channel++)
        assert_true(chosen[channel] >= 40);
    ps_test_stage_fini(&stage);
}

static void test_unknown_policy(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_selector_load_balancing);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("policy", "fastest")), PS_FAIL);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_robin),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_unknown_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
