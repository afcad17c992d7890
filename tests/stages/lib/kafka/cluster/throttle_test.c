/* A broker that delays the native client because of a quota (KIP-219), against one broker whose answers are written here. Time is
 * the test's. */
#include "tests/support/kafka/native_run.h"

#define LONG_TURN_NS (50 * PS_NS_PER_MS) /* so that backoffs end in fewer turns */

/* A long delay by a quota is named, once a minute; a short one is not. */
static void test_throttle_is_named(void **state)
{
    static const int32_t delays_ms[] = {1000, 5000, 6000};
    struct run run;
    begin(&run, "client.id", "c");
    run.turn_ns = LONG_TURN_NS;
    for (unsigned i = 0; i < PS_COUNT_OF(delays_ms); i++) {
        submit(&run);
        const struct produced produced = expect_produce(&run);
        answer_produce(&run, &produced, 0, delays_ms[i]);
        wait_for_reports(&run, i + 1);
        assert_int_equal(run.tolds, i > 0);
    }
    assert_string_equal(run.told, "broker 0 takes no records for 5 s");
    end(&run);
}

/* A broker that delays the client reads no request before the delay is over: those under way do not time out meanwhile. If it
 * does not answer after that either, the connection is given up. */
static void test_throttle_and_time_out(void **state)
{
    static const char value[] = "v";
    struct run run;
    begin(&run, "socket.timeout.ms", "1000");
    run.cluster.partitions = 2;
    deliver(&run);
    assert_int_equal(submit_of(&run, value, sizeof value, 0), 0);
    const struct produced first = expect_produce(&run);
    assert_int_equal(submit_of(&run, value, sizeof value, 1), 0);
    (void)expect_produce(&run); /* it waits at the broker */
    answer_produce(&run, &first, 0, 3000);
    wait_for_reports(&run, 2);
    uint64_t begun_ns = run.now.mono_ns;
    while (run.now.mono_ns < begun_ns + 3900 * PS_NS_PER_MS)
        turn(&run);
    assert_int_equal(run.tolds, 1); /* of the delay */
    const struct produced again = expect_produce(&run);
    assert_in_range(run.now.mono_ns, begun_ns + 3990 * PS_NS_PER_MS, begun_ns + 5000 * PS_NS_PER_MS);
    assert_int_equal(run.broker.connections, 2);
    answer_produce(&run, &again, 0, 0);
    wait_for_reports(&run, 3);
    end(&run);
}

/* A new connection is not delayed: if the broker does not answer there, that is noticed in time. */
static void test_time_out_after_a_throttled_connection(void **state)
{
    struct run run;
    begin(&run, "socket.timeout.ms", "1000");
    submit(&run);
    const struct produced first = expect_produce(&run);
    answer_produce(&run, &first, 0, 20000);
    wait_for_reports(&run, 1);
    ps_test_broker_hang_up(&run.broker);
    submit(&run);
    (void)expect(&run, KEY_METADATA); /* it gets no answer */
    assert_int_equal(run.broker.connections, 2);
    unsigned tolds = run.tolds;
    uint64_t begun_ns = run.now.mono_ns;
    for (unsigned turns = 0; run.tolds == tolds && turns < TURNS_MAX; turns++)
        turn(&run);
    assert_non_null(strstr(run.told, "the broker did not answer for 1 s"));
    assert_in_range(run.now.mono_ns, begun_ns + 990 * PS_NS_PER_MS, begun_ns + 1100 * PS_NS_PER_MS);
    const struct produced again = expect_produce(&run);
    answer_produce(&run, &again, 0, 0);
    wait_for_reports(&run, 2);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_throttle_is_named),
        cmocka_unit_test(test_throttle_and_time_out),
        cmocka_unit_test(test_time_out_after_a_throttled_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
