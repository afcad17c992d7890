#include "tests/support/stage.h"

static void test_settles_and_counts(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_sink_null, PS_KEYS("logEveryNEvents", "3", "batchSize", "7"));
    uint64_t lines = ps_log_count(PS_LOG_INFO);
    for (uint64_t i = 1; i <= 6; i++) {
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_BODY("b"));
        assert_int_equal(ps_test_sink_work(&stage, &lease), PS_DONE);
        assert_int_equal(lease->settled, 2);
        assert_int_equal(ps_log_count(PS_LOG_INFO), lines + 2 * i / 3);
    }
    ps_test_stage_fini(&stage);
}

/* Events that were settled before the sink got the lease are not counted. */
static void test_counts_what_it_takes(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_sink_null, PS_KEYS("logEveryNEvents", "4"));
    uint64_t lines = ps_log_count(PS_LOG_INFO);
    for (unsigned i = 1; i <= 4; i++) {
        struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("a"), PS_BODY("b"), PS_BODY("c"));
        ps_lease_settle(lease, 0);
        ps_lease_settle(lease, 2);
        assert_int_equal(ps_test_sink_work(&stage, &lease), PS_DONE);
        assert_int_equal(lease->settled, 3);
        assert_int_equal(ps_log_count(PS_LOG_INFO), lines + i / 4);
    }
    ps_test_stage_fini(&stage);
}

static void test_bad_values(void **unused)
{
    static const char *const keys[] = {"batchSize", "logEveryNEvents"};
    static const char *const values[] = {"0", "-1", "x"};
    for (size_t i = 0; i < 6; i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_sink_null);
        assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS(keys[i / 3], values[i % 3])), PS_FAIL);
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settles_and_counts),
        cmocka_unit_test(test_counts_what_it_takes),
        cmocka_unit_test(test_bad_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
