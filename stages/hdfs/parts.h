/* What the files of HDFS's client share: the file system (hdfs.c), its output streams (stream.c), the recovery of their pipelines
 * (recovery.c) and the reading of small files (reader.c). Included by nothing else but their tests.
 *
 * Nothing calls a sink's callback but ps_hdfs_stream_advance and the operations of hdfs.c, and these are called with nothing of
 * the stream on the stack above them: a callback may abandon any stream. Everything else only notes what happened
 * (ps_hdfs_stream_attend).
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/filesystem/filesystem.h"
#include "stages/hadoop_transfer/pipeline.h"
#include "stages/hdfs/namenode.h"
#include "stages/hdfs/security.h"

struct ps_hdfs_stream;
struct ps_hdfs_reader;
struct ps_hdfs_inquiry;

/* dfs.client.block.write.replace-datanode-on-failure.* (ReplaceDatanodeOnFailure.java) */
enum ps_replace_policy { PS_REPLACE_NEVER, PS_REPLACE_DEFAULT, PS_REPLACE_ALWAYS };

struct ps_replace_rules {
    enum ps_replace_policy policy;
    bool best_effort;         /* goes on without a replacement if there is none */
    unsigned replication_min; /* goes on if no other datanode is there and these are left; 0: does not */
};

struct ps_hdfs_limits {
    struct ps_replace_rules replace;
    unsigned block_retries; /* dfs.client.block.write.retries: new blocks that are tried */
    unsigned
        recoveries_max;  /* dfs.client.pipeline.recovery.max-retries: in a row, without an acknowledgement */
    uint64_t restart_ns; /* dfs.client.datanode-restart.timeout */
    uint32_t packet_bytes; /* dfs.client-write-packet-size */
    uint64_t exclude_ns;   /* dfs.client.write.exclude.nodes.cache.expiry.interval.millis */
};

/* A call to the namenode of an operation of the file system, with what its callback needs. */
struct ps_hdfs_call;

struct ps_hdfs {
    struct ps_filesystem filesystem;
    struct ps_hadoop_loop *loop;
    struct ps_namenode *namenode;
    const struct ps_hadoop_configuration *configuration;
    const char *component;
    uint64_t call_timeout_ns;
    struct ps_hdfs_limits limits;
    struct ps_datanode_settings datanodes;
    struct ps_packet_pool pool;
    /* The server's defaults: asked for once, before the first file is created. */
    enum { PS_DEFAULTS_NONE, PS_DEFAULTS_ASKED, PS_DEFAULTS_KNOWN } defaults;
    struct ps_namenode_call defaults_call;
    struct ps_hadoop_security *security;
    struct ps_namenode_call key_call;   /* of a data encryption key, when the one that is here ends */
    struct ps_namenode_call space_call; /* of the one measure that is under way */
    ps_file_done *space_done;
    void *space_argument;
    unsigned replication;
    uint64_t block_size_bytes;
    struct ps_hdfs_stream *streams;
    struct ps_hdfs_stream *attended; /* streams with something to do in this turn */
    struct ps_hdfs_stream *current;  /* whose callbacks are called; NULL: it was abandoned in one */
    struct ps_hdfs_call *calls;
    struct ps_hdfs_reader *readers;
    bool refuses_blocks;               /* the namenode has no datanode for a new block; it was logged */
    struct ps_hdfs_inquiry *inquiries; /* of datanodes that were suspected */
};

/* ---- streams ---- */

enum ps_operation_kind { PS_OPERATION_CREATE, PS_OPERATION_FLUSH, PS_OPERATION_CLOSE };

/* What a sink waits for, in order. */
struct ps_hdfs_operation {
    struct ps_hdfs_operation *next;
    enum ps_operation_kind kind;
    ps_file_done *done;
    void *argument;
    uint64_t deadline_ns; /* 0: no turn has seen it yet */
    int64_t number;       /* of the packet that must be acknowledged */
};

enum ps_stream_phase {
    PS_STREAM_OPENING,    /* create or append is under way */
    PS_STREAM_RESTING,    /* no pipeline, and none is needed */
    PS_STREAM_ALLOCATING, /* addBlock, or abandonBlock before it */
    PS_STREAM_SETTING_UP, /* of a new block */
    PS_STREAM_STREAMING,
    PS_STREAM_RECOVERING, /* of a block that has bytes: recovery.c */
    PS_STREAM_COMPLETING,
    PS_STREAM_FAILED,
};

struct ps_hdfs_nodes { /* copies of datanodes */
    PsHadoop__DatanodeInfo **nodes;
    size_t count;
};

