#include "tests/world/peers/hbase/cluster.h"

#include <stdio.h>
#include <string.h>

#define ZOOKEEPER ((struct net_address){NET_LOOPBACK + 50, 2181})
#define PORT 16020
#define ZOOKEEPER_PLACE 99 /* `server` of its connections */

static struct net_address address_of(unsigned server)
{
    return (struct net_address){NET_LOOPBACK + 51 + server, PORT};
}

static bool take(void *argument, struct connection *connection)
{
    struct hbase_cluster *cluster = argument;
    return connection->server == ZOOKEEPER_PLACE ? hbase_take_zookeeper(cluster, connection)
                                                 : hbase_take(cluster, connection);
}

static void step(struct world_peer *peer)
{
    struct hbase_cluster *cluster = peer->state;
    connections_accept(&cluster->connections, cluster->zookeeper, ZOOKEEPER_PLACE);
    for (unsigned i = 0; i < cluster->server_count; i++)
        if (cluster->servers[i] != NULL)
            connections_accept(&cluster->connections, cluster->servers[i], (int)i);
    peer->due_ns = connections_serve(&cluster->connections);
}

void hbase_server_start(struct hbase_cluster *cluster, unsigned server)
{
    if (cluster->servers[server] == NULL)
        cluster->servers[server] = net_listen(cluster->peer, address_of(server));
}

/* Its nonces are gone with it. */
void hbase_server_stop(struct hbase_cluster *cluster, unsigned server)
{
    unsigned kept = 0;
    if (cluster->servers[server] != NULL)
        net_unlisten(cluster->servers[server]);
    cluster->servers[server] = NULL;
    connections_reset(&cluster->connections, (int)server);
    for (unsigned i = 0; i < cluster->nonce_count; i++)
        if (cluster->nonces[i].server != server)
            cluster->nonces[kept++] = cluster->nonces[i];
    cluster->nonce_count = kept;
}

static struct hbase_region *region_of(struct hbase_cluster *cluster, const char *row)
{
    for (unsigned i = 0; i < cluster->region_count; i++) {
        struct hbase_region *region = &cluster->regions[i];
        if (strcmp(region->start, row) <= 0 && (region->end[0] == 0 || strcmp(row, region->end) < 0))
            return region;
    }
    world_fatal("no region has the row %s", row);
}

void hbase_move(struct hbase_cluster *cluster, const char *row, unsigned server)
{
    region_of(cluster, row)->server = server;
}

void hbase_split(struct hbase_cluster *cluster, const char *row)
{
    struct hbase_region *region = region_of(cluster, row);
    if (cluster->region_count == HBASE_REGIONS_MAX)
        world_fatal("more than %u regions", HBASE_REGIONS_MAX);
    struct hbase_region *upper = &cluster->regions[cluster->region_count++];
    *upper = *region;
    snprintf(upper->start, sizeof upper->start, "%s", row);
    snprintf(region->end, sizeof region->end, "%s", row);
    upper->number = ++cluster->numbers;
    region->number = ++cluster->numbers; /* the parent is gone: both have new names */
}

struct hbase_cluster *hbase_add(unsigned servers)
{
    static const char *const cuts[] = {"", "n", "t", ""};
    struct hbase_cluster *cluster = world_allocate(sizeof *cluster);
    cluster->connections = (struct connections){.room = HBASE_ROOM_BYTES, .take = take, .argument = cluster};
    cluster->peer = peer_add(step, cluster, 0);
    cluster->server_count = cluster->region_count = servers;
    net_name("zk1", ZOOKEEPER.host);
    cluster->zookeeper = net_listen(cluster->peer, ZOOKEEPER);
    for (unsigned i = 0; i < servers; i++) {
        char name[8];
        struct hbase_region *region = &cluster->regions[i];
        snprintf(name, sizeof name, "rs%u", i + 1);
        net_name(name, address_of(i).host);
        region->server = i;
        region->number = ++cluster->numbers;
        snprintf(region->start, sizeof region->start, "%s", cuts[i]);
        snprintf(region->end, sizeof region->end, "%s", i + 1 < servers ? cuts[i + 1] : "");
        hbase_server_start(cluster, i);
    }
    return cluster;
}
