/* Reads whole topics without a group: what stands at the far end of verify, benches and tests.
 *
 * Every partition that the topics have when they are opened is read, each in order; partitions that are added
 * later are not. Records that the brokers threw away before they were read (retention, a log cut short) are
 * noticed exactly: the position is out of the log's range then. Gaps in the offsets alone mean nothing:
 * transaction markers, aborted records and compacted ones leave them too.
 *
 * Thread: the opener's. */
#pragma once

#include "core/option.h"
#include "core/status.h"

#define PS_KAFKA_READER_STREAMS_MAX (1U << 20)

struct ps_kafka_reader;

struct ps_kafka_reader_record {
    unsigned topic;  /* its number in the list given to open */
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
    bool latest;          /* only what comes after `open`; else from the beginning */
    bool uncommitted;     /* also records of transactions that are open or were aborted */
    unsigned patience_ms; /* for brokers that do not answer and topics that are not there yet; 0: 10 s */
    const struct ps_pair *pairs; /* the library's properties; they win over those of the reader */
    size_t pair_count;
};

/* NULL and lines in `err` when it cannot be made, brokers do not answer or a topic does not appear in time.
 */
struct ps_kafka_reader *ps_kafka_reader_open(const struct ps_kafka_reader_options *options,
                                             struct ps_err *err);
void ps_kafka_reader_close(struct ps_kafka_reader *reader);

/* Calls `record` for each of a few thousand records at most; waits up to `timeout_ms` for the first. Returns
 * how many; 0 when there are none. */
unsigned ps_kafka_reader_read(struct ps_kafka_reader *reader, int timeout_ms,
                              void (*record)(void *argument, const struct ps_kafka_reader_record *record),
                              void *argument);

/* Records that are missing because the brokers had thrown them away before they were read. */
uint64_t ps_kafka_reader_expired(const struct ps_kafka_reader *reader);
/* Why some partition cannot be read any more (no authorization, topic deleted); NULL: all can. */
const char *ps_kafka_reader_failure(const struct ps_kafka_reader *reader);
/* No broker has answered since the last record: why; NULL: they answer. */
const char *ps_kafka_reader_silence(const struct ps_kafka_reader *reader);
