/* A Kafka cluster for a test: the embedded one (bench/support/mock_broker.h). The functions fail the test on
 * errors. */
#pragma once

#include "bench/support/mock_broker.h"
#include "tests/support/support.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

struct ps_test_cluster {
    struct ps_mock_broker *mock;
    rd_kafka_mock_cluster_t *handle; /* to inject errors */
    const char *bootstrap;
};

void ps_test_cluster_start(struct ps_test_cluster *cluster, unsigned broker_count);
void ps_test_cluster_stop(struct ps_test_cluster *cluster);
void ps_test_cluster_topic(const struct ps_test_cluster *cluster, const char *name, unsigned partition_count);
/* Asks for the list of topics, which makes none. */
bool ps_test_topic_exists(const struct ps_test_cluster *cluster, const char *name);

/* One broker for all tests of a program: set-up and tear-down of cmocka_run_group_tests. */
extern struct ps_test_cluster ps_test_cluster;
int ps_test_cluster_setup(void **state);
int ps_test_cluster_teardown(void **state);
static inline void ps_test_topic(const char *name, unsigned partition_count)
{
    ps_test_cluster_topic(&ps_test_cluster, name, partition_count);
}
