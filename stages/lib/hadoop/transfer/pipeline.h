/* The pipeline for writing one block (DataStreamer.java): a connection to its first datanode, which forwards all
 * bytes to the next one. OP_WRITE_BLOCK sets it up; then each packet is answered by an acknowledgement with the
 * status of each datanode.
 *
 * The packets are in a queue of the owner's, in order, and stay in it until all datanodes have acknowledged
 * them. The last packet of a block is sent only when all others are acknowledged. A pipeline that has failed
 * is closed; the owner sets up another one, which sends the packets left in the queue again.
 *
 * The pipeline cannot see which of its datanodes is silent: the first one waits for the others, longer than
 * most call time-outs. So the pipeline calls `silent` early, and the owner probes each datanode.
 *
 * A heartbeat is sent when nothing was sent for half of the read time-out (30 s), because datanodes give up
 * silent writers.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/lib/hadoop/transfer/datanode.h"
#include "stages/lib/hadoop/transfer/packet.h"

/* Packets in the order of the block. */
struct ps_packet_queue {
    struct ps_packet *first, *last;
    struct ps_packet *unsent; /* the first packet not sent wholly; NULL: all are sent */
};

/* Adds a sealed packet. */
void ps_packet_queue_add(struct ps_packet_queue *queue, struct ps_packet *packet);
/* Removes the first packet, and returns it. */
struct ps_packet *ps_packet_queue_remove(struct ps_packet_queue *queue);

struct ps_pipeline;

/* The reason why a pipeline was lost, and the datanode that caused it. Valid during the callback. */
struct ps_pipeline_failure {
    unsigned bad;    /* index in the pipeline */
    bool restarting; /* the datanode announced its restart (out-of-band acknowledgement) */
    /* the restarting datanode is on this machine, or the only one, so that the owner should wait for it */
    bool local;
    bool setup; /* the pipeline was not set up yet */
    bool token; /* the block token was refused */
    const char *reason;
};

/* Called from a turn. */
struct ps_pipeline_ops {
    /* The pipeline is set up. */
    void (*ready)(struct ps_pipeline *pipeline);
    /* All datanodes have acknowledged this packet, the queue's first. The owner now owns it. */
    void (*acknowledged)(struct ps_pipeline *pipeline, struct ps_packet *packet);
    /* The pipeline has failed, and is closed. */
    void (*failed)(struct ps_pipeline *pipeline, const struct ps_pipeline_failure *failure);
    /* An answer is awaited, and nothing was received for `silence_ns` of the settings; called again after
     * each further `silence_ns`. No datanode is blamed yet: the owner may call ps_pipeline_blame, now or
     * later. */
    void (*silent)(struct ps_pipeline *pipeline);
};

/* The settings of a pipeline. The owner keeps texts and messages valid during the call. */
struct ps_pipeline_setup {
    const PsHadoop__LocatedBlock *located; /* the datanodes, storages and the token */
    const char *client;                    /* ps_namenode_client */
    enum ps_block_stage stage;
    uint64_t block_size_bytes;
    uint64_t acknowledged_bytes, sent_bytes; /* of the block: minimum and maximum length of its replicas */
    uint64_t generation_new;                 /* 0 for a new block */
    bool lazy_persist;
};

enum ps_pipeline_phase {
    PS_PIPELINE_CLOSED,
    PS_PIPELINE_SETTING_UP,
    PS_PIPELINE_STREAMING,
};

struct ps_pipeline {
    const struct ps_pipeline_ops *ops;
    struct ps_packet_queue *queue;
    const struct ps_packet_pool *pool;
    bool held; /* packets wait until the namenode has this pipeline */
    /* The other members belong to pipeline.c. */
    enum ps_pipeline_phase phase;
    struct ps_datanode_link link;
    struct ps_hadoop_timer timer;
    size_t packet_sent;    /* of queue->unsent */
    size_t heartbeat_left; /* the unsent bytes of a heartbeat */
    uint64_t wrote_ns;
    uint64_t waits_ns;      /* since when an answer is awaited; 0: no answer is awaited */
    uint64_t told_ns;       /* time of the last call of `silent` */
    uint64_t sent_bytes;    /* end of the last packet sent, as an offset in the block */
    uint64_t rest_until_ns; /* a datanode is congested: no packet is sent before this time */
    uint32_t rest_ms;
    uint64_t local_nodes; /* a bit for each datanode on this machine */
    uint8_t node_count;
    uint8_t slow[PS_PIPELINE_NODES_MAX]; /* congested answers in a row */
    char (*names)[64]; /* addresses of the datanodes during the set-up, to find the first bad link */
};

/* The caller zeroes `pipeline` except for its first members. */
void ps_pipeline_init(struct ps_pipeline *pipeline, const struct ps_datanode_settings *settings);
/* Opens a closed pipeline; all packets of the queue then count as unsent. `ready` or `failed` is called later. */
void ps_pipeline_open(struct ps_pipeline *pipeline, const struct ps_pipeline_setup *setup);
/* Sends the queue's packets as far as possible. Failures are reported later. Does nothing unless the pipeline
 * is streaming. */
void ps_pipeline_send(struct ps_pipeline *pipeline);
/* Returns since when the pipeline has waited for an answer; 0: it does not wait. */
uint64_t ps_pipeline_silent_since(const struct ps_pipeline *pipeline);
/* Gives the pipeline up because of the datanode with this index, and calls `failed` before it returns. The
 * pipeline must be open. */
void ps_pipeline_blame(struct ps_pipeline *pipeline, unsigned bad, const char *reason);
/* Closes the pipeline without calling `failed`. */
void ps_pipeline_close(struct ps_pipeline *pipeline);
