/* Target http: the meaning of answers, several requests at a time, URLs. (conformance_target_test.c has the
 * cases of all targets.) */
#include "bench/load/targets.h"
#include "tests/support/peer.h"

#include <signal.h>
#include <stdio.h>

static const struct ps_test_event_size size = {60, 300};
static struct ps_test_peer peer;
static struct ps_lane lane;

static void begin(const char *url, int (*verdict)(struct ps_test_peer *, uint64_t, uint32_t))
{
    char text[256];
    peer = (struct ps_test_peer){.protocol = ps_test_protocol_http, .size = size, .verdict = verdict};
    ps_test_peer_start(&peer);
    lane = (struct ps_lane){0};
    snprintf(text, sizeof text, url, peer.port); /* NOLINT: of this file */
    ps_test_lane_open(&lane, &ps_target_http, text);
}

static void end(void)
{
    ps_test_lane_close(&lane);
    ps_test_peer_stop(&peer);
}

/* The n-th answer: 503, 200, 429, 200, 408, 200, 500, .. */
static int every_other_later(struct ps_test_peer *from, uint64_t sequence, uint32_t count)
{
    static const int codes[] = {503, 200, 429, 200, 408, 200, 500, 200};
    return codes[from->verdicts++ % PS_COUNT_OF(codes)];
}

static void test_what_is_refused_for_now_comes_again_in_order(void **state)
{
    begin("http://127.0.0.1:%u/x?batch=50", every_other_later);
    assert_true(ps_test_lane_send(&lane, 1000, 60, size, PS_TEST_PATIENCE_MS));
    assert_int_equal(lane.completed, 1000);
    assert_int_equal(lane.downs, 0);    /* the refusals never lasted */
    assert_int_equal(peer.accepted, 2); /* the first only asked whether the server is there */
    ps_test_peer_check(&peer, &lane, 1000, true);
    end();
}

static int always_full(struct ps_test_peer *from, uint64_t sequence, uint32_t count)
{
    return from->verdicts > 0 ? 200 : 503;
}

static bool lane_is_down(void *argument)
{
    return lane.downs > 0;
}

static void test_refusals_that_last_are_an_outage(void **state)
{
    begin("http://127.0.0.1:%u/x", always_full);
    ps_test_lane_give(&lane, 10, size);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, lane_is_down, NULL));
    assert_string_equal(lane.reason, "HTTP 503: hm");
    assert_int_equal(lane.completed, 0);
    peer.verdicts = 1;
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, NULL, NULL));
    assert_true(lane.up);
    ps_test_peer_check(&peer, &lane, 10, true);
    end();
}

static int every_fifth_bad(struct ps_test_peer *from, uint64_t sequence, uint32_t count)
{
    return from->verdicts++ % 5 == 4 ? 400 : 200;
}

static void test_what_is_refused_for_good_fails(void **state)
{
    begin("http://127.0.0.1:%u/?body=plain", every_fifth_bad);
    assert_true(ps_test_lane_send(&lane, 1000, 60, size, PS_TEST_PATIENCE_MS));
    assert_int_equal(lane.completed, 800);
    assert_int_equal(lane.failed, 200);
    assert_string_equal(lane.failure, "HTTP 400: hm");
    for (size_t i = 0; i < lane.failed_count; i++)
        assert_int_equal(lane.failed_list[i] % 5, 4);
    ps_test_peer_check(&peer, &lane, 1000, true);
    end();
}

static int now_and_then_later(struct ps_test_peer *from, uint64_t sequence, uint32_t count)
{
    return from->verdicts++ % 7 == 3 ? 503 : 200;
}

/* Several connections keep no order among each other; nothing is lost or duplicated. */
static void test_several_requests_at_a_time(void **state)
{
    static uint8_t seen[5000];
    memset(seen, 0, sizeof seen);
    begin("http://127.0.0.1:%u/x?requests=8&batch=20", now_and_then_later);
    assert_true(ps_test_lane_send(&lane, 5000, 300, size, PS_TEST_PATIENCE_MS));
    assert_int_equal(lane.completed, 5000);
    assert_in_range(peer.accepted, 3, 9);
    assert_int_equal(ps_test_peer_count(&peer), 5000);
    for (size_t i = 0; i < peer.count; i++) {
        assert_int_equal(seen[peer.sequences[i]], 0);
        seen[peer.sequences[i]] = 1;
    }
    end();
}

