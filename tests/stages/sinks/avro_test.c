/* Sink avro against the source avro, both on the test's thread. (Real servers: tests/real/flume_avro_test.sh.) */
#include "tests/support/dead_letters.h"
#include "tests/support/folder.h"
#include "tests/support/keystore.h"
#include "tests/support/net.h"
#include "tests/support/rpc_pair.h"

#include <stdio.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_avro, ps_sink_avro;

static struct ps_test_rpc_pair pair;

#define SOURCE "bind", "127.0.0.1", "port", "0"
#define SOURCE_TLS "ssl", "true", "keystore", store, "keystore-password", PS_TEST_STORE_PASSWORD

/* Events that fill any socket, and events that become very short when they are compressed. */
static void expect_large(void)
{
    enum { LENGTH = 2 << 20 };
    char *body = malloc(LENGTH);
    uint64_t random = 1;
    assert_non_null(body);
    for (unsigned round = 0; round < 2; round++) {
        unsigned count = round == 0 ? 4 : 1;
        for (size_t i = 0; i < LENGTH; i++)
            body[i] = round == 0 ? (char)ps_test_random(&random) : 'x';
        ps_test_source_clear(&pair.source);
        size_t done = pair.sink.done_count;
        for (unsigned k = 0; k < count; k++)
            ps_test_rpc_pair_offer(
                &pair, PS_LEASE(&pair.sink, ((struct ps_test_event){.body = body, .length = LENGTH})));
        ps_test_rpc_pair_await(&pair, done + count);
        assert_int_equal(pair.source.event_count, count);
        for (unsigned k = 0; k < count; k++) {
            assert_int_equal(pair.source.events[k].length, LENGTH);
            assert_memory_equal(pair.source.events[k].body, body, LENGTH);
        }
    }
    free(body);
}

/* Plain, compressed, over TLS, and compressed over TLS: events arrive with their headers, in order. */
static void test_ways(void **unused)
{
    char store[512], trust[512];
    snprintf(store, sizeof store, "%s", ps_test_store_fixture("server.p12"));
    snprintf(trust, sizeof trust, "%s", ps_test_store_fixture("server.pem"));
    const char *const *const ways[][2] = {
        {PS_KEYS(SOURCE), PS_KEYS("hostname", "127.0.0.1", "port", pair.port)},
        {PS_KEYS(SOURCE, "compression-type", "deflate"),
         PS_KEYS("hostname", "localhost", "port", pair.port, "compression-type", "deflate")},
        {PS_KEYS(SOURCE, "compression-type", "deflate"),
         PS_KEYS("hostname", "localhost", "port", pair.port, "compression-type", "deflate",
                 "compression-level", "0")},
        {PS_KEYS(SOURCE, SOURCE_TLS),
         PS_KEYS("hostname", "127.0.0.1", "port", pair.port, "ssl", "true", "trust-all-certs", "true")},
        {PS_KEYS(SOURCE, SOURCE_TLS),
         PS_KEYS("hostname", "127.0.0.1", "port", pair.port, "ssl", "true", "truststore", trust)},
        {PS_KEYS(SOURCE, SOURCE_TLS, "compression-type", "deflate"),
         PS_KEYS("hostname", "127.0.0.1", "port", pair.port, "ssl", "true", "trust-all-certs", "true",
                 "compression-type", "deflate", "compression-level", "9")},
        {PS_KEYS(SOURCE, SOURCE_TLS, "compression-type", "deflate"),
         PS_KEYS("hostname", "127.0.0.1", "port", pair.port, "ssl", "true", "trust-all-certs", "true",
                 "compression-type", "deflate", "penstock.tls.outside", "true")},
    };
    for (size_t i = 0; i < PS_COUNT_OF(ways); i++) {
        ps_test_rpc_pair_listen(&pair, &ps_source_avro, ways[i][0]);
        ps_test_stage_start(&pair.sink, &ps_sink_avro, ways[i][1]);
        ps_test_rpc_pair_offer(&pair, PS_LEASE(&pair.sink, PS_EVENT("one", "a", "1", "b", ""), PS_BODY("")));
        ps_test_rpc_pair_await(&pair, 1);
        ps_test_expect(&pair.source.events[0], "one", PS_WORDS("a", "1", "b", ""));
        ps_test_expect(&pair.source.events[1], "", NULL);
        ps_test_source_clear(&pair.source);
        for (unsigned k = 0; k < 5; k++)
            ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, k * 1000, 1000));
        ps_test_rpc_pair_await(&pair, 6);
        ps_test_rpc_pair_expect(&pair, 5000);
        expect_large();
        assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionCreatedCount), 1);
        ps_test_rpc_pair_fini(&pair);
    }
}

