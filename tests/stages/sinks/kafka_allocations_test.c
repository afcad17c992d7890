/* Sink kafka without memory to encode an event (useFlumeEventFormat): it backs off, and tries again. */
#include "tests/support/allocations.h"
#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/reader.h"
#include "tests/support/stage.h"

#define LARGE_BYTES 300000U /* larger than any earlier event */

static void test_encode(void **state)
{
    static char body[LARGE_BYTES];
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("a sanitizer has its own allocator");
    struct ps_test_cluster cluster;
    struct ps_test_stage stage;
    ps_test_cluster_start(&cluster, 1);
    ps_test_cluster_topic(&cluster, "encoded", 1);
    ps_test_stage_start(&stage, &ps_sink_kafka,
                        PS_KEYS("kafka.bootstrap.servers", cluster.bootstrap, "kafka.topic", "encoded",
                                "useFlumeEventFormat", "true"));
    ps_test_stage_real_clock(&stage);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("small"));
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_TAKEN);
    ps_test_sink_wait(&stage, 1, PS_TEST_PATIENCE_MS);

    memset(body, 'x', sizeof body);
    const struct ps_test_event large = {.body = body, .length = sizeof body};
    lease = ps_test_lease(&stage, &large, 1);
    ps_test_stage_real_clock(&stage);
    ps_test_allocation_fails = 1;
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_TAKEN);
    assert_int_equal(ps_test_allocation_fails, 0);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventWriteFail), 1);
    uint64_t due_ns = ps_test_sink_tick(&stage);
    assert_in_range(due_ns, stage.now.mono_ns + 1,
                    stage.now.mono_ns + PS_NS_PER_S); /* the sink asks to be called then */
    assert_int_equal(stage.done_count, 1);
    ps_test_sink_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_refused), 0);
    struct ps_test_records records = ps_test_records_read(cluster.bootstrap, "encoded", 1, 2);
    assert_int_equal(records.count, 2);
    assert_true(records.items[1].value_length > LARGE_BYTES);
    ps_test_records_free(&records);
    ps_test_stage_fini(&stage);
    ps_test_cluster_stop(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_encode)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
