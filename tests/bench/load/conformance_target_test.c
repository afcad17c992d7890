/* The duties of every target over a network, each tested against a server that stalls, refuses, disappears
 * and comes back: deliver every event, in order; keep what is not accepted; continue with the first event
 * that was not completed; report up and down. (Kafka and files have their own tests with the same cases.) */
#include "bench/load/targets.h"
#include "tests/support/peer.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

struct kind {
    const struct ps_target_ops *ops;
    const char *url; /* format of the URL; its argument is the port */
    ps_test_protocol *protocol;
    struct ps_test_event_size size;
    bool tls, datagrams;
    bool acknowledged; /* completed means arrived, so nothing is lost with a connection */
};

#define SMALL                                                                                                \
    {                                                                                                        \
        60, 300                                                                                              \
    }

static const struct kind kinds[] = {
    {.ops = &ps_target_tcp, .url = "tcp://127.0.0.1:%u", .protocol = ps_test_protocol_lines, .size = SMALL},
    {.ops = &ps_target_netcat,
     .url = "netcat://127.0.0.1:%u",
     .protocol = ps_test_protocol_netcat,
     .size = SMALL,
     .acknowledged = true},
    {.ops = &ps_target_netcat,
     .url = "netcat://127.0.0.1:%u?ack=false",
     .protocol = ps_test_protocol_lines,
     .size = SMALL},
    {.ops = &ps_target_tls,
     .url = "tls://127.0.0.1:%u",
     .protocol = ps_test_protocol_lines,
     .size = SMALL,
     .tls = true},
    {.ops = &ps_target_http,
     .url = "http://127.0.0.1:%u/in",
     .protocol = ps_test_protocol_http,
     .size = SMALL,
     .acknowledged = true},
    {.ops = &ps_target_http,
     .url = "http://127.0.0.1:%u?body=lines&batch=1000",
     .protocol = ps_test_protocol_http,
     .size = SMALL,
     .acknowledged = true},
    {.ops = &ps_target_https,
     .url = "https://127.0.0.1:%u/in?batch=500",
     .protocol = ps_test_protocol_http,
     .size = SMALL,
     .tls = true,
     .acknowledged = true},
    {.ops = &ps_target_avro,
     .url = "avro://127.0.0.1:%u",
     .protocol = ps_test_protocol_avro,
     .size = SMALL,
     .acknowledged = true},
    {.ops = &ps_target_avro,
     .url = "avro://127.0.0.1:%u?batch=330&window=4",
     .protocol = ps_test_protocol_avro,
     .size = SMALL,
     .acknowledged = true},
    {.ops = &ps_target_avro,
     .url = "avro://127.0.0.1:%u?compression=zlib&window=2",
     .protocol = ps_test_protocol_avro_zlib,
     .size = SMALL,
     .acknowledged = true},
    {.ops = &ps_target_avro,
     .url = "avro://127.0.0.1:%u?tls=true",
     .protocol = ps_test_protocol_avro,
     .size = SMALL,
     .tls = true,
     .acknowledged = true},
    {.ops = &ps_target_udp, .url = "udp://127.0.0.1:%u", .size = SMALL, .datagrams = true},
    {.ops = &ps_target_udp, .url = "udp://127.0.0.1:%u", .size = {100, 100}, .datagrams = true},
    {.ops = &ps_target_udp, .url = "udp://127.0.0.1:%u?segment=false", .size = {100, 100}, .datagrams = true},
};

static const struct kind *kind;
static struct ps_test_peer peer;
static struct ps_lane lane;

static void begin(int (*verdict)(struct ps_test_peer *, uint64_t, uint32_t))
{
    peer = (struct ps_test_peer){
        .protocol = kind->protocol,
        .tls_on = kind->tls,
        .datagrams = kind->datagrams,
        .size = kind->size,
        .framing = kind->ops->framing,
        .verdict = verdict,
    };
    ps_test_peer_start(&peer);
    lane = (struct ps_lane){0};
}

static void open_lane(void)
{
    char url[512];
    int length = snprintf(url, sizeof url, kind->url, peer.port); /* NOLINT: of this file */
    if (kind->tls)
        snprintf(url + length, sizeof url - (size_t)length, "%sca=%s", strchr(url, '?') != NULL ? "&" : "?",
                 ps_test_certificate_file());
    ps_test_lane_open(&lane, kind->ops, url);
    enum ps_completion completion =
        kind->ops->completes != NULL ? kind->ops->completes(lane.plan) : kind->ops->completion;
    assert_int_equal(completion == PS_COMPLETION_ACKNOWLEDGED, kind->acknowledged);
}

