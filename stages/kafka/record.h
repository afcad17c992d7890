/* A Kafka record becomes an event, as Flume's KafkaSource makes it: body, headers and the position span.
 *
 * Headers are set when the event does not have them yet: timestamp, topic, partition, offset; those mapped
 * from record headers and the key replace what is there. Names are interned by `build`; values are copied
 * into the batch. Thread: the source's worker. */
#pragma once

#include "core/flow/batch.h"
#include "core/counters.h"
#include "stages/kafka/consumer.h"
#include "stages/kafka/streams.h"

/* Made by build, const. */
struct ps_kafka_record_plan {
    const struct ps_name *timestamp, *partition, *offset, *key;
    const struct ps_name *topic;         /* NULL: setTopicHeader = false */
    const struct ps_name *const *mapped; /* header for each of the consumer's wanted names */
    size_t mapped_count;
    const char *single_topic; /* the only one subscribed to: its header is the batch's; else NULL */
    bool flume_event_format;
    uint32_t batch_events_max;
};

/* One worker's. */
struct ps_kafka_record_state {
    const struct ps_kafka_record_plan *plan;
    struct ps_kafka_streams *streams;
    struct ps_counters *counters;
    struct ps_batch *batch; /* being filled */
    uint64_t batch_number;  /* of our own, to know which texts are in it */
    uint64_t taken_bytes;   /* in this call */
    /* The last timestamp written into this batch: records of one producer request share theirs. */
    int64_t timestamp_ms;
    const char *timestamp_text;
    uint32_t timestamp_length;
    uint64_t timestamp_batch;
};

/* `work` begins with this batch. */
void ps_kafka_record_begin(struct ps_kafka_record_state *state, struct ps_batch *batch);

/* ps_kafka_consumer_reader.take: `argument` is a ps_kafka_record_state. A record that is not what
 * useFlumeEventFormat promises is counted and passed over, as Flume does. */
enum ps_kafka_take ps_kafka_record_take(void *argument, const struct ps_kafka_message *message);
