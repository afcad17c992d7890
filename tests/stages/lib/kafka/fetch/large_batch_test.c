/* Record batches that are larger than what the source can take. */
#include "core/log/log.h"
#include "tests/support/kafka/fetch_run.h"

static struct run run;

/* A record batch for which the memory budget has no room, whatever its length is: the source fails with the cure, and does
 * not take the broker for something else. */
static void test_a_set_larger_than_the_budget(void **state)
{
    static const uint32_t bytes[] = {32U << 20, (64U << 20) + 1, 900U << 20, INT32_MAX};
    for (size_t i = 0; i < PS_COUNT_OF(bytes); i++) {
        begin(&run, 1, NULL, 0);
        for (unsigned p = 0; p < PS_TEST_GROUP_PARTITIONS; p++)
            ps_test_group_append_plain(&run.group, p, 200);
        run.group.announced_bytes = bytes[i];
        for (unsigned turns = 0; !run.dead; turns++) {
            assert_in_range(turns, 0, TURNS_MAX);
            turn(&run);
        }
        assert_non_null(strstr(run.reason.text, "does not fit into the memory budget"));
        assert_non_null(strstr(run.reason.text, "penstock.memory.budget"));
        end(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_set_larger_than_the_budget),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
