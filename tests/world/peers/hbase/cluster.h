/* A model of HBase: a server of ZooKeeper, which knows one node, and region servers with the regions of the table t. Rows, counters and nonces
 * live in the world's memory, and so over the agent's lives; a server forgets its nonces when it ends. Written from HBase's protocol files. */
#pragma once

#include "tests/world/peers/connections.h"

#define HBASE_SERVERS_MAX 3U
#define HBASE_REGIONS_MAX 8U
#define HBASE_CELLS_MAX 8192U
#define HBASE_NONCES_MAX 8192U
#define HBASE_RULES_MAX 16U
#define HBASE_VALUE_BYTES 2048U
#define HBASE_ROOM_BYTES ((size_t)256 << 10)

struct hbase_region {
    char start[32], end[32]; /* "": the first, the last */
    unsigned server, number; /* `number`: the region's id, which grows with each split and move */
};

struct hbase_cell {
    char row[128], column[64], value[HBASE_VALUE_BYTES];
    size_t value_length;
    unsigned versions; /* puts of this cell */
};

/* What happens to the next requests, or to rows. */
enum hbase_fate {
    HBASE_LOSE,   /* the request is carried out, and not answered; the connection ends */
    HBASE_HANG,   /* not answered */
    HBASE_CALL,   /* the call is answered with an exception */
    HBASE_REGION, /* each list of a region is */
    HBASE_ROW,    /* each mutation with this in its row or value is */
    HBASE_GARBAGE /* the answer is none of HBase's */
};

struct hbase_rule {
    enum hbase_fate fate;
    char exception[64]; /* class without its package */
    char pattern[32];
    uint64_t left;
};

struct hbase_cluster {
    struct world_peer *peer;
    struct net_listener *zookeeper, *servers[HBASE_SERVERS_MAX];
    struct connections connections;
    unsigned server_count, meta; /* meta: the server that has hbase:meta */
    unsigned region_count, numbers, cell_count, nonce_count, rule_count;
    struct hbase_region regions[HBASE_REGIONS_MAX];
    struct hbase_cell cells[HBASE_CELLS_MAX];
    struct {
        uint64_t nonce;
        unsigned server;
    } nonces[HBASE_NONCES_MAX];
    struct hbase_rule rules[HBASE_RULES_MAX];
    bool read_only;  /* its regions */
    uint64_t multis; /* that were carried out */
    unsigned far_end;
    bool is_drawn; /* while world->server_faults holds, servers and regions fail and move */
    uint64_t next_ns;
};

/* Makes the cluster of a drawn agent, whose regions are cut at x4, x8 and xc. */
void hbase_add_drawn(unsigned far_end);
/* Makes the cluster with so many servers, whose regions are cut at the letters n and t if there are several. */
struct hbase_cluster *hbase_add(unsigned servers);
void hbase_server_stop(struct hbase_cluster *cluster, unsigned server);
void hbase_server_start(struct hbase_cluster *cluster, unsigned server);
/* Moves the region that has the row to a server; splits it at the row. */
void hbase_move(struct hbase_cluster *cluster, const char *row, unsigned server);
void hbase_split(struct hbase_cluster *cluster, const char *row);

/* ---- requests.c ---- */

/* Takes a request of ZooKeeper, or of a region server, from `in`, as connections.take. */
bool hbase_take_zookeeper(struct hbase_cluster *cluster, struct connection *connection);
bool hbase_take(struct hbase_cluster *cluster, struct connection *connection);
