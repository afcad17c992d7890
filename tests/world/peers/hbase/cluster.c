#include "tests/world/peers/hbase/cluster.h"

#include "tests/world/ledger.h"

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

static void add_rule(struct hbase_cluster *cluster, enum hbase_fate fate, const char *exception,
                     uint64_t times)
{
    cluster->rule_count %= HBASE_RULES_MAX;
    struct hbase_rule *rule = &cluster->rules[cluster->rule_count++];
    *rule = (struct hbase_rule){.fate = fate, .left = times};
    snprintf(rule->exception, sizeof rule->exception, "%s", exception);
}

static void start_all(struct hbase_cluster *cluster)
{
    for (unsigned i = 0; i < cluster->server_count; i++)
        hbase_server_start(cluster, i);
}

static void split_one(struct hbase_cluster *cluster)
{
    char row[8];
    snprintf(row, sizeof row, "x%x", (unsigned)world_below(256));
    for (unsigned i = 0; i < cluster->region_count; i++)
        if (cluster->region_count == HBASE_REGIONS_MAX || strcmp(cluster->regions[i].start, row) == 0)
            return;
    hbase_split(cluster, row);
}

/* What happens to a drawn cluster: something each second or so. */
static void disturb(struct hbase_cluster *cluster)
{
    static const char *const of_rows[] = {"RegionTooBusyException", "NotServingRegionException"};
    if (!world->server_faults) {
        start_all(cluster);
        cluster->rule_count = 0;
        cluster->next_ns = WORLD_NEVER;
        return;
    }
    if (cluster->next_ns != WORLD_NEVER && world->now_ns < cluster->next_ns)
        return;
    cluster->next_ns = world->now_ns + 1 + world_below(2 * WORLD_NS_PER_S);
    unsigned server = (unsigned)world_below(cluster->server_count);
    world->server_trouble++;
    switch (world_below(10)) {
    case 0:
        hbase_server_stop(cluster, server);
        break;
    case 1:
    case 2:
        start_all(cluster);
        break;
    case 3:
        cluster->regions[world_below(cluster->region_count)].server = server;
        break;
    case 4:
        cluster->meta = server;
        break;
    case 5:
        split_one(cluster);
        break;
    case 6:
        add_rule(cluster, HBASE_LOSE, "", 1 + world_below(3));
        break;
    case 7:
        add_rule(cluster, HBASE_CALL, "CallQueueTooBigException", 1 + world_below(3));
        break;
    case 8:
        add_rule(cluster, HBASE_REGION, "NotServingRegionException", 1);
        break;
    default:
        add_rule(cluster, HBASE_ROW, of_rows[world_below(2)], 1 + world_below(30));
        break;
    }
}

static void step(struct world_peer *peer)
{
    struct hbase_cluster *cluster = peer->state;
    if (cluster->is_drawn) {
        disturb(cluster);
        ledger_at(cluster->far_end);
    }
    connections_accept(&cluster->connections, cluster->zookeeper, ZOOKEEPER_PLACE);
    for (unsigned i = 0; i < cluster->server_count; i++)
        if (cluster->servers[i] != NULL)
            connections_accept(&cluster->connections, cluster->servers[i], (int)i);
    peer->due_ns = connections_serve(&cluster->connections);
    if (cluster->is_drawn && cluster->next_ns < peer->due_ns)
        peer->due_ns = cluster->next_ns;
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

void hbase_add_drawn(unsigned far_end)
{
    static const char *const cuts[] = {"", "x4", "x8", "xc", ""};
    struct hbase_cluster *cluster = hbase_add(HBASE_SERVERS_MAX);
    cluster->is_drawn = true;
    cluster->far_end = far_end;
    cluster->region_count = 4;
    for (unsigned i = 0; i < 4; i++) {
        struct hbase_region *region = &cluster->regions[i];
        region->server = i % HBASE_SERVERS_MAX;
        region->number = ++cluster->numbers;
        snprintf(region->start, sizeof region->start, "%s", cuts[i]);
        snprintf(region->end, sizeof region->end, "%s", cuts[i + 1]);
    }
}
