/* One lane's way into Kafka: blocks are submitted to a producer through the seam (stages/kafka/seam.h), its
 * reports complete them.
 *
 * Values are not copied: they stay in their block until the report. Reports of different partitions overtake
 * each other, so each event's result is noted. A block is completed from its front; it does not wait for
 * blocks before it, whose events may be in other partitions.
 *
 * What a report may say (stages/kafka/errors.h): the broker refuses the record, or it was not delivered
 * within the time the user gave: the events fail, with Kafka's reason. Anything else that the library does
 * not put right by itself is an outage: what waits is given up and collected, another producer is made, and
 * what is not delivered is submitted again in order.
 *
 * Thread: the lane's sender. Nothing here waits, but for open and close. */
#pragma once

#include "bench/load/target.h"
#include "stages/kafka/maker.h"
#include "stages/kafka/settings.h"

#define PS_KAFKA_FLOW_BLOCKS_MAX 256U
#define PS_KAFKA_FLOW_RUN_MAX 256U /* records a call of submit */
#define PS_KAFKA_FLOW_KEY_BYTES 24U

enum ps_kafka_flow_key { PS_KAFKA_KEY_NONE, PS_KAFKA_KEY_SOURCE, PS_KAFKA_KEY_SEQUENCE };

/* Shared by all lanes; const. */
struct ps_kafka_flow_plan {
    const struct ps_kafka_engine *engine;
    struct ps_kafka_settings settings; /* the library's properties */
    char *topic;
    enum ps_kafka_flow_key key;
    bool by_source;           /* a lane's partition is its number modulo... */
    unsigned partition_count; /* ... this */
    int32_t partition;        /* else; PS_KAFKA_PARTITION_ANY */
    uint32_t value_bytes_max;
    uint64_t linger_ns;
    unsigned waves_max; /* 0: no limit */
};

/* What we note about a block. */
struct ps_kafka_slot {
    struct ps_kafka_slot *free;   /* the next one */
    struct ps_load_block *before; /* the block in front of this one */
    uint32_t settled;             /* events with a result */
    uint32_t failed;              /* of them */
    uint64_t wave;
    int16_t results[PS_LOAD_BLOCK_EVENTS];
};

enum ps_kafka_flow_phase {
    PS_KAFKA_FLOW_SENDING,
    PS_KAFKA_FLOW_COLLECTING, /* nothing is submitted until every report is in */
    PS_KAFKA_FLOW_RESTING,    /* until `resume_ns` */
    PS_KAFKA_FLOW_RENEWING,   /* another producer is being made */
};

struct ps_kafka_flow {
    const struct ps_kafka_flow_plan *plan;
    struct ps_lane *lane;
    struct ps_kafka_producer_config config;
    struct ps_kafka_producer *producer;
    struct ps_kafka_maker *maker; /* made when it is needed first */
    char component[32];
    int wake_fd;
    int32_t partition;

    struct ps_load_block *head, *tail;
    struct ps_load_block *next; /* to submit, from `next_event` on; NULL: all is */
    uint32_t next_event;
    uint32_t in_flight; /* events submitted and not reported */
    struct ps_kafka_slot *free;

    enum ps_kafka_flow_phase phase;
    bool begun; /* work was called */
    bool up;
    bool full; /* the library's queue: wait for a report */
    unsigned failures;
    uint64_t resume_ns;
    uint64_t purge_ns;    /* collecting: when to give up again what the library retries meanwhile */
    uint64_t progress_ns; /* last delivery, or when there was nothing to deliver */
    uint64_t now_ns;      /* of the current call */
    char reason[256];     /* the last error heard of */

    /* What comes within linger and is no larger than a request is a wave; only so many are in flight
     * (docs/decisions/0004-waves.md). */
    uint64_t wave, wave_ns, wave_bytes;

    struct ps_kafka_record records[PS_KAFKA_FLOW_RUN_MAX];
    char keys[PS_KAFKA_FLOW_RUN_MAX][PS_KAFKA_FLOW_KEY_BYTES];
    struct ps_kafka_slot slots[PS_KAFKA_FLOW_BLOCKS_MAX];
};

/* Makes the producer: takes milliseconds. Its threads may run anywhere, whatever this thread is pinned to. */
enum ps_status ps_kafka_flow_open(struct ps_kafka_flow *flow, const struct ps_kafka_flow_plan *plan,
                                  struct ps_lane *lane, struct ps_err *err);
void ps_kafka_flow_give(struct ps_kafka_flow *flow, struct ps_load_block *block);
/* Returns when to be called again. */
uint64_t ps_kafka_flow_work(struct ps_kafka_flow *flow, uint64_t now_ns);
/* Waits until the library has let go of the blocks. */
void ps_kafka_flow_close(struct ps_kafka_flow *flow);
