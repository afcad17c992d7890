/* A model of Kudu: masters, of which one leads, and tablet servers with the tablets of the table t, whose key is the column "id", cut at letters.
 * Rows, and the answers to the writes of a client, live in the world's memory, and so over the agent's lives, and over a server's: Kudu keeps both
 * in its log. Written from Kudu's protocol files. */
#pragma once

#include "tests/world/peers/connections.h"

#define KUDU_SERVERS_MAX 3U
#define KUDU_TABLETS_MAX 3U
#define KUDU_ROWS_MAX 8192U
#define KUDU_WRITES_MAX 8192U
#define KUDU_RULES_MAX 16U
#define KUDU_LINE_BYTES 2048U
#define KUDU_ROOM_BYTES ((size_t)256 << 10)

struct kudu_tablet {
    char start[32], end[32]; /* "": the first, the last */
    unsigned server;
    bool is_gone, is_leaderless;
};

struct kudu_row {
    char id[400], line[KUDU_LINE_BYTES];
    unsigned writes; /* inserts and upserts of this key */
};

/* A write that was carried out. */
struct kudu_write {
    char client[40];
    uint64_t number, content; /* content: a hash of its rows */
    uint8_t answer[2048];
    size_t length;
};

/* What happens to the next requests, or to rows. */
enum kudu_fate {
    KUDU_LOSE,    /* the write is carried out, and not answered; the connection ends */
    KUDU_HANG,    /* not answered */
    KUDU_GARBAGE, /* the answer is none of Kudu's */
    KUDU_CALL,    /* the call is answered with an error of the RPC */
    KUDU_TABLET,  /* the write is answered with an error of the tablet */
    KUDU_ROW      /* each row with this in its id or line has an error */
};

struct kudu_rule {
    enum kudu_fate fate;
    unsigned code;
    char pattern[32];
    uint64_t left;
};

struct kudu_cluster {
    struct world_peer *peer;
    struct net_listener *masters[KUDU_SERVERS_MAX], *servers[KUDU_SERVERS_MAX];
    struct connections connections;
    unsigned server_count, leader; /* so many masters, too */
    bool is_missing;               /* there is no table */
    bool wants_kerberos, is_wide;  /* is_wide: the table is another one, with a column more */
    unsigned row_count, write_count, rule_count, repeats;
    size_t bytes_max; /* of a write; a longer one ends the connection. 0: any */
    unsigned far_end;
    bool is_drawn; /* while world->server_faults holds, masters, servers and tablets fail and move */
    uint64_t next_ns;
    struct kudu_tablet tablets[KUDU_TABLETS_MAX];
    struct kudu_row rows[KUDU_ROWS_MAX];
    struct kudu_write writes[KUDU_WRITES_MAX];
    struct kudu_rule rules[KUDU_RULES_MAX];
};

/* Makes the cluster of a drawn agent. */
void kudu_add_drawn(unsigned far_end);
/* Makes the cluster: so many masters and tablet servers, and tablets that are cut at the letters n and t if there are several. */
struct kudu_cluster *kudu_add(unsigned servers);
void kudu_server_stop(struct kudu_cluster *cluster, unsigned server);
void kudu_server_start(struct kudu_cluster *cluster, unsigned server);
void kudu_master_stop(struct kudu_cluster *cluster, unsigned master);
/* Returns the tablet that has the key, also one that is gone. */
struct kudu_tablet *kudu_tablet_of(struct kudu_cluster *cluster, const char *id);

/* ---- requests.c ---- */

#define KUDU_MASTER_PLACE 10 /* `server` of a connection to the first master */

/* Takes a request, as connections.take. */
bool kudu_take(struct kudu_cluster *cluster, struct connection *connection);