/* The recovery that is under way. */
struct ps_hdfs_recovery {
    enum ps_block_stage stage; /* STREAMING, CLOSE or SETUP_APPEND */
    int bad, restarting;       /* indexes of datanodes; -1: none */
    bool wait_for_restart, failed_once;
    uint64_t restart_until_ns;
    unsigned replacements_tried;
    struct ps_hdfs_nodes added;       /* the pipeline with a replacement: its last entry */
    struct ps_datanode_link transfer; /* copies the block to a replacement */
    struct ps_hadoop_timer timer;
    struct ps_hdfs_nodes not_again; /* replacements that could not be filled */
    uint64_t generation_new;
    char reason[PS_DATANODE_REASON_BYTES];
    struct ps_hdfs_stream *stream;
    PsHadoop__LocatedBlock *candidate; /* the pipeline with the replacement, as the namenode proposes it */
};

struct ps_hdfs_stream {
    struct ps_file_stream stream;
    struct ps_hdfs *hdfs;
    struct ps_hdfs_stream *previous, *next; /* of hdfs->streams */
    struct ps_hdfs_stream *attended_next;
    bool attended;
    enum ps_stream_phase phase;
    char *path;
    struct ps_file_creation creation;
    uint64_t file_id, block_size_bytes;
    unsigned replication;
    bool lazy_persist;
    struct ps_hdfs_operation *first, *last; /* operations */
    struct ps_hadoop_timer timer;           /* the first one's deadline */
    struct ps_namenode_call call;           /* of what is under way in this phase */
    struct ps_namenode_call *look;          /* whether the file is still there; NULL: none is under way */
    uint64_t looked_ns, look_bytes;         /* when it ended last; what was acknowledged when it began */
    uint64_t there_bytes;                   /* acknowledged when the file was certainly there */
    struct ps_namenode_call *fsync;         /* of the first flush of a block; NULL: none is under way */
    /* Packets. */
    struct ps_packet_queue queue;
    struct ps_packet *packet; /* that is being filled */
    char *tail;               /* the bytes of a chunk that is not full and was flushed */
    uint32_t tail_length;
    int64_t number_next, number_acknowledged;
    uint64_t block_bytes; /* where in its block the next byte goes */
    bool leased, append, sync, hflushed;
    bool must_persist; /* the namenode does not know the current block for good yet */
    /* The block that is written, or, after an append, will be. */
    bool has_block;
    uint64_t block_acknowledged;     /* its bytes that all datanodes have */
    PsHadoop__LocatedBlock *located; /* its datanodes; NULL while it is packed */
    uint8_t *packed;
    size_t packed_length;
    /* The block before it, with its length; pool_id NULL: there is none. */
    PsHadoop__ExtendedBlock prior;
    struct ps_pipeline pipeline;
    struct ps_hdfs_nodes excluded, failed; /* for addBlock; for replacements */
    unsigned block_tries, recoveries;
    uint64_t suspects_ns; /* since then it asks its datanodes whether they are there; 0: it does not */
    struct ps_hadoop_timer again; /* asks for a block again, when the namenode had no datanode for it .. */
    uint64_t again_until_ns;      /* .. until then, whoever is excluded elsewhere; 0: it was not so */
    struct ps_hdfs_recovery *recovery; /* NULL: none is under way */
    enum ps_file_error error;          /* FAILED */
    char *reason;
};

struct ps_file_stream *ps_hdfs_stream_create(struct ps_filesystem *filesystem, const char *path,
                                             const struct ps_file_creation *creation, ps_file_done *done,
                                             void *argument);
bool ps_hdfs_stream_write(struct ps_file_stream *stream, const void *bytes, size_t length);
char *ps_hdfs_stream_reserve(struct ps_file_stream *stream, size_t *room);
void ps_hdfs_stream_commit(struct ps_file_stream *stream, size_t length);
void ps_hdfs_stream_flush(struct ps_file_stream *stream, enum ps_file_flush how, ps_file_done *done,
                          void *argument);
void ps_hdfs_stream_close(struct ps_file_stream *stream, ps_file_done *done, void *argument);
void ps_hdfs_stream_abandon(struct ps_file_stream *stream);
unsigned ps_hdfs_stream_replicas(const struct ps_file_stream *stream);

void ps_hdfs_stream_allocate_again(struct ps_hadoop_timer *timer);
void ps_hdfs_stream_destroy(struct ps_hdfs_stream *stream);
extern const struct ps_pipeline_ops ps_hdfs_pipeline_ops;

