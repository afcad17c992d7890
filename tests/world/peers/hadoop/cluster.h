/* HDFS: two namenodes, of which one is active, and datanodes. Written from Hadoop's RPC version 9, ClientProtocol 1 and DataTransferProtocol
 * 28. The namespace is the directory /hdfs of the world's disk, so that a scenario looks at files there; a file has the bytes that readers see:
 * those that all datanodes of its pipeline have acknowledged.
 *
 * A connection for a block is one to its first datanode; the others get their bytes without a network, and fail as if there were one. */
#pragma once

#include "tests/world/disk.h"
#include "tests/world/peers/connections.h"
#include "tests/world/peers/hadoop/wire.h"

#define HDFS_ROOT "/hdfs"
#define HDFS_NAMENODES 2 /* nn1, nn2, port 8020 */
#define HDFS_DATANODES 4 /* dn1, .., port 9866 */
#define HDFS_NAMENODE_PORT 8020
#define HDFS_DATANODE_PORT 9866
#define HDFS_NAMENODE_HTTP_PORT 9870
#define HDFS_DATANODE_HTTP_PORT 9864
#define HDFS_REPLICATION 3U
#define HDFS_ROOM_BYTES ((size_t)320 << 10) /* a packet of the agent has 288 KiB, of a call much less */
#define HDFS_BLOCKS_MAX 256U                /* of a file */
#define HDFS_NAME_BYTES 512U
#define HDFS_RULES_MAX 16U

/* A block's copy of a datanode. */
struct hdfs_replica {
    bool is_there, is_final;
    uint64_t generation;
    struct disk_bytes bytes;
};

struct hdfs_block {
    uint64_t id, generation, next_generation;
    uint64_t acknowledged; /* bytes, by all of its pipeline */
    uint64_t offset;       /* in the file */
    bool is_whole;         /* the client has said its length */
    unsigned nodes;        /* of its pipeline, a bit each */
    struct hdfs_replica replicas[HDFS_DATANODES];
};

/* A file that is or was written; its name and bytes are the disk's. */
struct hdfs_file {
    struct hdfs_file *next;
    struct disk_inode *inode;
    bool is_open;
    char holder[128];      /* of its lease */
    uint64_t recovered_ns; /* when the recovery of its lease ends; 0: there is none */
    uint64_t block_bytes;
    unsigned replication;
    unsigned count;
    struct hdfs_block *blocks[HDFS_BLOCKS_MAX];
};

struct hdfs_lease {
    struct hdfs_lease *next;
    char holder[128];
    uint64_t renewed_ns;
};

/* What a scenario, or a fault, has a server do with the next calls of a method ("" any): an exception, or silence. */
struct hdfs_rule {
    char method[40], path[128]; /* path: only calls whose path has it */
    char exception[96], message[256];
    uint64_t left; /* calls */
};

/* A call that was carried out and may be repeated (the retry cache). */
struct hdfs_carried {
    unsigned char client[16];
    int64_t call;
    size_t length;
    unsigned char answer[512];
};

#define HDFS_CARRIED 64U

/* How a datanode serves a connection. */
struct hdfs_transfer {
    bool writes;
    struct hdfs_file *file;
    struct hdfs_block *block;
    unsigned count;
    int nodes[HDFS_DATANODES]; /* the pipeline, in its order */
    uint64_t generation;
};

struct hdfs_cluster {
    struct world_peer *peer;
    struct net_listener *namenodes[HDFS_NAMENODES], *datanodes[HDFS_DATANODES];
    struct net_listener *webs[HDFS_NAMENODES + HDFS_DATANODES]; /* the namenodes first */
    struct connections calls, transfers, web;
    struct hdfs_transfer transfer[CONNECTIONS_MAX]; /* of the connection at the same place */
    int active;                                     /* the namenode; -1: both are standby */
    bool is_safe;                                   /* safe mode */
    bool is_silent[HDFS_DATANODES];                 /* the datanode takes bytes and says nothing */
    bool rots[HDFS_DATANODES];                      /* a reader gets other bytes than were written */
    unsigned sum_type;                              /* of what is read: 0 none, 1 CRC32, 2 CRC32C */
    unsigned fails[HDFS_DATANODES]; /* so many of its next packets get `status` in an acknowledgement */
    unsigned status;
    uint64_t room_bytes, used_bytes; /* of the quota; 0: none */
    uint64_t next_block, next_generation;
    uint64_t block_bytes; /* of the server's defaults */
    struct hdfs_file *files;
    bool recovers; /* one of them may have a recovery that has not ended */
    struct hdfs_lease *leases;
    struct hdfs_rule rules[HDFS_RULES_MAX];
    unsigned rule_count;
    struct hdfs_carried carried[HDFS_CARRIED];
    unsigned carried_at;
    bool is_drawn; /* faults were, and not a scenario's */
    uint64_t next_fault_ns, back_ns[HDFS_DATANODES + HDFS_NAMENODES], safe_until_ns;
};

