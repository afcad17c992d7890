/* Kafka brokers for a test of the native client, in one thread: they keep sequence numbers as Kafka does (the last five sets of a
 * producer, KIP-98), which librdkafka's mock cluster does not, and misbehave by a seed: connections break before or after a
 * set is written, answers are late or torn, leaders move, replicas are missing. Every fault is temporary: an
 * idempotent producer must write each record once and in order. */
#pragma once

#include "core/base.h"

#define PS_TEST_BROKERS 2U
#define PS_TEST_PARTITIONS 3U
#define PS_TEST_RECORDS_MAX 20000U

struct ps_test_brokers;

/* Topic `t`. `faults`: the number of requests in 1,000 that meet a fault. `sequence`: the first sequence number that they
 * expect. */
struct ps_test_brokers *ps_test_brokers_start(uint64_t seed, unsigned faults, int32_t sequence);
void ps_test_brokers_stop(struct ps_test_brokers *brokers);
/* Returns HOST:PORT of the first one. */
const char *ps_test_brokers_bootstrap(const struct ps_test_brokers *brokers);
/* Reads and answers what is possible now. */
void ps_test_brokers_serve(struct ps_test_brokers *brokers);
/* Reads the numbers (values of four bytes) in a partition, in order. Returns how many. */
uint32_t ps_test_brokers_log(const struct ps_test_brokers *brokers, unsigned partition,
                             const uint32_t **numbers);
