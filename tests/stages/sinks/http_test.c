/* Sink http: the requests, and the effect of each status. */
#include "tests/support/dead_letters.h"
#include "tests/support/folder.h"
#include "tests/support/http_peer.h"
#include "tests/support/stage.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static void start(struct ps_test_stage *stage, const char *const *keys)
{
    const char *all[32] = {"endpoint", ps_test_http_peer_url()};
    for (size_t i = 0; keys[i] != NULL; i++)
        all[2 + i] = keys[i];
    ps_test_stage_start(stage, &ps_sink_http, all);
}

static void offer(struct ps_test_stage *stage, struct ps_lease *lease)
{
    assert_int_equal(ps_test_sink_work(stage, &lease), PS_TAKEN);
    assert_null(lease);
}

static int set_up(void **state)
{
    ps_test_http_peer_start();
    return 0;
}

static int tear_down(void **state)
{
    ps_test_http_peer_stop();
    return 0;
}

static void test_posts(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("defaultRollback", "false", "defaultBackoff", "false", "contentTypeHeader",
                          "application/json", "acceptHeader", "*/*", "incrementMetrics.200", "true"));
    offer(&stage, PS_LEASE(&stage, PS_BODY("one"), PS_BODY(""), PS_BODY("two")));
    offer(&stage, PS_LEASE(&stage, PS_BODY("three")));
    ps_test_sink_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    assert_string_equal(ps_test_http_peer_text(), "one\ntwo\nthree\n");
    assert_string_equal(ps_test_http_peer_last(), "POST /events application/json */*");
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_extra), 3);
    assert_int_equal(stage.done[0]->settled, 3);
    ps_test_stage_fini(&stage);
}

/* Flume's findOverrideValue: the exact status, then the rule for its hundred, then the default. */
static void test_rules(void **unused)
{
    static const struct {
        unsigned status;
        bool again;
    } cases[] = {{200, false}, {404, false}, {400, true}, {503, true}, {500, false}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        start(&stage, PS_KEYS("defaultBackoff", "false", "rollback.200", "false", "rollback.4XX", "false",
                              "rollback.400", "true", "rollback.500", "false"));
        ps_test_http_peer_clear();
        ps_test_http_peer_answer(cases[i].status, 2);
        offer(&stage, PS_LEASE(&stage, PS_BODY("x")));
        ps_test_sink_wait(&stage, 1, PS_TEST_PATIENCE_MS);
        assert_int_equal(ps_test_http_peer_requests(), cases[i].again ? 3 : 1);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_retried), cases[i].again ? 2 : 0);
        ps_test_http_peer_answer(200, 0);
        ps_test_stage_fini(&stage);
    }
}

/* Ticks, while no time passes for the sink, until the peer has had this number of requests. */
static void await_requests(struct ps_test_stage *stage, unsigned requests)
{
    uint64_t until = ps_test_patience_end_ns();
    while (ps_test_http_peer_requests() < requests) {
        assert_true(ps_test_patient_ns() < until);
        (void)ps_test_sink_tick(stage);
        usleep(1000);
    }
    assert_int_equal(ps_test_http_peer_requests(), requests);
}

/* A back-off delays all events for 1 s, then for 2 s; the order is kept. */
static void test_back_off(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("backoff.2XX", "false", "rollback.2XX", "false"));
    ps_test_http_peer_answer(503, 2);
    offer(&stage, PS_LEASE(&stage, PS_BODY("one"), PS_BODY("two")));
    for (unsigned round = 1; round <= 2; round++) {
        await_requests(&stage, round);
        while (ps_test_stage_counter(&stage, PS_COUNTER_retried) < round) {
            usleep(1000);
            (void)ps_test_sink_tick(&stage);
        }
        assert_int_equal(ps_test_sink_tick(&stage), stage.now.mono_ns + round * PS_NS_PER_S);
        ps_test_stage_pass_ms(&stage, 1000 * round - 1);
        (void)ps_test_sink_tick(&stage);
        assert_int_equal(ps_test_http_peer_requests(), round);
        ps_test_stage_pass_ms(&stage, 1);
    }
    ps_test_sink_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_string_equal(ps_test_http_peer_text(), "one\ntwo\n");
    ps_test_stage_fini(&stage);
}

