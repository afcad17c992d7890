/* Sink avro against the source avro, both on the test's thread. (Real servers: tests/real/flume_avro_test.sh.) */
#include "tests/support/dead_letters.h"
#include "tests/support/folder.h"
#include "tests/support/keystore.h"
#include "tests/support/net.h"

#include <stdio.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_avro, ps_sink_avro;

static struct ps_test_stage source, sink;
static char port[8];

static void start_source(const char *const *keys)
{
    ps_test_stage_start(&source, &ps_source_avro, keys);
    snprintf(port, sizeof port, "%u", ps_test_tcp_port(&source, 0));
}

static void stop(void)
{
    ps_test_stage_fini(&sink);
    ps_test_stage_fini(&source);
}

/* One turn of both, in which a millisecond passes. */
static void turn(void)
{
    (void)ps_test_source_work(&source);
    (void)ps_test_sink_tick(&sink);
    ps_test_stage_pass_ms(&source, 1);
    ps_test_stage_pass_ms(&sink, 1);
    usleep(200);
}

static void offer(struct ps_lease *lease)
{
    assert_int_equal(ps_test_sink_work(&sink, &lease), PS_TAKEN);
}

/* Turns until the sink has settled so many leases. */
static void await_done(size_t count)
{
    uint64_t until = ps_clock_now().mono_ns + PS_TEST_PATIENCE_MS * PS_NS_PER_MS;
    while (sink.done_count < count) {
        assert_true(ps_clock_now().mono_ns < until);
        turn();
    }
    assert_int_equal(sink.done_count, count);
}

static struct ps_lease *numbered(unsigned first, unsigned count)
{
    static char bodies[1024][32];
    static struct ps_test_event events[1024];
    for (unsigned i = 0; i < count; i++) {
        snprintf(bodies[i], sizeof bodies[i], "event %u", first + i);
        events[i] = PS_BODY(bodies[i]);
    }
    return ps_test_lease(&sink, events, count);
}

static void expect_numbers(unsigned count)
{
    assert_int_equal(source.event_count, count);
    for (unsigned i = 0; i < count; i++) {
        char body[32];
        snprintf(body, sizeof body, "event %u", i);
        assert_string_equal(source.events[i].body, body);
    }
}

#define SOURCE "bind", "127.0.0.1", "port", "0"
#define SOURCE_TLS "ssl", "true", "keystore", store, "keystore-password", PS_TEST_STORE_PASSWORD

/* Plain, compressed, over TLS, and both ways of both: events arrive with their headers, in order. */
static void test_ways(void **unused)
{
    (void)unused;
    char store[512], trust[512];
    snprintf(store, sizeof store, "%s", ps_test_store_fixture("server.p12"));
    snprintf(trust, sizeof trust, "%s", ps_test_store_fixture("server.pem"));
    const char *const *const ways[][2] = {
        {PS_KEYS(SOURCE), PS_KEYS("hostname", "127.0.0.1", "port", port)},
        {PS_KEYS(SOURCE, "compression-type", "deflate"),
         PS_KEYS("hostname", "localhost", "port", port, "compression-type", "deflate")},
        {PS_KEYS(SOURCE, SOURCE_TLS),
         PS_KEYS("hostname", "127.0.0.1", "port", port, "ssl", "true", "trust-all-certs", "true")},
        {PS_KEYS(SOURCE, SOURCE_TLS),
         PS_KEYS("hostname", "127.0.0.1", "port", port, "ssl", "true", "truststore", trust)},
        {PS_KEYS(SOURCE, SOURCE_TLS, "compression-type", "deflate"),
         PS_KEYS("hostname", "127.0.0.1", "port", port, "ssl", "true", "trust-all-certs", "true",
                 "compression-type", "deflate", "compression-level", "9")},
        {PS_KEYS(SOURCE, SOURCE_TLS, "compression-type", "deflate"),
         PS_KEYS("hostname", "127.0.0.1", "port", port, "ssl", "true", "trust-all-certs", "true",
                 "compression-type", "deflate", "penstock.tls.outside", "true")},
    };
    for (size_t i = 0; i < PS_COUNT_OF(ways); i++) {
        start_source(ways[i][0]);
        ps_test_stage_start(&sink, &ps_sink_avro, ways[i][1]);
        offer(PS_LEASE(&sink, PS_EVENT("one", "a", "1", "b", ""), PS_BODY("")));
        await_done(1);
        ps_test_expect(&source.events[0], "one", PS_WORDS("a", "1", "b", ""));
        ps_test_expect(&source.events[1], "", NULL);
        ps_test_source_clear(&source);
        for (unsigned k = 0; k < 5; k++)
            offer(numbered(k * 1000, 1000));
        await_done(6);
        expect_numbers(5000);
        assert_int_equal(ps_test_stage_counter(&sink, PS_COUNTER_ConnectionCreatedCount), 1);
        stop();
    }
}