/* A call has at most batch-size events. */
static void test_batch_size(void **unused)
{
    ps_test_rpc_pair_listen(&pair, &ps_source_avro, PS_KEYS(SOURCE));
    ps_test_stage_start(&pair.sink, &ps_sink_avro,
                        PS_KEYS("hostname", "127.0.0.1", "port", pair.port, "batch-size", "30"));
    ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 0, 100));
    ps_test_rpc_pair_await(&pair, 1);
    ps_test_rpc_pair_expect(&pair, 100);
    assert_int_equal(ps_test_stage_counter(&pair.source, PS_COUNTER_AppendBatchAcceptedCount), 4);
    ps_test_rpc_pair_fini(&pair);
}

/* A refused call and all later ones are sent again, in order, and nothing comes twice. */
static void test_refused(void **unused)
{
    ps_test_rpc_pair_listen(&pair, &ps_source_avro, PS_KEYS(SOURCE));
    ps_test_stage_start(&pair.sink, &ps_sink_avro,
                        PS_KEYS("hostname", "127.0.0.1", "port", pair.port, "batch-size", "100"));
    ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 0, 10));
    ps_test_rpc_pair_await(&pair, 1);
    for (unsigned k = 0; k < 10; k++)
        ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 10 + k * 500, 500));
    ps_test_rpc_pair_refuse(&pair, 1);
    ps_test_rpc_pair_await(&pair, 11);
    ps_test_rpc_pair_expect(&pair, 5010);
    assert_true(ps_test_stage_counter(&pair.sink, PS_COUNTER_retried) > 0);
    assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_duplicated), 0);
    assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionCreatedCount), 1);
    ps_test_rpc_pair_fini(&pair);
}

/* The source is closed, and comes back at its port. */
static void test_lost(void **unused)
{
    ps_test_rpc_pair_listen(&pair, &ps_source_avro, PS_KEYS(SOURCE));
    ps_test_stage_start(&pair.sink, &ps_sink_avro, PS_KEYS("hostname", "127.0.0.1", "port", pair.port));
    ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 0, 10));
    ps_test_rpc_pair_await(&pair, 1);
    ps_test_stage_close(&pair.source);
    ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 10, 500));
    for (int i = 0; i < 20; i++) {
        (void)ps_test_sink_tick(&pair.sink);
        ps_test_stage_pass_ms(&pair.sink, 1000);
    }
    assert_true(ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionFailedCount) > 0);
    ps_test_stage_fini(&pair.source);
    ps_test_stage_start(&pair.source, &ps_source_avro, PS_KEYS("bind", "127.0.0.1", "port", pair.port));
    ps_test_rpc_pair_await(&pair, 2);
    assert_int_equal(pair.source.event_count, 500);
    assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionCreatedCount), 2);
    ps_test_rpc_pair_fini(&pair);
}

/* A source that hangs up while no call is under way has not failed: the next events go at once over a new connection,
 * each time. A source that cannot be reached has failed, and is tried again only after a backoff. */
static void test_idle_hang_up(void **unused)
{
    ps_test_rpc_pair_listen(&pair, &ps_source_avro, PS_KEYS(SOURCE));
    ps_test_stage_start(&pair.sink, &ps_sink_avro, PS_KEYS("hostname", "127.0.0.1", "port", pair.port));
    ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 0, 10));
    ps_test_rpc_pair_await(&pair, 1);
    for (unsigned round = 1; round < 4; round++) {
        ps_test_stage_fini(&pair.source);
        ps_test_stage_start(&pair.source, &ps_source_avro, PS_KEYS("bind", "127.0.0.1", "port", pair.port));
        while (ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionClosedCount) < round)
            ps_test_rpc_pair_turn(&pair);
        uint64_t since_ns = pair.sink.now.mono_ns;
        ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, round * 10, 10));
        ps_test_rpc_pair_await(&pair, round + 1);
        assert_in_range(pair.sink.now.mono_ns - since_ns, 0, 900 * PS_NS_PER_MS);
    }
    assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionFailedCount), 0);
    ps_test_stage_close(&pair.source);
    ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 40, 10));
    for (unsigned i = 0; i < 1000; i++) {
        (void)ps_test_sink_tick(&pair.sink);
        ps_test_stage_pass_ms(&pair.sink, 1);
    }
    assert_in_range(ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionFailedCount), 1, 3);
    assert_non_null(ps_test_sink_recall(&pair.sink));
    ps_test_rpc_pair_fini(&pair);
}

