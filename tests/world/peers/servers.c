/* Servers behind the agent's sinks. They note what arrives at the moment at which they take it; an answer may be lost after that. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/ledger.h"
#include "tests/world/net.h"
#include "tests/world/peers/peers.h"

#define CONNECTIONS_MAX 32U
#define IN_BYTES (64U << 10)
#define MS UINT64_C(1000000)

struct connection {
    struct net_end *end;
    char *in;
    size_t length;
    char out[256];
    size_t out_length;
    uint64_t answers_ns; /* when `out` may go */
};

struct server {
    struct net_listener *listener;
    struct connection connections[CONNECTIONS_MAX];
};

static void forget(struct connection *connection)
{
    world_free(connection->in, IN_BYTES);
    *connection = (struct connection){0};
}

static void accept_all(struct server *server)
{
    for (struct connection *free = server->connections; free < server->connections + CONNECTIONS_MAX;
         free++) {
        if (free->end != NULL)
            continue;
        struct net_end *end = net_accept(server->listener);
        if (end == NULL)
            return;
        *free = (struct connection){.end = end, .in = world_allocate(IN_BYTES)};
    }
}

static void answer(struct connection *connection, const char *status)
{
    connection->out_length = (size_t)snprintf(connection->out, sizeof connection->out,
                                              "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", status);
    bool is_slow = world->server_faults && world_below(50) == 0;
    connection->answers_ns = world->now_ns + (is_slow ? world_below(8000 * MS) : world_below(MS));
}

enum fate { TAKE, REFUSE, BREAK_BEFORE, BREAK_AFTER };

static enum fate draw_fate(void)
{
    if (!world->server_faults || world_below(10) != 0)
        return TAKE;
    return (enum fate)(1 + world_below(3));
}

/* Takes a whole request, if one is there. Returns false when the connection is to be broken off. */
static bool take_request(struct connection *connection)
{
    connection->in[connection->length] = 0;
    const char *end = strstr(connection->in, "\r\n\r\n");
    if (end == NULL || connection->out_length > 0)
        return true;
    const char *field = strcasestr(connection->in, "content-length:");
    size_t head = (size_t)(end - connection->in) + 4,
           body = field != NULL && field < end ? strtoul(field + 15, NULL, 10) : 0;
    if (strcasestr(connection->in, "expect: 100-continue") != NULL)
        world_fatal("the server knows no Expect");
    if (connection->length < head + body)
        return true;
    enum fate fate = draw_fate();
    if (fate == BREAK_BEFORE)
        return false;
    if (fate == TAKE || fate == BREAK_AFTER)
        ledger_arrived(connection->in + head, body);
    if (fate == BREAK_AFTER)
        return false;
    answer(connection, fate == TAKE ? "200 OK" : "503 Service Unavailable");
    connection->length -= head + body;
    memmove(connection->in, connection->in + head + body, connection->length);
    return true;
}

/* Returns whether the connection goes on. */
static bool serve(struct connection *connection)
{
    for (;;) {
        long got = net_receive(connection->end, connection->in + connection->length,
                               IN_BYTES - 1 - connection->length, false);
        if (got == -EAGAIN)
            break;
        if (got <= 0)
            return false;
        connection->length += (size_t)got;
    }
    if (!take_request(connection))
        return false;
    if (connection->out_length == 0 || connection->answers_ns > world->now_ns)
        return true;
    long sent = net_send(connection->end, connection->out, connection->out_length);
    if (sent == -EAGAIN)
        return true;
    if (sent < 0)
        return false;
    connection->out_length -= (size_t)sent;
    memmove(connection->out, connection->out + sent, connection->out_length);
    return take_request(connection);
}

static void server_step(struct world_peer *peer)
{
    struct server *server = peer->state;
    accept_all(server);
    for (struct connection *one = server->connections; one < server->connections + CONNECTIONS_MAX; one++) {
        if (one->end == NULL)
            continue;
        if (!serve(one)) {
            net_close(one->end);
            forget(one);
        } else if (one->out_length > 0 && one->answers_ns < peer->due_ns)
            peer->due_ns = one->answers_ns > world->now_ns ? one->answers_ns : world->now_ns + MS;
    }
}

void http_server_add(uint16_t port)
{
    struct server *server = world_allocate(sizeof *server);
    struct world_peer *peer = peer_add("http server", server_step, server, WORLD_NEVER);
    server->listener = net_listen(peer, (struct net_address){NET_LOOPBACK, port});
}
