#include "tests/world/peers/kafka/cluster.h"

#include <stdio.h>
#include <string.h>

#include "tests/world/ledger.h"

#define MS UINT64_C(1000000)
#define PORT 9092
#define TOPICS_DRAWN 2 /* `t` and `in` */
#define PARTITIONS_DRAWN 4

static uint32_t host_of(int broker)
{
    return NET_LOOPBACK + 10 + (uint32_t)broker;
}

/* ---- faults ---- */

void kafka_broker_down(struct kafka_cluster *cluster, int broker)
{
    if (cluster->listeners[broker] == NULL)
        return;
    net_unlisten(cluster->listeners[broker]);
    cluster->listeners[broker] = NULL;
    memset(cluster->sessions[broker], 0, sizeof cluster->sessions[broker]);
    cluster->back_ns[broker] = WORLD_NEVER;
    connections_reset(&cluster->connections, broker);
    cluster->changed = cluster->peer->called = true;
}

void kafka_broker_up(struct kafka_cluster *cluster, int broker)
{
    cluster->hangs[broker] = false;
    if (cluster->listeners[broker] == NULL)
        cluster->listeners[broker] = net_listen(cluster->peer, (struct net_address){host_of(broker), PORT});
    cluster->peer->called = true;
}

void kafka_lead(struct kafka_cluster *cluster, struct kafka_partition *partition, int broker)
{
    partition->leader = broker;
    partition->leader_epoch++;
    cluster->changed = cluster->peer->called = true;
}

void kafka_set_generation(struct kafka_cluster *cluster, int generation)
{
    cluster->generation = generation;
    for (int i = 0; i < KAFKA_TOPICS; i++)
        cluster->topics[i].takes_any = generation > 0;
}

struct kafka_topic *kafka_add_topic(struct kafka_cluster *cluster, const char *name, int32_t partitions)
{
    int at = kafka_topic_named(cluster, name);
    bool is_new = at < 0;
    for (int i = 0; is_new && at < 0 && i < KAFKA_TOPICS; i++)
        if (cluster->topics[i].name[0] == 0)
            at = i;
    if (at < 0 || partitions > KAFKA_PARTITIONS)
        world_fatal("more than %d topics, or %d partitions", KAFKA_TOPICS, KAFKA_PARTITIONS);
    struct kafka_topic *topic = &cluster->topics[at];
    if (is_new) {
        snprintf(topic->name, sizeof topic->name, "%s", name);
        topic->id = ++cluster->topics_made;
        topic->takes_any = cluster->generation > 0;
    }
    for (; topic->count < partitions; topic->count++)
        topic->partitions[topic->count].leader = topic->count % KAFKA_BROKERS;
    cluster->changed = cluster->peer->called = true;
    return topic;
}

void kafka_delete_topic(struct kafka_cluster *cluster, int at)
{
    struct kafka_topic *topic = &cluster->topics[at];
    for (int32_t i = 0; i < topic->count; i++)
        kafka_truncate(topic, i, UINT64_MAX);
    memset(topic, 0, sizeof *topic);
    for (int i = 0; i < KAFKA_PARTITIONS; i++) {
        cluster->group.offsets[at][i] = (struct kafka_offset){-1, -1};
        cluster->group.pending[at][i].producer = 0;
    }
    cluster->changed = cluster->peer->called = true;
}

static void move_leader(struct kafka_cluster *cluster)
{
    struct kafka_topic *topic = &cluster->topics[world_below(TOPICS_DRAWN)];
    if (topic->count == 0)
        return;
    int32_t number = (int32_t)world_below((uint64_t)topic->count);
    if (world_below(4) ==
        0) { /* readers with a rack go elsewhere, and a replica falls behind, or has caught up */
        topic->partitions[number].replica = (int)world_below(KAFKA_BROKERS + 1);
        topic->partitions[number].lacks[world_below(KAFKA_BROKERS)] = world_below(3);
        return;
    }
    if (cluster->is_unclean && !topic->counts && world_below(2) == 0)
        kafka_truncate(topic, number, world_below(4));
    kafka_lead(cluster, &topic->partitions[number], (int)world_below(KAFKA_BROKERS));
}

/* Somebody adds a partition, or deletes the topic that the agent writes, which is made again later. */
static void change_topic(struct kafka_cluster *cluster)
{
    struct kafka_topic *topic = &cluster->topics[world_below(TOPICS_DRAWN)];
    if (topic->counts && !cluster->keeps_topics && world_below(2) == 0) {
        kafka_delete_topic(cluster, 0);
        cluster->remade_ns = world->now_ns + world_below(4000 * MS);
    } else if (topic->count > 0 && topic->count < KAFKA_PARTITIONS) {
        kafka_add_topic(cluster, topic->name, topic->count + 1);
    }
}

