/* Target udp: devices that do not segment. (conformance_target_test.c has the cases of all targets.) */
#include "bench/load/targets.h"
#include "tests/support/peer.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct ps_test_event_size size = {100, 100};
static struct ps_test_peer peer;
static struct ps_lane lane;
static int fault; /* of segments longer than `longest` bytes; 0: none */
static unsigned longest, refused;

/* Takes the place of libc's: a device whose MTU is too small for segments, or that does not have checksums. */
int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    for (unsigned i = 0; fault != 0 && i < count; i++) {
        const struct cmsghdr *control = CMSG_FIRSTHDR(&messages[i].msg_hdr);
        uint16_t segment = 0;
        if (control != NULL)
            memcpy(&segment, CMSG_DATA(control), sizeof segment);
        if (segment <= longest)
            continue;
        refused++;
        if (i == 0) {
            errno = fault;
            return -1;
        }
        count = i;
    }
    return (int)syscall(SYS_sendmmsg, fd, messages, count, flags);
}

/* Datagrams that cannot be sent as one message are all sent one by one, and the message is not tried
 * again. */
static void run(int error, unsigned longest_segment, unsigned refusals_max)
{
    char text[64];
    fault = error;
    longest = longest_segment;
    refused = 0;
    alarm(30); /* a target that tries for ever does not return */
    peer = (struct ps_test_peer){.protocol = ps_test_protocol_lines, .datagrams = true, .size = size};
    ps_test_peer_start(&peer);
    lane = (struct ps_lane){0};
    snprintf(text, sizeof text, "udp://127.0.0.1:%u", peer.port);
    ps_test_lane_open(&lane, &ps_target_udp, text);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(ps_test_lane_send(&lane, 50, 50, size, PS_TEST_PATIENCE_MS));
        assert_true(ps_test_peer_await(&peer, 50 * (i + 1)));
    }
    assert_int_equal(lane.completed, 200);
    assert_int_equal(lane.failed, 0);
    assert_int_equal(lane.downs, 0);
    assert_in_range(refused, 1, refusals_max);
    ps_test_peer_check(&peer, &lane, 200, true);
    ps_test_lane_close(&lane);
    ps_test_peer_stop(&peer);
    alarm(0);
}

static void test_devices_that_do_not_segment(void **state)
{
    run(EINVAL, 0, 4);
    run(EMSGSIZE, 0, 4);
    run(EIO, 0, 4);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_devices_that_do_not_segment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
