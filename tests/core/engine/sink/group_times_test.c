/* A failed sink of a failover group is tried again after Flume's times, whatever kept it closed meanwhile. */
#include "tests/support/group_agent.h"

#define LOOK_MS 100U

static const int32_t falling[] = {30, 20};
static const struct ps_processor_settings failover = {
    .type = PS_PROCESSOR_FAILOVER, .max_ms = 30000, .count = 2, .priorities = falling};

/* Milliseconds of the agent's clock. */
static uint64_t now_ms(void)
{
    return ps_test_group.agent.now.mono_ns / PS_NS_PER_MS;
}

/* Notes the times at which sink 0 was opened or tried. A batch always waits for it. Returns how many there are. */
static unsigned tries_of(uint64_t *times, unsigned most, unsigned *(*counted)(void))
{
    uint64_t until_ms = now_ms() + 70000;
    ps_test_group.look_ns = LOOK_MS * PS_NS_PER_MS;
    unsigned count = 0, before = *counted();
    while (now_ms() < until_ms && count < most) {
        uint64_t at_ms = now_ms();
        ps_test_group_make(1, 1);
        if (*counted() != before)
            times[count++] = at_ms;
        before = *counted();
        ps_test_small_agent_advance(&ps_test_group.agent);
    }
    return count;
}

static unsigned *opens_of_the_first(void)
{
    return &ps_test_group.members[0].open_calls;
}

static unsigned *offers_of_the_first(void)
{
    return &ps_test_group.members[0].offers;
}

/* min(maxpenalty, 2^failures s) between two tries, as FailoverSinkProcessor does, even for a sink that is closed in between. */
static void assert_failover_times(const uint64_t *times, unsigned count)
{
    static const unsigned expected_ms[] = {0, 2000, 6000, 14000, 30000, 60000};
    assert_int_equal(count, PS_COUNT_OF(expected_ms));
    for (unsigned i = 0; i < count; i++) {
        uint64_t after_ms = times[i] - times[0];
        if (after_ms < expected_ms[i] || after_ms > expected_ms[i] + 2 * LOOK_MS * i)
            fail_msg("try %u came after %u ms, not after %u", i, (unsigned)after_ms, expected_ms[i]);
    }
}

static void test_times_of_one_that_dies(void **state)
{
    uint64_t times[6];
    ps_test_group_start(&failover, 1);
    ps_test_group.members[0].dies_when_offered = true;
    unsigned count = tries_of(times, PS_COUNT_OF(times), offers_of_the_first);
    assert_failover_times(times, count);
    assert_int_equal(ps_test_group.members[0].opens, 6); /* each time */
    assert_int_equal(strlen(ps_test_group.members[1].settled), ps_test_group.made);
    ps_test_group.members[0].dies_when_offered = false;
    ps_test_group_stop();
}

static void test_times_of_one_that_does_not_open(void **state)
{
    uint64_t times[6];
    ps_test_group_forget();
    ps_test_group.members[0].opens_not = true;
    ps_test_group_begin(&failover, 1);
    times[0] = now_ms(); /* it failed at the start */
    assert_int_equal(ps_test_group.members[0].open_calls, 1);
    unsigned count = 1 + tries_of(times + 1, PS_COUNT_OF(times) - 1, opens_of_the_first);
    assert_failover_times(times, count);
    assert_int_equal(strlen(ps_test_group.members[1].settled), ps_test_group.made);
    ps_test_group.members[0].opens_not = false;
    ps_test_group_stop();
}

/* The recall of a failed sink takes longer than its penalty: the penalty begins when all leases have come back, and
 * the failure counts once. */
static void test_time_of_a_long_recall(void **state)
{
    ps_test_group_start(&failover, 1);
    ps_test_group.members[0].keeps = true;
    ps_test_group_make(1, 3);
    ps_test_group.members[0].fails = true;
    ps_test_group.members[0].recall_calls_left = 5000; /* one each millisecond */
    ps_test_group.look_ns = LOOK_MS * PS_NS_PER_MS;
    ps_test_group_make(1, 1);
    ps_test_group_pass_s(4);
    assert_int_equal(ps_test_group_member_state(0), PS_METRICS_MEMBER_PENALISED);
    assert_string_equal(ps_test_group.members[1].settled, "");
    ps_test_group_pass_s(2);
    assert_string_equal(ps_test_group.members[1].settled, "bcd");
    assert_int_equal(ps_test_group.members[0].opens, 1);
    ps_test_group.members[0].keeps = false;
    ps_test_group_pass_s(2);
    assert_int_equal(ps_test_group.members[0].opens, 2);
    ps_test_group_make(1, 1);
    assert_string_equal(ps_test_group.members[0].settled, "ae");
    ps_test_group_stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_times_of_one_that_dies),
                                       cmocka_unit_test(test_times_of_one_that_does_not_open),
                                       cmocka_unit_test(test_time_of_a_long_recall)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
