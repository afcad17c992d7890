#include "tests/world/peers/kudu/cluster.h"

#include "tests/world/ledger.h"

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

static void add_rule(struct kudu_cluster *cluster, enum kudu_fate fate, unsigned code, uint64_t times)
{
    cluster->rule_count %= KUDU_RULES_MAX;
    cluster->rules[cluster->rule_count++] = (struct kudu_rule){.fate = fate, .code = code, .left = times};
}

static void mend(struct kudu_cluster *cluster)
{
    for (unsigned i = 0; i < cluster->server_count; i++) {
        kudu_server_start(cluster, i);
        cluster->tablets[i].is_leaderless = false;
    }
}

/* What happens to a drawn cluster: something each second or so. */
static void disturb(struct kudu_cluster *cluster)
{
    static const unsigned of_calls[] = {4, 6}, of_tablets[] = {12, 15, 19}, of_rows[] = {1, 13};
    if (!world->server_faults) {
        mend(cluster);
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
        kudu_server_stop(cluster, server);
        break;
    case 1:
    case 2:
        mend(cluster);
        break;
    case 3:
        cluster->tablets[world_below(KUDU_TABLETS_MAX)].server = server;
        break;
    case 4:
        cluster->leader = server;
        break;
    case 5:
        cluster->tablets[server].is_leaderless = true;
        break;
    case 6:
        add_rule(cluster, KUDU_LOSE, 0, 1 + world_below(3));
        break;
    case 7:
        add_rule(cluster, KUDU_CALL, of_calls[world_below(2)], 1 + world_below(3));
        break;
    case 8:
        add_rule(cluster, KUDU_TABLET, of_tablets[world_below(3)], 1 + world_below(3));
        break;
    default:
        add_rule(cluster, KUDU_ROW, of_rows[world_below(2)], 1 + world_below(30));
        break;
    }
}

static void step(struct world_peer *peer)
{
    struct kudu_cluster *cluster = peer->state;
    if (cluster->is_drawn) {
        disturb(cluster);
        ledger_at(cluster->far_end);
    }
    for (unsigned i = 0; i < cluster->server_count; i++) {
        if (cluster->masters[i] != NULL)
            connections_accept(&cluster->connections, cluster->masters[i], KUDU_MASTER_PLACE + (int)i);
        if (cluster->servers[i] != NULL)
            connections_accept(&cluster->connections, cluster->servers[i], (int)i);
    }
    peer->due_ns = connections_serve(&cluster->connections);
    if (cluster->is_drawn && cluster->next_ns < peer->due_ns)
        peer->due_ns = cluster->next_ns;
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

void kudu_add_drawn(unsigned far_end)
{
    struct kudu_cluster *cluster = kudu_add(KUDU_SERVERS_MAX);
    cluster->is_drawn = true;
    cluster->far_end = far_end;
}
