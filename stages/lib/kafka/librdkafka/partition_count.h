/* Finds out the number of partitions of a topic, for tools that spread records themselves or want to know whether it exists.
 * Thread: any; blocks. */
#pragma once

#include "core/option.h"
#include "core/status.h"

/* Asks the brokers with a producer made from the librdkafka properties `pairs`, and waits at most `timeout_ms` for each
 * answer. Does not make the topic, unless `may_create`: then brokers that make topics do. A topic that is missing gets a
 * second. PS_OK: `*partition_count` is set, above 0. PS_FAIL: no broker answers, or the topic does not exist. */
enum ps_status ps_kafka_partition_count(const struct ps_pair *pairs, size_t pair_count, const char *topic,
                                        bool may_create, int timeout_ms, unsigned *partition_count,
                                        struct ps_err *err);