/* After a success the backoffs begin again with the shortest. */
static void test_fails_again(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("backoff.2XX", "false", "rollback.2XX", "false"));
    unsigned requests = 0, retried = 0;
    for (size_t lease = 1; lease <= 3; lease++) {
        ps_test_http_peer_answer(503, 2);
        offer(&stage, PS_LEASE(&stage, PS_BODY("one")));
        for (unsigned round = 1; round <= 2; round++) {
            await_requests(&stage, ++requests);
            retried++;
            while (ps_test_stage_counter(&stage, PS_COUNTER_retried) < retried) {
                usleep(1000);
                (void)ps_test_sink_tick(&stage);
            }
            ps_test_stage_pass_ms(&stage, 1000 * round - 1);
            (void)ps_test_sink_tick(&stage);
            assert_int_equal(ps_test_http_peer_requests(), requests);
            ps_test_stage_pass_ms(&stage, 1);
        }
        await_requests(&stage, ++requests);
        ps_test_sink_wait(&stage, lease, PS_TEST_PATIENCE_MS);
    }
    ps_test_stage_fini(&stage);
}

/* Several requests at a time: everything arrives once, and leases are done in order. */
static void test_requests_at_a_time(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("defaultRollback", "false", "defaultBackoff", "false", "penstock.requests", "4"));
    ps_test_http_peer_set(PS_TEST_FAR_END_SLOW);
    for (unsigned i = 0; i < 3; i++)
        offer(&stage, PS_LEASE(&stage, PS_BODY("aaa"), PS_BODY("bbb"), PS_BODY("ccc")));
    ps_test_http_peer_set(PS_TEST_FAR_END_UP);
    ps_test_sink_wait(&stage, 3, PS_TEST_PATIENCE_MS);
    assert_int_equal(strlen(ps_test_http_peer_text()), 9 * 4);
    ps_test_stage_fini(&stage);
}

static int set_up_letters(void **state)
{
    return ps_test_folder_setup(state) != 0 ? -1 : set_up(state);
}

static int tear_down_letters(void **state)
{
    (void)tear_down(state);
    return ps_test_folder_teardown(state);
}

/* An answer other than 2XX that does not roll back refuses the event for good: it becomes a dead letter, and later ones
 * are sent, in order. Without dead letters it is dropped. */
static void test_refused(void **unused)
{
    for (unsigned letters = 0; letters < 2; letters++) {
        struct ps_test_stage stage;
        start(&stage, PS_KEYS("defaultBackoff", "false", "rollback.2XX", "false", "rollback.400", "false"));
        if (letters)
            ps_test_dead_letters_open(&stage);
        ps_test_http_peer_clear();
        ps_test_http_peer_answer(400, 2);
        struct ps_lease *lease =
            PS_LEASE(&stage, PS_BODY("one"), PS_BODY("two"), PS_BODY("three"), PS_BODY("four"));
        offer(&stage, lease);
        ps_test_sink_wait(&stage, 1, PS_TEST_PATIENCE_MS);
        assert_string_equal(ps_test_http_peer_text(), "three\nfour\n");
        assert_int_equal(ps_test_http_peer_requests(), 4);
        assert_int_equal(lease->dead, letters ? 2 : 0);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_refused), 2);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_retried), 0);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_deadletter), letters ? 2 : 0);
        assert_string_equal(ps_test_dead_letters_bodies("request-refused"), letters ? "one\ntwo\n" : "");
        assert_int_equal(ps_test_dead_letters_with(": HTTP 400: not this time"), letters ? 2 : 0);
        ps_test_stage_fini(&stage);
        if (letters)
            ps_test_dead_letters_close(&stage);
    }
}