static void end(void)
{
    ps_test_lane_close(&lane);
    ps_test_peer_stop(&peer);
}

/* Sends events in blocks. The kernel drops datagrams that find no room: those go out in portions that fit into a receive buffer of the
 * kernel's default size, and have arrived before the next portion. `portion`: of datagrams, a multiple of `per_block`. */
static void send_all(uint64_t count, uint32_t per_block, uint64_t portion)
{
    for (uint64_t left = count; left > 0;) {
        uint64_t some = kind->datagrams && portion < left ? portion : left;
        assert_true(ps_test_lane_send(&lane, some, per_block, kind->size, PS_TEST_PATIENCE_MS));
        assert_true(!kind->datagrams || ps_test_peer_await(&peer, lane.completed));
        left -= some;
    }
}

static bool lane_is_up(void *argument)
{
    return lane.up;
}

static bool lane_is_down(void *argument)
{
    return lane.downs > 0 && !lane.up;
}

/* ---- cases ---- */

static void test_brings_every_event_in_order(void **state)
{
    uint64_t count = kind->datagrams ? 3000 : 20000;
    begin(NULL);
    open_lane();
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, lane_is_up, NULL)); /* before any event */
    send_all(count, kind->datagrams ? 70 : 700, 280);
    assert_int_equal(lane.completed, count);
    assert_int_equal(lane.failed, 0);
    assert_int_equal(lane.downs, 0);
    assert_true(ps_test_lane_finish(&lane, PS_TEST_PATIENCE_MS));
    assert_true(ps_test_peer_await(&peer, count));
    ps_test_peer_check(&peer, &lane, count, true);
    end();
}

static void test_single_events_go_out_at_once(void **state)
{
    begin(NULL);
    open_lane();
    for (unsigned i = 0; i < 20; i++)
        assert_true(ps_test_lane_send(&lane, 1, 1, kind->size, PS_TEST_PATIENCE_MS));
    assert_true(ps_test_peer_await(&peer, 20));
    ps_test_peer_check(&peer, &lane, 20, true);
    end();
}

static void test_a_stalled_peer_loses_nothing(void **state)
{
    if (kind->datagrams)
        ps_test_skip("UDP has no back-pressure: the kernel drops what a stalled peer does not read");
    begin(NULL);
    open_lane();
    assert_true(ps_test_lane_send(&lane, 100, 10, kind->size, PS_TEST_PATIENCE_MS));
    peer.stalled = true;
    /* Waits until the target holds as much as it may, and 200 ms more. */
    unsigned quiet = 0;
    while (quiet < 40) {
        quiet++;
        while (ps_test_lane_has_room(&lane) && lane.given < 200000) {
            ps_test_lane_give(&lane, 1000, kind->size);
            quiet = 0;
        }
        ps_test_lane_turn(&lane, 5);
    }
    assert_true(lane.outstanding > 0);
    assert_true(lane.completed < lane.given);
    peer.stalled = false;
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, NULL, NULL));
    assert_int_equal(lane.completed, lane.given);
    assert_true(ps_test_peer_await(&peer, lane.given));
    ps_test_peer_check(&peer, &lane, lane.given, true);
    end();
}

static void test_nobody_there_at_first(void **state)
{
    begin(NULL);
    ps_test_peer_vanish(&peer);
    open_lane();
    ps_test_lane_give(&lane, 10, kind->size);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, lane_is_down, NULL));
    assert_true(strlen(lane.reason) > 5);
    assert_false(lane.up);
    assert_int_equal(lane.completed, 0);
    ps_test_peer_return(&peer);
    ps_test_lane_give(&lane, 10, kind->size);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, NULL, NULL));
    assert_true(lane.up);
    assert_int_equal(lane.completed + lane.failed, 20);
    if (!kind->datagrams)
        assert_int_equal(lane.failed, 0);
    assert_true(ps_test_peer_await(&peer, lane.completed));
    ps_test_peer_check(&peer, &lane, 20, true);
    end();
}

/* The server disappears and comes back: events that were not completed are sent again, in order. Of completed events,
 * only those since the disappearance may be lost, and only without acknowledgements. */
