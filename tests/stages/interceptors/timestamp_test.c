#include "tests/support/stage.h"

static void test_sets(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_interceptor_timestamp, NULL);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_EVENT("b", "timestamp", "1", "x", "y"));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    for (uint32_t i = 0; i < 2; i++) {
        struct ps_test_event event = ps_test_lease_event(&stage, lease, i);
        assert_string_equal(ps_test_event_header(&event, "timestamp"), "1700000000000");
        assert_int_equal(ps_test_event_header_count(&event), i + 1);
    }
    ps_test_stage_fini(&stage);
}

static void test_preserves(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_interceptor_timestamp,
                        PS_KEYS("preserveExisting", "TRUE", "headerName", "at"));
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_EVENT("b", "at", "kept"));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    struct ps_test_event event = ps_test_lease_event(&stage, lease, 0);
    assert_string_equal(ps_test_event_header(&event, "at"), "1700000000000");
    event = ps_test_lease_event(&stage, lease, 1);
    assert_string_equal(ps_test_event_header(&event, "at"), "kept");
    assert_int_equal(ps_test_event_header_count(&event), 1);
    ps_test_stage_fini(&stage);
}

static void test_odd_clocks(void **unused)
{
    static const struct {
        int64_t ms;
        const char *text;
    } clocks[] = {{0, "0"},
                  {7, "7"},
                  {-1, "-1"},
                  {INT64_MAX, "9223372036854775807"},
                  {INT64_MIN, "-9223372036854775808"}};
    for (size_t i = 0; i < PS_COUNT_OF(clocks); i++) {
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_interceptor_timestamp, NULL);
        stage.now.wall_ms = clocks[i].ms;
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"));
        assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
        struct ps_test_event event = ps_test_lease_event(&stage, lease, 0);
        assert_string_equal(ps_test_event_header(&event, "timestamp"), clocks[i].text);
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_preserves),
        cmocka_unit_test(test_odd_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
