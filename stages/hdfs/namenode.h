/* The namenode's ClientProtocol (org.apache.hadoop.hdfs.protocol.ClientProtocol, version 1): typed calls of one file system to
 * the namenode of its address, or to whichever namenode of its name service is active.
 *
 * A call is a structure of its user's. It is sent in the next turn of the loop, and `done` is called once, from a turn, at the
 * latest when the call time-out has passed (PS_FILE_TIMEOUT). Until then the structure belongs to the namenode; `done` may use
 * it for another call, or free it. What a request points to is copied when it is begun. Calls that are begun one after another
 * are sent in that order, but may be answered, and after a failure be repeated, in any.
 *
 * A call is repeated, with waits in between, while there is time and
 *   - the namenode cannot be reached, is a standby, is in safe mode, or asks for it (StandbyException, SafeModeException,
 *     RetriableException): it was not carried out, so each call may be
 *   - the connection was lost after it was sent: those calls that are idempotent, or that the namenode recognizes by client and
 *     call id and carries out at most once (its retry cache), which are all of these here
 *   - addBlock: blocks before it are not reported yet (NotReplicatedYetException)
 *   - complete: the last block is not reported yet (it answers false)
 *
 * Messages are those of protobuf-c (stages/hadoop/proto/). Those of an answer are valid during the callback.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/filesystem/filesystem.h"
#include "stages/hadoop/configuration.h"
#include "stages/hadoop/loop.h"
#include "stages/hadoop/proto/client_namenode.pb-c.h"
#include "stages/hadoop_rpc/rpc.h"

#define PS_NAMENODE_PIPELINE_MAX 512U /* datanodes of one block: the largest replication that HDFS allows */

struct ps_namenode;

struct ps_namenode_settings {
    struct ps_hadoop_loop *loop;
    const struct ps_hadoop_configuration *configuration; /* NULL: Hadoop's defaults */
    /* Of hdfs://: "namenode:8020", "namenode" (8020), "nameservice". */
    const char *authority;
    const char *proxy_user;                /* whom the calls are for; NULL: the user */
    const struct ps_hadoop_rpc_auth *auth; /* NULL: simple */
    uint64_t call_timeout_ns;              /* of each call, its repetitions included */
    const char *component;                 /* for the log */
    bool hands_over;                       /* as in struct ps_port */
};

/* Connects to nobody: the first call does. Owns: the caller closes it, before the loop. */
enum ps_status ps_namenode_open(const struct ps_namenode_settings *settings, struct ps_namenode **namenode,
                                struct ps_err *err);
/* Callbacks of calls under way are not called any more. NULL is allowed. */
void ps_namenode_close(struct ps_namenode *namenode);

/* The holder (holder.h) of the leases of all files that this client writes. */
const char *ps_namenode_client(const struct ps_namenode *namenode);

/* While files are held their lease is renewed, for all of them at once, every 30 s (LeaseRenewer.java; the soft limit is 60 s).
 * Held from `create` or `append` on, released when the file is complete or given up. */
void ps_namenode_hold_lease(struct ps_namenode *namenode);
void ps_namenode_release_lease(struct ps_namenode *namenode);

struct ps_namenode_call;
struct ps_namenode_kind;

/* The outcome of a call; valid during the callback. The members below `error`, `reason` and `exception` are those that the call
 * says; NULL after an error, or where the namenode has nothing. */
struct ps_namenode_answer {
    enum ps_file_error error;
    const char *reason; /* of an error: one line, with the namenode's address and message; else "" */
    const char
        *exception;      /* the Java class of an error without its package ("LeaseExpiredException"), or "" */
    const char *message; /* of the same: the namenode's, whole, or "" */
    bool result;
    const PsHadoop__LocatedBlock *block;
    const PsHadoop__HdfsFileStatus *status;
    const PsHadoop__LocatedBlocks *blocks;
    const PsHadoop__FsServerDefaults *defaults;
    const PsHadoop__GetFsStatsResponse *stats;
    const PsHadoop__DirectoryListing *listing;
    const PsHadoop__DataEncryptionKey *encryption_key;
    const PsHadoop__Token *token;
};

typedef void ps_namenode_done(struct ps_namenode_call *call, const struct ps_namenode_answer *answer);

/* Embedded in its user's structure; zeroed at first. */
struct ps_namenode_call {
    struct ps_hadoop_rpc_call rpc;
    struct ps_namenode *namenode;
    const struct ps_namenode_kind *kind; /* of answer */
    unsigned rests;
    ps_namenode_done *done;
    void *argument; /* the user's; kept from call to call */
};

/* Whether the call is under way. */
static inline bool ps_namenode_call_is_busy(const struct ps_namenode_call *call)
{
    return ps_hadoop_rpc_call_is_busy(&call->rpc);
}
/* `done` is not called any more; the namenode may carry the call out or not. Does nothing if it is not under way. */
void ps_namenode_cancel(struct ps_namenode_call *call);

/* answer->defaults */
void ps_namenode_get_server_defaults(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                     ps_namenode_done *done);
/* answer->stats: of the whole file system. */
void ps_namenode_get_fs_stats(struct ps_namenode *namenode, struct ps_namenode_call *call,
                              ps_namenode_done *done);
