/* The relay in front of a mock broker: a broker that accepts no connections for a while delays only the clients that
 * wait for it. */
#include "tests/support/port.h"
#include "tests/support/support.h"

#include "bench/support/mock_relay.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS PS_TEST_PATIENCE_MS
#define QUEUED 4 /* more than wait at a listener with a backlog of 0 */

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
}

/* Opens a listener with room for few waiting connections. *port: the one that the kernel chose. */
static int listen_anywhere(uint16_t *port)
{
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static int client(uint16_t port, int flags)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    int failed = connect(fd, (struct sockaddr *)&address, sizeof address);
    assert_true(failed == 0 || (flags & SOCK_NONBLOCK));
    return fd;
}

static void passes(int from, int to)
{
    char byte = 0;
    struct pollfd ready = {.fd = to, .events = POLLIN};
    assert_int_equal(send(from, "x", 1, 0), 1);
    if (poll(&ready, 1, WAIT_MS) != 1)
        fail_msg("nothing was relayed within %d ms", WAIT_MS);
    assert_int_equal(recv(to, &byte, 1, 0), 1);
    assert_int_equal(byte, 'x');
}

static void test_a_full_queue_holds_up_nobody_else(void **state)
{
    uint16_t broker_port, port;
    struct ps_err err = {0};
    int broker = listen_anywhere(&broker_port);
    port = (uint16_t)ps_test_port(SOCK_STREAM);
    struct ps_mock_relay *relay = ps_mock_relay_create(port, broker_port, &err);
    if (relay == NULL)
        fail_msg("%s", err.text);
    int served = client(port, 0);
    int end = accept(broker, NULL, NULL);
    assert_true(end >= 0);
    passes(served, end);

    int queued[QUEUED];
    for (unsigned i = 0; i < QUEUED; i++)
        queued[i] = client(broker_port, SOCK_NONBLOCK);
    int waits = client(port, 0);
    usleep(100000); /* the relay takes it, and cannot reach the broker */
    passes(served, end);
    passes(end, served);

    for (unsigned i = 0; i < QUEUED; i++)
        close(queued[i]);
    ps_mock_relay_destroy(relay);
    close(waits);
    close(served);
    close(end);
    close(broker);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_full_queue_holds_up_nobody_else)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
