/* Types and functions that only the files of the HDFS client and their tests share: the file system (hdfs.c), its output streams
 * (stream.c), the recovery of their pipelines (recovery.c) and the reader of small files (reader.c).
 *
 * Only ps_hdfs_stream_advance and the operations of hdfs.c call a sink's callbacks. No other function of the stream is on the
 * stack then, because a callback may abandon any stream. All other functions only note what happened (ps_hdfs_stream_attend).
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/lib/filesystem/filesystem.h"
#include "stages/lib/hadoop/transfer/pipeline.h"
#include "stages/lib/hadoop/hdfs/located.h"
#include "stages/lib/hadoop/hdfs/namenode.h"
#include "stages/lib/hadoop/hdfs/security.h"

#include <sys/queue.h>

struct ps_hdfs_stream;
struct ps_hdfs_reader;
struct ps_hdfs_inquiry;

/* dfs.client.block.write.replace-datanode-on-failure.* (ReplaceDatanodeOnFailure.java) */
enum ps_replace_policy { PS_REPLACE_NEVER, PS_REPLACE_DEFAULT, PS_REPLACE_ALWAYS };

struct ps_replace_rules {
    enum ps_replace_policy policy;
    bool best_effort; /* continues without a replacement if none is available */
    /* Continues if no other datanode is available and at least this many are left; 0: fails. */
    unsigned replication_min;
};

struct ps_hdfs_limits {
    struct ps_replace_rules replace;
    unsigned block_retries; /* dfs.client.block.write.retries: attempts to get a new block */
    unsigned
        /* dfs.client.pipeline.recovery.max-retries: recoveries in a row without an acknowledgement */
        recoveries_max;
    uint64_t restart_ns;   /* dfs.client.datanode-restart.timeout */
    uint32_t packet_bytes; /* dfs.client-write-packet-size */
    uint64_t exclude_ns;   /* dfs.client.write.exclude.nodes.cache.expiry.interval.millis */
};

/* An operation of the file system: its call to the namenode, and what its callback needs. */
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
    /* The server's defaults, requested once, before the first file is created. */
    enum { PS_DEFAULTS_NONE, PS_DEFAULTS_ASKED, PS_DEFAULTS_KNOWN } defaults;
    struct ps_namenode_call defaults_call;
    struct ps_hadoop_security *security;
    struct ps_namenode_call key_call;   /* for the next data encryption key, when the present one expires */
    uint64_t key_rests_until_ns;        /* mono_ns before which no key is requested */
    struct ps_namenode_call space_call; /* for `measure`, of which one can be in flight */
    ps_file_done *space_done;
    void *space_argument;
    unsigned replication;
    uint64_t block_size_bytes;
    LIST_HEAD(, ps_hdfs_stream) streams;
    LIST_HEAD(ps_hdfs_attended, ps_hdfs_stream) attended; /* streams that have work in this turn */
    /* Stream whose callbacks are being called; NULL: a callback abandoned it. */
    struct ps_hdfs_stream *current;
    LIST_HEAD(, ps_hdfs_call) calls;
    LIST_HEAD(, ps_hdfs_reader) readers;
    bool refuses_blocks;               /* the namenode has no datanode for a new block, and that was logged */
    struct ps_hdfs_inquiry *inquiries; /* about suspected datanodes */
};

/* ---- streams ---- */

enum ps_operation_kind { PS_OPERATION_CREATE, PS_OPERATION_FLUSH, PS_OPERATION_CLOSE };

/* An operation that a sink waits for. A stream's operations are in a list, in order. */
struct ps_hdfs_operation {
    struct ps_hdfs_operation *next;
    enum ps_operation_kind kind;
    ps_file_done *done;
    void *argument;
    uint64_t deadline_ns; /* 0: no turn has seen the operation yet */
    int64_t number;       /* of the packet whose acknowledgement ends the operation */
};

enum ps_stream_phase {
    PS_STREAM_OPENING,    /* create is in flight */
    PS_STREAM_RESTING,    /* there is no pipeline, and none is needed */
    PS_STREAM_ALLOCATING, /* addBlock is in flight, or abandonBlock before it */
    PS_STREAM_SETTING_UP, /* sets up the pipeline of a new block */
    PS_STREAM_STREAMING,
    PS_STREAM_RECOVERING, /* recovers the pipeline of a block that has bytes: recovery.c */
    PS_STREAM_COMPLETING,
    PS_STREAM_FAILED,
};