/* answer->status; PS_FILE_MISSING without an entry. */
void ps_namenode_get_file_info(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                               ps_namenode_done *done);
/* With missing parents. `mode` 0: 0777 less the configuration's umask. */
void ps_namenode_mkdirs(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                        unsigned mode, ps_namenode_done *done);

struct ps_namenode_creation {
    const char *path;
    unsigned mode;        /* 0: 0666 less the configuration's umask (fs.permissions.umask-mode, 022) */
    bool overwrite;       /* else PS_FILE_EXISTS */
    bool create_parent;   /* missing directories, too; else PS_FILE_MISSING */
    unsigned replication; /* 0: dfs.replication of the configuration, else 3, as Hadoop's client has it */
    uint64_t block_size_bytes; /* 0: dfs.blocksize, else 128 MiB */
};

/* answer->status: the new file's, with its id. NULL from a Hadoop before 2.2. */
void ps_namenode_create(struct ps_namenode *namenode, struct ps_namenode_call *call,
                        const struct ps_namenode_creation *creation, ps_namenode_done *done);
/* answer->block: the last block, if it is not full; answer->status. `new_block`: writes go to a new block in any case. */
void ps_namenode_append(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                        bool new_block, ps_namenode_done *done);

struct ps_namenode_datanodes {
    PsHadoop__DatanodeInfo *const *nodes;
    size_t count;
};

/* answer->block: the next block of the file. `previous`: the block before, with its length; NULL: none. `excluded` may be
 * NULL. */
void ps_namenode_add_block(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                           uint64_t file_id, const PsHadoop__ExtendedBlock *previous,
                           const struct ps_namenode_datanodes *excluded, ps_namenode_done *done);
void ps_namenode_abandon_block(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                               uint64_t file_id, const PsHadoop__ExtendedBlock *block,
                               ps_namenode_done *done);
/* answer->block: `wanted` more datanodes behind the existing ones. `storages`: the existing ones', as many as `existing`. */
void ps_namenode_get_additional_datanode(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                         const char *path, uint64_t file_id,
                                         const PsHadoop__ExtendedBlock *block,
                                         const struct ps_namenode_datanodes *existing, char *const *storages,
                                         const struct ps_namenode_datanodes *excluded, unsigned wanted,
                                         ps_namenode_done *done);
/* answer->block: the block with a new generation stamp and token, to recover a pipeline with. */
void ps_namenode_update_block_for_pipeline(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                           const PsHadoop__ExtendedBlock *block, ps_namenode_done *done);
/* `nodes` and `storages`: those of the new pipeline. */
void ps_namenode_update_pipeline(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                 const PsHadoop__ExtendedBlock *old_block,
                                 const PsHadoop__ExtendedBlock *new_block,
                                 const struct ps_namenode_datanodes *nodes, char *const *storages,
                                 ps_namenode_done *done);
/* Makes the length of the last block known, as hsync with UPDATE_LENGTH does, and the first hflush of a block. */
void ps_namenode_fsync(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                       uint64_t file_id, int64_t last_block_length, ps_namenode_done *done);
/* `last`: the last block, with its length; NULL: none. Repeated until it is complete, with waits of 5, 10, .. 400 ms. */
void ps_namenode_complete(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                          uint64_t file_id, const PsHadoop__ExtendedBlock *last, ps_namenode_done *done);

/* rename2: PS_FILE_MISSING, PS_FILE_EXISTS (without `overwrite`). */
void ps_namenode_rename(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *from,
                        const char *to, bool overwrite, ps_namenode_done *done);
/* answer->result: whether there was anything. */
void ps_namenode_delete(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                        bool recursive, ps_namenode_done *done);
/* answer->listing: entries behind the name `after` ("": from the first), and how many remain; PS_FILE_MISSING. */
void ps_namenode_get_listing(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                             const char *after, ps_namenode_done *done);
/* answer->blocks; PS_FILE_MISSING. */
void ps_namenode_get_block_locations(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                     const char *path, uint64_t offset, uint64_t length,
                                     ps_namenode_done *done);
void ps_namenode_renew_lease(struct ps_namenode *namenode, struct ps_namenode_call *call,
                             ps_namenode_done *done);
/* answer->result: whether the file is closed; if not its recovery was begun. */
void ps_namenode_recover_lease(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                               ps_namenode_done *done);
/* answer->result */
void ps_namenode_is_file_closed(struct ps_namenode *namenode, struct ps_namenode_call *call, const char *path,
                                ps_namenode_done *done);
void ps_namenode_msync(struct ps_namenode *namenode, struct ps_namenode_call *call, ps_namenode_done *done);
/* answer->encryption_key: NULL if data transfer is not encrypted (dfs.encrypt.data.transfer of the server). */
void ps_namenode_get_data_encryption_key(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                         ps_namenode_done *done);
/* answer->token */
void ps_namenode_get_delegation_token(struct ps_namenode *namenode, struct ps_namenode_call *call,
                                      const char *renewer, ps_namenode_done *done);
