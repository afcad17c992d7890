/* An embedded Kafka: librdkafka's mock cluster, for tests, for quickstart.sh and for `penstock mock-broker`.
 * It listens on ephemeral ports of 127.0.0.1 and answers real clients. Memory only; about 5 MB or 100,000
 * messages of a partition are kept. What it cannot prove: it does not deduplicate, and its transactions are
 * no evidence.
 *
 * Thread: the creator's. */
#pragma once

#include "core/status.h"

struct ps_kafka_mock;
struct rd_kafka_mock_cluster_s;

/* NULL and a line in `err` when it cannot be made. `broker_count` 1 .. 16. */
struct ps_kafka_mock *ps_kafka_mock_create(unsigned broker_count, struct ps_err *err);
void ps_kafka_mock_destroy(struct ps_kafka_mock *mock);

/* host:port,host:port */
const char *ps_kafka_mock_bootstrap(const struct ps_kafka_mock *mock);

/* Topics that are not made appear when a client asks for them, with four partitions. */
enum ps_status ps_kafka_mock_topic(struct ps_kafka_mock *mock, const char *name, unsigned partition_count,
                                   struct ps_err *err);

/* For tests that inject errors: the library's own handle. */
struct rd_kafka_mock_cluster_s *ps_kafka_mock_cluster(struct ps_kafka_mock *mock);