/* Calls of batch-size events at most. */
static void test_batch_size(void **unused)
{
    (void)unused;
    start_source(PS_KEYS(SOURCE));
    ps_test_stage_start(&sink, &ps_sink_avro,
                        PS_KEYS("hostname", "127.0.0.1", "port", port, "batch-size", "30"));
    offer(numbered(0, 100));
    await_done(1);
    expect_numbers(100);
    assert_int_equal(ps_test_stage_counter(&source, PS_COUNTER_AppendBatchAcceptedCount), 4);
    stop();
}

/* Reads into a batch until it has events, and refuses it. */
static void refuse_next(void)
{
    uint64_t until = ps_clock_now().mono_ns + PS_TEST_PATIENCE_MS * PS_NS_PER_MS;
    source.batch = ps_batch_take(&source.carver, source.now);
    source.batches[source.batch_count++] = source.batch;
    while (source.batch->count == 0) {
        assert_true(ps_clock_now().mono_ns < until);
        (void)ps_source_avro.source->work(source.plan, source.state, source.batch, &source.now);
        (void)ps_test_sink_tick(&sink);
        usleep(200);
    }
    ps_test_source_refuse_batch(&source, "full");
}

/* A refused call and all behind it are sent again, in order, and nothing comes twice. */
static void test_refused(void **unused)
{
    (void)unused;
    start_source(PS_KEYS(SOURCE));
    ps_test_stage_start(&sink, &ps_sink_avro,
                        PS_KEYS("hostname", "127.0.0.1", "port", port, "batch-size", "100"));
    offer(numbered(0, 10));
    await_done(1);
    for (unsigned k = 0; k < 10; k++)
        offer(numbered(10 + k * 500, 500));
    refuse_next();
    await_done(11);
    expect_numbers(5010);
    assert_true(ps_test_stage_counter(&sink, PS_COUNTER_retried) > 0);
    assert_int_equal(ps_test_stage_counter(&sink, PS_COUNTER_duplicated), 0);
    assert_int_equal(ps_test_stage_counter(&sink, PS_COUNTER_ConnectionCreatedCount), 1);
    stop();
}

/* The source goes and comes back at its port. */
static void test_lost(void **unused)
{
    (void)unused;
    start_source(PS_KEYS(SOURCE));
    ps_test_stage_start(&sink, &ps_sink_avro, PS_KEYS("hostname", "127.0.0.1", "port", port));
    offer(numbered(0, 10));
    await_done(1);
    ps_test_stage_close(&source);
    offer(numbered(10, 500));
    for (int i = 0; i < 20; i++) {
        (void)ps_test_sink_tick(&sink);
        ps_test_stage_pass_ms(&sink, 1000);
    }
    assert_true(ps_test_stage_counter(&sink, PS_COUNTER_ConnectionFailedCount) > 0);
    ps_test_stage_fini(&source);
    ps_test_stage_start(&source, &ps_source_avro, PS_KEYS("bind", "127.0.0.1", "port", port));
    await_done(2);
    assert_int_equal(source.event_count, 500);
    assert_int_equal(ps_test_stage_counter(&sink, PS_COUNTER_ConnectionCreatedCount), 2);
    stop();
}

/* A source that does not answer: after request-timeout the call is sent again over a new connection. */
static void test_no_answer(void **unused)
{
    (void)unused;
    start_source(PS_KEYS(SOURCE));
    ps_test_stage_start(&sink, &ps_sink_avro,
                        PS_KEYS("hostname", "127.0.0.1", "port", port, "request-timeout", "5000"));
    offer(numbered(0, 10));
    await_done(1);
    offer(numbered(10, 10));
    for (int i = 0; i < 7; i++) {
        (void)ps_test_sink_tick(&sink);
        ps_test_stage_pass_ms(&sink, 1000);
    }
    assert_int_equal(ps_test_stage_counter(&sink, PS_COUNTER_ConnectionClosedCount), 1);
    assert_int_equal(ps_test_stage_counter(&sink, PS_COUNTER_duplicated), 10);
    await_done(2);
    stop();
}

static void test_reset(void **unused)
{
    (void)unused;
    start_source(PS_KEYS(SOURCE));
    ps_test_stage_start(&sink, &ps_sink_avro,
                        PS_KEYS("hostname", "127.0.0.1", "port", port, "reset-connection-interval", "60"));
    for (unsigned k = 0; k < 3; k++) {
        offer(numbered(k * 10, 10));
        await_done(k + 1);
        ps_test_stage_pass_ms(&sink, 61000);
        turn();
    }
    expect_numbers(30);
    assert_int_equal(ps_test_stage_counter(&sink, PS_COUNTER_ConnectionCreatedCount), 3);
    assert_int_equal(ps_test_stage_counter(&sink, PS_COUNTER_ConnectionClosedCount), 3);
    stop();
}