static void test_the_peer_vanishes_and_comes_back(void **state)
{
    begin(NULL);
    open_lane();
    send_all(1000, 100, 200);
    assert_true(ps_test_peer_await(&peer, 1000));
    ps_test_peer_vanish(&peer);
    /* Keeps sending; where completed means written, events that the kernel accepts before it notices the end
     * may be lost. */
    while (!lane_is_down(NULL)) {
        if (ps_test_lane_has_room(&lane))
            ps_test_lane_give(&lane, 50, kind->size);
        ps_test_lane_turn(&lane, 5);
    }
    uint64_t completed_before = lane.completed;
    while (ps_test_lane_has_room(&lane))
        ps_test_lane_give(&lane, 50, kind->size);
    for (unsigned i = 0; i < 20; i++)
        ps_test_lane_turn(&lane, 5);
    assert_false(lane.up);
    ps_test_peer_return(&peer);
    assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, NULL, NULL));
    assert_true(lane.up);
    assert_int_equal(lane.completed + lane.failed, lane.given);
    /* The first event after the completed ones arrives first, and none after it is missing. */
    size_t arrived = lane.given - (completed_before - 1000) - lane.failed;
    assert_true(ps_test_peer_await(&peer, arrived));
    if (kind->acknowledged) {
        assert_int_equal(lane.failed, 0);
        ps_test_peer_check(&peer, &lane, lane.given, false);
    } else {
        pthread_mutex_lock(&peer.mutex);
        uint64_t expected = lane.given - 1;
        for (size_t i = peer.count; i-- > peer.count - (lane.given - completed_before - lane.failed);) {
            if (!kind->datagrams)
                assert_int_equal(peer.sequences[i], expected);
            expected--;
        }
        assert_int_equal(peer.foreign, 0);
        pthread_mutex_unlock(&peer.mutex);
    }
    end();
}

static void test_closing_with_events_outstanding(void **state)
{
    begin(NULL);
    peer.stalled = true;
    open_lane();
    for (unsigned i = 0; i < 3; i++)
        ps_test_lane_turn(&lane, 1);
    while (ps_test_lane_has_room(&lane) && lane.given < 100000)
        ps_test_lane_give(&lane, 1000, kind->size);
    for (unsigned i = 0; i < 3; i++)
        ps_test_lane_turn(&lane, 1);
    end();
    begin(NULL); /* and before any attempt */
    open_lane();
    ps_test_lane_give(&lane, 5, kind->size);
    end();
}

static int first_and_last_of_ten(struct ps_test_peer *from, uint64_t sequence, uint32_t count)
{
    return sequence % 10 == 0 || sequence % 10 == 9;
}

static void test_netcat_failed_answers(void **state)
{
    kind = &kinds[1];
    begin(first_and_last_of_ten);
    open_lane();
    assert_true(ps_test_lane_send(&lane, 1000, 33, kind->size, PS_TEST_PATIENCE_MS));
    assert_int_equal(lane.completed, 800);
    assert_int_equal(lane.failed, 200);
    assert_non_null(strstr(lane.failure, "FAILED: no"));
    for (size_t i = 0; i < lane.failed_count; i++)
        assert_true(lane.failed_list[i] % 10 == 0 || lane.failed_list[i] % 10 == 9);
    assert_int_equal(lane.downs, 0);
    ps_test_peer_check(&peer, &lane, 1000, true);
    end();
}

static void test_udp_too_large_is_refused_for_good(void **state)
{
    static const struct kind udp = {.ops = &ps_target_udp,
                                    .url = "udp://127.0.0.1:%u",
                                    .size = {60000, 70000}, /* the maximum is 65,507 */
                                    .datagrams = true};
    kind = &udp;
    begin(NULL);
    open_lane();
    send_all(30, 3, 3);
    assert_int_equal(lane.completed + lane.failed, 30);
    assert_in_range(lane.failed, 5, 25);
    assert_non_null(strstr(lane.failure, "Message too long"));
    assert_true(ps_test_peer_await(&peer, lane.completed));
    ps_test_peer_check(&peer, &lane, 30, true);
    end();
}

/* The certificate is the reason of the outage. */
static void tls_reason(const char *keys, const char *part)
{
    char url[512];
    static const struct kind tls = {
        .ops = &ps_target_tls, .protocol = ps_test_protocol_lines, .size = SMALL, .tls = true};
    kind = &tls;
    begin(NULL);
    snprintf(url, sizeof url, "tls://127.0.0.1:%u?%s", peer.port, keys);
    ps_test_lane_open(&lane, kind->ops, url);
    ps_test_lane_give(&lane, 10, kind->size);
    if (part == NULL) {
        assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, NULL, NULL));
        assert_true(ps_test_peer_await(&peer, 10));
    } else {
        assert_true(ps_test_lane_run(&lane, PS_TEST_PATIENCE_MS, lane_is_down, NULL));
        if (strstr(lane.reason, part) == NULL)
            fail_msg("%s: \"%s\" does not say \"%s\"", url, lane.reason, part);
        assert_int_equal(lane.completed, 0);
    }
    end();
}

