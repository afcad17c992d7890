/* Target avro: the meaning of answers, windows, invalid answers. (conformance_target_test.c has the cases of
 * all targets; tests/stages/lib/avro/rpc_test.c the encoding; tests/real/load_avro_test.sh a real Flume.) */
#include "bench/load/targets.h"
#include "tests/support/peer.h"

#include <signal.h>
#include <stdio.h>

static const struct ps_test_event_size size = {60, 300};
static struct ps_test_peer peer;
static struct ps_lane lane;

/* ---- against a server ---- */

static void begin(const char *keys, ps_test_protocol *protocol,
                  int (*verdict)(struct ps_test_peer *, uint64_t, uint32_t))
{
    char text[256];
    peer = (struct ps_test_peer){.protocol = protocol, .size = size, .verdict = verdict};
    ps_test_peer_start(&peer);
    lane = (struct ps_lane){0};
    snprintf(text, sizeof text, "avro://127.0.0.1:%u?%s", peer.port, keys);
    ps_test_lane_open(&lane, &ps_target_avro, text);
}

static void end(void)
{
    ps_test_lane_close(&lane);
    ps_test_peer_stop(&peer);
}

static int every_third_failed(struct ps_test_peer *from, uint64_t sequence, uint32_t count)
{
    return from->verdicts++ % 3 == 1;
}

static void test_failed_comes_again_in_order(void **state)
{
    begin("batch=60", ps_test_protocol_avro, every_third_failed);
    assert_true(ps_test_lane_send(&lane, 2000, 77, size, PS_TEST_PATIENCE_MS));
    assert_int_equal(lane.completed, 2000);
    assert_int_equal(lane.downs, 0);
    assert_int_equal(peer.accepted, 1);
    ps_test_peer_check(&peer, &lane, 2000, true);
    end();
}

static void test_failed_within_a_window(void **state)
{
    static uint8_t seen[2000];
    memset(seen, 0, sizeof seen);
    begin("batch=20&window=8", ps_test_protocol_avro, every_third_failed);
    assert_true(ps_test_lane_send(&lane, 2000, 77, size, PS_TEST_PATIENCE_MS));
    assert_int_equal(lane.completed, 2000);
    assert_int_equal(ps_test_peer_count(&peer), 2000);
    for (size_t i = 0; i < peer.count; i++) {
        assert_int_equal(seen[peer.sequences[i]], 0);
        seen[peer.sequences[i]] = 1;
    }
    end();
}

static int full_until_told(struct ps_test_peer *from, uint64_t sequence, uint32_t count)
{
    return from->verdicts == 0;
}

static bool lane_is_down(void *argument)
{
    return lane.downs > 0 && !lane.up;
}

static void test_failed_that_lasts_is_an_outage(void **state)
{
    begin("", ps_test_protocol_avro, full_until_told);
    ps_test_lane_give(&lane, 10, size);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, lane_is_down, NULL));
    assert_non_null(strstr(lane.reason, "FAILED"));
    peer.verdicts = 1;
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, NULL, NULL));
    assert_true(lane.up);
    ps_test_peer_check(&peer, &lane, 10, true);
    end();
}

static int one_error(struct ps_test_peer *from, uint64_t sequence, uint32_t count)
{
    return from->verdicts++ == 3 ? -1 : 0;
}

static void test_an_error_gives_the_connection_up(void **state)
{
    begin("batch=50", ps_test_protocol_avro, one_error);
    assert_true(ps_test_lane_send(&lane, 500, 50, size, PS_TEST_PATIENCE_MS));
    assert_int_equal(lane.downs, 1);
    assert_non_null(strstr(lane.reason, "bang"));
    assert_int_equal(peer.accepted, 2);
    ps_test_peer_check(&peer, &lane, 500, true);
    end();
}

static size_t nonsense(struct ps_test_link *link)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    return ps_test_link_send(link, answer, sizeof answer - 1) ? link->length : SIZE_MAX;
}

static void test_a_server_of_another_kind(void **state)
{
    begin("", nonsense, NULL);
    ps_test_lane_give(&lane, 10, size);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, lane_is_down, NULL));
    assert_non_null(strstr(lane.reason, "the answer is not one of Avro"));
    end();
    begin("compression=zlib", nonsense, NULL);
    ps_test_lane_give(&lane, 10, size);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, lane_is_down, NULL));
    assert_non_null(strstr(lane.reason, "not compressed"));
    end();
}

/* The first connection ends within an answer, the others are answered. */
static size_t half_an_answer(struct ps_test_link *link)
{
    static const char answer[] = {0, 0, 0, 1, 0, 0};
    if (link->peer->verdicts > 0 || link->length == 0)
        return ps_test_protocol_avro(link);
    link->peer->verdicts = 1;
    (void)ps_test_link_send(link, answer, sizeof answer);
    return SIZE_MAX;
}

static void test_half_an_answer_is_forgotten(void **state)
{
    begin("batch=50", half_an_answer, NULL);
    assert_true(ps_test_lane_send(&lane, 500, 50, size, PS_TEST_PATIENCE_MS));
    assert_int_equal(lane.downs, 1);
    assert_int_equal(peer.accepted, 2);
    ps_test_peer_check(&peer, &lane, 500, true);
    end();
}

static size_t hang_up(struct ps_test_link *link)
{
    return SIZE_MAX;
}

static bool lane_failed_often(void *argument)
{
    return lane.downs > 5;
}

/* A server that accepts connections and closes them at the first byte is not connected to again without a
 * wait: the failures add up, although each connection was established. */
static void test_short_connections_back_off(void **state)
{
    begin("", hang_up, NULL);
    ps_test_lane_give(&lane, 10, size);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, lane_failed_often, NULL));
    assert_in_range(lane.failures_max, 5, 7);
    end();
}

static size_t silence(struct ps_test_link *link)
{
    return link->length;
}

static void test_no_answer(void **state)
{
    begin("timeout=100ms", silence, NULL);
    ps_test_lane_give(&lane, 10, size);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, lane_is_down, NULL));
    assert_non_null(strstr(lane.reason, "no answer in time"));
    end();
}

static void test_urls_that_cannot_be(void **state)
{
    ps_test_lane_refused(&ps_target_avro, "avro://127.0.0.1", "port");
    ps_test_lane_refused(&ps_target_avro, "avro://127.0.0.1:1?batch=0", "batch");
    ps_test_lane_refused(&ps_target_avro, "avro://127.0.0.1:1?window=33", "window");
    ps_test_lane_refused(&ps_target_avro, "avro://127.0.0.1:1?compression=gzip", "zlib");
    ps_test_lane_refused(&ps_target_avro, "avro://127.0.0.1:1?compression=zlib&level=10", "level");
    ps_test_lane_refused(&ps_target_avro, "avro://127.0.0.1:1?compression=zlib&tls=true", "use only one");
    ps_test_lane_refused(&ps_target_avro, "avro://127.0.0.1:1?timeout=later", "timeout");
    ps_test_lane_refused(&ps_target_avro, "avro://127.0.0.1:1?bacth=10", "batch");
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_comes_again_in_order),
        cmocka_unit_test(test_failed_within_a_window),
        cmocka_unit_test(test_failed_that_lasts_is_an_outage),
        cmocka_unit_test(test_an_error_gives_the_connection_up),
        cmocka_unit_test(test_a_server_of_another_kind),
        cmocka_unit_test(test_half_an_answer_is_forgotten),
        cmocka_unit_test(test_short_connections_back_off),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_urls_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