/* The first eight requests get no answer. */
static size_t closes_eight(struct ps_test_link *link)
{
    if (link->length == 0 || link->peer->verdicts++ >= 8)
        return ps_test_protocol_http(link);
    return SIZE_MAX;
}

/* Requests that fail together, because their server is gone, count as one failure: the wait is as short as after one. */
static void test_one_failure_of_many_requests(void **state)
{
    char text[256];
    peer = (struct ps_test_peer){.protocol = closes_eight, .size = size};
    ps_test_peer_start(&peer);
    lane = (struct ps_lane){0};
    snprintf(text, sizeof text, "http://127.0.0.1:%u/x?requests=8&batch=5", peer.port);
    ps_test_lane_open(&lane, &ps_target_http, text);
    assert_true(ps_test_lane_send(&lane, 200, 100, size, PS_TEST_PATIENCE_MS));
    assert_int_equal(lane.completed, 200);
    assert_in_range(lane.failures_max, 1, 3);
    end();
}

/* Refuses each request, with its number as the reason. */
static size_t refuses_with_a_number(struct ps_test_link *link)
{
    char answer[128];
    const char *end = memmem(link->in, link->length, "\r\n\r\n", 4);
    const char *length = memmem(link->in, link->length, "Content-Length: ", 16);
    if (end == NULL || length == NULL)
        return 0;
    size_t whole = (size_t)(end + 4 - link->in) + strtoul(length + 16, NULL, 10);
    if (link->length < whole)
        return 0;
    snprintf(answer, sizeof answer, "HTTP/1.1 400 Bad\r\nContent-Length: 5\r\n\r\nno %u\n",
             link->peer->verdicts++);
    return ps_test_link_send(link, answer, strlen(answer)) ? whole : SIZE_MAX;
}

/* The reason of a refusal is that of this answer, not of an earlier one. */
static void test_each_answer_has_its_own_reason(void **state)
{
    char text[256];
    peer = (struct ps_test_peer){.protocol = refuses_with_a_number, .size = size};
    ps_test_peer_start(&peer);
    lane = (struct ps_lane){0};
    snprintf(text, sizeof text, "http://127.0.0.1:%u/x", peer.port);
    ps_test_lane_open(&lane, &ps_target_http, text);
    for (unsigned i = 0; i < 5; i++) {
        assert_true(ps_test_lane_send(&lane, 1, 1, size, PS_TEST_PATIENCE_MS));
        snprintf(text, sizeof text, "HTTP 400: no %u", i);
        assert_string_equal(lane.failure, text);
    }
    assert_int_equal(lane.failed, 5);
    end();
}

static void test_urls_that_cannot_be(void **state)
{
    ps_test_lane_refused(&ps_target_http, "http:///path", "HOST:PORT");
    ps_test_lane_refused(&ps_target_http, "http://127.0.0.1:1?body=xml", "lines");
    ps_test_lane_refused(&ps_target_http, "http://127.0.0.1:1?batch=0", "batch");
    ps_test_lane_refused(&ps_target_http, "http://127.0.0.1:1?body=plain&batch=2",
                         "with body=plain a request has one event");
    ps_test_lane_refused(&ps_target_http, "http://127.0.0.1:1?requests=65", "requests");
    ps_test_lane_refused(&ps_target_http, "http://127.0.0.1:1?header=nothing", "NAME:VALUE");
    ps_test_lane_refused(&ps_target_http, "http://127.0.0.1:1?timeout=never", "timeout");
    /* only for https */
    ps_test_lane_refused(&ps_target_http, "http://127.0.0.1:1?verify=false", "verify");
    ps_test_lane_refused(&ps_target_https, "https://127.0.0.1:1?ca=/nonexistent", "does not exist");
    ps_test_lane_refused(&ps_target_https, "https://127.0.0.1:1?bdoy=plain", "body");
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_refused_for_now_comes_again_in_order),
        cmocka_unit_test(test_refusals_that_last_are_an_outage),
        cmocka_unit_test(test_what_is_refused_for_good_fails),
        cmocka_unit_test(test_several_requests_at_a_time),
        cmocka_unit_test(test_one_failure_of_many_requests),
        cmocka_unit_test(test_each_answer_has_its_own_reason),
        cmocka_unit_test(test_urls_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
