#include "tests/world/peers/kafka/cluster.h"

#include <stdio.h>

#define MS UINT64_C(1000000)
#define PORT 9092

static uint32_t host_of(int broker)
{
    return NET_LOOPBACK + 10 + (uint32_t)broker;
}

/* ---- faults ---- */

static void go_away(struct kafka_cluster *cluster, int broker)
{
    net_unlisten(cluster->listeners[broker]);
    cluster->listeners[broker] = NULL;
    cluster->back_ns[broker] = world->now_ns + world_below(6000 * MS);
    connections_reset(&cluster->connections, broker);
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

/* ---- requests ---- */

static bool take_request(void *argument, struct connection *connection)
{
    struct kafka_cluster *cluster = argument;
    const unsigned char *bytes = (const unsigned char *)connection->in;
    struct kafka_in in = {bytes, bytes + connection->in_length, false};
    if (connection->in_length < 4)
        return true;
    int64_t length = kafka_get(&in, 4);
    if (length < 8 || length > (int64_t)KAFKA_REQUEST_BYTES - 4)
        world_fatal("the agent sent a request of %lld bytes", (long long)length);
    if ((int64_t)connection->in_length < 4 + length)
        return true;
    uint64_t fate = world->server_faults ? world_below(60) : 59;
    if (fate == 0)
        return false;
    struct kafka_in request = {in.at, in.at + length, false};
    struct kafka_out answer = {(unsigned char *)connection->out + 4, 0, KAFKA_REQUEST_BYTES - 4, false};
    if (!kafka_serve(cluster, connection->server, &request, &answer) || fate == 1)
        return false;
    connection_taken(connection, 4 + (size_t)length);
    if (answer.length > 0) {
        struct kafka_out head = {(unsigned char *)connection->out, 0, 4, false};
        kafka_put(&head, (int64_t)answer.length, 4);
        connection->out_length = 4 + answer.length;
    }
    connection->answers_ns = world->now_ns + (fate == 2 ? world_below(40000 * MS) : world_below(2 * MS));
    return true;
}

static void cluster_step(struct world_peer *peer)
{
    struct kafka_cluster *cluster = peer->state;
    misbehave(cluster);
    for (int i = 0; i < KAFKA_BROKERS; i++)
        if (cluster->listeners[i] != NULL)
            connections_accept(&cluster->connections, cluster->listeners[i], i);
    uint64_t answers_ns = connections_serve(&cluster->connections), fault_ns = cluster->next_fault_ns + MS;
    peer->due_ns = answers_ns < fault_ns ? answers_ns : fault_ns;
}

void kafka_add(void)
{
    struct kafka_cluster *cluster = world_allocate(sizeof *cluster);
    cluster->connections =
        (struct connections){.room = KAFKA_REQUEST_BYTES, .take = take_request, .argument = cluster};
    cluster->peer = peer_add(cluster_step, cluster, 0);
    for (int i = 0; i < KAFKA_BROKERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "kafka%d", i + 1);
        net_name(name, host_of(i));
        come_back(cluster, i);
    }
    for (int i = 0; i < KAFKA_PARTITIONS; i++)
        cluster->partitions[i].leader = i % KAFKA_BROKERS;
}
