/* Servers behind the agent's sinks. They note what arrives at the moment at which they take it; an answer may be lost after that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/ledger.h"
#include "tests/world/peers/connections.h"
#include "tests/world/peers/elastic.h"
#include "tests/world/peers/peers.h"
#include "tests/world/peers/solr.h"

#define ROOM_BYTES ((size_t)64 << 10)
#define STORE_ROOM_BYTES ((size_t)512 << 10)

struct http_server {
    struct net_listener *listener;
    unsigned far_end;
    struct connections connections;
    struct elastic_store *elastic; /* NULL, both: it takes each body as an event */
    struct solr_store *solr;
};

static void answer(struct connection *connection, const char *status)
{
    connection->out_length =
        (size_t)snprintf(connection->out, ROOM_BYTES, "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", status);
    connection->answers_ns = server_draw_answer_ns();
}

static int item_status(void *, const char *, size_t)
{
    static const int statuses[] = {429, 503, 429, 502};
    if (!world->server_faults || world_below(60) != 0)
        return 200;
    world->server_trouble++;
    return statuses[world_below(4)];
}

/* What became of the request is in the answer of the store, or lost with it. */
static void take_documents(struct http_server *server, struct connection *connection, char *body,
                           size_t length)
{
    connection->out_length = server->solr != NULL
                                 ? solr_answer(server->solr, connection->in, body, length, item_status,
                                               server, connection->out, STORE_ROOM_BYTES)
                                 : elastic_answer(server->elastic, connection->in, body, length, item_status,
                                                  server, connection->out, STORE_ROOM_BYTES);
    connection->answers_ns = server_draw_answer_ns();
}

static bool http_take(void *argument, struct connection *connection)
{
    struct http_server *server = argument;
    bool is_store = server->elastic != NULL || server->solr != NULL;
    if (connection->in_length == server->connections.room)
        world_fatal("the agent posted more than %zu bytes", connection->in_length);
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
    bool takes = fate == SERVER_TAKE || fate == SERVER_BREAK_AFTER;
    if (takes && is_store)
        take_documents(server, connection, connection->in + head, body);
    else if (takes)
        ledger_arrived(connection->in + head, body);
    if (fate == SERVER_BREAK_AFTER)
        return false;
    if (fate != SERVER_TAKE || !is_store)
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

static struct http_server *add(uint16_t port, unsigned far_end, size_t room)
{
    struct http_server *server = world_allocate(sizeof *server);
    server->far_end = far_end;
    server->connections = (struct connections){.room = room, .take = http_take, .argument = server};
    struct world_peer *peer = peer_add(http_step, server, WORLD_NEVER);
    server->listener = net_listen(peer, (struct net_address){NET_LOOPBACK, port});
    return server;
}

void http_server_add(uint16_t port, unsigned far_end)
{
    (void)add(port, far_end, ROOM_BYTES);
}

void store_server_add(uint16_t port, unsigned far_end, bool is_solr)
{
    struct http_server *server = add(port, far_end, STORE_ROOM_BYTES);
    if (is_solr) {
        server->solr = solr_store_make();
        server->solr->member = "\"body\":\"";
    } else {
        server->elastic = elastic_store_make();
        server->elastic->member = "\"@message\":\"";
    }
}
