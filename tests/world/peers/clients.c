/* Clients of the agent's sources that answer: they repeat what was not acknowledged, over a new connection. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/world/ledger.h"
#include "tests/world/peers/client.h"
#include "tests/world/peers/peers.h"
#include "tests/world/peers/supply.h"

#define MS UINT64_C(1000000)
#define PATIENCE_NS (UINT64_C(40000) * MS) /* for an answer; then the connection is given up */

static void give_up(struct client *client, bool resets)
{
    if (client->end != NULL && resets)
        net_reset(client->end);
    else if (client->end != NULL)
        net_close(client->end);
    client->end = NULL;
    client->written = 0;
    client->out_length = client->out_at = client->in_length = 0;
    client->calls = 0;
    client->refused = false;
    client->connections++;
}

static void fill_window(struct client *client)
{
    client->since_ns = world->now_ns;
    for (uint32_t more = supply_take(CLIENT_WINDOW); more > 0; more--)
        ledger_ordered(client->window[client->count++] = ledger_add(), client->stream);
}

/* Every event counts as sent once its bytes may have left: it may arrive from now on. */
static void note_sent(struct client *client, uint32_t from)
{
    for (; from < client->written; from++)
        ledger_sent(client->window[from]);
}

static bool send_some(struct client *client)
{
    if (client->out_at == client->out_length) {
        client->out_at = client->out_length = 0;
        uint32_t from = client->written;
        if (client->written < client->count)
            client->write(client);
        note_sent(client, from);
    }
    while (client->out_at < client->out_length) {
        long sent = net_send(client->end, client->out + client->out_at, client->out_length - client->out_at);
        if (sent == -EAGAIN)
            return true;
        if (sent < 0)
            return false;
        client->out_at += (size_t)sent;
    }
    return true;
}

static bool receive_some(struct client *client)
{
    for (;;) {
        long got = net_receive(client->end, client->in + client->in_length,
                               sizeof client->in - 1 - client->in_length, false);
        if (got == -EAGAIN)
            return true;
        if (got <= 0)
            return false;
        client->in_length += (size_t)got;
        client->in[client->in_length] = 0;
        int done = client->read(client);
        if (done < 0)
            return false;
        if (done == 0 && !client->refused)
            continue;
        for (int i = 0; i < done; i++)
            ledger_acknowledged(client->window[i]);
        client->count -= (uint32_t)done;
        client->written -= (uint32_t)done;
        memmove(client->window, client->window + done, client->count * sizeof *client->window);
        client->since_ns = world->now_ns;
        client->next_ns = supply_next_ns();
        if (client->refused)
            return false;
    }
}

/* Returns whether the client has nothing more to do. */
static bool finish(struct client *client)
{
    if (client->count > 0 || !supply_is_over())
        return false;
    if (!client->finished) {
        client->finished = true;
        give_up(client, false);
        peers_one_less();
    }
    return true;
}

static void client_step(struct world_peer *peer)
{
    struct client *client = peer->state;
    uint64_t now = world->now_ns;
    if (finish(client))
        return;
    if (client->end == NULL) {
        client->end = net_connect(peer, NET_LOOPBACK, (struct net_address){NET_LOOPBACK, client->port});
        client->since_ns = now;
    }
    bool works = client->end->state == NET_CONNECTING ||
                 (client->end->state == NET_OPEN && receive_some(client) && send_some(client));
    if (!works || (client->count > 0 && now - client->since_ns > PATIENCE_NS)) {
        give_up(client, world_below(2) == 0 && client->end->state == NET_OPEN);
        peer->due_ns = now + 100 * MS + world_below(1000 * MS);
        return;
    }
    if (finish(client))
        return;
    if (client->end->state == NET_OPEN && client->count == 0 && now < client->next_ns) {
        peer->due_ns = client->next_ns;
        return;
    }
    if (client->end->state == NET_OPEN && client->count == 0)
        fill_window(client);
    if (client->end->state == NET_OPEN && client->count == 0)
        client->next_ns = supply_next_ns();
    if (client->end->state == NET_OPEN && client->written < client->count)
        peer->due_ns = now + world_below(20 * MS);
    else
        peer->due_ns = now + 1000 * MS;
}

struct client *client_add(uint16_t port, void (*write)(struct client *), int (*read)(struct client *))
{
    struct client *client = world_allocate(sizeof *client);
    client->port = port;
    client->stream = ledger_stream();
    client->write = write;
    client->read = read;
    peers_one_more();
    peer_add(client_step, client, 200 * MS);
    return client;
}

/* ---- netcat ---- */

static void netcat_write(struct client *client)
{
    while (client->written < client->count) {
        char *at = client->out + client->out_length;
        size_t length = ledger_text(client->window[client->written++], at);
        at[length] = '\n';
        client->out_length += length + 1;
    }
}

static int netcat_read(struct client *client)
{
    int done = 0;
    char *at = client->in;
    while (strncmp(at, "OK\n", 3) == 0) {
        done++;
        at += 3;
    }
    client->refused = strncmp(at, "FAILED", 6) == 0;
    for (uint32_t i = (uint32_t)done; client->refused && i < client->written; i++)
        ledger_ordered(client->window[i],
                       0); /* of the lines behind it some may have been taken, and some refused */
    size_t left = client->in_length - (size_t)(at - client->in);
    memmove(client->in, at, left + 1);
    client->in_length = left;
    bool is_begin = left < 3 && strncmp("OK\n", client->in, left) == 0;
    return (is_begin || client->refused) && (uint32_t)done <= client->written ? done : -1;
}

void netcat_add(uint16_t port)
{
    client_add(port, netcat_write, netcat_read);
}

/* ---- http ---- */

static void http_write(struct client *client)
{
    static char body[CLIENT_WINDOW * (LEDGER_TEXT_MAX * 2)];
    size_t length = 0;
    body[length++] = '[';
    for (; client->written < client->count; client->written++) {
        char text[LEDGER_TEXT_MAX];
        ledger_text(client->window[client->written], text);
        length += (size_t)snprintf(body + length, sizeof body - length,
                                   "%s{\"headers\":{\"n\":\"%u\"},\"body\":\"%s\"}", length > 1 ? "," : "",
                                   client->window[client->written], text);
    }
    body[length++] = ']';
    client->out_length = (size_t)snprintf(client->out, sizeof client->out,
                                          "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                                          "application/json\r\nContent-Length: %zu\r\n\r\n%.*s",
                                          length, (int)length, body);
}

static int http_read(struct client *client)
{
    const char *end = strstr(client->in, "\r\n\r\n");
    if (end == NULL)
        return 0;
    const char *field = strcasestr(client->in, "content-length:");
    size_t body = field != NULL && field < end ? strtoul(field + 15, NULL, 10) : 0,
           head = (size_t)(end - client->in) + 4;
    if (client->in_length < head + body)
        return 0;
    bool good = strncmp(client->in, "HTTP/1.1 200", 12) == 0;
    client->in_length -= head + body;
    memmove(client->in, client->in + head + body, client->in_length + 1);
    return good ? (int)client->written : -1;
}

void http_client_add(uint16_t port)
{
    client_add(port, http_write, http_read);
}
