/* Kafka brokers for a test of the native client, in one thread: they keep sequence numbers as Kafka does (the last five batches of a
 * producer, KIP-98), which librdkafka's mock cluster does not, and misbehave by a seed: connections break before or after a
 * batch is written, answers are late or torn, leaders move, replicas are missing, metadata is that of a broker which is behind. Every
 * fault is temporary: an idempotent producer must write each record once and in order. */
#pragma once

#include "core/base.h"

#define PS_TEST_BROKERS 2U
#define PS_TEST_PARTITIONS 3U     /* of the topic at first */
#define PS_TEST_PARTITIONS_MAX 6U /* after partitions were added */
#define PS_TEST_RECORDS_MAX 20000U

struct ps_test_brokers;

/* Kinds of answers to Metadata. */
enum ps_test_metadata {
    PS_TEST_METADATA_TRUE,
    PS_TEST_METADATA_OLDER,    /* each partition has another leader, and the previous leader epoch */
    PS_TEST_METADATA_NO_TOPIC, /* the topic is not known */
    PS_TEST_METADATA_FEWER,    /* only the first partition is known */
    PS_TEST_METADATA_KINDS,
};

enum ps_test_hold {
    PS_TEST_HOLD_NOTHING,
    PS_TEST_HOLD_BATCHES, /* Produce is carried out later */
    PS_TEST_HOLD_ANSWERS, /* Produce is carried out and not answered */
};

/* Starts brokers with topic `t`. `faults`: the number of requests in 1,000 that meet a fault. `sequence`: the first
 * sequence number that the brokers expect. */
struct ps_test_brokers *ps_test_brokers_start(uint64_t seed, unsigned faults, int32_t sequence);
void ps_test_brokers_stop(struct ps_test_brokers *brokers);
/* Returns HOST:PORT of the first broker. */
const char *ps_test_brokers_bootstrap(const struct ps_test_brokers *brokers);
/* Sets the number of partitions. */
void ps_test_brokers_widen(struct ps_test_brokers *brokers, unsigned partitions);
/* Makes this broker the leader of all partitions. */
void ps_test_brokers_lead(struct ps_test_brokers *brokers, unsigned node);
void ps_test_brokers_hold(struct ps_test_brokers *brokers, unsigned node, enum ps_test_hold hold);
/* Sets the kinds of the next `count` answers to Metadata; `kinds` must stay valid until they are given. */
void ps_test_brokers_mislead(struct ps_test_brokers *brokers, const enum ps_test_metadata *kinds,
                             unsigned count);
/* Returns how many answers of ps_test_brokers_mislead() are not given yet. */
unsigned ps_test_brokers_to_mislead(const struct ps_test_brokers *brokers);
/* Returns how many batches came to a broker that did not lead their partition. */
unsigned ps_test_brokers_denied(const struct ps_test_brokers *brokers);
/* Returns whether their metadata has leader epochs. */
bool ps_test_brokers_have_epochs(const struct ps_test_brokers *brokers);
/* Reads and answers what is possible now. */
void ps_test_brokers_serve(struct ps_test_brokers *brokers);
/* Reads the numbers (values of four bytes) in a partition, in order. Returns how many. */
uint32_t ps_test_brokers_log(const struct ps_test_brokers *brokers, unsigned partition,
                             const uint32_t **numbers);