/* penstock.retry.max: the event that was tried this often is given up, and no other. */
static void test_attempts(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("defaultBackoff", "false", "rollback.2XX", "false"));
    ps_test_dead_letters_open(&stage);
    stage.port.retry_max = 3;
    ps_test_http_peer_answer(503, 5);
    offer(&stage, PS_LEASE(&stage, PS_BODY("one"), PS_BODY("two"), PS_BODY("three")));
    ps_test_sink_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_string_equal(ps_test_http_peer_text(), "two\nthree\n");
    assert_string_equal(ps_test_dead_letters_bodies("attempts-exhausted"), "one\n");
    assert_int_equal(ps_test_http_peer_requests(), 7);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_retried), 4);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_refused), 2);
    ps_test_stage_fini(&stage);
    ps_test_dead_letters_close(&stage);
}

/* A server that cannot be reached uses up no attempts of the event. */
static void test_no_server(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS("rollback.2XX", "false"));
    ps_test_dead_letters_open(&stage);
    stage.port.retry_max = 2;
    ps_test_http_peer_set(PS_TEST_FAR_END_DOWN);
    offer(&stage, PS_LEASE(&stage, PS_BODY("one")));
    for (unsigned i = 0;
         i < PS_TEST_PATIENCE_MS && ps_test_stage_counter(&stage, PS_COUNTER_EventWriteFail) < 4; i++) {
        (void)ps_test_sink_tick(&stage);
        ps_test_stage_pass_ms(&stage, 100);
        usleep(1000);
    }
    assert_int_equal(stage.done_count, 0);
    ps_test_http_peer_set(PS_TEST_FAR_END_UP);
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && stage.done_count == 0; i++) {
        (void)ps_test_sink_tick(&stage);
        ps_test_stage_pass_ms(&stage, 10);
        usleep(1000);
    }
    assert_string_equal(ps_test_http_peer_text(), "one\n");
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_deadletter), 0);
    ps_test_stage_fini(&stage);
    ps_test_dead_letters_close(&stage);
}

/* Runs the sink as a worker does, which calls it only when `tick` asked for that or a socket is ready. No time passes. */
static void run_until_failed(struct ps_test_stage *stage, uint64_t failures)
{
    for (unsigned turns = 0; ps_test_stage_counter(stage, PS_COUNTER_EventWriteFail) < failures; turns++) {
        struct pollfd ready = {.fd = stage->port.epoll_fd, .events = POLLIN};
        assert_in_range(turns, 0, 1000);
        if (ps_test_sink_tick(stage) > stage->now.mono_ns &&
            ps_test_stage_counter(stage, PS_COUNTER_EventWriteFail) < failures)
            assert_int_equal(poll(&ready, 1, (int)PS_TEST_PATIENCE_MS), 1);
    }
    assert_int_equal(ps_test_stage_counter(stage, PS_COUNTER_EventWriteFail), failures);
}

/* A connection that fails at once leaves no socket that could wake the worker, and no timer. The sink still notices the
 * failure, and asks to be called at the end of its backoff. */
static void test_fails_at_once(void **unused)
{
    static const char *const endpoints[] = {NULL, "http://255.255.255.255:9/"}; /* refused; no route */
    for (size_t i = 0; i < PS_COUNT_OF(endpoints); i++) {
        struct ps_test_stage stage;
        ps_test_http_peer_set(PS_TEST_FAR_END_DOWN);
        ps_test_stage_start(&stage, &ps_sink_http,
                            PS_KEYS("endpoint", endpoints[i] != NULL ? endpoints[i] : ps_test_http_peer_url(),
                                    "penstock.requests", "2"));
        for (uint64_t failures = 2, rest_s = 0; failures <= 6; failures += 2) {
            if (failures == 2)
                offer(&stage, PS_LEASE(&stage, PS_BODY("one"), PS_BODY("two")));
            run_until_failed(&stage, failures);
            uint64_t due_ns = ps_test_sink_tick(&stage);
            assert_true(due_ns > stage.now.mono_ns + rest_s * PS_NS_PER_S);
            rest_s = (due_ns - stage.now.mono_ns) / PS_NS_PER_S;
            assert_in_range(rest_s, 1, 60);
            stage.now.mono_ns = due_ns;
        }
        ps_test_stage_fini(&stage);
        ps_test_http_peer_set(PS_TEST_FAR_END_UP);
    }
}

