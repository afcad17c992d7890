#include "tests/support/fake_route.h"

static void start(struct ps_test_stage *stage, const char *const *keys, const char *const *channels,
                  size_t count)
{
    ps_test_stage_init(stage, &ps_selector_replicating);
    stage->context.channels = (struct ps_texts){count, channels};
    assert_int_equal(ps_test_stage_bind(stage, keys), PS_OK);
    assert_int_equal(ps_test_stage_build(stage), PS_OK);
    assert_int_equal(ps_test_stage_open(stage), PS_OK);
}

static void test_all_and_optional(void **unused)
{
    static const char *const channels[] = {"c1", "c2", "c3"};
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("optional", "c3  c1"), channels, 3);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_BODY("b"));
    struct ps_route *route = ps_test_selector_work(&stage, lease);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(ps_test_route_way(route, lease, i, 0), PS_WAY_OPTIONAL);
        assert_int_equal(ps_test_route_way(route, lease, i, 1), PS_WAY_REQUIRED);
        assert_int_equal(ps_test_route_way(route, lease, i, 2), PS_WAY_OPTIONAL);
    }
    ps_test_route_free(route);
    ps_test_stage_fini(&stage);
}

static void test_unknown_optional(void **unused)
{
    static const char *const channels[] = {"c1"};
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("optional", "c9"), channels, 1);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_WARN, "c9"));
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"));
    struct ps_route *route = ps_test_selector_work(&stage, lease);
    assert_int_equal(ps_test_route_way(route, lease, 0, 0), PS_WAY_REQUIRED);
    ps_test_route_free(route);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_and_optional),
        cmocka_unit_test(test_unknown_optional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
