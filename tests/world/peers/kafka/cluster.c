#include "tests/world/peers/kafka/cluster.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MS UINT64_C(1000000)
#define PORT 9092

static uint32_t host_of(int broker)
{
    return NET_LOOPBACK + 10 + (uint32_t)broker;
}

static void forget(struct kafka_connection *connection)
{
    world_free(connection->in, KAFKA_REQUEST_BYTES);
    world_free(connection->out, KAFKA_REQUEST_BYTES);
    *connection = (struct kafka_connection){0};
}

/* ---- faults ---- */

static void go_away(struct kafka_cluster *cluster, int broker)
{
    net_unlisten(cluster->listeners[broker]);
    cluster->listeners[broker] = NULL;
    cluster->back_ns[broker] = world->now_ns + world_below(6000 * MS);
    for (struct kafka_connection *one = cluster->connections;
         one < cluster->connections + KAFKA_CONNECTIONS_MAX; one++)
        if (one->end != NULL && one->broker == broker) {
            net_reset(one->end);
            forget(one);
        }
}

static void come_back(struct kafka_cluster *cluster, int broker)
{
    cluster->listeners[broker] = net_listen(cluster->peer, (struct net_address){host_of(broker), PORT});
}

static void move_leader(struct kafka_cluster *cluster)
{
    struct kafka_partition *partition = &cluster->partitions[world_below(KAFKA_PARTITIONS)];
    partition->leader = (int)world_below(KAFKA_BROKERS);
    partition->leader_epoch++;
}

static int brokers_up(const struct kafka_cluster *cluster)
{
    int up = 0;
    for (int i = 0; i < KAFKA_BROKERS; i++)
        up += cluster->listeners[i] != NULL;
    return up;
}

static void misbehave(struct kafka_cluster *cluster)
{
    for (int i = 0; i < KAFKA_BROKERS; i++)
        if (cluster->listeners[i] == NULL && (cluster->back_ns[i] <= world->now_ns || !world->server_faults))
            come_back(cluster, i);
    if (cluster->next_fault_ns > world->now_ns)
        return;
    cluster->next_fault_ns = world->now_ns + world_below(3000 * MS);
    if (!world->server_faults)
        return;
    if (world_below(3) == 0 && brokers_up(cluster) > 1) {
        int broker = (int)world_below(KAFKA_BROKERS);
        if (cluster->listeners[broker] != NULL)
            go_away(cluster, broker);
    } else {
        move_leader(cluster);
    }
}

/* ---- connections ---- */

static void accept_all(struct kafka_cluster *cluster, int broker)
{
    for (struct kafka_connection *free = cluster->connections;
         free < cluster->connections + KAFKA_CONNECTIONS_MAX; free++) {
        if (free->end != NULL)
            continue;
        struct net_end *end =
            cluster->listeners[broker] == NULL ? NULL : net_accept(cluster->listeners[broker]);
        if (end == NULL)
            return;
        *free = (struct kafka_connection){.end = end,
                                          .broker = broker,
                                          .in = world_allocate(KAFKA_REQUEST_BYTES),
                                          .out = world_allocate(KAFKA_REQUEST_BYTES)};
    }
}

/* Carries out one request if it is there and the answer before has gone. Returns false when the connection breaks. */
static bool take_request(struct kafka_cluster *cluster, struct kafka_connection *connection)
{
    if (connection->out_length > 0 || connection->in_length < 4)
        return true;
    struct kafka_in in = {connection->in, connection->in + connection->in_length, false};
    int64_t length = kafka_get(&in, 4);
    if (length < 8 || length > (int64_t)KAFKA_REQUEST_BYTES - 4)
        world_fatal("the agent sent a request of %lld bytes", (long long)length);
    if ((int64_t)connection->in_length < 4 + length)
        return true;
    uint64_t fate = world->server_faults ? world_below(60) : 59;
    if (fate == 0)
        return false;
    struct kafka_in request = {in.at, in.at + length, false};
    struct kafka_out answer = {connection->out + 4, 0, KAFKA_REQUEST_BYTES - 4, false};
    if (!kafka_serve(cluster, connection->broker, &request, &answer) || fate == 1)
        return false;
    connection->in_length -= 4 + (size_t)length;
    memmove(connection->in, connection->in + 4 + length, connection->in_length);
    if (answer.length > 0) {
        struct kafka_out head = {connection->out, 0, 4, false};
        kafka_put(&head, (int64_t)answer.length, 4);
        connection->out_length = 4 + answer.length;
    }
    connection->answers_ns = world->now_ns + (fate == 2 ? world_below(40000 * MS) : world_below(2 * MS));
    return true;
}

static bool serve(struct kafka_cluster *cluster, struct kafka_connection *connection)
{
    while (connection->in_length < KAFKA_REQUEST_BYTES) {
        long got = net_receive(connection->end, connection->in + connection->in_length,
                               KAFKA_REQUEST_BYTES - connection->in_length, false);
        if (got == -EAGAIN)
            break;
        if (got <= 0)
            return false;
        connection->in_length += (size_t)got;
    }
    for (;;) {
        if (!take_request(cluster, connection))
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

static void cluster_step(struct world_peer *peer)
{
    struct kafka_cluster *cluster = peer->state;
    misbehave(cluster);
    peer->due_ns = cluster->next_fault_ns + MS;
    for (int i = 0; i < KAFKA_BROKERS; i++)
        accept_all(cluster, i);
    for (struct kafka_connection *one = cluster->connections;
         one < cluster->connections + KAFKA_CONNECTIONS_MAX; one++) {
        if (one->end == NULL)
            continue;
        if (!serve(cluster, one)) {
            net_close(one->end);
            forget(one);
        } else if (one->out_length > 0 && one->answers_ns < peer->due_ns) {
            peer->due_ns = one->answers_ns > world->now_ns ? one->answers_ns : world->now_ns + MS;
        }
    }
}

void kafka_add(void)
{
    struct kafka_cluster *cluster = world_allocate(sizeof *cluster);
    cluster->peer = peer_add("kafka", cluster_step, cluster, 0);
    for (int i = 0; i < KAFKA_BROKERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "kafka%d", i + 1);
        net_name(name, host_of(i));
        come_back(cluster, i);
    }
    for (int i = 0; i < KAFKA_PARTITIONS; i++)
        cluster->partitions[i].leader = i % KAFKA_BROKERS;
}
