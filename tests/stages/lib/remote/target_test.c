/* The server that a sink connects to: its address and port in both families, and the socket in the sink's epoll. */
#include "stages/lib/remote/target.h"
#include "tests/support/support.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned failures;

static void on_failed(struct ps_port *port, const struct ps_err *reason)
{
    assert_string_equal(reason->text, "cannot watch the connection");
    failures++;
}

static void test_addresses(void **unused)
{
    static const struct {
        const char *host;
        sa_family_t family;
    } rows[] = {{"127.0.0.1", AF_INET}, {"::1", AF_INET6}, {"[::1]", AF_INET6}};
    static const unsigned ports[] = {1, 255, 256, 65535};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        for (size_t k = 0; k < PS_COUNT_OF(ports); k++) {
            struct ps_remote_target target;
            struct ps_client_plan to = {.nagle = true};
            struct ps_err err = {0};
            if (ps_remote_target_build(&target, rows[i].host, ports[k], &err) != PS_OK)
                fail_msg("%s", err.text);
            assert_null(target.lookup);
            assert_int_equal(ps_remote_target_aim(&target, &to, &err), PS_OK);
            assert_int_equal(to.address.ss_family, rows[i].family);
            if (rows[i].family == AF_INET) {
                const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)&to.address;
                assert_int_equal(ntohs(four->sin_port), ports[k]);
                assert_int_equal(ntohl(four->sin_addr.s_addr), INADDR_LOOPBACK);
                assert_int_equal(to.address_bytes, sizeof *four);
            } else {
                const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)&to.address;
                assert_int_equal(ntohs(six->sin6_port), ports[k]);
                assert_memory_equal(&six->sin6_addr, &in6addr_loopback, sizeof in6addr_loopback);
                assert_int_equal(to.address_bytes, sizeof *six);
            }
            ps_remote_target_reason(&target, "went away", &err);
            char wanted[64];
            snprintf(wanted, sizeof wanted, "%s:%u: went away", rows[i].host, ports[k]);
            assert_string_equal(err.text, wanted);
            ps_remote_target_teardown(&target);
        }
    }
}

/* Returns the events that epoll reports for a socket that has bytes to read, and room to write. */
static uint32_t reported(int epoll_fd)
{
    struct epoll_event event = {.events = 0};
    return epoll_wait(epoll_fd, &event, 1, 0) == 1 ? event.events : 0;
}

static void test_watch(void **unused)
{
    int pair[2], second[2];
    struct ps_port port = {.epoll_fd = epoll_create1(EPOLL_CLOEXEC), .failed = on_failed};
    struct ps_remote_watch watch = {.fd = -1};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, second), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    ps_remote_watch(&watch, &port, -1, EPOLLIN);
    assert_int_equal(watch.fd, -1);
    static const short turns[] = {EPOLLIN, EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT, 0, EPOLLIN};
    for (size_t i = 0; i < PS_COUNT_OF(turns); i++) {
        ps_remote_watch(&watch, &port, pair[0], turns[i]);
        assert_int_equal(watch.fd, pair[0]);
        assert_int_equal(reported(port.epoll_fd), (uint32_t)turns[i]);
    }
    assert_int_equal(failures, 0);
    close(pair[0]); /* this also removes it from the epoll */
    watch.fd = -1;
    ps_remote_watch(&watch, &port, second[0], EPOLLOUT); /* the same events, another socket */
    assert_int_equal(reported(port.epoll_fd), EPOLLOUT);
    watch.fd = -1; /* the socket is registered already */
    ps_remote_watch(&watch, &port, second[0], EPOLLIN);
    assert_int_equal(failures, 1);
    assert_int_equal(watch.fd, -1);
    int epoll_fd = port.epoll_fd;
    port.epoll_fd = -1; /* the simulator has none */
    ps_remote_watch(&watch, &port, second[0], EPOLLIN);
    assert_int_equal(failures, 1);
    close(epoll_fd);
    close(pair[1]);
    close(second[0]);
    close(second[1]);
}

/* Descriptor 0 is valid, too. */
static void test_descriptor_of_zero(void **unused)
{
    int pair[2], saved = dup(0);
    struct ps_remote_watch watch = {.fd = -1};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    close(0);
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    assert_int_equal(epoll_fd, 0);
    struct ps_port port = {.epoll_fd = epoll_fd, .failed = on_failed};
    ps_remote_watch(&watch, &port, pair[0], EPOLLOUT);
    assert_int_equal(watch.fd, pair[0]);
    assert_int_equal(reported(epoll_fd), EPOLLOUT);
    close(epoll_fd);
    assert_int_equal(dup2(pair[1], 0), 0);
    port.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    watch.fd = -1;
    ps_remote_watch(&watch, &port, 0, EPOLLOUT);
    assert_int_equal(watch.fd, 0);
    assert_int_equal(reported(port.epoll_fd), EPOLLOUT);
    close(port.epoll_fd);
    close(0);
    if (saved >= 0) {
        assert_int_equal(dup2(saved, 0), 0);
        close(saved);
    }
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_descriptor_of_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
