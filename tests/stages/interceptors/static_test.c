#include "tests/support/stage.h"

static void test_default_preserves(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_interceptor_static, NULL);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_EVENT("b", "key", "mine"));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    struct ps_test_event event = ps_test_lease_event(&stage, lease, 0);
    assert_string_equal(ps_test_event_header(&event, "key"), "value");
    event = ps_test_lease_event(&stage, lease, 1);
    assert_string_equal(ps_test_event_header(&event, "key"), "mine");
    ps_test_stage_fini(&stage);
}

static void test_replaces(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_interceptor_static,
                        PS_KEYS("key", "datacenter", "value", "NEW_YORK", "preserveExisting", "false"));
    struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("b", "datacenter", "mine", "other", "1"));
    assert_int_equal(ps_test_interceptor_work(&stage, lease), PS_DONE);
    struct ps_test_event event = ps_test_lease_event(&stage, lease, 0);
    assert_string_equal(ps_test_event_header(&event, "datacenter"), "NEW_YORK");
    assert_int_equal(ps_test_event_header_count(&event), 2);
    ps_test_stage_fini(&stage);
}

/* Two interceptors of a chain have the same key: the first one wins, unless the second replaces. */
static void test_twice(void **unused)
{
    for (int replace = 0; replace < 2; replace++) {
        struct ps_test_stage first, second;
        ps_test_stage_start(&first, &ps_interceptor_static, PS_KEYS("value", "1"));
        ps_test_stage_start(&second, &ps_interceptor_static,
                            PS_KEYS("value", "2", "preserveExisting", replace ? "false" : "true"));
        struct ps_lease *lease = PS_LEASE(&first, PS_BODY("a"));
        assert_int_equal(ps_test_interceptor_work(&first, lease), PS_DONE);
        assert_int_equal(ps_test_interceptor_work(&second, lease), PS_DONE);
        struct ps_test_event event = ps_test_lease_event(&first, lease, 0);
        assert_string_equal(ps_test_event_header(&event, "key"), replace ? "2" : "1");
        ps_test_stage_fini(&second);
        ps_test_stage_fini(&first);
    }
}

/* The batch outlives the plan. */
static void test_copied(void **unused)
{
    struct ps_test_stage stage, other;
    ps_test_stage_init(&stage, &ps_sink_null);
    ps_test_stage_start(&other, &ps_interceptor_static, PS_KEYS("value", "gone"));
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"));
    assert_int_equal(ps_test_interceptor_work(&other, lease), PS_DONE);
    ps_test_stage_fini(&other);
    struct ps_test_event event = ps_test_lease_event(&stage, lease, 0);
    assert_string_equal(ps_test_event_header(&event, "key"), "gone");
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_preserves),
        cmocka_unit_test(test_replaces),
        cmocka_unit_test(test_twice),
        cmocka_unit_test(test_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
