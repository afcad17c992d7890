/* Sink avro without memory for a call, or for its compressed bytes: it rests, as after a refusal, and then sends the events, each
 * once. No event uses an attempt up. */
#include "stages/lib/rpc/delivery.h"
#include "tests/support/allocations.h"
#include "tests/support/dead_letters.h"
#include "tests/support/folder.h"
#include "tests/support/rpc_pair.h"

extern const struct ps_stage_ops ps_source_avro, ps_sink_avro;

static struct ps_test_rpc_pair pair;

/* The n-th allocation of the call fails. Returns whether there was one. */
static bool run(uint64_t nth, const char *compression)
{
    ps_test_rpc_pair_listen(&pair, &ps_source_avro,
                            PS_KEYS("bind", "127.0.0.1", "port", "0", "compression-type", compression));
    ps_test_stage_start(&pair.sink, &ps_sink_avro,
                        PS_KEYS("hostname", "127.0.0.1", "port", pair.port, "batch-size", "1000",
                                "penstock.calls", "1", "compression-type", compression));
    ps_test_dead_letters_open(&pair.sink);
    pair.sink.port.retry_max = 1;
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
    assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_duplicated), 0);
    assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_deadletter), 0);
    ps_test_rpc_pair_fini(&pair);
    ps_test_dead_letters_close(&pair.sink);
    return failed;
}

/* `least`: the allocations of a call. */
static void expect_all(const char *compression, unsigned least)
{
    uint64_t nth = 1;
    while (PS_TEST_ALLOCATIONS && run(nth, compression))
        nth++;
    assert_true(nth > PS_TEST_ALLOCATIONS * least);
}

static void test_no_memory_for_a_call(void **unused)
{
    expect_all("none", 1);
}

static void test_no_memory_to_compress(void **unused)
{
    expect_all("deflate", 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(test_no_memory_for_a_call), TEST(test_no_memory_to_compress)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
