/* Reads whole topics without a consumer group. verify, benches and tests use it to read what was delivered.
 *
 * The reader reads all partitions that the topics have when it is opened, each in order; it does not see
 * partitions that are added later. If the brokers deleted records before they were read (retention, a truncated
 * log), the reader always notices, because its position is then out of the log's range. Gaps in the offsets do
 * not prove a loss: transaction markers, aborted records and compaction leave gaps as well.
 *
 * Thread: the one that opened it. */
#pragma once

#include "stages/lib/kafka/cluster/settings.h"

#define PS_KAFKA_READER_STREAMS_MAX (1U << 20)
#define PS_KAFKA_READER_PATIENCE_MS 10000U

struct ps_kafka_reader;

struct ps_kafka_reader_record {
    unsigned topic;  /* index in the list given to open */
    unsigned stream; /* a number for (topic, partition), from 0 without gaps */
    int32_t partition;
    int64_t offset;
    const char *value; /* valid during the call */
    size_t length;
};

struct ps_kafka_reader_options {
    const char *brokers; /* host:port,host:port */
    const char *const *topics;
    unsigned topic_count;
    bool latest;          /* only records that are written after `open`; else from the beginning */
    bool uncommitted;     /* the reader also reads records of transactions that are open or were aborted */
    unsigned patience_ms; /* how long to wait for brokers to answer and for topics to exist; 0: PATIENCE_MS */
    const struct ps_pair *pairs; /* librdkafka properties; they override those of the reader */
    size_t pair_count;
};

/* Returns NULL, with lines in `err`, if the reader cannot be made, or if within the patience no broker answers
 * or a topic does not exist. */
struct ps_kafka_reader *ps_kafka_reader_open(const struct ps_kafka_reader_options *options,
                                             struct ps_err *err);
void ps_kafka_reader_close(struct ps_kafka_reader *reader);

/* Calls `record` for at most a few thousand records; waits up to `timeout_ms` for the first record. Returns the
 * number of records. */
unsigned ps_kafka_reader_read(struct ps_kafka_reader *reader, int timeout_ms,
                              void (*record)(void *argument, const struct ps_kafka_reader_record *record),
                              void *argument);

/* Returns the number of records that the brokers deleted before they were read. */
uint64_t ps_kafka_reader_expired(const struct ps_kafka_reader *reader);
/* Returns why some partition can no longer be read (no authorization, topic deleted); NULL: all can be read. */
const char *ps_kafka_reader_failure(const struct ps_kafka_reader *reader);
/* Returns why no broker has answered since the last record; NULL: brokers answer. */
const char *ps_kafka_reader_silence(const struct ps_kafka_reader *reader);

/* Finds out the number of partitions of a topic, for tools that spread records themselves or want to know whether it exists.
 * Asks the brokers with a producer of these settings, and waits at most `timeout_ms` for each answer. Does not make the
 * topic, unless `may_create`: then brokers that make topics do. A topic that is missing gets a second. PS_OK: `*count` is
 * above 0. PS_FAIL: no broker answers, or the topic does not exist. Thread: any; blocks. */
enum ps_status ps_kafka_partition_count(const struct ps_kafka_settings *settings, const char *topic,
                                        bool may_create, int timeout_ms, int32_t *count, struct ps_err *err);