/* A source that does not answer: after request-timeout the call is sent again over a new connection. */
static void test_no_answer(void **unused)
{
    ps_test_rpc_pair_listen(&pair, &ps_source_avro, PS_KEYS(SOURCE));
    ps_test_stage_start(&pair.sink, &ps_sink_avro,
                        PS_KEYS("hostname", "127.0.0.1", "port", pair.port, "request-timeout", "5000"));
    ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 0, 10));
    ps_test_rpc_pair_await(&pair, 1);
    ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 10, 10));
    for (int i = 0; i < 7; i++) {
        (void)ps_test_sink_tick(&pair.sink);
        ps_test_stage_pass_ms(&pair.sink, 1000);
    }
    assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionClosedCount), 1);
    assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_duplicated), 10);
    ps_test_rpc_pair_await(&pair, 2);
    ps_test_rpc_pair_fini(&pair);
}

static void test_reset(void **unused)
{
    ps_test_rpc_pair_listen(&pair, &ps_source_avro, PS_KEYS(SOURCE));
    ps_test_stage_start(
        &pair.sink, &ps_sink_avro,
        PS_KEYS("hostname", "127.0.0.1", "port", pair.port, "reset-connection-interval", "60"));
    for (unsigned k = 0; k < 3; k++) {
        ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, k * 10, 10));
        ps_test_rpc_pair_await(&pair, k + 1);
        ps_test_stage_pass_ms(&pair.sink, 61000);
        ps_test_rpc_pair_turn(&pair);
    }
    ps_test_rpc_pair_expect(&pair, 30);
    assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionCreatedCount), 3);
    assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionClosedCount), 3);
    ps_test_rpc_pair_fini(&pair);
}

/* A reset that is due waits for the answers under way, and the sink for them, not for a time that is over. */
static void test_reset_waits(void **unused)
{
    ps_test_rpc_pair_listen(&pair, &ps_source_avro, PS_KEYS(SOURCE));
    ps_test_stage_start(
        &pair.sink, &ps_sink_avro,
        PS_KEYS("hostname", "127.0.0.1", "port", pair.port, "reset-connection-interval", "1"));
    ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 0, 10));
    ps_test_rpc_pair_await(&pair, 1);
    ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 10, 10));
    (void)ps_test_sink_tick(&pair.sink);
    ps_test_stage_pass_ms(&pair.sink, 2000);
    assert_true(ps_test_sink_tick(&pair.sink) > pair.sink.now.mono_ns);
    assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionClosedCount), 0);
    ps_test_rpc_pair_await(&pair, 2);
    assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionClosedCount), 1);
    ps_test_rpc_pair_fini(&pair);
}

/* The sink refuses a certificate that no authority of the system has signed. */
static void test_distrust(void **unused)
{
    char store[512];
    snprintf(store, sizeof store, "%s", ps_test_store_fixture("server.p12"));
    ps_test_rpc_pair_listen(&pair, &ps_source_avro, PS_KEYS(SOURCE, SOURCE_TLS));
    ps_test_stage_start(&pair.sink, &ps_sink_avro,
                        PS_KEYS("hostname", "127.0.0.1", "port", pair.port, "ssl", "true"));
    ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 0, 10));
    uint64_t until = ps_test_patience_end_ns();
    while (ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionFailedCount) == 0) {
        assert_true(ps_test_patient_ns() < until);
        ps_test_rpc_pair_turn(&pair);
    }
    assert_int_equal(pair.source.event_count, 0);
    assert_non_null(ps_test_sink_recall(&pair.sink));
    ps_test_rpc_pair_fini(&pair);
}

