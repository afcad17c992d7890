/* Target netcat: answers that are cut by the end of a connection. (conformance_target_test.c has the cases of all targets.) */
#include "bench/load/targets.h"
#include "tests/support/peer.h"

#include <signal.h>
#include <stdio.h>

static const struct ps_test_event_size size = {60, 300};
static struct ps_test_peer peer;
static struct ps_lane lane;

/* The first connection ends within an answer, the others are answered. */
static size_t half_an_answer(struct ps_test_link *link)
{
    if (link->peer->verdicts > 0 || link->length == 0)
        return ps_test_protocol_netcat(link);
    link->peer->verdicts = 1;
    (void)ps_test_link_send(link, "O", 1);
    return SIZE_MAX;
}

static void test_half_an_answer_is_forgotten(void **state)
{
    char text[64];
    peer = (struct ps_test_peer){.protocol = half_an_answer, .size = size, .framing = PS_FRAMING_NEWLINE};
    ps_test_peer_start(&peer);
    snprintf(text, sizeof text, "netcat://127.0.0.1:%u", peer.port);
    ps_test_lane_open(&lane, &ps_target_netcat, text);
    assert_true(ps_test_lane_send(&lane, 500, 50, size, PS_TEST_PATIENCE_MS));
    assert_int_equal(lane.completed, 500);
    assert_int_equal(lane.failed, 0);
    assert_int_equal(lane.downs, 1);
    assert_int_equal(peer.accepted, 2);
    ps_test_peer_check(&peer, &lane, 500, true);
    ps_test_lane_close(&lane);
    ps_test_peer_stop(&peer);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_half_an_answer_is_forgotten)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
