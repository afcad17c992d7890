/* One lane's connection to Kafka: submits blocks to a producer through stages/lib/kafka/produce/seam.h; delivery
 * reports complete them.
 *
 * Values are not copied: they stay in their block until the report. Reports of different partitions overtake each
 * other, so each event's result is stored. A block is completed from its front, independent of earlier blocks, whose
 * events may be in other partitions.
 *
 * Errors in a report (stages/lib/kafka/errors.h): when the broker refuses a record, or it was not delivered within
 * the time the user set, its events fail with Kafka's reason. Any other error that the library does not repair is an
 * outage: the flow purges the waiting records, collects their reports, makes a new producer, and submits the records
 * that were not delivered once more, in order.
 *
 * Thread: the lane's sender. Nothing blocks but open, close and the change of a producer, which takes milliseconds, or longer
 * while a name server does not answer. */
#pragma once

#include "bench/load/target/target.h"
#include "stages/lib/kafka/produce/seam.h"

#define PS_KAFKA_FLOW_BLOCKS_MAX 256U
#define PS_KAFKA_FLOW_RUN_MAX 256U /* records in one call of submit */
#define PS_KAFKA_FLOW_KEY_BYTES 24U

enum ps_kafka_flow_key { PS_KAFKA_KEY_NONE, PS_KAFKA_KEY_SOURCE, PS_KAFKA_KEY_SEQUENCE };

/* Shared by all lanes; constant. */
struct ps_kafka_flow_plan {
    const struct ps_kafka_engine *engine;
    struct ps_kafka_settings settings;
    const char *topic;
    enum ps_kafka_flow_key key;
    /* A lane's partition is its number modulo partition_count. */
    bool by_source;
    int32_t partition_count;
    int32_t partition; /* used when not by_source; may be PS_KAFKA_PARTITION_ANY */
    uint32_t value_bytes_max;
    uint64_t linger_ns;
    unsigned waves_max; /* 0: no limit */
};

/* The flow's own record about a block. */
struct ps_kafka_slot {
    struct ps_kafka_slot *free;   /* the next unused slot */
    struct ps_load_block *before; /* the previous block */
    uint32_t settled;             /* events with a result */
    uint32_t failed;              /* events with a result other than delivered */
    uint64_t wave;
    int16_t results[PS_LOAD_BLOCK_EVENTS];
};

enum ps_kafka_flow_phase {
    PS_KAFKA_FLOW_SENDING,
    PS_KAFKA_FLOW_COLLECTING, /* nothing is submitted until every report has arrived */
    PS_KAFKA_FLOW_RESTING,    /* until `resume_ns`, when a new producer is made */
};

struct ps_kafka_flow {
    const struct ps_kafka_flow_plan *plan;
    struct ps_lane *lane;
    struct ps_kafka_producer_config config;
    struct ps_kafka_producer *producer; /* NULL: the last one could not be made */
    int wake_fd;
    int32_t partition;

    struct ps_load_block *head, *tail;
    /* The block to submit next, from `next_event` on; NULL: all are submitted. */
    struct ps_load_block *next;
    uint32_t next_event;
    uint32_t in_flight; /* events submitted without a report yet */
    struct ps_kafka_slot *free;

    enum ps_kafka_flow_phase phase;
    bool begun; /* a broker has answered: the lane may be given blocks */
    bool up;
    bool full; /* the library's queue is full: wait for a report */
    unsigned failures;
    uint64_t resume_ns;
    /* While collecting: when to purge again, for records that the library retried during the first purge. */
    uint64_t purge_ns;
    uint64_t progress_ns; /* last delivery, or last time when nothing was in flight */
    uint64_t now_ns;      /* of the current call */
    char reason[256];     /* the last error */

    /* A wave is what arrives within linger, up to the size of a request; the number of waves in flight is
     * limited (docs/decisions/0004-waves.md). */
    uint64_t wave, wave_ns, wave_bytes;

    struct ps_kafka_record records[PS_KAFKA_FLOW_RUN_MAX];
    char keys[PS_KAFKA_FLOW_RUN_MAX][PS_KAFKA_FLOW_KEY_BYTES];
    struct ps_kafka_slot slots[PS_KAFKA_FLOW_BLOCKS_MAX];
};

/* For ps_target_ops. _open makes the producer; takes milliseconds. The library's threads may run on any CPU, even when this
 * thread is pinned. _close waits until the library no longer uses the blocks. */
enum ps_status ps_kafka_flow_open(void *state, const void *plan, struct ps_lane *lane, struct ps_err *err);
void ps_kafka_flow_give(void *state, struct ps_load_block *block);
uint64_t ps_kafka_flow_work(void *state, uint64_t now_ns);
void ps_kafka_flow_close(void *state);
