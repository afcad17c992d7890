#include "tests/world/peers/kudu/cluster.h"

#include <stdio.h>
#include <string.h>

static struct net_address server_address(unsigned server)
{
    return (struct net_address){NET_LOOPBACK + 61 + server, 7050};
}

static struct net_address master_address(unsigned master)
{
    return (struct net_address){NET_LOOPBACK + 71 + master, 7051};
}

static bool take(void *argument, struct connection *connection)
{
    return kudu_take(argument, connection);
}

static void step(struct world_peer *peer)
{
    struct kudu_cluster *cluster = peer->state;
    for (unsigned i = 0; i < cluster->server_count; i++) {
        if (cluster->masters[i] != NULL)
            connections_accept(&cluster->connections, cluster->masters[i], KUDU_MASTER_PLACE + (int)i);
        if (cluster->servers[i] != NULL)
            connections_accept(&cluster->connections, cluster->servers[i], (int)i);
    }
    peer->due_ns = connections_serve(&cluster->connections);
}

void kudu_server_start(struct kudu_cluster *cluster, unsigned server)
{
    if (cluster->servers[server] == NULL)
        cluster->servers[server] = net_listen(cluster->peer, server_address(server));
}

void kudu_server_stop(struct kudu_cluster *cluster, unsigned server)
{
    if (cluster->servers[server] != NULL)
        net_unlisten(cluster->servers[server]);
    cluster->servers[server] = NULL;
    connections_reset(&cluster->connections, (int)server);
}

void kudu_master_stop(struct kudu_cluster *cluster, unsigned master)
{
    if (cluster->masters[master] != NULL)
        net_unlisten(cluster->masters[master]);
    cluster->masters[master] = NULL;
    connections_reset(&cluster->connections, KUDU_MASTER_PLACE + (int)master);
}

struct kudu_tablet *kudu_tablet_of(struct kudu_cluster *cluster, const char *id)
{
    for (unsigned i = 0; i < cluster->server_count; i++) {
        struct kudu_tablet *tablet = &cluster->tablets[i];
        if (strcmp(tablet->start, id) <= 0 && (tablet->end[0] == 0 || strcmp(id, tablet->end) < 0))
            return tablet;
    }
    world_fatal("no tablet has the key %s", id);
}

struct kudu_cluster *kudu_add(unsigned servers)
{
    static const char *const cuts[] = {"", "n", "t", ""};
    struct kudu_cluster *cluster = world_allocate(sizeof *cluster);
    cluster->connections = (struct connections){.room = KUDU_ROOM_BYTES, .take = take, .argument = cluster};
    cluster->peer = peer_add(step, cluster, 0);
    cluster->server_count = servers;
    for (unsigned i = 0; i < servers; i++) {
        char name[8];
        struct kudu_tablet *tablet = &cluster->tablets[i];
        snprintf(name, sizeof name, "kt%u", i + 1);
        net_name(name, server_address(i).host);
        snprintf(name, sizeof name, "km%u", i + 1);
        net_name(name, master_address(i).host);
        tablet->server = i;
        snprintf(tablet->start, sizeof tablet->start, "%s", cuts[i]);
        snprintf(tablet->end, sizeof tablet->end, "%s", i + 1 < servers ? cuts[i + 1] : "");
        cluster->masters[i] = net_listen(cluster->peer, master_address(i));
        kudu_server_start(cluster, i);
    }
    return cluster;
}