/* Makes the cluster; all of it runs. */
struct hdfs_cluster *hdfs_add(void);
void hdfs_namenode_stop(struct hdfs_cluster *cluster, int which);
void hdfs_namenode_start(struct hdfs_cluster *cluster, int which);
void hdfs_datanode_stop(struct hdfs_cluster *cluster, int which);
void hdfs_datanode_start(struct hdfs_cluster *cluster, int which);

/* ---- files.c ---- */

/* An exception; class NULL: there is none. */
struct hdfs_error {
    const char *class;
    char message[512];
};

#define HDFS_IO_EXCEPTION "java.io.IOException"

/* Returns false, and the exception. */
bool hdfs_refuse(struct hdfs_error *error, const char *class, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The path of the world's disk. */
void hdfs_disk_path(const char *path, char to[HDFS_NAME_BYTES]);
struct disk_inode *hdfs_inode(const char *path);
/* Returns the file of a path, also if it is open; NULL: there is none. */
struct hdfs_file *hdfs_file_at(struct hdfs_cluster *cluster, const char *path);
/* .. that this client writes. */
struct hdfs_file *hdfs_written(struct hdfs_cluster *cluster, const char *path, uint64_t file_id,
                               const char *holder, struct hdfs_error *error);
uint64_t hdfs_file_id(const struct disk_inode *inode);
bool hdfs_create(struct hdfs_cluster *cluster, const char *path, const char *holder, bool makes_parents,
                 unsigned replication, uint64_t block_bytes, struct hdfs_error *error);
/* Returns NULL and an exception when no datanodes are left. `excluded`: a bit each. */
struct hdfs_block *hdfs_add_block(struct hdfs_cluster *cluster, struct hdfs_file *file, unsigned excluded,
                                  struct hdfs_error *error);
/* Finds a block by its id. */
struct hdfs_block *hdfs_block_of(struct hdfs_cluster *cluster, uint64_t id, struct hdfs_file **file);
/* The client says the length of a block. Returns false while too few datanodes have it. */
bool hdfs_end_block(struct hdfs_cluster *cluster, struct hdfs_block *block, uint64_t bytes);
/* Shows readers what is acknowledged. */
void hdfs_show(struct hdfs_file *file, struct hdfs_block *block);
void hdfs_close_file(struct hdfs_cluster *cluster, struct hdfs_file *file);
bool hdfs_rename(struct hdfs_cluster *cluster, const char *from, const char *to, struct hdfs_error *error);
bool hdfs_remove(struct hdfs_cluster *cluster, const char *path, bool *existed, struct hdfs_error *error);
void hdfs_renew(struct hdfs_cluster *cluster, const char *holder);
bool hdfs_lease_is_old(struct hdfs_cluster *cluster, const char *holder);
/* Begins to take the lease of an open file away. Returns whether it is closed. */
bool hdfs_recover_lease(struct hdfs_cluster *cluster, struct hdfs_file *file);
/* Ends recoveries whose time has come. Returns when the next one is due. */
uint64_t hdfs_recoveries(struct hdfs_cluster *cluster);
struct hdfs_file *hdfs_adopt(struct hdfs_cluster *cluster, struct disk_inode *inode);
unsigned hdfs_live_nodes(const struct hdfs_cluster *cluster); /* a bit each */

/* ---- namenode.c ---- */

/* Carries out a call and writes the message of its answer. Returns false, and an exception. */
bool hdfs_call(struct hdfs_cluster *cluster, const char *method, struct proto_in in, struct proto_out *out,
               struct hdfs_error *error);

/* Returns the rule that a call falls under, and counts it; NULL: none. */
struct hdfs_rule *hdfs_rule_of(struct hdfs_cluster *cluster, const char *method, const char *path);

/* ---- rpc.c, datanode.c, webhdfs.c: functions of `struct connections` ---- */

bool hdfs_take_call(void *argument, struct connection *connection);
bool hdfs_take_transfer(void *argument, struct connection *connection);
bool hdfs_take_web(void *argument, struct connection *connection);