/* Nothing is settled before its letter is written; a recall gives the event back. */
static void test_not_settled_before_written(void **unused)
{
    struct ps_test_stage stage;
    char path[256], away[256];
    start(&stage, PS_KEYS("defaultBackoff", "false", "rollback.2XX", "false", "rollback.400", "false"));
    ps_test_dead_letters_open(&stage);
    snprintf(path, sizeof path, "%s", ps_test_folder_path("dead"));
    snprintf(away, sizeof away, "%s", ps_test_folder_path("away"));
    assert_int_equal(rename(path, away), 0);
    ps_test_folder_append("dead", "", 0);
    ps_test_http_peer_answer(400, 1);
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY("one"), PS_BODY("two"));
    offer(&stage, lease);
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && ps_test_stage_counter(&stage, PS_COUNTER_deadletter) == 0;
         i++) {
        (void)ps_test_sink_tick(&stage);
        usleep(1000);
    }
    assert_true(ps_test_sink_tick(&stage) <= stage.now.mono_ns + PS_NS_PER_S);
    assert_int_equal(ps_test_http_peer_requests(), 1); /* "two" waits */
    assert_int_equal(lease->settled, 0);
    struct ps_lease *back = ps_test_sink_recall(&stage);
    assert_ptr_equal(back, lease);
    assert_int_equal(back->settled, 0);
    ps_test_stage_fini(&stage);
    ps_test_dead_letters_close(&stage);
}

static void test_bad_keys(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_sink_http);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("connectTimeout", "5")), PS_FAIL);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("endpoint", "ftp://host/")), PS_FAIL);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("endpoint", "http://h/", "requestTimeout", "0")),
                     PS_FAIL);
    ps_test_stage_fini(&stage);
}

/* Only http:// and https://, in letters of either case, and with a host; what libcurl would understand as well is refused. */
static void test_schemes(void **unused)
{
    static const struct {
        const char *endpoint;
        enum ps_status status;
    } cases[] = {
        {"http://h/", PS_OK},    {"HTTP://h/", PS_OK},    {"https://h/", PS_OK},  {"hTTps://h", PS_OK},
        {"http:/h/", PS_FAIL},   {"https:/h/", PS_FAIL},  {"http:h/", PS_FAIL},   {"https:h", PS_FAIL},
        {"http//h/", PS_FAIL},   {"httpss://h", PS_FAIL}, {"htt://h/", PS_FAIL},  {"ftp://h/", PS_FAIL},
        {" http://h/", PS_FAIL}, {"//h/", PS_FAIL},       {"h", PS_FAIL},         {"http://", PS_FAIL},
        {"file:///h/", PS_FAIL}, {"https:///", PS_FAIL},  {"xhttp://h", PS_FAIL},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_sink_http);
        if (ps_test_stage_bind(&stage, PS_KEYS("endpoint", cases[i].endpoint)) != cases[i].status)
            fail_msg("\"%s\"", cases[i].endpoint);
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_posts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rules, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_back_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fails_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_requests_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up_letters, tear_down_letters),
        cmocka_unit_test_setup_teardown(test_attempts, set_up_letters, tear_down_letters),
        cmocka_unit_test_setup_teardown(test_no_server, set_up_letters, tear_down_letters),
        cmocka_unit_test_setup_teardown(test_fails_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_settled_before_written, set_up_letters, tear_down_letters),
        cmocka_unit_test(test_bad_keys),
        cmocka_unit_test(test_schemes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
