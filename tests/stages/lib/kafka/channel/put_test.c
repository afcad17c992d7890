/* The producer side of the Kafka channel: when events whose clients wait are refused. The engine is the test's, and so is
 * the clock. */
#include "stages/lib/kafka/channel/put.h"

#include "core/log/log.h"
#include "tests/support/kafka/fake_producer.h"

#define PATIENCE_NS (120 * PS_NS_PER_S)

static struct ps_counters counters;
static struct ps_kafka_channel_put_plan put_plan;
static struct ps_kafka_channel_put *put;

static void tick(void)
{
    (void)ps_kafka_channel_put_tick(put, &stage.port, &stage.now);
    for (unsigned i = 0; i < 100000 && put->sender->producer == NULL; i++) {
        usleep(50); /* the client factory's thread makes a producer */
        (void)ps_kafka_channel_put_tick(put, &stage.port, &stage.now);
    }
    ps_test_stage_pass_ms(&stage, 10);
}

/* Puts a lease whose client waits; the brokers do not answer. */
static struct ps_lease *put_silent(void)
{
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("0")), *given = lease;
    lease->refusable = true;
    lease->batch->opened = stage.now;
    fake.silent = true;
    assert_int_equal(ps_kafka_channel_put_add(put, &given, &stage.now), PS_PUT_OK);
    for (unsigned i = 0; i < 100; i++)
        tick();
    assert_int_equal(stage.home_count, 0);
    return lease;
}

static void begin(void)
{
    memset(&fake, 0, sizeof fake);
    fake.poison = NEVER_REFUSED;
    fake.partition_count = 1;
    fake.report_max = fake.records_max = NUMBERS_MAX;
    ps_test_stage_init(&stage, &ps_sink_kafka);
    counters = (struct ps_counters){.values = {0}};
    put_plan = (struct ps_kafka_channel_put_plan){.component = "channel c1",
                                                  .sender = plan,
                                                  .memory_bytes_max = UINT64_MAX / 2,
                                                  .patience_ns = PATIENCE_NS};
    put = aligned_alloc(_Alignof(struct ps_kafka_channel_put), sizeof *put);
    assert_non_null(put);
    ps_kafka_channel_put_init(put, &put_plan, &counters);
    tick();
}

static void end(void)
{
    struct ps_lease *left = NULL;
    while (!ps_kafka_channel_put_recall(put))
        usleep(50);
    (void)ps_kafka_channel_put_strip(put, &left);
    assert_null(left);
    ps_kafka_channel_put_fini(put);
    free(put);
    ps_test_stage_fini(&stage);
}

/* The process does not run for ten minutes. The acknowledgement has come meanwhile; the client's thread reads it at once,
 * or a little later. */
static void run_pause(unsigned later)
{
    begin();
    struct ps_lease *lease = put_silent();
    ps_test_stage_pass_ms(&stage, 600 * 1000);
    for (unsigned i = 0; i < later; i++)
        tick();
    fake.silent = false;
    tick();
    assert_int_equal(stage.home_count, 1);
    assert_ptr_equal(stage.home[0], lease);
    assert_false(lease->failed);
    assert_int_equal(lease->settled, 1);
    assert_int_equal(counters.values[PS_COUNTER_refused], 0);
    end();
}

static void test_pause_of_the_process(void **state)
{
    run_pause(0);
    run_pause(50); /* half a second */
}

/* The brokers answer nothing, and the process runs: after the time limit the client is refused. */
static void test_silent_brokers(void **state)
{
    begin();
    struct ps_lease *lease = put_silent();
    uint64_t since_ns = stage.now.mono_ns;
    while (stage.home_count == 0 && stage.now.mono_ns < since_ns + 2 * PATIENCE_NS)
        tick();
    assert_in_range(stage.now.mono_ns - since_ns, PATIENCE_NS - 2 * PS_NS_PER_S,
                    PATIENCE_NS + 10 * PS_NS_PER_S);
    assert_int_equal(stage.home_count, 1);
    assert_true(lease->failed);
    assert_int_equal(counters.values[PS_COUNTER_refused], 1);
    end();
}

static struct ps_kafka_producer *make_none(const struct ps_kafka_producer_config *config, struct ps_err *err)
{
    ps_err_set(err, "no descriptor");
    return NULL;
}

/* No client can be made: after the time limit the source's client is refused, as with silent brokers. */
static void test_no_client(void **state)
{
    begin();
    struct ps_kafka_engine none = *put_plan.sender.engine;
    none.create = make_none;
    assert_true(ps_kafka_channel_put_recall(put));
    put->stripped_end = NULL; /* the channel goes on */
    put_plan.sender.engine = &none;
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("0")), *given = lease;
    lease->refusable = true;
    lease->batch->opened = stage.now;
    assert_int_equal(ps_kafka_channel_put_add(put, &given, &stage.now), PS_PUT_OK);
    uint64_t since_ns = stage.now.mono_ns;
    while (stage.home_count == 0 && stage.now.mono_ns < since_ns + 2 * PATIENCE_NS) {
        assert_true(ps_kafka_channel_put_tick(put, &stage.port, &stage.now) > stage.now.mono_ns);
        assert_null(put->sender);
        ps_test_stage_pass_ms(&stage, 1000);
    }
    assert_in_range(stage.now.mono_ns - since_ns, PATIENCE_NS, PATIENCE_NS + 10 * PS_NS_PER_S);
    assert_int_equal(stage.home_count, 1);
    assert_true(lease->failed);
    assert_int_equal(counters.values[PS_COUNTER_refused], 1);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_client),
        cmocka_unit_test(test_pause_of_the_process),
        cmocka_unit_test(test_silent_brokers),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