/* A recovery that is in progress. */
struct ps_hdfs_recovery {
    bool closes;         /* only the last packet of the block is not acknowledged */
    int bad, restarting; /* indexes of datanodes; -1: none */
    bool wait_for_restart;
    uint64_t restart_until_ns;
    unsigned replacements_tried;
    struct ps_datanode_link transfer; /* for the copy of the block to a replacement */
    struct ps_hadoop_timer timer;
    struct ps_hdfs_nodes not_again; /* replacements to which the block could not be copied */
    uint64_t generation_new;
    char reason[PS_DATANODE_REASON_BYTES];
    struct ps_hdfs_stream *stream;
    PsHadoop__LocatedBlock *candidate; /* the pipeline with the replacement, as proposed by the namenode */
};

/* The packets of a stream: those that are sent or wait, the one that is being filled, and their numbers. */
struct ps_hdfs_packets {
    struct ps_packet_queue queue;
    struct ps_packet *open; /* being filled; NULL: none */
    char *tail; /* flushed bytes of the last chunk, which is not full; while the file is created: all bytes */
    uint32_t tail_length;
    int64_t number_next, number_acknowledged;
};

/* Calls that check whether the file still exists: existence.c. */
struct ps_hdfs_existence {
    struct ps_namenode_call *look;  /* NULL: not in flight */
    uint64_t looked_ns, look_bytes; /* time when the last call ended; acknowledged bytes when it began */
    uint64_t there_bytes;           /* acknowledged bytes when the file certainly existed */
};

struct ps_hdfs_stream {
    struct ps_file_stream stream;
    struct ps_hdfs *hdfs;
    LIST_ENTRY(ps_hdfs_stream) all, attended_entry;
    bool attended;
    enum ps_stream_phase phase;
    char *path;
    uint64_t file_id, block_size_bytes;
    unsigned replication;
    bool lazy_persist;
    struct ps_hdfs_operation *first, *last; /* list of operations */
    struct ps_hadoop_timer timer;           /* deadline of the first operation */
    struct ps_namenode_call call;           /* for the call of the present phase */
    struct ps_hdfs_existence existence;
    struct ps_namenode_call *fsync; /* for the first flush of a block; NULL: not in flight */
    struct ps_hdfs_packets packets;
    bool leased, sync, hflushed;
    struct {
        bool is_known;         /* a block is being written */
        bool must_persist;     /* the namenode has not recorded the block durably yet */
        uint64_t written;      /* offset of the next byte in the block */
        uint64_t acknowledged; /* bytes of the block that all datanodes have */
        struct ps_hdfs_located located;
        PsHadoop__ExtendedBlock prior; /* the previous block, with its length; pool_id NULL: none */
        unsigned tries;
    } block;
    struct ps_pipeline pipeline;
    struct ps_hdfs_nodes excluded, failed; /* datanodes: `excluded` for addBlock, `failed` for replacements */
    unsigned recoveries;
    /* since when the stream has asked whether its datanodes answer; 0: it does not ask */
    uint64_t suspects_ns;
    struct ps_hadoop_timer again; /* repeats the request for a block for which the namenode had no datanode */
    uint64_t again_until_ns;      /* end of the repeated requests, which have no exclusions; 0: none */
    struct ps_hdfs_recovery *recovery; /* NULL: no recovery is in progress */
    enum ps_file_error error;          /* of the phase FAILED */
    char *reason;
};

struct ps_file_stream *ps_hdfs_stream_create(struct ps_filesystem *filesystem, const char *path,
                                             ps_file_done *done, void *argument);
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

