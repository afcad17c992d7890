/* A client connection over a transport that the test provides: its phases, the time limit of connecting and handshake
 * together, the events that it polls for, and all of that again after it was closed. The test sets the time. */
#include "stages/lib/net/client.h"
#include "core/clock.h"
#include "tests/support/kafka/listener.h"
#include "tests/support/support.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct {
    bool opens;
    int shaken;  /* result of the handshake */
    short wants; /* the events that it waits for */
    unsigned opened, closed, ended, handshakes;
} far = {.opens = true};

static void *far_open(const void *settings, int fd, char *reason)
{
    assert_ptr_equal(settings, &far);
    assert_true(fd >= 0);
    snprintf(reason, PS_TRANSPORT_REASON_BYTES, "no session");
    far.opened += far.opens;
    return far.opens ? &far : NULL;
}

static int far_handshake(void *session, short *wants, char *reason)
{
    assert_ptr_equal(session, &far);
    far.handshakes++;
    *wants = far.wants;
    if (far.shaken < 0)
        snprintf(reason, PS_TRANSPORT_REASON_BYTES, "who are you?");
    return far.shaken;
}

static ssize_t far_write(void *session, const struct iovec *parts, int count, short *wants, char *reason)
{
    *wants = far.wants;
    return count;
}

static ssize_t far_read(void *session, char *to, size_t room, short *wants, char *reason)
{
    *wants = POLLOUT;
    return (ssize_t)room;
}

static void far_end(void *session)
{
    far.ended++;
}

static void far_close(void *session)
{
    assert_ptr_equal(session, &far);
    far.closed++;
}

static const struct ps_transport with_handshake = {.open = far_open,
                                                   .handshake = far_handshake,
                                                   .write = far_write,
                                                   .read = far_read,
                                                   .end = far_end,
                                                   .close = far_close};
static const struct ps_transport without_handshake = {
    .open = far_open, .write = far_write, .read = far_read, .end = far_end, .close = far_close};

static int listener;
static struct ps_client_plan plan;

static int set_up(void **state)
{
    unsigned port;
    listener = ps_test_listen(&port);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    plan = (struct ps_client_plan){
        .address_bytes = sizeof address, .transport = &with_handshake, .transport_settings = &far};
    memcpy(&plan.address, &address, sizeof address);
    memset(&far, 0, sizeof far);
    far.opens = true;
    return 0;
}

static int tear_down(void **state)
{
    close(listener);
    return 0;
}

/* Works until the socket is connected, and the handshake was tried once. */
static bool connect_at(struct ps_client *client, uint64_t now_ns, char *reason)
{
    bool good = ps_client_connect(client, now_ns, reason);
    while (good && client->phase == PS_CLIENT_CONNECTING) {
        struct pollfd ready = {.fd = client->fd, .events = POLLOUT};
        assert_int_equal(poll(&ready, 1, PS_TEST_PATIENCE_MS), 1);
        good = ps_client_work(client, now_ns, reason);
    }
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (peer >= 0) /* otherwise the listener has no room for later connections */
        close(peer);
    return good;
}

static short awaited(const struct ps_client *client, bool writing)
{
    short events;
    assert_int_equal(ps_client_descriptor(client, writing, &events), client->fd);
    return events;
}

