/* Implements client.h. */
#include "stages/lib/net/client.h"

#include "core/clock.h"
#include "core/quantity.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void ps_client_init(struct ps_client *client, const struct ps_client_plan *plan)
{
    *client = (struct ps_client){.plan = plan, .fd = -1};
}

void ps_client_close(struct ps_client *client)
{
    if (client->session != NULL)
        client->plan->transport->close(client->session);
    client->session = NULL;
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    client->phase = PS_CLIENT_CLOSED;
}

static bool failed(char *reason, const char *what)
{
    snprintf(reason, PS_TRANSPORT_REASON_BYTES, "%s", what);
    return false;
}

static bool continue_handshake(struct ps_client *client, char *reason)
{
    const struct ps_transport *transport = client->plan->transport;
    int done = 1;
    if (transport->handshake != NULL)
        done = transport->handshake(client->session, &client->wants, reason);
    if (done > 0) {
        client->phase = PS_CLIENT_UP;
        client->wants = 0;
    }
    return done >= 0;
}

static bool connected(struct ps_client *client, char *reason)
{
    const struct ps_client_plan *plan = client->plan;
    client->session = plan->transport->open(plan->transport_settings, client->fd, reason);
    if (client->session == NULL)
        return false;
    client->phase = PS_CLIENT_SHAKING;
    return continue_handshake(client, reason);
}

bool ps_client_connect(struct ps_client *client, uint64_t now_ns, char *reason)
{
    const struct ps_client_plan *plan = client->plan;
    int yes = 1, size = (int)plan->send_buffer_bytes, receive_size = (int)plan->receive_buffer_bytes;
    client->limit_ns = plan->connect_ns > 0 ? plan->connect_ns : PS_CLIENT_CONNECT_NS;
    client->deadline_ns = now_ns + client->limit_ns;
    client->fd = socket(plan->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client->fd < 0)
        return failed(reason, strerror(errno));
    if (!plan->nagle)
        setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (size > 0)
        setsockopt(client->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (receive_size > 0)
        setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &receive_size, sizeof receive_size);
    client->phase = PS_CLIENT_CONNECTING;
    if (connect(client->fd, (const struct sockaddr *)&plan->address, plan->address_bytes) == 0)
        return connected(client, reason);
    return errno == EINPROGRESS || failed(reason, strerror(errno));
}

static bool connect_go_on(struct ps_client *client, char *reason)
{
    struct pollfd ready = {.fd = client->fd, .events = POLLOUT};
    int error = 0;
    socklen_t length = sizeof error;
    if (poll(&ready, 1, 0) <= 0)
        return true;
    if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0)
        error = errno;
    return error == 0 ? connected(client, reason) : failed(reason, strerror(error));
}

bool ps_client_work(struct ps_client *client, uint64_t now_ns, char *reason)
{
    bool good = true;
    if (client->phase == PS_CLIENT_CONNECTING)
        good = connect_go_on(client, reason);
    else if (client->phase == PS_CLIENT_SHAKING)
        good = continue_handshake(client, reason);
    if (!good || client->phase == PS_CLIENT_CLOSED || client->phase == PS_CLIENT_UP)
        return good;
    if (now_ns < client->deadline_ns)
        return true;
    snprintf(reason, PS_TRANSPORT_REASON_BYTES, "%s took more than %s",
             client->phase == PS_CLIENT_CONNECTING ? "connecting" : "the handshake",
             ps_quantity_print_ns(client->limit_ns).text);
    return false;
}

ssize_t ps_client_write(struct ps_client *client, const struct iovec *parts, int count, char *reason)
{
    return client->plan->transport->write(client->session, parts, count, &client->wants, reason);
}

ssize_t ps_client_read(struct ps_client *client, void *to, size_t room, char *reason)
{
    short wants = 0; /* reading is always polled for */
    return client->plan->transport->read(client->session, to, room, &wants, reason);
}

void ps_client_end(struct ps_client *client)
{
    client->plan->transport->end(client->session);
}

int ps_client_descriptor(const struct ps_client *client, bool writing, short *events)
{
    *events = 0;
    switch (client->phase) {
    case PS_CLIENT_CLOSED:
        break;
    case PS_CLIENT_CONNECTING:
        *events = POLLOUT;
        break;
    case PS_CLIENT_SHAKING:
        *events = client->wants;
        break;
    case PS_CLIENT_UP:
        *events = (short)(POLLIN | (writing ? client->wants : 0));
        break;
    }
    return client->fd;
}