/* The server's defaults are known, or not to be had (`answer`). */
void ps_hdfs_stream_open(struct ps_hdfs_stream *stream, const struct ps_namenode_answer *answer);
/* It has something to do: ps_hdfs_stream_advance is called in this turn, or the next. */
void ps_hdfs_stream_attend(struct ps_hdfs_stream *stream);
/* Does what can be done, and calls callbacks; the stream may be gone afterwards. */
void ps_hdfs_stream_advance(struct ps_hdfs_stream *stream);
/* It can do nothing more; its operations fail with this. The first reason counts. */
void ps_hdfs_stream_fail(struct ps_hdfs_stream *stream, enum ps_file_error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The pipeline is set up, again: goes on. */
void ps_hdfs_stream_go_on(struct ps_hdfs_stream *stream);
/* The current block is whole: all its bytes and its last packet are acknowledged. */
void ps_hdfs_stream_end_block(struct ps_hdfs_stream *stream);
/* The located block, unpacked; NULL: no memory, and the stream has failed. */
PsHadoop__LocatedBlock *ps_hdfs_stream_located(struct ps_hdfs_stream *stream);
void ps_hdfs_stream_set_located(struct ps_hdfs_stream *stream, const PsHadoop__LocatedBlock *located);
/* Returns whether the datanodes of a block in the namenode's answer can make a pipeline; else the stream has failed. NULL: no block. */
bool ps_hdfs_stream_can_use(struct ps_hdfs_stream *stream, const PsHadoop__LocatedBlock *block);
/* Keeps it packed, which needs a third of the memory. */
void ps_hdfs_stream_pack(struct ps_hdfs_stream *stream);

/* ---- recovery.c ---- */

/* The pipeline was lost, or (`failure` NULL) an append needs one. Ends in ps_hdfs_stream_go_on, _end_block or _fail. */
void ps_hdfs_recover(struct ps_hdfs_stream *stream, const struct ps_pipeline_failure *failure);
/* The pipeline that it set up is ready, or has failed. */
void ps_hdfs_recovery_ready(struct ps_hdfs_stream *stream);
void ps_hdfs_recovery_failed(struct ps_hdfs_stream *stream, const struct ps_pipeline_failure *failure);
/* The block is copied to a replacement, and one of the two datanodes is silent. */
void ps_hdfs_recovery_silent(struct ps_hdfs_stream *stream, const char *reason);
/* NULL is allowed. */
void ps_hdfs_recovery_free(struct ps_hdfs_stream *stream);
/* Whether a pipeline of so many datanodes needs another one (ReplaceDatanodeOnFailure.satisfy). */
bool ps_replace_is_wanted(const struct ps_replace_rules *rules, unsigned replication, size_t nodes,
                          bool append, bool hflushed);

/* Adds a copy; without memory it is left out. */
void ps_hdfs_nodes_add(struct ps_hdfs_nodes *nodes, const PsHadoop__DatanodeInfo *node);
void ps_hdfs_nodes_clear(struct ps_hdfs_nodes *nodes);
/* NULL: no memory. Caller frees. */
PsHadoop__LocatedBlock *ps_hdfs_copy_located(const PsHadoop__LocatedBlock *located);

/* ---- presence.c ---- */

/* Looks whether the file is still there, once in a while: called after a flush. The stream fails if it is not. */
void ps_hdfs_stream_look(struct ps_hdfs_stream *stream);
/* The namenode has just said so. */
void ps_hdfs_stream_is_there(struct ps_hdfs_stream *stream);

/* ---- silence.c: which datanodes are silent ---- */

/* Nothing is heard from the datanodes of the stream: each of them is asked whether it is there. When all have answered, or had their
 * time: if some are silent and others are not, the pipeline is given up because of them. Does nothing while it asks already. */
void ps_hdfs_suspect(struct ps_hdfs_stream *stream);
/* Whether it did not answer when it was asked, and is left out of new blocks since. */
bool ps_hdfs_node_is_silent(const struct ps_hdfs *hdfs, const PsHadoop__DatanodeId *id);
/* Adds the datanodes that are left out. */
void ps_hdfs_add_silent_nodes(const struct ps_hdfs *hdfs, struct ps_hdfs_nodes *nodes);
/* For the message of a time-out: "; datanode 10.0.0.7:9866 does not answer", or which ones it waits for, or what the namenode said last
 * of the call that is under way, or "". */
void ps_hdfs_describe_wait(struct ps_hdfs_stream *stream, char *out, size_t room);
void ps_hdfs_free_inquiries(struct ps_hdfs *hdfs);

/* ---- reader.c ---- */

void ps_hdfs_read(struct ps_filesystem *filesystem, const char *path, size_t length_max, ps_file_done *done,
                  void *argument);
/* The server's defaults are known, or cannot be had: goes on with the readers that wait for them. */
void ps_hdfs_readers_go_on(struct ps_hdfs *hdfs, const struct ps_namenode_answer *outcome);
/* Without a word. */
void ps_hdfs_reader_free(struct ps_hdfs_reader *reader);

/* ---- space.c ---- */

/* ps_filesystem_ops.measure. One at a time. */
void ps_hdfs_measure(struct ps_filesystem *filesystem, ps_file_done *done, void *argument);

/* ---- hdfs.c ---- */

/* Whether the server's defaults are known, and with them how connections to datanodes are protected; if not, they are asked
 * for. */
bool ps_hdfs_ask_defaults(struct ps_hdfs *hdfs);