/* Continues opening the stream when the server's defaults are known, or cannot be had (`answer`). */
void ps_hdfs_stream_open(struct ps_hdfs_stream *stream, const struct ps_namenode_answer *answer);
/* Notes that the stream has work: ps_hdfs_stream_advance is called in this turn or the next. */
void ps_hdfs_stream_attend(struct ps_hdfs_stream *stream);
/* Does the work that is possible now, and calls callbacks; they may free the stream. */
void ps_hdfs_stream_advance(struct ps_hdfs_stream *stream);
/* Fails the stream, and with it all its operations. Only the first reason counts. */
void ps_hdfs_stream_fail(struct ps_hdfs_stream *stream, enum ps_file_error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Continues streaming when the pipeline is set up, or set up again. */
void ps_hdfs_stream_go_on(struct ps_hdfs_stream *stream);
/* Ends the current block: all its bytes and its last packet are acknowledged. */
void ps_hdfs_stream_end_block(struct ps_hdfs_stream *stream);
/* Returns the located block, unpacked. Returns NULL if there is no memory; the stream has failed then. */
PsHadoop__LocatedBlock *ps_hdfs_stream_located(struct ps_hdfs_stream *stream);

/* ---- recovery.c ---- */

/* Recovers a pipeline that was lost. Ends with ps_hdfs_stream_go_on, _end_block or _fail. */
void ps_hdfs_recover(struct ps_hdfs_stream *stream, const struct ps_pipeline_failure *failure);
/* Called when the pipeline that a recovery set up is ready, or has failed. */
void ps_hdfs_recovery_ready(struct ps_hdfs_stream *stream);
void ps_hdfs_recovery_failed(struct ps_hdfs_stream *stream, const struct ps_pipeline_failure *failure);
/* Called when the block is being copied to a replacement, and one of the two datanodes is silent, or has failed. */
void ps_hdfs_recovery_transfer_failed(struct ps_hdfs_stream *stream, const char *reason);
/* Frees stream->recovery, which may be NULL. */
void ps_hdfs_recovery_free(struct ps_hdfs_stream *stream);
/* Returns whether a pipeline with this number of datanodes needs another one (ReplaceDatanodeOnFailure.satisfy). */
bool ps_replace_is_wanted(const struct ps_replace_rules *rules, unsigned replication, size_t nodes,
                          bool hflushed);

/* Adds a copy of the datanode. Without memory it adds nothing. */
void ps_hdfs_nodes_add(struct ps_hdfs_nodes *nodes, const PsHadoop__DatanodeInfo *node);
void ps_hdfs_nodes_clear(struct ps_hdfs_nodes *nodes);

/* ---- existence.c ---- */

/* Checks at intervals whether the file still exists, and fails the stream if not. Called after each flush. */
void ps_hdfs_stream_look(struct ps_hdfs_stream *stream);
/* Notes that the namenode has just confirmed that the file exists. */
void ps_hdfs_stream_is_there(struct ps_hdfs_stream *stream);

/* ---- dead_nodes.c: which datanodes do not answer ---- */

/* Inquires about each datanode of a stream that hears nothing from its pipeline. When all have answered or timed out, and some but
 * not all are silent, the pipeline is given up because of the silent ones. Does nothing while an inquiry is in progress. */
void ps_hdfs_suspect(struct ps_hdfs_stream *stream);
/* Returns whether the datanode did not answer an inquiry, and is left out of new blocks since then. */
bool ps_hdfs_node_is_dead(const struct ps_hdfs *hdfs, const PsHadoop__DatanodeId *id);
/* Adds the datanodes that are left out. */
void ps_hdfs_add_dead_nodes(const struct ps_hdfs *hdfs, struct ps_hdfs_nodes *nodes);
/* Writes the rest of the message of a time-out: "; datanode 10.0.0.7:9866 does not answer", the datanodes that the
 * stream waits for, the namenode's last reason for the call in flight, or "". */
void ps_hdfs_describe_wait(struct ps_hdfs_stream *stream, char *out, size_t room);
void ps_hdfs_free_inquiries(struct ps_hdfs *hdfs);

/* ---- reader.c ---- */

void ps_hdfs_read(struct ps_filesystem *filesystem, const char *path, size_t length_max, ps_file_done *done,
                  void *argument);
/* Continues the readers that wait for the server's defaults, which are known or cannot be had. */
void ps_hdfs_readers_go_on(struct ps_hdfs *hdfs, const struct ps_namenode_answer *outcome);
/* Frees a reader without calling its callback. */
void ps_hdfs_reader_free(struct ps_hdfs_reader *reader);

/* ---- space.c ---- */

/* Implements ps_filesystem_ops.measure. One at a time. */
void ps_hdfs_measure(struct ps_filesystem *filesystem, ps_file_done *done, void *argument);

/* ---- hdfs.c ---- */

/* Returns whether the server's defaults are known, which also tell how connections to datanodes are protected. Requests them if they are not. */
bool ps_hdfs_ask_defaults(struct ps_hdfs *hdfs);