/* A certificate that no authority of the system has signed. */
static void test_distrust(void **unused)
{
    (void)unused;
    char store[512];
    snprintf(store, sizeof store, "%s", ps_test_store_fixture("server.p12"));
    start_source(PS_KEYS(SOURCE, SOURCE_TLS));
    ps_test_stage_start(&sink, &ps_sink_avro, PS_KEYS("hostname", "127.0.0.1", "port", port, "ssl", "true"));
    offer(numbered(0, 10));
    uint64_t until = ps_clock_now().mono_ns + PS_TEST_PATIENCE_MS * PS_NS_PER_MS;
    while (ps_test_stage_counter(&sink, PS_COUNTER_ConnectionFailedCount) == 0) {
        assert_true(ps_clock_now().mono_ns < until);
        turn();
    }
    assert_int_equal(source.event_count, 0);
    assert_non_null(ps_test_sink_recall(&sink));
    stop();
}

/* penstock.retry.max: the events of the call that was refused so often are given up, and no others. */
static void test_attempts(void **unused)
{
    (void)unused;
    start_source(PS_KEYS(SOURCE));
    ps_test_stage_start(
        &sink, &ps_sink_avro,
        PS_KEYS("hostname", "127.0.0.1", "port", port, "batch-size", "3", "penstock.calls", "1"));
    ps_test_dead_letters_open(&sink);
    sink.port.retry_max = 2;
    struct ps_lease *lease = numbered(0, 10);
    offer(lease);
    refuse_next();
    for (unsigned i = 0; i < 3; i++) { /* the rest */
        (void)ps_test_sink_tick(&sink);
        ps_test_stage_pass_ms(&sink, 1000);
    }
    assert_int_equal(ps_test_stage_counter(&sink, PS_COUNTER_deadletter), 0);
    refuse_next();
    await_done(1);
    assert_string_equal(ps_test_dead_letters_bodies("attempts-exhausted"), "event 0\nevent 1\nevent 2\n");
    assert_int_equal(lease->dead, 3);
    assert_int_equal(source.event_count, 7);
    assert_string_equal(source.events[0].body, "event 3");
    assert_string_equal(source.events[6].body, "event 9");
    stop();
    ps_test_dead_letters_close(&sink);
}

/* A source that takes calls and never answers uses attempts up; one that is not there does not. */
static void test_attempts_without_answer(void **unused)
{
    (void)unused;
    start_source(PS_KEYS(SOURCE));
    ps_test_stage_start(&sink, &ps_sink_avro,
                        PS_KEYS("hostname", "127.0.0.1", "port", port, "request-timeout", "5000"));
    ps_test_dead_letters_open(&sink);
    sink.port.retry_max = 2;
    offer(numbered(0, 10));
    await_done(1);
    offer(numbered(10, 10));
    for (unsigned i = 0; i < 100 && sink.done_count < 2; i++) {
        (void)ps_test_sink_tick(&sink);
        ps_test_stage_pass_ms(&sink, 1000);
        usleep(1000);
    }
    assert_int_equal(sink.done_count, 2);
    assert_int_equal(sink.done[1]->dead, 10);
    ps_test_stage_close(&source);
    uint64_t failed = ps_test_stage_counter(&sink, PS_COUNTER_ConnectionFailedCount);
    offer(numbered(20, 10));
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS &&
                         ps_test_stage_counter(&sink, PS_COUNTER_ConnectionFailedCount) < failed + 5;
         i++) {
        (void)ps_test_sink_tick(&sink);
        ps_test_stage_pass_ms(&sink, 1000);
        usleep(1000);
    }
    assert_int_equal(sink.done_count, 2);
    assert_int_equal(ps_test_stage_counter(&sink, PS_COUNTER_deadletter), 10);
    struct ps_lease *back = ps_test_sink_recall(&sink);
    assert_int_equal(back->settled, 0);
    stop();
    ps_test_dead_letters_close(&sink);
}

static void test_mistakes(void **unused)
{
    (void)unused;
    ps_test_stage_init(&sink, &ps_sink_avro);
    assert_int_equal(ps_test_stage_bind(&sink, PS_KEYS("hostname", "h", "port", "1", "ssl", "true",
                                                       "truststore", "/no/such/store")),
                     PS_FAIL);
    assert_true(ps_test_stage_reported(&sink, PS_LOG_ERROR, "/no/such/store"));
    ps_test_stage_fini(&sink);
    ps_test_stage_init(&sink, &ps_sink_avro);
    assert_int_equal(
        ps_test_stage_bind(&sink, PS_KEYS("hostname", "h", "port", "1", "compression-type", "snappy")),
        PS_OK);
    assert_true(ps_test_stage_reported(&sink, PS_LOG_WARN, "snappy"));
    ps_test_stage_fini(&sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways),
        cmocka_unit_test(test_batch_size),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_distrust),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test_setup_teardown(test_attempts, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_attempts_without_answer, ps_test_folder_setup,
                                        ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
