/* A lane's connection to a server whose handshake takes long: each attempt in a row may last twice as long, so that it succeeds
 * in the end. The test plays the transport and sets the time. */
#include "bench/load/lane/connection.h"
#include "core/clock.h"
#include "tests/support/fake_lane.h"
#include "tests/support/kafka/listener.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#define S PS_NS_PER_S

static struct {
    uint64_t now_ns, begun_ns, needs_ns;
    unsigned opened;
} far;

static void *far_open(const void *settings, int fd, char *reason)
{
    far.begun_ns = far.now_ns;
    far.opened++;
    return &far;
}

static int far_handshake(void *session, short *wants, char *reason)
{
    return far.now_ns - far.begun_ns >= far.needs_ns;
}

static void far_close(void *session)
{
}

static const struct ps_transport transport = {
    .open = far_open, .handshake = far_handshake, .close = far_close};

/* Returns when the server's socket has answered a connection that is being made. The kernel delivers the packets of the loopback in a
 * thread of its own, perhaps later; the test's clock, which counts turns, must not pass an attempt's limit meanwhile. */
static void settle(const struct ps_load_connection *connection)
{
    struct pollfd made = {.fd = connection->client.fd, .events = POLLOUT};
    uint64_t until_ns = ps_test_patience_end_ns();
    while (connection->client.phase == PS_CLIENT_CONNECTING && poll(&made, 1, 100) <= 0)
        assert_true(ps_test_patient_ns() < until_ns);
}

/* Connects until the connection is up, for at most `patience_ns`. Returns whether it is. */
static bool connect_for(struct ps_load_connection *connection, uint64_t patience_ns)
{
    uint64_t end_ns = far.now_ns + patience_ns;
    for (; far.now_ns < end_ns && !ps_load_connection_is_up(connection); far.now_ns += S / 10) {
        ps_load_connection_work(connection, far.now_ns);
        settle(connection);
    }
    return ps_load_connection_is_up(connection);
}

static void test_slow_handshake(void **)
{
    unsigned port = 0;
    int listener = ps_test_listen(&port);
    struct ps_client_plan plan = {.transport = &transport};
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    memcpy(&plan.address, &address, sizeof address);
    plan.address_bytes = sizeof address;
    struct ps_lane lane = {.back_off_ns = S / 100};
    assert_int_equal(ps_lane_number(&lane), 0); /* links the lane of fake_lane.h */
    struct ps_load_connection connection;
    ps_load_connection_init(&connection, &plan, &lane);
    far.now_ns = S;
    far.needs_ns = 17 * S; /* an attempt has 5, 10, 20 s */
    assert_true(connect_for(&connection, 40 * S));
    assert_int_equal(far.opened, 3);
    assert_string_equal(lane.reason, "the handshake took more than 10 s");

    /* A connection that was good for a while ends the series of failures: the next attempt has 5 s again. */
    far.now_ns += 2 * S;
    ps_load_connection_lose(&connection, far.now_ns, "hung up");
    assert_false(connect_for(&connection, 11 * S));
    assert_string_equal(lane.reason, "the handshake took more than 10 s");
    ps_client_close(&connection.client);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow_handshake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
