/* Reads whole topics from their beginning, without a group: what stands at the far end of demo, benches and
 * tests. Thread: the opener's. */
#pragma once

#include "core/status.h"

struct ps_kafka_reader;

struct ps_kafka_record {
    unsigned topic; /* its number in the list given to open */
    int32_t partition;
    int64_t offset;
    const char *value; /* valid during the call */
    size_t length;
};

/* Topics must exist. NULL and a line in `err` otherwise, or when the brokers do not answer in 10 s. */
struct ps_kafka_reader *ps_kafka_reader_open(const char *brokers, const char *const *topics,
                                             unsigned topic_count, struct ps_err *err);
void ps_kafka_reader_close(struct ps_kafka_reader *reader);

/* Calls `record` for each of at most a thousand records; waits up to `timeout_ms` for the first. Returns how
 * many; 0 when there are none. */
unsigned ps_kafka_reader_read(struct ps_kafka_reader *reader, int timeout_ms,
                              void (*record)(void *argument, const struct ps_kafka_record *record),
                              void *argument);
