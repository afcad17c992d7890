/* Makes a Kafka record of a Flume event. The mapping uses the headers as
 * org.apache.flume.sink.kafka.KafkaSink.process does. Thread: the control thread makes the mapping, the worker
 * applies it. */
#pragma once

#include "core/stage.h"
#include "stages/lib/text/json/event.h"
#include "stages/lib/text/escape.h"
#include "stages/lib/kafka/produce/seam.h"

#define PS_KAFKA_HEADERS_MAX 100U     /* most header.* keys */
#define PS_KAFKA_TOPIC_BYTES_MAX 256U /* a topic's name, with room to detect that it is too long */

struct ps_kafka_mapping {
    const char *topic; /* kafka.topic */
    uint32_t topic_length;
    /* NULL: the topic has no escapes, or topics may not be overridden. */
    const struct ps_escape *topic_escape;
    const struct ps_name *topic_header; /* NULL: allowTopicOverride = false */
    const struct ps_name *key_header;
    const struct ps_name *partition_header; /* NULL: none */
    const struct ps_name *timestamp_header; /* NULL: none */
    int32_t default_partition;              /* or PS_KAFKA_PARTITION_ANY */
    bool event_format;                      /* useFlumeEventFormat */
    const struct ps_event_json *json;       /* serializer = json; NULL: none */
    uint32_t header_count;
    const struct ps_name **header_names; /* names of Flume's headers */
    const char **kafka_names;
    uint64_t mask; /* OR of the bits of all names: an event with none of these bits needs no mapping */
};

/* Reasons why an event cannot be sent. For these events Flume fails the batch and retries it for ever. */
enum ps_kafka_flaw {
    PS_KAFKA_FLAW_NONE,
    PS_KAFKA_FLAW_PARTITION, /* the partition header is not a number, or negative */
    PS_KAFKA_FLAW_TIMESTAMP, /* the timestamp header is negative */
    PS_KAFKA_FLAW_ESCAPE,    /* a time escape in kafka.topic, and no usable timestamp header */
    PS_KAFKA_FLAW_TOPIC,     /* not a legal topic name */
    PS_KAFKA_FLAW_QUEUE,     /* the record is larger than the engine's whole queue */
};

const char *ps_kafka_flaw_text(enum ps_kafka_flaw flaw);

/* Working memory of a worker for one event. */
struct ps_kafka_fields {
    struct ps_kafka_header headers[PS_KAFKA_HEADERS_MAX];
    uint32_t header_count;
    char topic[PS_KAFKA_TOPIC_BYTES_MAX]; /* the topic with its escapes expanded */
    struct ps_escape_cache escapes;
};

/* Returns true if every event of this batch becomes a record that has only the event's body, in kafka.topic. */
static inline bool ps_kafka_mapping_is_plain(const struct ps_kafka_mapping *mapping,
                                             const struct ps_batch *batch)
{
    return ((batch->shared_mask | batch->own_mask) & mapping->mask) == 0 && mapping->topic_escape == NULL &&
           !mapping->event_format && mapping->json == NULL;
}

/* Returns whether the record of the event gets the timestamp of a header; otherwise it gets the time of sending. */
bool ps_kafka_mapping_gives_timestamp(const struct ps_kafka_mapping *mapping, const struct ps_batch *batch,
                                      const struct ps_event *event);

/* Sets `topic`, and every field of the record except value and token. Headers and topic may point into
 * `fields`. *timestamp_ignored is set when the timestamp header is not a number: Flume warns and continues. */
enum ps_kafka_flaw ps_kafka_mapping_apply(const struct ps_kafka_mapping *mapping,
                                          const struct ps_batch *batch, const struct ps_event *event,
                                          struct ps_kafka_fields *fields, const struct ps_now *now,
                                          struct ps_kafka_record *record, struct ps_slice *topic,
                                          bool *timestamp_ignored);