/* Each limit is exact to the nanosecond, and holds again for the next connection. */
static void test_deadline(void **unused)
{
    static const struct {
        uint64_t connect_ns, limit_ns;
        const char *reason;
    } rows[] = {
        {0, PS_CLIENT_CONNECT_NS, "the handshake took more than 5 s"},
        {1, 1, NULL},
        {20 * PS_NS_PER_S, 20 * PS_NS_PER_S, "the handshake took more than 20 s"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_client client;
        char reason[PS_TRANSPORT_REASON_BYTES];
        plan.connect_ns = rows[i].connect_ns;
        ps_client_init(&client, &plan);
        for (uint64_t begun_ns = 7 * PS_NS_PER_S; begun_ns < 500 * PS_NS_PER_S;
             begun_ns += 90 * PS_NS_PER_S) {
            assert_true(connect_at(&client, begun_ns, reason));
            assert_int_equal(client.phase, PS_CLIENT_SHAKING);
            assert_int_equal(client.deadline_ns, begun_ns + rows[i].limit_ns);
            assert_true(ps_client_work(&client, begun_ns + rows[i].limit_ns - 1, reason));
            assert_false(ps_client_work(&client, begun_ns + rows[i].limit_ns, reason));
            if (rows[i].reason != NULL)
                assert_string_equal(reason, rows[i].reason);
            ps_client_close(&client);
            assert_int_equal(client.fd, -1);
            assert_int_equal(far.closed, far.opened);
            assert_true(ps_client_work(&client, begun_ns + 2 * rows[i].limit_ns, reason)); /* the client is
                                                                                            * closed */
        }
    }
}

/* Each call tries the handshake once, until it ends. The time limit does not count after that. */
static void test_handshake(void **unused)
{
    struct ps_client client;
    char reason[PS_TRANSPORT_REASON_BYTES] = "";
    ps_client_init(&client, &plan);
    assert_int_equal(awaited(&client, true), 0);
    for (unsigned times = 1; times <= 3; times++) {
        far.shaken = 0;
        far.wants = POLLOUT;
        far.handshakes = 0;
        assert_true(connect_at(&client, PS_NS_PER_S, reason));
        assert_int_equal(far.handshakes, 1);
        assert_int_equal(awaited(&client, false), POLLOUT);
        far.wants = POLLIN;
        assert_true(ps_client_work(&client, PS_NS_PER_S, reason));
        assert_int_equal(far.handshakes, 2);
        assert_int_equal(awaited(&client, true), POLLIN);
        far.shaken = 1;
        assert_true(ps_client_work(&client, 100 * PS_NS_PER_S, reason));
        assert_int_equal(client.phase, PS_CLIENT_UP);
        assert_int_equal(client.wants, 0);
        assert_int_equal(awaited(&client, true), POLLIN); /* what the handshake waited for is forgotten */
        assert_true(ps_client_work(&client, 200 * PS_NS_PER_S, reason));
        assert_int_equal(far.handshakes, 3);
        const struct iovec part = {.iov_base = reason, .iov_len = 1};
        char byte[4];
        far.wants = POLLOUT;
        assert_int_equal(ps_client_write(&client, &part, 1, reason), 1);
        assert_int_equal(awaited(&client, false), POLLIN);
        assert_int_equal(awaited(&client, true), POLLIN | POLLOUT);
        far.wants = 0;
        assert_int_equal(ps_client_write(&client, &part, 1, reason), 1);
        assert_int_equal(ps_client_read(&client, byte, sizeof byte, reason), sizeof byte);
        assert_int_equal(awaited(&client, true), POLLIN); /* reading asks for nothing more */
        ps_client_end(&client);
        assert_int_equal(far.ended, times);
        ps_client_close(&client);
        ps_client_close(&client);
        assert_int_equal(far.closed, times);
        assert_int_equal(far.opened, times);
    }
}

/* A refused handshake, a session that cannot be created, a transport without a handshake, and a port without a
 * listener. */
static void test_outcomes(void **unused)
{
    struct ps_client client;
    char reason[PS_TRANSPORT_REASON_BYTES] = "";
    ps_client_init(&client, &plan);
    far.shaken = -1;
    assert_false(connect_at(&client, PS_NS_PER_S, reason));
    assert_string_equal(reason, "who are you?");
    ps_client_close(&client);
    far.opens = false;
    assert_false(connect_at(&client, PS_NS_PER_S, reason));
    assert_string_equal(reason, "no session");
    ps_client_close(&client);
    assert_int_equal(far.closed, 1);
    far.opens = true;
    plan.transport = &without_handshake;
    assert_true(connect_at(&client, PS_NS_PER_S, reason));
    assert_int_equal(client.phase, PS_CLIENT_UP);
    assert_int_equal(awaited(&client, false), POLLIN);
    ps_client_close(&client);
    close(listener);
    assert_false(connect_at(&client, PS_NS_PER_S, reason));
    assert_string_equal(reason, "Connection refused");
    ps_client_close(&client);
    assert_int_equal(far.opened, 2);
    assert_int_equal(far.closed, 2);
}

static int option_of(const struct ps_client *client, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    assert_int_equal(getsockopt(client->fd, level, name, &value, &length), 0);
    return value;
}

static void test_socket_options(void **unused)
{
    struct ps_client client;
    char reason[PS_TRANSPORT_REASON_BYTES];
    ps_client_init(&client, &plan);
    assert_true(connect_at(&client, PS_NS_PER_S, reason));
    assert_int_equal(option_of(&client, IPPROTO_TCP, TCP_NODELAY), 1);
    int send_bytes = option_of(&client, SOL_SOCKET, SO_SNDBUF);
    ps_client_close(&client);
    plan.nagle = true;
    plan.send_buffer_bytes = 20000;
    plan.receive_buffer_bytes = 30000;
    assert_true(connect_at(&client, PS_NS_PER_S, reason));
    assert_int_equal(option_of(&client, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_equal(option_of(&client, SOL_SOCKET, SO_SNDBUF), 40000); /* socket(7): the kernel doubles it */
    assert_int_equal(option_of(&client, SOL_SOCKET, SO_RCVBUF), 60000);
    assert_int_not_equal(send_bytes, 40000);
    ps_client_close(&client);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(deadline), TEST(handshake), TEST(outcomes), TEST(socket_options)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
