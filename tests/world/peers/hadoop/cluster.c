#include "tests/world/peers/hadoop/cluster.h"

#include <stdio.h>
#include <string.h>

#include "tests/world/ledger.h"

#define MS UINT64_C(1000000)

static struct net_address namenode_address(int which)
{
    return (struct net_address){NET_LOOPBACK + 20 + (uint32_t)which, HDFS_NAMENODE_PORT};
}

static struct net_address datanode_address(int which)
{
    return (struct net_address){NET_LOOPBACK + 30 + (uint32_t)which, HDFS_DATANODE_PORT};
}

static void stop_web(struct hdfs_cluster *cluster, int which)
{
    net_unlisten(cluster->webs[which]);
    cluster->webs[which] = NULL;
    connections_reset(&cluster->web, which);
}

static void start_web(struct hdfs_cluster *cluster, int which)
{
    struct net_address address =
        which < HDFS_NAMENODES ? namenode_address(which) : datanode_address(which - HDFS_NAMENODES);
    address.port = which < HDFS_NAMENODES ? HDFS_NAMENODE_HTTP_PORT : HDFS_DATANODE_HTTP_PORT;
    cluster->webs[which] = net_listen(cluster->peer, address);
}

void hdfs_namenode_stop(struct hdfs_cluster *cluster, int which)
{
    if (cluster->namenodes[which] == NULL)
        return;
    net_unlisten(cluster->namenodes[which]);
    cluster->namenodes[which] = NULL;
    connections_reset(&cluster->calls, which);
    stop_web(cluster, which);
}

void hdfs_namenode_start(struct hdfs_cluster *cluster, int which)
{
    if (cluster->namenodes[which] != NULL)
        return;
    cluster->namenodes[which] = net_listen(cluster->peer, namenode_address(which));
    start_web(cluster, which);
}

void hdfs_datanode_stop(struct hdfs_cluster *cluster, int which)
{
    if (cluster->datanodes[which] == NULL)
        return;
    net_unlisten(cluster->datanodes[which]);
    cluster->datanodes[which] = NULL;
    connections_reset(&cluster->transfers, which);
    stop_web(cluster, HDFS_NAMENODES + which);
}

void hdfs_datanode_start(struct hdfs_cluster *cluster, int which)
{
    cluster->rots[which] = false;
    cluster->is_silent[which] = false;
    if (cluster->datanodes[which] != NULL)
        return;
    cluster->datanodes[which] = net_listen(cluster->peer, datanode_address(which));
    start_web(cluster, HDFS_NAMENODES + which);
}

/* ---- drawn faults ---- */

static void come_back(struct hdfs_cluster *cluster)
{
    for (int i = 0; i < HDFS_DATANODES; i++)
        if (cluster->back_ns[i] != 0 && (cluster->back_ns[i] <= world->now_ns || !world->server_faults)) {
            hdfs_datanode_start(cluster, i);
            cluster->back_ns[i] = 0;
        }
    for (int i = 0; i < HDFS_NAMENODES; i++) {
        uint64_t *back_ns = &cluster->back_ns[HDFS_DATANODES + i];
        if (*back_ns != 0 && (*back_ns <= world->now_ns || !world->server_faults)) {
            hdfs_namenode_start(cluster, i);
            *back_ns = 0;
        }
    }
    if (cluster->safe_until_ns != 0 && (cluster->safe_until_ns <= world->now_ns || !world->server_faults)) {
        cluster->is_safe = false;
        cluster->safe_until_ns = 0;
    }
}

