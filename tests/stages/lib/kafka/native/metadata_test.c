/* The topics that the native client asks for, against one broker whose answers are written here. Time is the test's: a turn is a
 * millisecond. */
#include "tests/support/kafka/native_run.h"

/* Returns how many topics the next Metadata request names, and answers it. Its topic is complete, so the answer is the same. */
static uint32_t topics_named(struct run *run)
{
    const struct ps_test_request request = expect(run, KEY_METADATA);
    struct ps_wire_in in = request.body;
    uint32_t length, count = ps_wire_get_count(&in, 2);
    if (count == 1)
        assert_memory_equal(ps_wire_get_string(&in, &length), "t", 1);
    answer(run, &request, UINT32_MAX);
    for (unsigned i = 0; i < 5; i++)
        turn(run);
    return count;
}

/* A topic that nobody writes to is left out of the requests after five minutes, and only then: naming it would create it
 * again after it was deleted. Its next record asks for it at once. A record that waits keeps it. */
static void test_unused_topic_is_not_named(void **state)
{
    const struct ps_pair pairs[] = {{.key = "topic.metadata.refresh.interval.ms", .value = "10000"},
                                    {.key = "retry.backoff.ms", .value = "1000"}};
    struct run run;
    begin_with(&run, "127.0.0.1", pairs, PS_COUNT_OF(pairs));
    deliver(&run);
    uint64_t written_ns = run.now.mono_ns;
    run.now.mono_ns = written_ns + 298 * PS_NS_PER_S;
    assert_int_equal(topics_named(&run), 1);
    run.now.mono_ns = written_ns + 310 * PS_NS_PER_S;
    assert_int_equal(topics_named(&run), 0);
    run.now.mono_ns += 10 * PS_NS_PER_S;
    assert_int_equal(topics_named(&run), 0);

    uint64_t since_ns = run.now.mono_ns;
    run.cluster.leader = -1;
    run.cluster.epoch++;
    submit(&run);
    struct produced produced = expect_produce(&run);
    answer_produce(&run, &produced, ERROR_NOT_LEADER, 0);
    assert_int_equal(topics_named(&run), 1);
    assert_in_range(run.now.mono_ns - since_ns, 0, 500 * PS_NS_PER_MS);
    for (unsigned i = 0; i < 40; i++) { /* there is no leader for 400 s */
        run.now.mono_ns += 10 * PS_NS_PER_S;
        assert_int_equal(topics_named(&run), 1);
    }
    run.cluster.leader = 0;
    run.cluster.epoch++;
    produced = expect_produce(&run);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 2);
    assert_int_equal(run.reports[1].error, 0);
    run.now.mono_ns += 10 * PS_NS_PER_S;
    assert_int_equal(topics_named(&run), 0);
    end(&run);
}

/* A topic that no broker knew, and that nobody wrote to for a while, is asked for again before a record for it is given up: it may
 * have been created meanwhile. */
static void test_unknown_topic_that_was_not_used(void **state)
{
    const struct ps_pair pairs[] = {{.key = "topic.metadata.refresh.interval.ms", .value = "10000"},
                                    {.key = "topic.metadata.propagation.max.ms", .value = "2000"}};
    struct run run;
    begin_with(&run, "127.0.0.1", pairs, PS_COUNT_OF(pairs));
    run.cluster.error = ERROR_UNKNOWN_TOPIC;
    submit(&run);
    wait_for_reports(&run, 1);
    assert_int_equal(run.reports[0].error, LIBRARY_UNKNOWN_TOPIC);
    run.now.mono_ns += 310 * PS_NS_PER_S;
    assert_int_equal(topics_named(&run), 0);
    run.cluster.error = 0;
    submit(&run);
    const struct produced produced = expect_produce(&run);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 2);
    assert_int_equal(run.reports[1].error, 0);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unused_topic_is_not_named),
        cmocka_unit_test(test_unknown_topic_that_was_not_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
