#include "tests/support/kafka/scripted_broker.h"
#include "tests/support/kafka/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "tests/support/support.h"

#define DESCRIPTORS_MAX 64
#define WAIT_US 50

void ps_test_broker_start(struct ps_test_broker *broker)
{
    *broker = (struct ps_test_broker){.fd = -1, .bytes = malloc(PS_TEST_REQUEST_BYTES_MAX)};
    assert_non_null(broker->bytes);
    broker->listener = ps_test_listen(&broker->port);
}

/* ---- packets under way ----
 *
 * The kernel delivers a packet of the loopback in a thread of its own, perhaps only after this thread's next call. The
 * tests count turns, so no turn may pass while a packet is under way. */

static unsigned port_of(const struct sockaddr_in *address)
{
    return address->sin_family == AF_INET ? ntohs(address->sin_port) : 0;
}

/* Returns a socket of this process, not a listener, that has this port, or (`remote`) whose peer has it; -1: none. */
static int find_socket(unsigned port, bool remote, int from)
{
    for (int fd = from; fd < DESCRIPTORS_MAX; fd++) {
        struct sockaddr_in own = {0}, peer = {0};
        socklen_t own_size = sizeof own, peer_size = sizeof peer;
        struct tcp_info info;
        socklen_t info_size = sizeof info;
        if (getsockname(fd, (struct sockaddr *)&own, &own_size) != 0 ||
            getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_size) != 0 || info.tcpi_state == TCP_LISTEN)
            continue;
        /* While a connection is being made, getpeername does not name the peer. */
        if (remote && info.tcpi_state == TCP_SYN_SENT)
            return fd;
        if (remote && getpeername(fd, (struct sockaddr *)&peer, &peer_size) != 0)
            continue;
        if (port_of(remote ? &peer : &own) == port)
            return fd;
    }
    return -1;
}

/* Returns whether what was written to the socket has arrived at the other end. */
static bool has_arrived(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return true;
    int unacknowledged = 0; /* bytes */
    return info.tcpi_state != TCP_SYN_SENT &&
           (ioctl(fd, SIOCOUTQ, &unacknowledged) != 0 || unacknowledged == 0);
}

/* Returns whether the native client closed its end of the connection and the broker's end does not know it yet. */
static bool is_close_under_way(int fd)
{
    struct sockaddr_in peer = {0};
    socklen_t size = sizeof peer, info_size = sizeof(struct tcp_info);
    struct tcp_info info;
    return getpeername(fd, (struct sockaddr *)&peer, &size) == 0 &&
           find_socket(port_of(&peer), false, 0) < 0 &&
           getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_size) == 0 &&
           info.tcpi_state == TCP_ESTABLISHED;
}

static bool is_settled(const struct ps_test_broker *broker)
{
    for (int fd = -1; (fd = find_socket(broker->port, true, fd + 1)) >= 0;) {
        if (!has_arrived(fd))
            return false;
    }
    return broker->fd < 0 || (has_arrived(broker->fd) && !is_close_under_way(broker->fd));
}

/* Returns when no packet is under way; fails after the patience of a test. */
static void settle(const struct ps_test_broker *broker)
{
    uint64_t until = ps_test_patience_end_ns();
    while (!is_settled(broker)) {
        if (ps_test_patient_ns() > until)
            fail_msg("a packet of the loopback does not arrive");
        usleep(WAIT_US);
    }
}

/* Returns whether the client has a connection whose end by the broker has not arrived yet. */
static bool is_hang_up_under_way(const struct ps_test_broker *broker, unsigned client_port)
{
    for (int fd = -1; (fd = find_socket(broker->port, true, fd + 1)) >= 0;) {
        struct sockaddr_in own = {0};
        struct tcp_info info;
        socklen_t own_size = sizeof own, info_size = sizeof info;
        if (getsockname(fd, (struct sockaddr *)&own, &own_size) == 0 && port_of(&own) == client_port &&
            getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_size) == 0 &&
            info.tcpi_state == TCP_ESTABLISHED)
            return true;
    }
    return false;
}

void ps_test_broker_hang_up(struct ps_test_broker *broker)
{
    struct sockaddr_in peer = {0};
    socklen_t size = sizeof peer;
    uint64_t until = ps_test_patience_end_ns();
    if (broker->fd >= 0) {
        unsigned port = getpeername(broker->fd, (struct sockaddr *)&peer, &size) == 0 ? port_of(&peer) : 0;
        close(broker->fd);
        while (port != 0 && is_hang_up_under_way(broker, port)) {
            if (ps_test_patient_ns() > until)
                fail_msg("the end of a connection does not arrive");
            usleep(WAIT_US);
        }
    }
    broker->fd = -1;
    broker->length = broker->taken = 0;
}

void ps_test_broker_stop(struct ps_test_broker *broker)
{
    ps_test_broker_hang_up(broker);
    close(broker->listener);
    free(broker->bytes);
}

/* Reads what has arrived. */
static void fill(struct ps_test_broker *broker)
{
    if (broker->fd < 0) {
        broker->fd = accept4(broker->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        broker->connections += broker->fd >= 0;
    }
    if (broker->fd < 0)
        return;
    ssize_t got =
        recv(broker->fd, broker->bytes + broker->length, PS_TEST_REQUEST_BYTES_MAX - broker->length, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN))
        ps_test_broker_hang_up(broker);
    else if (got > 0)
        broker->length += (uint32_t)got;
}

bool ps_test_broker_ask(struct ps_test_broker *broker, struct ps_test_request *request)
{
    memmove(broker->bytes, broker->bytes + broker->taken, broker->length - broker->taken);
    broker->length -= broker->taken;
    broker->taken = 0;
    settle(broker);
    fill(broker);
    struct ps_wire_in in = {.at = broker->bytes, .end = broker->bytes + broker->length};
    uint32_t length = (uint32_t)ps_wire_get_int32(&in);
    if (in.failed || length > broker->length - sizeof length)
        return false;
    ps_test_request_read(request, in.at, length);
    broker->taken = length + (uint32_t)sizeof length;
    return true;
}

void ps_test_broker_answer(struct ps_test_broker *broker, const struct ps_test_request *request,
                           const char *body, uint32_t length, uint32_t part)
{
    char *bytes = malloc(length + 2 * sizeof(int32_t));
    assert_non_null(bytes);
    char *at = ps_wire_put_int32(bytes, (int32_t)(length + sizeof(int32_t)));
    at = ps_wire_put_int32(at, request->correlation);
    at = ps_wire_put_bytes(at, body, length);
    size_t all = (size_t)(at - bytes), some = part < all ? part : all;
    some = broker->part_max != 0 && broker->part_max < some ? broker->part_max : some;
    for (size_t sent = 0, step = broker->each != NULL ? 1 : some; sent < some; sent += step) {
        assert_int_equal(send(broker->fd, bytes + sent, step, MSG_NOSIGNAL), step);
        settle(broker);
        if (broker->each != NULL)
            broker->each(broker->argument);
    }
    free(bytes);
}
