/* A source whose senders never stop ends: it reads for a second after the order to stop, and then only splits what it
 * has received. Time passes between two batches, so the sockets always have more than a batch. */
#include "tests/support/net.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE "<13>x 0123456789\n"
#define SENDS 3000U /* more than a batch */
#define TURN_MS 20U
#define TURNS_MAX 300U

/* Sends lines until the socket is full; or datagrams of one line, of which the kernel drops some. */
static void send_all(int fd, bool datagrams)
{
    static char text[64 * (sizeof LINE - 1)];
    for (size_t at = 0; at < sizeof text; at += sizeof LINE - 1)
        memcpy(text + at, LINE, sizeof LINE - 1);
    size_t length = datagrams ? sizeof LINE - 1 : sizeof text;
    for (unsigned i = 0; i < SENDS; i++) {
        ssize_t sent = send(fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            assert_true(errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS);
            return;
        }
    }
}

static bool drain(struct ps_test_stage *stage)
{
    return stage->ops->source->drain(stage->plan, stage->state, &stage->now);
}

static void ends(const struct ps_stage_ops *ops, const char *const *keys, bool datagrams)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, ops, keys);
    int fd = datagrams ? ps_test_connect_udp("127.0.0.1", ps_test_udp_port(&stage))
                       : ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    for (unsigned i = 0; i < 3; i++) {
        send_all(fd, datagrams);
        ps_test_source_cycle(&stage);
    }
    uint64_t began_ns = stage.now.mono_ns;
    for (unsigned turns = 0; !drain(&stage); turns++) {
        if (turns == TURNS_MAX)
            fail_msg("the source reads on");
        send_all(fd, datagrams);
        ps_test_source_cycle(&stage);
        ps_test_stage_pass_ms(&stage, TURN_MS);
    }
    /* the bytes received by the end of the second may be several batches */
    assert_in_range((stage.now.mono_ns - began_ns) / PS_NS_PER_MS, 1000, 4000);
    close(fd);
    ps_test_stage_fini(&stage);
}

static void test_sources(void **unused)
{
    ends(&ps_source_syslogtcp, PS_KEYS("host", "127.0.0.1", "port", "0"), false);
    ends(&ps_source_multiport_syslogtcp, PS_KEYS("host", "127.0.0.1", "ports", "0"), false);
    ends(&ps_source_netcat, PS_KEYS("bind", "127.0.0.1", "port", "0", "ack-every-event", "false"), false);
    ends(&ps_source_syslogudp, PS_KEYS("host", "127.0.0.1", "port", "0"), true);
    ends(&ps_source_netcatudp, PS_KEYS("bind", "127.0.0.1", "port", "0"), true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sources)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
