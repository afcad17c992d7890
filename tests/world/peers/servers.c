/* Servers behind the agent's sinks. They note what arrives at the moment at which they take it; an answer may be lost after that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/ledger.h"
#include "tests/world/peers/connections.h"
#include "tests/world/peers/peers.h"

#define ROOM_BYTES ((size_t)64 << 10)

struct http_server {
    struct net_listener *listener;
    unsigned far_end;
    struct connections connections;
};

static void answer(struct connection *connection, const char *status)
{
    connection->out_length =
        (size_t)snprintf(connection->out, ROOM_BYTES, "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", status);
    connection->answers_ns = server_draw_answer_ns();
}

static bool http_take(void *argument, struct connection *connection)
{
    if (connection->in_length == ROOM_BYTES)
        world_fatal("the agent posted more than %zu bytes", ROOM_BYTES);
    connection->in[connection->in_length] = 0;
    const char *end = strstr(connection->in, "\r\n\r\n");
    if (end == NULL)
        return true;
    const char *field = strcasestr(connection->in, "content-length:");
    size_t head = (size_t)(end - connection->in) + 4,
           body = field != NULL && field < end ? strtoul(field + 15, NULL, 10) : 0;
    if (strcasestr(connection->in, "expect: 100-continue") != NULL)
        world_fatal("the server knows no Expect");
    if (connection->in_length < head + body)
        return true;
    enum server_fate fate = server_draw_fate();
    if (fate == SERVER_BREAK_BEFORE)
        return false;
    if (fate == SERVER_TAKE || fate == SERVER_BREAK_AFTER)
        ledger_arrived(connection->in + head, body);
    if (fate == SERVER_BREAK_AFTER)
        return false;
    answer(connection, fate == SERVER_TAKE ? "200 OK" : "503 Service Unavailable");
    connection_taken(connection, head + body);
    return true;
}

static void http_step(struct world_peer *peer)
{
    struct http_server *server = peer->state;
    connections_accept(&server->connections, server->listener, 0);
    ledger_at(server->far_end);
    peer->due_ns = connections_serve(&server->connections);
}

void http_server_add(uint16_t port, unsigned far_end)
{
    struct http_server *server = world_allocate(sizeof *server);
    server->far_end = far_end;
    server->connections = (struct connections){.room = ROOM_BYTES, .take = http_take};
    struct world_peer *peer = peer_add(http_step, server, WORLD_NEVER);
    server->listener = net_listen(peer, (struct net_address){NET_LOOPBACK, port});
}