static void misbehave(struct hdfs_cluster *cluster)
{
    come_back(cluster);
    if (!world->server_faults && cluster->is_drawn)
        cluster->active = 0; /* an agent may know nn1 alone */
    if (cluster->next_fault_ns > world->now_ns)
        return;
    cluster->next_fault_ns = world->now_ns + 1 + world_below(3000 * MS);
    if (!world->server_faults)
        return;
    cluster->is_drawn = true;
    int node = (int)world_below(HDFS_DATANODES);
    switch (world_below(6)) {
    case 0:
    case 1:
        if (__builtin_popcount(hdfs_live_nodes(cluster)) <= 1)
            break;
        hdfs_datanode_stop(cluster, node);
        cluster->back_ns[node] = world->now_ns + 1 + world_below(6000 * MS);
        break;
    case 2:
        cluster->is_silent[node] = true;
        cluster->back_ns[node] = world->now_ns + 1 + world_below(20000 * MS);
        break;
    case 3:
        cluster->fails[node] = 1;
        break;
    case 4:
        cluster->is_safe = true;
        cluster->safe_until_ns = world->now_ns + 1 + world_below(5000 * MS);
        break;
    default: /* the other namenode becomes the active one, or this one is started anew */
        if (world_below(2) == 0) {
            cluster->active = 1 - cluster->active;
        } else {
            hdfs_namenode_stop(cluster, cluster->active);
            cluster->back_ns[HDFS_DATANODES + cluster->active] = world->now_ns + 1 + world_below(4000 * MS);
        }
        break;
    }
}

static void step(struct world_peer *peer)
{
    struct hdfs_cluster *cluster = peer->state;
    misbehave(cluster);
    for (int i = 0; i < HDFS_NAMENODES; i++)
        if (cluster->namenodes[i] != NULL)
            connections_accept(&cluster->calls, cluster->namenodes[i], i);
    for (int i = 0; i < HDFS_DATANODES; i++)
        if (cluster->datanodes[i] != NULL)
            connections_accept(&cluster->transfers, cluster->datanodes[i], i);
    for (int i = 0; i < HDFS_NAMENODES + HDFS_DATANODES; i++)
        if (cluster->webs[i] != NULL)
            connections_accept(&cluster->web, cluster->webs[i], i);
    uint64_t due_ns = earlier(connections_serve(&cluster->calls), connections_serve(&cluster->transfers));
    due_ns = earlier(due_ns, connections_serve(&cluster->web));
    due_ns = earlier(due_ns, hdfs_recoveries(cluster));
    for (unsigned i = 0; i < sizeof cluster->back_ns / sizeof *cluster->back_ns; i++)
        if (cluster->back_ns[i] != 0)
            due_ns = earlier(due_ns, cluster->back_ns[i]);
    if (cluster->safe_until_ns != 0)
        due_ns = earlier(due_ns, cluster->safe_until_ns);
    peer->due_ns = world->server_faults ? earlier(due_ns, cluster->next_fault_ns) : due_ns;
}

struct hdfs_cluster *hdfs_add(void)
{
    char name[16];
    struct hdfs_cluster *cluster = world_allocate(sizeof *cluster);
    cluster->block_bytes = UINT64_C(128) << 20;
    cluster->sum_type = 2;
    cluster->calls =
        (struct connections){.room = HDFS_ROOM_BYTES, .take = hdfs_take_call, .argument = cluster};
    cluster->transfers =
        (struct connections){.room = HDFS_ROOM_BYTES, .take = hdfs_take_transfer, .argument = cluster};
    cluster->web = (struct connections){.room = HDFS_ROOM_BYTES, .take = hdfs_take_web, .argument = cluster};
    cluster->peer = peer_add(step, cluster, 0);
    disk_put(HDFS_ROOT "/.none", "", 0);
    for (int i = 0; i < HDFS_NAMENODES; i++) {
        snprintf(name, sizeof name, "nn%d", i + 1);
        net_name(name, namenode_address(i).host);
        hdfs_namenode_start(cluster, i);
    }
    for (int i = 0; i < HDFS_DATANODES; i++) {
        snprintf(name, sizeof name, "dn%d", i + 1);
        net_name(name, datanode_address(i).host);
        hdfs_datanode_start(cluster, i);
    }
    return cluster;
}
