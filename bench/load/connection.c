#include "bench/load/connection.h"

#include "core/clock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define CONNECT_NS (5 * PS_NS_PER_S) /* connecting and shaking hands */
#define STEADY_NS PS_NS_PER_S        /* a connection that held so long was no failure */

void ps_load_connection_init(struct ps_load_connection *connection, const struct ps_load_stream_plan *plan,
                             struct ps_lane *lane)
{
    *connection = (struct ps_load_connection){.plan = plan, .lane = lane, .fd = -1};
}

static void part(struct ps_load_connection *connection)
{
    if (connection->session != NULL)
        connection->plan->transport->close(connection->session);
    connection->session = NULL;
    if (connection->fd >= 0)
        close(connection->fd);
    connection->fd = -1;
}

void ps_load_connection_lose(struct ps_load_connection *connection, uint64_t now_ns, const char *reason)
{
    part(connection);
    if (connection->phase == PS_LOAD_CONNECTION_UP && now_ns - connection->up_ns >= STEADY_NS)
        connection->failures = 0;
    connection->phase = PS_LOAD_CONNECTION_RESTING;
    ps_lane_down(connection->lane, now_ns, reason);
    connection->deadline_ns = ps_lane_retry_at(connection->lane, connection->failures++, now_ns);
}

static void shake(struct ps_load_connection *connection, uint64_t now_ns)
{
    const struct ps_load_stream_transport *transport = connection->plan->transport;
    char reason[PS_LOAD_STREAM_REASON_BYTES] = "";
    int done = 1;
    if (transport->handshake != NULL)
        done = transport->handshake(connection->session, &connection->wants, reason);
    if (done < 0) {
        ps_load_connection_lose(connection, now_ns, reason);
    } else if (done > 0) {
        connection->phase = PS_LOAD_CONNECTION_UP;
        connection->wants = 0;
        connection->up_ns = now_ns;
        ps_lane_up(connection->lane, now_ns);
    }
}

static void connected(struct ps_load_connection *connection, uint64_t now_ns)
{
    const struct ps_load_stream_plan *plan = connection->plan;
    char reason[PS_LOAD_STREAM_REASON_BYTES] = "";
    connection->session = plan->transport->open(plan->transport_plan, connection->fd, reason);
    if (connection->session == NULL) {
        ps_load_connection_lose(connection, now_ns, reason);
        return;
    }
    connection->phase = PS_LOAD_CONNECTION_SHAKING;
    shake(connection, now_ns);
}

static void connect_begin(struct ps_load_connection *connection, uint64_t now_ns)
{
    const struct ps_load_stream_plan *plan = connection->plan;
    int yes = 1, size = (int)plan->send_buffer_bytes;
    connection->deadline_ns = now_ns + CONNECT_NS;
    connection->fd = socket(plan->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (connection->fd < 0) {
        ps_load_connection_lose(connection, now_ns, strerror(errno));
        return;
    }
    ps_lane_descriptor_changed(connection->lane);
    if (!plan->nagle)
        setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (size > 0)
        setsockopt(connection->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    connection->phase = PS_LOAD_CONNECTION_CONNECTING;
    if (connect(connection->fd, (const struct sockaddr *)&plan->address, plan->address_bytes) == 0)
        connected(connection, now_ns);
    else if (errno != EINPROGRESS)
        ps_load_connection_lose(connection, now_ns, strerror(errno));
}

static void connect_go_on(struct ps_load_connection *connection, uint64_t now_ns)
{
    struct pollfd ready = {.fd = connection->fd, .events = POLLOUT};
    int error = 0;
    socklen_t length = sizeof error;
    if (poll(&ready, 1, 0) <= 0)
        return;
    if (getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    if (error != 0)
        ps_load_connection_lose(connection, now_ns, strerror(error));
    else
        connected(connection, now_ns);
}

void ps_load_connection_work(struct ps_load_connection *connection, uint64_t now_ns)
{
    switch (connection->phase) {
    case PS_LOAD_CONNECTION_UP:
        return;
    case PS_LOAD_CONNECTION_RESTING:
        if (now_ns < connection->deadline_ns)
            return;
        connect_begin(connection, now_ns);
        break;
    case PS_LOAD_CONNECTION_CONNECTING:
        connect_go_on(connection, now_ns);
        break;
    case PS_LOAD_CONNECTION_SHAKING:
        shake(connection, now_ns);
        break;
    }
    bool trying =
        connection->phase == PS_LOAD_CONNECTION_CONNECTING || connection->phase == PS_LOAD_CONNECTION_SHAKING;
    if (trying && now_ns >= connection->deadline_ns)
        ps_load_connection_lose(connection, now_ns,
                                connection->phase == PS_LOAD_CONNECTION_CONNECTING
                                    ? "connecting took more than 5 s"
                                    : "the handshake took more than 5 s");
}

int ps_load_connection_descriptor(const struct ps_load_connection *connection, bool writing, short *events)
{
    *events = 0;
    switch (connection->phase) {
    case PS_LOAD_CONNECTION_RESTING:
        break;
    case PS_LOAD_CONNECTION_CONNECTING:
        *events = POLLOUT;
        break;
    case PS_LOAD_CONNECTION_SHAKING:
        *events = connection->wants;
        break;
    case PS_LOAD_CONNECTION_UP:
        *events = (short)(POLLIN | (writing ? connection->wants : 0));
        break;
    }
    return connection->fd;
}

void ps_load_connection_close(struct ps_load_connection *connection)
{
    part(connection);
}
