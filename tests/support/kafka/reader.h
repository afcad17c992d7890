/* Reads the records of a topic with a plain librdkafka consumer, partition by partition. */
#pragma once

#include "tests/support/support.h"

#include <stdbool.h>

struct ps_test_record {
    int32_t partition;
    int64_t offset, timestamp_ms;
    char *key; /* NULL: none; terminated */
    size_t key_length;
    char *value; /* terminated */
    size_t value_length;
    char headers[512]; /* "name=value," .. */
};

struct ps_test_records {
    struct ps_test_record *items; /* by partition, then offset */
    size_t count;
};

/* Reads `partition_count` partitions from the beginning until their ends are reached and there are at least
 * `count` records; fails the test after PS_TEST_PATIENCE_MS. */
struct ps_test_records ps_test_records_read(const char *bootstrap, const char *topic, int partition_count,
                                            size_t count);
void ps_test_records_free(struct ps_test_records *records);
