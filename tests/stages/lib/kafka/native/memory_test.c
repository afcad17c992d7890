/* The native client without memory for a record: the record is not taken, and what was there before stays as it was. */
#include "tests/support/allocations.h"

#include "stages/lib/kafka/producer/seam.h"
#include "tests/support/kafka/native_run.h"

#define LARGE_BYTES 40000U /* more than a set has at first */
#define SET_ALLOCATIONS 3U /* of a new set, before it grows */
#define QUIET_TURNS 50U

/* A record that needs a larger set than there is, while one before it is on its way: when that one is answered, nothing is
 * sent, and no report comes. Later the same record is taken, and delivered. */
static void test_no_memory_for_a_larger_set(void **state)
{
    static const int32_t partitions[] = {
        0, PS_KAFKA_PARTITION_ANY}; /* added one by one, and as a run of values */
    static char large[LARGE_BYTES];
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("a sanitizer has its own allocator");
    memset(large, 'x', sizeof large);
    for (size_t i = 0; i < PS_COUNT_OF(partitions); i++) {
        struct ps_test_request request;
        struct run run;
        begin(&run, "linger.ms", "0");
        deliver(&run);
        assert_int_equal(submit_of(&run, "value", 5, partitions[i]), 0);
        const struct produced before = expect_produce(&run);
        ps_test_allocation_fails = SET_ALLOCATIONS + 1;
        assert_int_equal(submit_of(&run, large, sizeof large, partitions[i]), PS_KAFKA_NO_MEMORY);
        assert_int_equal(ps_test_allocation_fails, 0);
        answer_produce(&run, &before, 0, 0);
        wait_for_reports(&run, 2);
        for (unsigned turns = 0; turns < QUIET_TURNS; turns++) {
            turn(&run);
            while (ps_test_broker_ask(&run.broker, &request)) {
                assert_int_not_equal(request.key, KEY_PRODUCE);
                answer(&run, &request, UINT32_MAX);
            }
        }
        assert_int_equal(run.report_count, 2);
        assert_int_equal(submit_of(&run, large, sizeof large, partitions[i]), 0);
        const struct produced after = expect_produce(&run);
        assert_in_range(after.bytes, LARGE_BYTES, LARGE_BYTES + 200);
        answer_produce(&run, &after, 0, 0);
        wait_for_reports(&run, 3);
        assert_int_equal(run.reports[2].error, 0);
        assert_int_equal(run.reports[2].count, 1);
        end(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_memory_for_a_larger_set)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
