/* Makes an event of a Kafka record, as Flume's KafkaSource does: body, headers and the position span.
 *
 * timestamp, topic, partition and offset are set only if the event does not have these headers yet. The key
 * and headers mapped from record headers replace existing ones. `build` interns the names; values are copied
 * into the batch. Thread: the source's worker. */
#pragma once

#include "core/flow/batch.h"
#include "core/stage.h"
#include "stages/lib/avro/event.h"
#include "stages/lib/kafka/channel/dead_letters.h"
#include "stages/lib/kafka/fetch/log_name.h"
#include "stages/lib/kafka/group/identity.h"
#include "stages/lib/kafka/fetch/streams.h"

#define PS_KAFKA_NUMBER_TEXT_BYTES 20U /* maximum number of digits of an int64_t, and its sign */

#define PS_KAFKA_RECORD_HEADERS 4U /* timestamp, topic, partition, offset */

/* A record of a partition that is assigned to this member. Valid during the call to `take`. */
struct ps_kafka_message {
    uint32_t stream; /* index of its partition in the group's table */
    int64_t offset;
    int64_t timestamp_ms; /* -1: the record has none */
    const char *key;      /* NULL: none */
    const char *value;    /* NULL: a tombstone */
    /* one value for each wanted header name; data NULL: the record has no such header */
    const struct ps_slice *mapped;
    uint32_t key_length, value_length;
    int32_t epoch; /* epoch of the leader that wrote the record; -1: not known */
    /* The block that has key, value and headers; the batch becomes an owner of the block. NULL: key, value and
     * headers are copied. An earlier block at the same address had another `block_number`. */
    struct ps_block *block;
    uint64_t block_number;
    const char *topic_id; /* 16 bytes; NULL: not known, and the event has no identity */
    uint64_t cluster;     /* number of the cluster; 0: not known */
};

enum ps_kafka_take {
    PS_KAFKA_TAKEN,
    PS_KAFKA_TAKEN_LAST, /* taken, and the reader wants no more records in this call */
    PS_KAFKA_NOT_TAKEN,  /* no room: the record is kept and offered first at the next call */
};

/* Made by build, const. */
struct ps_kafka_record_plan {
    const struct ps_name *key;
    const struct ps_name *timestamp;          /* NULL: none */
    const struct ps_name *partition, *offset; /* NULL: no header for topic, partition and offset */
    const struct ps_name *topic;              /* NULL: setTopicHeader = false */
    const struct ps_name *const *mapped;      /* the event header for each of the consumer's wanted names */
    size_t mapped_count;
    /* the only subscribed topic, whose header belongs to the batch; NULL: there may be several topics */
    const char *single_topic;
    const char *group; /* the consumer's group: positions are kept for this group */
    bool flume_event_format;
    bool identities; /* a sink reads the events' identities: a record without one is named in the log */
    uint32_t batch_events_max;
};

/* One per worker. */
struct ps_kafka_record_state {
    const struct ps_kafka_record_plan *plan;
    struct ps_kafka_streams *streams;
    /* for sinks that commit the positions; NULL: no sink does */
    const struct ps_kafka_membership *membership;
    struct ps_port *port; /* for dead letters of records that cannot become events */
    /* Collects the dead letters of the batch that covers their records; NULL: each letter is put immediately. */
    struct ps_kafka_dead_letters *dead_letters;
    /* The record whose letter was put immediately as the last one; pass 0: none. A pass belongs to one
     * stream. */
    uint32_t letter_pass;
    int64_t letter_offset;
    struct ps_batch *batch; /* being filled */
    struct ps_slice group;  /* the plan's group */
    uint64_t batch_number;  /* number that this state gave the batch; shows which texts the batch has */
    /* numbers of a batch and of a block that it owns (ps_kafka_message.block) */
    uint64_t referred_batch, referred_block;
    /* number of the last block whose memory was charged to a batch */
    uint64_t counted_block;
    uint64_t taken_bytes;   /* bytes of records taken in this call */
    uint64_t skipped_bytes; /* bytes of records in this call that do not become events */
    /* The last timestamp written into this batch: the records of one producer request share it. */
    int64_t timestamp_ms;
    const char *timestamp_text;
    uint32_t timestamp_length;
    uint64_t timestamp_batch;
    struct ps_kafka_log_name log; /* of the last record with an identity */
    bool told;                    /* a record without one was named */
    /* A record of this call has a span in the batch, so the batch is of the present generation. */
    bool spanned;
    int64_t offset; /* the offset printed last, at the end of `offset_text`; length 0: none */
    char offset_text[PS_KAFKA_NUMBER_TEXT_BYTES];
    uint32_t offset_length;
    struct ps_event_headers headers; /* headers of a datum in Flume's Avro format */
    /* `runs`: the last record of this call was plain, so the next record of its stream has the same headers,
     * with other values of timestamp and offset. */
    bool runs;
    bool run_identity; /* the last record's event has an identity */
    uint32_t run_stream, run_count;
    uint64_t run_mask;                                     /* OR of the names' masks */
    struct ps_header run_headers[PS_KAFKA_RECORD_HEADERS]; /* the offset is the last one */
};

/* Called when `work` begins with this batch. */
void ps_kafka_record_begin(struct ps_kafka_record_state *state, struct ps_batch *batch);

/* Makes an event of the record. With useFlumeEventFormat, a record that is
 * not an Avro event of Flume is counted and skipped, as in Flume. A datum beyond the limits of avro/event.h, and a
 * record that the whole memory budget cannot hold, are skipped with a log line. If the source has dead letters
 * (penstock.deadletter), skipped records become dead letters. */
enum ps_kafka_take ps_kafka_record_take(struct ps_kafka_record_state *state,
                                        const struct ps_kafka_message *message);

/* Called when the partition has nothing to be read up to this offset: the end of a transaction, records of an aborted
 * one, records that compaction removed. It is committed with the records before it: otherwise the group's lag never
 * becomes 0, and if retention removes the whole log, a member with auto.offset.reset = latest that finds an offset below
 * the log's start skips what was written since. If a sink commits the positions, and the open batch has no record of the
 * partition, nothing is noted. `epoch`: as in ps_kafka_message. */
void ps_kafka_record_skip(struct ps_kafka_record_state *state, uint32_t stream, int64_t offset,
                          int32_t epoch);
