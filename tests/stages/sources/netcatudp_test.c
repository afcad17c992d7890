#include "tests/support/net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_netcatudp;

static unsigned own_port(int fd)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    return ntohs(address.sin_port);
}

/* As in Flume 1.11, the event of a datagram is its first line, with unchanged bytes; an empty datagram is an empty
 * event. */
static void test_first_lines(void **unused)
{
    static const struct {
        const char *sent;
        size_t length;
        const char *body;
        size_t body_length;
    } cases[] = {{"first\nsecond\n", 13, "first", 5},
                 {"", 0, "", 0},
                 {"\n", 1, "", 0},
                 {"nonl", 4, "nonl", 4},
                 {"a\xFF\0b", 4, "a\xFF\0b", 4}};
    for (int documented = 0; documented < 2; documented++) { /* both spellings of the key */
        struct ps_test_stage stage;
        ps_test_stage_start(&stage, &ps_source_netcatudp,
                            PS_KEYS("bind", "127.0.0.1", "port", "0",
                                    documented ? "remoteAddressHeader" : "remoteAddress", "from"));
        int fd = ps_test_connect_udp("127.0.0.1", ps_test_udp_port(&stage));
        char from[64];
        snprintf(from, sizeof from, "/127.0.0.1:%u", own_port(fd));
        for (size_t i = 0; i < PS_COUNT_OF(cases); i++)
            ps_test_send(fd, cases[i].sent, cases[i].length);
        ps_test_source_wait(&stage, PS_COUNT_OF(cases), PS_TEST_PATIENCE_MS);
        for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
            assert_int_equal(stage.events[i].length, cases[i].body_length);
            assert_memory_equal(stage.events[i].body, cases[i].body, cases[i].body_length);
            assert_string_equal(ps_test_event_header(&stage.events[i], "from"), from);
            assert_int_equal(ps_test_event_header_count(&stage.events[i]), 1);
        }
        close(fd);
        ps_test_stage_fini(&stage);
    }
}

/* Each event has the address of its own sender: with several senders in one read, with runs of datagrams that the
 * kernel joined, and after other senders in an earlier read. */
static void test_several_senders(void **unused)
{
    enum { SENDERS = 5, ROUNDS = 40 };
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_netcatudp,
                        PS_KEYS("bind", "127.0.0.1", "port", "0", "remoteAddress", "from"));
    int fds[SENDERS];
    for (unsigned i = 0; i < SENDERS; i++)
        fds[i] = ps_test_connect_udp("127.0.0.1", ps_test_udp_port(&stage));
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned count = 1 + (unsigned)(ps_test_random(&random) % 60);
        ps_test_source_clear(&stage);
        for (unsigned i = 0; i < count; i++) {
            char text[32];
            int fd = fds[ps_test_random(&random) % SENDERS];
            snprintf(text, sizeof text, "/127.0.0.1:%u", own_port(fd));
            ps_test_send_text(fd, text);
        }
        ps_test_source_wait(&stage, count, PS_TEST_PATIENCE_MS);
        assert_int_equal(stage.event_count, count);
        for (unsigned i = 0; i < count; i++) {
            assert_int_equal(ps_test_event_header_count(&stage.events[i]), 1);
            assert_string_equal(ps_test_event_header(&stage.events[i], "from"), stage.events[i].body);
        }
        ps_test_stage_recycle(&stage);
    }
    for (unsigned i = 0; i < SENDERS; i++)
        close(fds[i]);
    ps_test_stage_fini(&stage);
}

static void test_no_header(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_netcatudp, PS_KEYS("port", "0"));
    int fd = ps_test_connect_udp("127.0.0.1", ps_test_udp_port(&stage));
    for (int i = 0; i < 3000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        ps_test_send_text(fd, text);
        if (i % 500 == 499)
            ps_test_source_wait(&stage, (size_t)i + 1, PS_TEST_PATIENCE_MS);
    }
    for (int i = 0; i < 3000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        ps_test_expect(&stage.events[i], text, NULL);
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_first_lines),
                                       cmocka_unit_test(test_several_senders),
                                       cmocka_unit_test(test_no_header)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
