/* Sink avro without memory for a call: it rests, as after a refusal, and then sends the events, each once. */
#include "stages/lib/rpc/delivery.h"
#include "tests/support/allocations.h"
#include "tests/support/rpc_pair.h"

extern const struct ps_stage_ops ps_source_avro, ps_sink_avro;

static struct ps_test_rpc_pair pair;

/* The n-th allocation of the call fails. Returns whether there was one. */
static bool run(uint64_t nth)
{
    ps_test_rpc_pair_listen(&pair, &ps_source_avro, PS_KEYS("bind", "127.0.0.1", "port", "0"));
    ps_test_stage_start(
        &pair.sink, &ps_sink_avro,
        PS_KEYS("hostname", "127.0.0.1", "port", pair.port, "batch-size", "1000", "penstock.calls", "1"));
    ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 0, 1));
    ps_test_rpc_pair_await(&pair, 1); /* the connection is up, and has a buffer for one event */
    struct ps_lease *lease = ps_test_rpc_pair_numbered(&pair, 1, 1000);
    ps_test_rpc_pair_offer(&pair, lease);
    ps_test_allocation_fails = nth;
    uint64_t due_ns = ps_test_sink_tick(&pair.sink);
    bool failed = ps_test_allocation_fails == 0;
    ps_test_allocation_fails = 0;
    const struct ps_rpc_delivery *delivery = pair.sink.state;
    if (failed) {
        assert_int_equal(delivery->client.call_count, 0);
        assert_true(due_ns > pair.sink.now.mono_ns && due_ns <= pair.sink.now.mono_ns + 60 * PS_NS_PER_S);
        assert_true(ps_test_sink_tick(&pair.sink) == due_ns); /* still at rest */
        assert_int_equal(delivery->client.call_count, 0);
        pair.sink.now.mono_ns = due_ns;
    }
    ps_test_rpc_pair_await(&pair, 2);
    ps_test_rpc_pair_expect(&pair, 1001);
    ps_test_rpc_pair_fini(&pair);
    return failed;
}

static void test_no_memory_for_a_call(void **unused)
{
    uint64_t nth = 1;
    while (PS_TEST_ALLOCATIONS && run(nth))
        nth++;
    assert_true(nth > PS_TEST_ALLOCATIONS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_memory_for_a_call)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
