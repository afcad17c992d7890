/* The interface between the source `kafka` as Flume defines it (topics, events, headers) and the engine that
 * reads the records: librdkafka (rebalance.c, reading.c) or the native client (stages/lib/kafka/fetch/). Both
 * are members of a consumer group, hand over records in order, and commit delivered records; both give up a
 * revoked partition when all records that they read from the partition are delivered and committed, or when the
 * time limit of the revocation has passed.
 *
 * Thread: the source's worker calls everything. Nothing waits for a broker. */
#pragma once

#include "core/stage.h"
#include "stages/lib/kafka/group/identity.h"
#include "stages/lib/kafka/fetch/record.h"
#include "stages/lib/kafka/fetch/streams.h"
#include "stages/lib/kafka/place.h"

/* Owned by the caller; texts must outlive the reading. */
struct ps_kafka_reading_config {
    struct ps_port *port;
    const struct ps_pair *pairs; /* librdkafka's properties */
    size_t pair_count;
    const char *group;
    /* NULL: none. Instances of a source are members of their own: instance 0 has this id, the others <id>-<instance>. */
    const char *group_instance_id;
    struct ps_kafka_place *place; /* remembers the member of the group; NULL: nothing is remembered */
    struct ps_texts subscription; /* topic names, or one "^.." expression */
    struct ps_texts wanted;       /* names of the record headers to read */
    bool cooperative;             /* the protocol may be cooperative */
    bool sink_commits;            /* the sink commits the offsets, in its transactions: the engine does not */
    uint64_t commit_interval_ns, revoke_wait_ns;
    uint64_t held_bytes_max; /* limit of the memory for records that are fetched ahead */
};

/* The part of an engine's own structure that the source uses; the first member. */
struct ps_kafka_reading {
    struct ps_kafka_streams *streams;
    /* the member's identity in the group, if the sink commits the offsets */
    const struct ps_kafka_membership *membership;
};

struct ps_kafka_reading_engine {
    const char *name;
    /* Makes the consumer. It connects in the background. Takes milliseconds. */
    struct ps_kafka_reading *(*open)(const struct ps_kafka_reading_config *config, struct ps_err *err);
    /* Frees the consumer. If it has not left the group, the group notices its end only by the session time-out. */
    void (*destroy)(struct ps_kafka_reading *reading);
    /* Called once a cycle: group events, revocations, commits; `paused`: nothing is read now, because a channel is full.
     * Returns the time of the next call at the latest. */
    uint64_t (*tick)(struct ps_kafka_reading *reading, bool paused, uint64_t mono_ns);
    /* Hands records to ps_kafka_record_take until there are none or it wants no more. Returns the number of
     * records that were taken. */
    uint32_t (*read)(struct ps_kafka_reading *reading, struct ps_kafka_record_state *record);
    /* Returns true when a record that was not taken is kept. */
    bool (*has_kept)(const struct ps_kafka_reading *reading);
    /* Drops the kept record and all records that were fetched ahead; no more records are read. */
    void (*forget)(struct ps_kafka_reading *reading);
    /* Returns whether the consumer failed for good; then sets `reason` to the cause and the cure. */
    bool (*failed)(const struct ps_kafka_reading *reading, struct ps_err *reason);
    /* Returns what the consumer lacks, and why. Called at every cycle, after `tick`. */
    enum ps_lack (*lack)(struct ps_kafka_reading *reading, const char **why);
    /* Returns true if all records that were read are delivered. */
    bool (*is_drained)(const struct ps_kafka_reading *reading);
    /* Returns true if all delivered records are committed; otherwise starts a commit. Call `tick` in between. */
    bool (*settle)(struct ps_kafka_reading *reading);
    /* Begins to leave the group, after all records that were read are delivered. Call `tick` until `left` returns
     * true. */
    void (*leave)(struct ps_kafka_reading *reading);
    bool (*left)(const struct ps_kafka_reading *reading);
};

extern const struct ps_kafka_reading_engine ps_kafka_reading_librdkafka;
