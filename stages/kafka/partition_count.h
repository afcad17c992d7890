/* How many partitions a topic has, for tools that spread records themselves. Thread: any; blocks. */
#pragma once

#include "core/option.h"
#include "core/status.h"

/* Asks the brokers with a client of its own, made of the library's properties `pairs`, and waits at most
 * `timeout_ms`. `*partition_count` > 0 with PS_OK. PS_FAIL: no broker answers, or there is no such topic. */
enum ps_status ps_kafka_partition_count(const struct ps_pair *pairs, size_t pair_count, const char *topic,
                                        int timeout_ms, unsigned *partition_count, struct ps_err *err);
