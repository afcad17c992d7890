#include "tests/world/peers/connections.h"

#include <errno.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define BUSY_NS MS /* an answer that the network did not take is tried again after this time */

/* Its room stays for the next connection. */
static void forget(struct connection *connection)
{
    *connection = (struct connection){.in = connection->in, .out = connection->out};
}

void connections_accept(struct connections *connections, struct net_listener *listener, int server)
{
    for (struct connection *one = connections->list; one < connections->list + CONNECTIONS_MAX; one++) {
        if (one->end != NULL)
            continue;
        struct net_end *end = net_accept(listener);
        if (end == NULL)
            return;
        if (one->in == NULL) {
            one->in = world_allocate(connections->room);
            one->out = world_allocate(connections->room);
        }
        *one = (struct connection){.end = end, .server = server, .in = one->in, .out = one->out};
    }
}

void connection_taken(struct connection *connection, size_t length)
{
    connection->in_length -= length;
    memmove(connection->in, connection->in + length, connection->in_length);
}

/* Returns whether the connection goes on. */
static bool serve(struct connections *connections, struct connection *connection)
{
    while (connection->in_length < connections->room) {
        long got = net_receive(connection->end, connection->in + connection->in_length,
                               connections->room - connection->in_length, false);
        if (got == -EAGAIN)
            break;
        if (got <= 0)
            return false;
        connection->in_length += (size_t)got;
    }
    for (;;) {
        if (connection->out_length == 0 && !connections->take(connections->argument, connection))
            return false;
        if (connection->out_length == 0 || connection->answers_ns > world->now_ns)
            return true;
        long sent = net_send(connection->end, connection->out, connection->out_length);
        if (sent < 0)
            return sent == -EAGAIN;
        connection->out_length -= (size_t)sent;
        memmove(connection->out, connection->out + sent, connection->out_length);
    }
}

uint64_t connections_serve(struct connections *connections)
{
    uint64_t due_ns = WORLD_NEVER;
    for (struct connection *one = connections->list; one < connections->list + CONNECTIONS_MAX; one++) {
        if (one->end == NULL)
            continue;
        if (!serve(connections, one)) {
            net_close(one->end);
            forget(one);
        } else if (one->out_length > 0) {
            uint64_t answers_ns = one->answers_ns > world->now_ns ? one->answers_ns : world->now_ns + BUSY_NS;
            due_ns = answers_ns < due_ns ? answers_ns : due_ns;
        } else if (one->since_ns != 0 && one->again_ns < due_ns) {
            due_ns = one->again_ns;
        }
    }
    return due_ns;
}

void connections_reset(struct connections *connections, int server)
{
    for (struct connection *one = connections->list; one < connections->list + CONNECTIONS_MAX; one++)
        if (one->end != NULL && one->server == server) {
            net_reset(one->end);
            forget(one);
        }
}

enum server_fate server_draw_fate(void)
{
    if (!world->server_faults || world_below(10) != 0)
        return SERVER_TAKE;
    world->server_trouble++;
    return (enum server_fate)(1 + world_below(3));
}

uint64_t server_draw_answer_ns(void)
{
    bool is_slow = world->server_faults && world_below(50) == 0;
    return world->now_ns + (is_slow ? world_below(8000 * MS) : world_below(MS));
}
