/* The namenode's ClientProtocol (org.apache.hadoop.hdfs.protocol.ClientProtocol, version 1): typed calls of one file system, to
 * the namenode of its address or to the active namenode of its name service.
 *
 * A call is a structure of the caller. It is sent in the next turn of the loop. `done` is called once, from a turn, at the
 * latest after the call time-out (PS_FILE_TIMEOUT). Until then the structure belongs to the namenode; `done` may reuse it for
 * another call, or free it. The arguments of a request are copied when it is begun. Calls are sent in the order in which they
 * are begun, but may be answered, and repeated after a failure, in any order.
 *
 * A call is repeated after a wait while there is time, in these cases:
 *   - The namenode cannot be reached, is a standby, is in safe mode, or asks for it (StandbyException,
 *     SafeModeException, RetriableException): the call was not carried out.
 *   - The connection was lost after the call was sent. All calls here may be repeated then: they are idempotent,
 *     or the namenode recognizes them by client and call id and carries them out once (its retry cache).
 *   - addBlock: previous blocks are not reported yet (NotReplicatedYetException).
 *   - complete: the last block is not reported yet (the namenode answers false).
 *
 * Messages are those of protobuf-c (stages/lib/hadoop/proto/). The messages of an answer are valid during the callback.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/lib/filesystem/filesystem.h"
#include "stages/lib/hadoop/configuration.h"
#include "stages/lib/hadoop/loop.h"
#include "stages/lib/hadoop/proto/client_namenode.pb-c.h"
#include "stages/lib/hadoop/rpc/rpc.h"

#define PS_NAMENODE_PIPELINE_MAX 512U /* datanodes of one block: the largest replication that HDFS allows */

struct ps_namenode;

struct ps_namenode_settings {
    struct ps_hadoop_loop *loop;
    const struct ps_hadoop_configuration *configuration; /* NULL: Hadoop's defaults */
    /* Authority of hdfs://: "namenode:8020", "namenode" (8020), "nameservice". */
    const char *authority;
    /* User on whose behalf the calls are made; NULL: the client's own user. */
    const char *proxy_user;
    const struct ps_hadoop_rpc_auth *auth; /* NULL: simple authentication */
    uint64_t call_timeout_ns;              /* of each call, including its repetitions */
    const char *component;                 /* for the log */
    const struct ps_port *port;            /* as in struct ps_hadoop_rpc_settings */
};

/* Opens a namenode without connecting to it; the first call connects. The caller owns it and closes it before the loop. */
enum ps_status ps_namenode_open(const struct ps_namenode_settings *settings, struct ps_namenode **namenode,
                                struct ps_err *err);
/* Closes the client without calling the callbacks of calls in flight. NULL is allowed. */
void ps_namenode_close(struct ps_namenode *namenode);

/* Returns the holder (lease_holder.h) of the leases of all files that this client writes. */
const char *ps_namenode_client(const struct ps_namenode *namenode);

/* Counts files whose lease is renewed. All leases of the client are renewed together every 30 s (LeaseRenewer.java; the soft
 * limit is 60 s). A file is held from `create` on, and released when it is complete or given up. */
void ps_namenode_hold_lease(struct ps_namenode *namenode);
void ps_namenode_release_lease(struct ps_namenode *namenode);

struct ps_namenode_call;
struct ps_namenode_kind;

/* The answer to a call, valid during the callback. Each call documents which of the members after `message` it
 * sets. These members are NULL after an error, or if the namenode has no value. */
struct ps_namenode_answer {
    enum ps_file_error error;
    const char *reason; /* one line with the namenode's address and message; "" without an error */
    const char
        *exception; /* the Java class of the error without its package ("LeaseExpiredException"), or "" */
    const char *message; /* the namenode's complete message, or "" */
    bool result;
    const PsHadoop__LocatedBlock *block;
    const PsHadoop__HdfsFileStatus *status;
    const PsHadoop__LocatedBlocks *blocks;
    const PsHadoop__FsServerDefaults *defaults;
    const PsHadoop__GetFsStatsResponse *stats;
    const PsHadoop__DirectoryListing *listing;
    const PsHadoop__DataEncryptionKey *encryption_key;
};

typedef void ps_namenode_done(struct ps_namenode_call *call, const struct ps_namenode_answer *answer);

/* Embedded in the caller's structure, which is zeroed at first. */
struct ps_namenode_call {
    struct ps_hadoop_rpc_call rpc;
    struct ps_namenode *namenode;
    const struct ps_namenode_kind *kind; /* of the answer */
    unsigned rests;
    ps_namenode_done *done;
    void *argument; /* belongs to the caller; kept from call to call */
};

/* Returns whether the call is in flight. */
static inline bool ps_namenode_call_is_busy(const struct ps_namenode_call *call)
{
    return ps_hadoop_rpc_call_is_busy(&call->rpc);
}
/* Ends the call without calling `done`; the namenode may still carry it out. Does nothing if the call is not in flight. */
void ps_namenode_cancel(struct ps_namenode_call *call);

