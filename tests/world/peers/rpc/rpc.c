#include "tests/world/peers/rpc/rpc.h"

#include <stdio.h>
#include <string.h>

const char *const rpc_headers[RPC_HEADERS][2] = {{"n", ""},
                                                 {"empty", ""},
                                                 {"gr\xc3\xb6\xc3\x9f"
                                                  "e",
                                                  "1 \xe2\x82\xac"}};

void rpc_make_event(uint32_t number, struct rpc_event *event)
{
    event->event = (struct ledger_event){
        .body = event->body, .length = ledger_text(number, event->body), .count = RPC_HEADERS};
    snprintf(event->digits, sizeof event->digits, "%u", number);
    for (unsigned i = 0; i < RPC_HEADERS; i++) {
        const char *name = rpc_headers[i][0], *value = i == 0 ? event->digits : rpc_headers[i][1];
        event->event.headers[i] = (struct ledger_pair){name, value, strlen(name), strlen(value)};
    }
}

enum server_fate rpc_fate(const struct rpc_fates *fates)
{
    return fates == NULL ? server_draw_fate() : fates->draw(fates->argument);
}

void rpc_expect_headers(void)
{
    ledger_expect_header(HEADER_NUMBER, rpc_headers[0][0], NULL);
    for (unsigned i = 1; i < RPC_HEADERS; i++)
        ledger_expect_header(HEADER_TEXT, rpc_headers[i][0], rpc_headers[i][1]);
}

uint32_t rpc_next_call(struct client *client)
{
    uint32_t events = 1 + (uint32_t)world_below(client->count - client->written);
    client->call[client->calls++] = events;
    return events;
}

/* A refused client gives the connection up, and does not wait for the answers to its other calls. */
void rpc_order_lost(struct client *client)
{
    for (uint32_t i = 0; i < client->written; i++)
        ledger_ordered(client->window[i], 0);
}

int rpc_call_answered(struct client *client, int status)
{
    uint32_t events = client->call[0];
    if (status != RPC_OK) {
        client->refused = true;
        world->ledger->repeats +=
            events;             /* a call of more than a quarter of the capacity is not one transaction */
        rpc_order_lost(client); /* of the next calls some may have been taken, and some refused */
        for (uint32_t i = events; i < client->written; i++)
            ledger_repeated(client->window[i]);
        return 0;
    }
    client->calls--;
    memmove(client->call, client->call + 1, client->calls * sizeof *client->call);
    return (int)events;
}

struct rpc_server {
    struct net_listener *listener;
    unsigned far_end;
    struct connections connections;
};

static void server_step(struct world_peer *peer)
{
    struct rpc_server *server = peer->state;
    connections_accept(&server->connections, server->listener, 0);
    ledger_at(server->far_end);
    peer->due_ns = connections_serve(&server->connections);
}

void rpc_server_add(uint16_t port, unsigned far_end, bool (*take)(void *, struct connection *))
{
    struct rpc_server *server = world_allocate(sizeof *server);
    server->far_end = far_end;
    server->connections = (struct connections){.room = RPC_ROOM_BYTES, .take = take};
    struct world_peer *peer = peer_add(server_step, server, WORLD_NEVER);
    server->listener = net_listen(peer, (struct net_address){NET_LOOPBACK, port});
}