static void test_tls_says_what_is_wrong_with_a_certificate(void **state)
{
    char keys[256];
    tls_reason("verify=true", "ca=FILE");
    tls_reason("verify=false", NULL);
    snprintf(keys, sizeof keys, "ca=%s&server-name=other.test", ps_test_certificate_file());
    tls_reason(keys, "server-name=NAME");
    snprintf(keys, sizeof keys, "ca=%s&server-name=penstock.test", ps_test_certificate_file());
    tls_reason(keys, NULL);
    snprintf(keys, sizeof keys, "verify=false&cert=%s&key=%s", ps_test_certificate_file(),
             ps_test_certificate_key_file());
    tls_reason(keys, NULL);
}

static void test_tls_meets_a_server_without_it(void **state)
{
    static const struct kind plain = {.ops = &ps_target_tls,
                                      .url = "tls://127.0.0.1:%u?verify=false",
                                      .protocol = ps_test_protocol_netcat,
                                      .size = SMALL};
    kind = &plain;
    begin(NULL);
    open_lane();
    ps_test_lane_give(&lane, 10, kind->size);
    for (unsigned i = 0; i < 10; i++) /* the server waits for a newline, and the test for its answer */
        ps_test_lane_turn(&lane, 5);
    assert_int_equal(lane.completed, 0);
    assert_false(lane.up);
    end();
}

static void test_urls_that_cannot_be(void **state)
{
    ps_test_lane_refused(&ps_target_udp, "udp://127.0.0.1:99?segmnt=true", "segment");
    ps_test_lane_refused(&ps_target_udp, "udp://127.0.0.1:99?segment=maybe", "true");
    ps_test_lane_refused(&ps_target_netcat, "netcat://127.0.0.1:99?ack=perhaps", "true");
    ps_test_lane_refused(&ps_target_netcat, "netcat://127.0.0.1:99?akc=true", "ack");
    ps_test_lane_refused(&ps_target_netcat, "netcat://127.0.0.1", "port");
    ps_test_lane_refused(&ps_target_tls, "tls://127.0.0.1:99?ca=/nonexistent/ca.pem", "No such file");
    ps_test_lane_refused(&ps_target_tls, "tls://127.0.0.1:99?key=/nonexistent/key.pem", "needs cert=FILE");
    ps_test_lane_refused(&ps_target_tls, "tls://127.0.0.1:99?verfy=true", "verify");
}

static int choose(void **state)
{
    kind = *state;
    return 0;
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    static const struct CMUnitTest for_each[] = {
        cmocka_unit_test(test_brings_every_event_in_order),
        cmocka_unit_test(test_single_events_go_out_at_once),
        cmocka_unit_test(test_a_stalled_peer_loses_nothing),
        cmocka_unit_test(test_nobody_there_at_first),
        cmocka_unit_test(test_the_peer_vanishes_and_comes_back),
        cmocka_unit_test(test_closing_with_events_outstanding),
    };
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(test_netcat_failed_answers),
        cmocka_unit_test(test_tls_says_what_is_wrong_with_a_certificate),
        cmocka_unit_test(test_tls_meets_a_server_without_it),
        cmocka_unit_test(test_udp_too_large_is_refused_for_good),
        cmocka_unit_test(test_urls_that_cannot_be),
    };
    struct CMUnitTest all[PS_COUNT_OF(kinds) * PS_COUNT_OF(for_each)];
    static char names[PS_COUNT_OF(all)][128];
    size_t count = 0;
    for (size_t i = 0; i < PS_COUNT_OF(kinds); i++) {
        for (size_t j = 0; j < PS_COUNT_OF(for_each); j++) {
            all[count] = for_each[j];
            snprintf(names[count], sizeof names[count], "%s %s", kinds[i].url, for_each[j].name);
            all[count].name = names[count];
            all[count].setup_func = choose;
            all[count].initial_state = (void *)(uintptr_t)&kinds[i];
            count++;
        }
    }
    int failures = _cmocka_run_group_tests("targets", all, count, NULL, NULL);
    return failures + cmocka_run_group_tests(others, NULL, NULL);
}