/* Sets answer->defaults. */
void ps_namenode_get_server_defaults(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                     ps_namenode_done *done);
/* Sets answer->stats, of the whole file system. */
void ps_namenode_get_fs_stats(struct ps_namenode *namenode, struct ps_namenode_call *call,
                              ps_namenode_done *done);
/* Sets answer->status. Fails with PS_FILE_MISSING if the path does not exist. */
void ps_namenode_get_file_info(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                               ps_namenode_done *done);

struct ps_namenode_creation {
    const char *path;
    bool create_parent;        /* creates missing directories; false: PS_FILE_MISSING */
    unsigned replication;      /* 0: dfs.replication of the configuration, or 3, as in Hadoop's client */
    uint64_t block_size_bytes; /* 0: dfs.blocksize, or 128 MiB */
};

/* Fails with PS_FILE_EXISTS if the file exists. Its mode is 0666 without the bits of fs.permissions.umask-mode. Sets
 * answer->status to the status of the new file, which has its id; NULL with Hadoop before 2.2. */
void ps_namenode_create(struct ps_namenode *namenode, struct ps_namenode_call *call,
                        const struct ps_namenode_creation *creation, ps_namenode_done *done);

struct ps_hdfs_nodes {
    PsHadoop__DatanodeInfo **nodes;
    size_t count;
};

/* Sets answer->block, the next block of the file. `previous`: the block before it, with its length; NULL: none. */
void ps_namenode_add_block(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                           uint64_t file_id, const PsHadoop__ExtendedBlock *previous,
                           const struct ps_hdfs_nodes *excluded, ps_namenode_done *done);
void ps_namenode_abandon_block(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                               uint64_t file_id, const PsHadoop__ExtendedBlock *block,
                               ps_namenode_done *done);
/* Sets answer->block: the existing datanodes and one more. `storages`: those of the existing datanodes, in the same order. */
void ps_namenode_get_additional_datanode(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                         const char *path, uint64_t file_id,
                                         const PsHadoop__ExtendedBlock *block,
                                         const struct ps_hdfs_nodes *existing, char *const *storages,
                                         const struct ps_hdfs_nodes *excluded, ps_namenode_done *done);
/* Sets answer->block: the block with a new generation stamp and token, for the recovery of a pipeline. */
void ps_namenode_update_block_for_pipeline(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                           const PsHadoop__ExtendedBlock *block, ps_namenode_done *done);
/* `nodes` and `storages` are those of the new pipeline. */
void ps_namenode_update_pipeline(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                 const PsHadoop__ExtendedBlock *old_block,
                                 const PsHadoop__ExtendedBlock *new_block, const struct ps_hdfs_nodes *nodes,
                                 char *const *storages, ps_namenode_done *done);
/* Reports the length of the last block to the namenode. Used for hsync with UPDATE_LENGTH, and for the first hflush of a block. */
void ps_namenode_fsync(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                       uint64_t file_id, int64_t last_block_length, ps_namenode_done *done);
/* Completes the file. `last`: the last block with its length; NULL: none. Repeated until the file is complete, with waits of 5, 10, .. 400 ms. */
void ps_namenode_complete(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                          uint64_t file_id, const PsHadoop__ExtendedBlock *last, ps_namenode_done *done);

/* Calls rename2. Fails with PS_FILE_MISSING if `from` or the directory of `to` does not exist, and with PS_FILE_EXISTS if `to`
 * exists. */
void ps_namenode_rename(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *from,
                        const char *to, ps_namenode_done *done);
/* Deletes a file or an empty directory. Sets answer->result: whether the path existed. */
void ps_namenode_delete(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                        ps_namenode_done *done);
/* Sets answer->listing: entries after the name `after` ("": from the first), and the number of remaining ones.
 * Fails with PS_FILE_MISSING if the path does not exist. */
void ps_namenode_get_listing(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                             const char *after, ps_namenode_done *done);
/* Sets answer->blocks, those of the first `length` bytes. Fails with PS_FILE_MISSING if the path does not exist. */
void ps_namenode_get_block_locations(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                     const char *path, uint64_t length, ps_namenode_done *done);
void ps_namenode_renew_lease(struct ps_namenode *namenode, struct ps_namenode_call *call,
                             ps_namenode_done *done);
/* Sets answer->result: whether the file is closed. If not, its recovery was begun. */
void ps_namenode_recover_lease(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                               ps_namenode_done *done);
/* Sets answer->result. */
void ps_namenode_is_file_closed(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                                ps_namenode_done *done);
/* Sets answer->encryption_key; NULL if data transfer is not encrypted (the server's dfs.encrypt.data.transfer). */
void ps_namenode_get_data_encryption_key(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                         ps_namenode_done *done);
