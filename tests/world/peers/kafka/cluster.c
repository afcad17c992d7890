#include "tests/world/peers/kafka/cluster.h"

#include <stdio.h>
#include <string.h>

#include "tests/world/ledger.h"

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
    memset(cluster->sessions[broker], 0, sizeof cluster->sessions[broker]);
    cluster->back_ns[broker] = world->now_ns + world_below(6000 * MS);
    connections_reset(&cluster->connections, broker);
}

static void come_back(struct kafka_cluster *cluster, int broker)
{
    cluster->listeners[broker] = net_listen(cluster->peer, (struct net_address){host_of(broker), PORT});
}

static void move_leader(struct kafka_cluster *cluster)
{
    struct kafka_topic *topic = &cluster->topics[world_below(KAFKA_TOPICS)];
    int32_t number = (int32_t)world_below(KAFKA_PARTITIONS);
    struct kafka_partition *partition = &topic->partitions[number];
    if (cluster->is_unclean && !topic->counts && world_below(2) == 0)
        kafka_truncate(topic, number);
    partition->leader = (int)world_below(KAFKA_BROKERS);
    partition->leader_epoch++;
    cluster->changed = true;
}

/* Another broker takes a coordinator's part, and has to read its log first. */
static void move_coordinator(struct kafka_cluster *cluster)
{
    if (world_below(2) == 0) {
        cluster->transaction_coordinator = (int)world_below(KAFKA_BROKERS);
    } else {
        cluster->group_coordinator = (int)world_below(KAFKA_BROKERS);
        kafka_group_moved(cluster);
    }
    cluster->loaded_ns = world->now_ns + world_below(500 * MS);
    cluster->changed = true;
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
    } else if (world_below(3) == 0) {
        move_coordinator(cluster);
    } else {
        move_leader(cluster);
    }
}

/* ---- requests ---- */

/* Whether a request breaks the connection before or after it is carried out, or is answered late. */
enum fate { BREAKS_BEFORE, BREAKS_AFTER, IS_LATE, IS_SERVED };

static bool take_request(void *argument, struct connection *connection)
{
    struct kafka_cluster *cluster = argument;
    const unsigned char *bytes = (const unsigned char *)connection->in;
    struct kafka_in in = {.at = bytes, .end = bytes + connection->in_length};
    if (connection->in_length < 4)
        return true;
    int64_t length = kafka_get(&in, 4);
    if (length < 8 || length > (int64_t)KAFKA_REQUEST_BYTES - 4)
        world_fatal("the agent sent a request of %lld bytes", (long long)length);
    if ((int64_t)connection->in_length < 4 + length)
        return true;
    uint64_t fate = world->server_faults && connection->since_ns == 0 ? world_below(60) : IS_SERVED;
    if (fate == BREAKS_BEFORE)
        return false;
    struct kafka_in request = {.at = in.at, .end = in.at + length};
    struct kafka_out answer = {.bytes = (unsigned char *)connection->out + 4,
                               .room = KAFKA_REQUEST_BYTES - 4};
    enum kafka_served served = kafka_serve(cluster, connection, request, &answer);
    if (served == KAFKA_CLOSE || fate == BREAKS_AFTER)
        return false;
    if (served == KAFKA_LATER) {
        connection->since_ns = connection->since_ns != 0 ? connection->since_ns : world->now_ns;
        return true;
    }
    connection->since_ns = connection->again_ns = 0;
    connection_taken(connection, 4 + (size_t)length);
    if (answer.length > 0) {
        struct kafka_out head = {.bytes = (unsigned char *)connection->out, .room = 4};
        kafka_put(&head, (int64_t)answer.length, 4);
        connection->out_length = 4 + answer.length;
    }
    connection->answers_ns =
        world->now_ns + (fate == IS_LATE ? world_below(40000 * MS) : world_below(2 * MS));
    return true;
}

static uint64_t earlier(uint64_t one_ns, uint64_t other_ns)
{
    return one_ns < other_ns ? one_ns : other_ns;
}

static void cluster_step(struct world_peer *peer)
{
    struct kafka_cluster *cluster = peer->state;
    misbehave(cluster);
    for (int i = 0; i < KAFKA_BROKERS; i++)
        if (cluster->listeners[i] != NULL)
            connections_accept(&cluster->connections, cluster->listeners[i], i);
    ledger_at(cluster->far_end);
    uint64_t due_ns;
    do { /* what one request changes may be what another one waits for */
        cluster->changed = false;
        due_ns = earlier(kafka_group_turn(cluster), kafka_transactions_turn(cluster));
        due_ns = earlier(due_ns, connections_serve(&cluster->connections));
    } while (cluster->changed);
    peer->due_ns = earlier(due_ns, cluster->next_fault_ns + MS);
}

static void add_topic(struct kafka_topic *topic, const char *name, int64_t id, bool counts)
{
    snprintf(topic->name, sizeof topic->name, "%s", name);
    topic->id = id;
    topic->counts = counts;
    for (int i = 0; i < KAFKA_PARTITIONS; i++)
        topic->partitions[i].leader = i % KAFKA_BROKERS;
}

struct kafka_cluster *kafka_add(void)
{
    struct kafka_cluster *cluster = world_allocate(sizeof *cluster);
    cluster->generation = (int)world_below(3);
    cluster->connections =
        (struct connections){.room = KAFKA_REQUEST_BYTES, .take = take_request, .argument = cluster};
    cluster->peer = peer_add(cluster_step, cluster, 0);
    for (int i = 0; i < KAFKA_BROKERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "kafka%d", i + 1);
        net_name(name, host_of(i));
        come_back(cluster, i);
    }
    add_topic(&cluster->topics[0], "t", 1, true);
    add_topic(&cluster->topics[1], "in", 2, false);
    for (int topic = 0; topic < KAFKA_TOPICS; topic++)
        for (int i = 0; i < KAFKA_PARTITIONS; i++)
            cluster->group.offsets[topic][i] = (struct kafka_offset){-1, -1};
    return cluster;
}
