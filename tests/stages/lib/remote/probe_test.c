/* `penstock check --probe` of a server that is only connected to (sink irc): each outcome of a connection, and of a handshake. Outcomes
 * of a name are in tests/stages/lib/net/lookup_test.c. */
#include "tests/support/kafka/listener.h"
#include "tests/support/port.h"
#include "tests/support/probed.h"
#include "tests/support/stage.h"

#include "stages/lib/remote/probe.h"
#include "stages/lib/tls/transport.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_sink_irc;

static struct ps_test_probed ask_irc(unsigned port, bool local)
{
    char text[8];
    struct ps_test_stage stage;
    struct ps_test_probed probed = {.count = 0};
    const struct ps_probe probe = {
        .local = local, .timeout_ms = PS_TEST_PATIENCE_MS, .tried = ps_test_probed_note, .argument = &probed};
    snprintf(text, sizeof text, "%u", port);
    ps_test_stage_start(
        &stage, &ps_sink_irc,
        PS_KEYS("hostname", "127.0.0.1", "port", text, "nick", "flume", "chan", "c", "splitlines", "true"));
    ps_sink_irc.probe(stage.plan, &stage.context, &probe);
    ps_test_stage_fini(&stage);
    assert_int_equal(probed.count, 1);
    return probed;
}

/* It says nothing: an agent with this nick may be connected. */
static void test_irc(void **unused)
{
    unsigned port;
    char shown[32], byte;
    int listener = ps_test_listen(&port);
    for (unsigned time = 0; time < 2; time++) {
        struct ps_test_probed probed = ask_irc(port, false);
        ps_test_probed_expect(&probed, PS_PROBED_OK, "", "");
        snprintf(shown, sizeof shown, "127.0.0.1:%u: accepts", port);
        assert_non_null(strstr(probed.what, shown));
        int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(peer >= 0);
        assert_int_equal(recv(peer, &byte, 1, 0), 0); /* the connection is closed, without a byte */
        close(peer);
    }
    struct ps_test_probed local = ask_irc(port, true);
    ps_test_probed_expect(&local, PS_PROBED_SKIPPED, "not asked", "");
    close(listener);
    struct ps_test_probed refused = ask_irc(ps_test_port(SOCK_STREAM), false);
    ps_test_probed_expect(&refused, PS_PROBED_FAILED, "refused", "check that the server runs");
}

static void *open_session(const void *settings, int fd, char *reason)
{
    *(bool *)(uintptr_t)settings = true;
    return (void *)(uintptr_t)settings;
}

static void close_session(void *session)
{
    *(bool *)session = false;
}

static int never_done(void *session, short *wants, char *reason)
{
    *wants = POLLIN;
    return 0;
}

static int lost(void *session, short *wants, char *reason)
{
    return ps_transport_lose(reason, "no common cipher");
}

/* A handshake that fails, and one that does not end before the limit of the plan: each session is closed. */
static void test_handshakes(void **unused)
{
    static const struct {
        int (*handshake)(void *session, short *wants, char *reason);
        const char *cause;
    } rows[] = {{lost, "no common cipher"}, {never_done, "the handshake took more than 30 ms"}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        bool is_open = false;
        unsigned port;
        int listener = ps_test_listen(&port);
        const struct ps_transport transport = {
            .open = open_session, .handshake = rows[i].handshake, .close = close_session};
        struct ps_client_plan to = {.connect_ns = 30 * PS_NS_PER_MS,
                                    .transport = &transport,
                                    .transport_settings = &is_open,
                                    .address_bytes = sizeof(struct sockaddr_in)};
        *(struct sockaddr_in *)&to.address = (struct sockaddr_in){.sin_family = AF_INET,
                                                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                                                  .sin_port = htons((uint16_t)port)};
        struct ps_test_probed probed = {.count = 0};
        const struct ps_probe probe = {.tried = ps_test_probed_note, .argument = &probed};
        ps_remote_probe_connection(&probe, &to, "server at there");
        assert_int_equal(probed.count, 1);
        assert_string_equal(probed.what, "server at there");
        ps_test_probed_expect(&probed, PS_PROBED_FAILED, rows[i].cause, "firewall");
        assert_false(is_open);
        close(listener);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_irc),
        cmocka_unit_test(test_handshakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
