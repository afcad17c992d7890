/* A run that has no memory for its result fails and says so. */
#include "tests/support/allocations.h"
#include "tests/support/load_config.h"

#include <stdio.h>

static struct ps_load_result result;
static struct ps_err err;

static enum ps_status run(uint64_t fails)
{
    const struct ps_load_config config = ps_test_load_config("/dev/null", 64, 10 * PS_NS_PER_MS);
    struct ps_live live;
    FILE *null = fopen("/dev/null", "we");
    assert_non_null(null);
    ps_live_init(&live, null, true, true);
    result = (struct ps_load_result){.sources = NULL};
    err = (struct ps_err){.length = 0};
    ps_test_allocation_count = 0;
    ps_test_allocation_fails = fails;
    enum ps_status status = ps_load_run(&config, &live, &result, &err);
    ps_test_allocation_fails = 0;
    fclose(null);
    return status;
}

/* From the last allocation of a run to that of its result: a run that is good has a result. */
static void test_no_memory_for_the_result(void **state)
{
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("the sanitizer has its own allocator");
    if (run(0) != PS_OK)
        fail_msg("%s", err.text);
    ps_load_result_fini(&result);
    for (uint64_t last = ps_test_allocation_count; last > 0; last--) {
        enum ps_status status = run(last);
        if (status != PS_OK) {
            assert_string_equal(err.text, "no memory");
            ps_load_result_fini(&result);
            return;
        }
        assert_non_null(result.sources);
        ps_load_result_fini(&result);
    }
    fail_msg("no allocation of a run can fail");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory_for_the_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