/* A broker stops answering, or is left out of the metadata, until it comes back. */
static void let_hang(struct kafka_cluster *cluster)
{
    int broker = (int)world_below(KAFKA_BROKERS);
    if (cluster->listeners[broker] == NULL)
        return;
    if (world_below(2) == 0)
        cluster->hangs[broker] = true;
    else
        cluster->leaves_metadata[broker] = true;
    cluster->back_ns[broker] = world->now_ns + world_below(20000 * MS);
}

static void end_faults(struct kafka_cluster *cluster)
{
    for (int i = 0; i < KAFKA_BROKERS; i++)
        if (cluster->back_ns[i] != 0 && cluster->back_ns[i] != WORLD_NEVER &&
            (cluster->back_ns[i] <= world->now_ns || !world->server_faults)) {
            cluster->leaves_metadata[i] = false;
            cluster->back_ns[i] = 0;
            kafka_broker_up(cluster, i);
        }
    for (int topic = 0; topic < TOPICS_DRAWN && !world->server_faults; topic++)
        for (int32_t i = 0; i < cluster->topics[topic].count; i++)
            memset(cluster->topics[topic].partitions[i].lacks, 0,
                   sizeof cluster->topics[topic].partitions[i].lacks);
    if (cluster->topics[0].name[0] == 0 && (cluster->remade_ns <= world->now_ns || !world->server_faults))
        kafka_add_topic(cluster, "t", PARTITIONS_DRAWN)->counts = true;
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
    if (!world->ledger->keeps)
        end_faults(cluster);
    if (cluster->next_fault_ns > world->now_ns)
        return;
    cluster->next_fault_ns = world->now_ns + world_below(3000 * MS);
    if (!world->server_faults)
        return;
    world->server_trouble++;
    if (world_below(3) == 0 && brokers_up(cluster) > 1) {
        int broker = (int)world_below(KAFKA_BROKERS);
        if (cluster->listeners[broker] != NULL) {
            kafka_broker_down(cluster, broker);
            cluster->back_ns[broker] = world->now_ns + world_below(6000 * MS);
        }
    } else if (world_below(3) == 0) {
        move_coordinator(cluster);
    } else if (world_below(4) == 0) {
        let_hang(cluster);
    } else if (world_below(6) == 0) {
        change_topic(cluster);
    } else {
        move_leader(cluster);
    }
}

/* ---- requests ---- */

/* Whether a request breaks the connection before or after it is carried out, or is answered late, or never. */
enum fate { BREAKS_BEFORE, BREAKS_AFTER, IS_LATE, HANGS, IS_SERVED };

static uint64_t draw_fate(struct kafka_cluster *cluster, const struct connection *connection, int key)
{
    if (cluster->hangs[connection->server])
        return HANGS;
    for (struct kafka_failure *one = cluster->failures; one < cluster->failures + KAFKA_FAILURES_MAX; one++) {
        if (one->times == 0 || one->key != key || one->error < KAFKA_BREAKS || connection->since_ns != 0)
            continue;
        if (one->error == KAFKA_HANGS)
            return HANGS;
        one->times -= one->times != UINT32_MAX;
        return one->error == KAFKA_BREAKS ? BREAKS_BEFORE : BREAKS_AFTER;
    }
    uint64_t drawn = world->server_faults && connection->since_ns == 0 ? world_below(60) : IS_SERVED;
    return drawn < HANGS ? drawn : IS_SERVED;
}

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
    struct kafka_in key = in;
    uint64_t fate = draw_fate(cluster, connection, (int)kafka_get(&key, 2));
    if (fate == HANGS) {
        connection->again_ns = WORLD_NEVER;
        return true;
    }
    world->server_trouble += fate < IS_SERVED;
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
        kafka_broker_up(cluster, i);
    }
    kafka_add_topic(cluster, "t", PARTITIONS_DRAWN)->counts = true;
    kafka_add_topic(cluster, "in", PARTITIONS_DRAWN);
    for (int topic = 0; topic < KAFKA_TOPICS; topic++)
        for (int i = 0; i < KAFKA_PARTITIONS; i++)
            cluster->group.offsets[topic][i] = (struct kafka_offset){-1, -1};
    return cluster;
}