/* penstock.retry.max: the events of the call that was refused this often are given up, and no others. */
static void test_attempts(void **unused)
{
    ps_test_rpc_pair_listen(&pair, &ps_source_avro, PS_KEYS(SOURCE));
    ps_test_stage_start(
        &pair.sink, &ps_sink_avro,
        PS_KEYS("hostname", "127.0.0.1", "port", pair.port, "batch-size", "3", "penstock.calls", "1"));
    ps_test_dead_letters_open(&pair.sink);
    pair.sink.port.retry_max = 2;
    struct ps_lease *lease = ps_test_rpc_pair_numbered(&pair, 0, 10);
    ps_test_rpc_pair_offer(&pair, lease);
    ps_test_rpc_pair_refuse(&pair, 1);
    for (unsigned i = 0; i < 3; i++) { /* the backoff between attempts */
        (void)ps_test_sink_tick(&pair.sink);
        ps_test_stage_pass_ms(&pair.sink, 1000);
    }
    assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_deadletter), 0);
    ps_test_rpc_pair_refuse(&pair, 1);
    ps_test_rpc_pair_await(&pair, 1);
    assert_string_equal(ps_test_dead_letters_bodies("attempts-exhausted"), "event 0\nevent 1\nevent 2\n");
    assert_int_equal(lease->dead, 3);
    assert_int_equal(pair.source.event_count, 7);
    assert_string_equal(pair.source.events[0].body, "event 3");
    assert_string_equal(pair.source.events[6].body, "event 9");
    ps_test_rpc_pair_fini(&pair);
    ps_test_dead_letters_close(&pair.sink);
}

/* A source that accepts calls and never answers uses up attempts; one that cannot be reached does not. */
static void test_attempts_without_answer(void **unused)
{
    ps_test_rpc_pair_listen(&pair, &ps_source_avro, PS_KEYS(SOURCE));
    ps_test_stage_start(&pair.sink, &ps_sink_avro,
                        PS_KEYS("hostname", "127.0.0.1", "port", pair.port, "request-timeout", "5000"));
    ps_test_dead_letters_open(&pair.sink);
    pair.sink.port.retry_max = 2;
    ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 0, 10));
    ps_test_rpc_pair_await(&pair, 1);
    ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 10, 10));
    const uint64_t until = ps_test_patience_end_ns();
    while (pair.sink.done_count < 2 && ps_test_patient_ns() < until) {
        (void)ps_test_sink_tick(&pair.sink);
        ps_test_stage_pass_ms(&pair.sink, 1000);
        usleep(1000);
    }
    assert_int_equal(pair.sink.done_count, 2);
    assert_int_equal(pair.sink.done[1]->dead, 10);
    ps_test_stage_close(&pair.source);
    uint64_t failed = ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionFailedCount);
    ps_test_rpc_pair_offer(&pair, ps_test_rpc_pair_numbered(&pair, 20, 10));
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS &&
                         ps_test_stage_counter(&pair.sink, PS_COUNTER_ConnectionFailedCount) < failed + 5;
         i++) {
        (void)ps_test_sink_tick(&pair.sink);
        ps_test_stage_pass_ms(&pair.sink, 1000);
        usleep(1000);
    }
    assert_int_equal(pair.sink.done_count, 2);
    assert_int_equal(ps_test_stage_counter(&pair.sink, PS_COUNTER_deadletter), 10);
    struct ps_lease *back = ps_test_sink_recall(&pair.sink);
    assert_int_equal(back->settled, 0);
    ps_test_rpc_pair_fini(&pair);
    ps_test_dead_letters_close(&pair.sink);
}

static void test_mistakes(void **unused)
{
    ps_test_stage_init(&pair.sink, &ps_sink_avro);
    assert_int_equal(ps_test_stage_bind(&pair.sink, PS_KEYS("hostname", "h", "port", "1", "ssl", "true",
                                                            "truststore", "/no/such/store")),
                     PS_FAIL);
    assert_true(ps_test_stage_reported(&pair.sink, PS_LOG_ERROR, "/no/such/store"));
    ps_test_stage_fini(&pair.sink);
    ps_test_stage_init(&pair.sink, &ps_sink_avro);
    assert_int_equal(
        ps_test_stage_bind(&pair.sink, PS_KEYS("hostname", "h", "port", "1", "compression-type", "snappy")),
        PS_OK);
    assert_true(ps_test_stage_reported(&pair.sink, PS_LOG_WARN, "snappy"));
    ps_test_stage_fini(&pair.sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ways),
        cmocka_unit_test(test_batch_size),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_idle_hang_up),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_reset_waits),
        cmocka_unit_test(test_distrust),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test_setup_teardown(test_attempts, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_attempts_without_answer, ps_test_folder_setup,
                                        ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
