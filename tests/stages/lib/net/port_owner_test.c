/* The process that has a port: a socket that listens, or of UDP one that is bound. */
#include "stages/lib/net/port_owner.h"
#include "tests/support/support.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void test_owner(void **state)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
    char text[256], process[64];
    snprintf(process, sizeof process, "(process %d)", (int)getpid());
    for (size_t i = 0; i < PS_COUNT_OF(types); i++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof address;
        bool datagrams = types[i] == SOCK_DGRAM;
        int socket_fd = socket(AF_INET, types[i], 0);
        assert_int_equal(bind(socket_fd, (struct sockaddr *)&address, size), 0);
        assert_int_equal(getsockname(socket_fd, (struct sockaddr *)&address, &size), 0);
        unsigned port = ntohs(address.sin_port);
        if (!datagrams) {
            assert_int_equal(ps_port_owner(port, false, text, sizeof text),
                             0); /* bound, and nobody listens */
            assert_int_equal(listen(socket_fd, 1), 0);
        }
        assert_int_equal(ps_port_owner(port, datagrams, text, sizeof text), getpid());
        assert_non_null(strstr(text, process));
        close(socket_fd);
        assert_int_equal(ps_port_owner(port, datagrams, text, sizeof text), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_owner)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
