/* The pipeline that one block is written through (DataStreamer.java): a connection to its first datanode, which passes everything
 * on to the next one. It is set up with OP_WRITE_BLOCK; then packets go there and acknowledgements come back, one for each
 * packet, with a status of each datanode.
 *
 * The packets are in a queue of the owner's, in order, and stay in it until all datanodes have acknowledged them. The last packet of a
 * block is sent only when all others are acknowledged. A pipeline that has failed is closed; the owner sets up another one, and
 * what is left in the queue is sent again.
 *
 * Which datanode of a silent pipeline is to blame cannot be seen from here: its first one waits for the others, longer than most call
 * time-outs are. So the owner is told early (`silent`), and asks each of them.
 *
 * A heartbeat is sent when nothing was sent for half of the read time-out (30 s), because datanodes give up silent writers.
 *
 * Thread: the worker of the file system. */
#pragma once

#include "stages/lib/hadoop/transfer/datanode.h"
#include "stages/lib/hadoop/transfer/packet.h"

/* Packets in the order of the block. */
struct ps_packet_queue {
    struct ps_packet *first, *last;
    struct ps_packet *unsent; /* from here on they are not sent yet, or not whole; NULL: all are sent */
};

/* Adds a sealed packet. */
void ps_packet_queue_add(struct ps_packet_queue *queue, struct ps_packet *packet);
/* Removes the first one. */
struct ps_packet *ps_packet_queue_remove(struct ps_packet_queue *queue);

struct ps_pipeline;

/* Why a pipeline was lost, and which datanode is to blame. Valid during the callback. */
struct ps_pipeline_failure {
    unsigned bad;    /* index in the pipeline */
    bool restarting; /* that one said that it restarts (out-of-band acknowledgement) */
    bool local;      /* and it is on this machine, or the only one: it is worth waiting for */
    bool setup;      /* it was not set up yet */
    bool token;      /* the block token was refused */
    const char *reason;
};

/* Called from a turn. */
struct ps_pipeline_ops {
    /* It is set up. */
    void (*ready)(struct ps_pipeline *pipeline);
    /* This packet was the queue's first one, and is acknowledged by all. It is the owner's now. */
    void (*acknowledged)(struct ps_pipeline *pipeline, struct ps_packet *packet);
    /* It is closed. */
    void (*failed)(struct ps_pipeline *pipeline, const struct ps_pipeline_failure *failure);
    /* Something is under way, and nothing has come back for `silence_ns` of the settings; again after each further one. Nobody is to
     * blame yet: ps_pipeline_blame may be called, now or later. */
    void (*silent)(struct ps_pipeline *pipeline);
};

/* What it is set up for. Texts and messages are the owner's, during the call. */
struct ps_pipeline_setup {
    const PsHadoop__LocatedBlock *located; /* the datanodes, storages and the token */
    const char *client;                    /* ps_namenode_client */
    enum ps_block_stage stage;
    uint64_t block_size_bytes;
    uint64_t acknowledged_bytes, sent_bytes; /* of the block: what its replicas have at least, and at most */
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
    bool held; /* packets wait: the namenode does not know of this pipeline yet */
    /* The rest is pipeline.c's. */
    enum ps_pipeline_phase phase;
    struct ps_datanode_link link;
    struct ps_hadoop_timer timer;
    size_t packet_sent;    /* of queue->unsent */
    size_t heartbeat_left; /* of a heartbeat that is under way */
    uint64_t wrote_ns;
    uint64_t waits_ns;      /* since then an answer is waited for; 0: nothing is under way */
    uint64_t told_ns;       /* when `silent` was called last */
    uint64_t sent_bytes;    /* of the block: the end of the last packet that was sent */
    uint64_t rest_until_ns; /* a datanode is congested: nothing is sent before */
    uint32_t rest_ms;
    uint64_t local_nodes; /* a bit for each that is on this machine */
    uint8_t node_count;
    uint8_t slow[PS_PIPELINE_NODES_MAX]; /* how often it said so in a row */
    char (*names)[64]; /* of the datanodes, while it is set up: to find the first bad link */
};

/* `pipeline` was zeroed but for its first members. */
void ps_pipeline_init(struct ps_pipeline *pipeline, const struct ps_datanode_settings *settings);
/* Begins; the queue's packets are all unsent from now on. `ready` or `failed` is called later. Allowed when it is closed. */
void ps_pipeline_open(struct ps_pipeline *pipeline, const struct ps_pipeline_setup *setup);
/* Sends what the queue has, as far as it goes. A failure is reported later. Does nothing unless it is streaming. */
void ps_pipeline_send(struct ps_pipeline *pipeline);
/* Since when nothing has come back, although something is under way; 0: that is not so. */
uint64_t ps_pipeline_silent_since(const struct ps_pipeline *pipeline);
/* Gives it up, because of the datanode of this index: `failed` is called before this returns. It must not be closed. */
void ps_pipeline_blame(struct ps_pipeline *pipeline, unsigned bad, const char *reason);
/* Without a word. */
void ps_pipeline_close(struct ps_pipeline *pipeline);
