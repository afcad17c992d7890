/* An embedded Kafka: librdkafka's mock cluster, for tests, for quickstart.sh and for `penstock mock-broker`.
 * It listens on ephemeral ports of 127.0.0.1 and serves real clients. Memory only; it keeps about 5 MB or
 * 100,000 messages of a partition. A test with it proves nothing about duplicates or transactions: it does not
 * deduplicate, and does not isolate or undo transactions.
 *
 * Thread: the creator's. */
#pragma once

#include "core/status.h"

#include <stdint.h>

struct ps_mock_broker;
struct rd_kafka_mock_cluster_s;

/* When the cluster cannot be made, returns NULL with a line in `err`. `broker_count` 1 .. 16. */
struct ps_mock_broker *ps_mock_broker_create(unsigned broker_count, struct ps_err *err);
void ps_mock_broker_destroy(struct ps_mock_broker *mock);

/* Lets clients also reach the cluster at 127.0.0.1:port, which is its bootstrap address from now on; the brokers' own
 * ports, which metadata name, stay as they are. Returns PS_FAIL when it cannot listen; `err` names the port and the
 * reason (the port is in use, for example). */
enum ps_status ps_mock_broker_listen(struct ps_mock_broker *mock, uint16_t port, struct ps_err *err);

/* Returns the brokers as host:port,host:port. */
const char *ps_mock_broker_bootstrap(const struct ps_mock_broker *mock);

/* Creates a topic. Other topics are created when a client asks for them, with four partitions. */
enum ps_status ps_mock_broker_topic(struct ps_mock_broker *mock, const char *name, unsigned partition_count,
                                    struct ps_err *err);

/* Delays every answer by a round trip of this many milliseconds, as if the brokers were far away. */
void ps_mock_broker_round_trip(struct ps_mock_broker *mock, uint32_t ms);

/* Returns librdkafka's own handle, for tests that inject errors. */
struct rd_kafka_mock_cluster_s *ps_mock_broker_cluster(struct ps_mock_broker *mock);
