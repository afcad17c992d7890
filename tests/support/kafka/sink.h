/* Drives a Kafka sink against the embedded cluster: numbered events in, and what the topic holds compared
 * with what was sent. */
#pragma once

#include "tests/support/kafka/cluster.h"
#include "tests/support/kafka/reader.h"
#include "tests/support/stage.h"

#define PS_TEST_PRODUCE 0 /* ApiKey of ProduceRequest */

struct ps_test_kafka_sink {
    struct ps_test_cluster cluster;
    const char *topic;
    int partition_count;
    struct ps_test_stage stage;
    unsigned haste;           /* how much faster than the real clock the sink's runs: rests are short */
    uint64_t sent;            /* events: their numbers are 0 .. sent-1 */
    size_t lease_count;       /* taken by the sink so far */
    struct ps_lease *waiting; /* refused with BACKOFF */
};

/* A cluster of `brokers`, a topic, a sink with the given keys beside servers and topic (NULL-terminated). */
void ps_test_kafka_sink_start(struct ps_test_kafka_sink *kafka, unsigned brokers, const char *topic,
                              int partition_count, const char *const *keys);
void ps_test_kafka_sink_stop(struct ps_test_kafka_sink *kafka);

/* A lease of `count` numbered events ("<number> ......", `length` bytes), not offered yet. */
struct ps_lease *ps_test_kafka_sink_lease(struct ps_test_kafka_sink *kafka, uint32_t count, uint32_t length);

/* One turn of a worker: offers what waits, ticks, parks for a millisecond, moves the clock. */
void ps_test_kafka_sink_turn(struct ps_test_kafka_sink *kafka);
/* Offers it, in turns, until it is taken (15 s of real time). */
void ps_test_kafka_sink_offer(struct ps_test_kafka_sink *kafka, struct ps_lease *lease);
/* `leases` leases of `count` events. */
void ps_test_kafka_sink_send(struct ps_test_kafka_sink *kafka, unsigned leases, uint32_t count);
/* Turns until every lease is done, for `patience_ms` of real time. */
void ps_test_kafka_sink_wait(struct ps_test_kafka_sink *kafka, unsigned patience_ms);
/* Turns for a while. */
void ps_test_kafka_sink_pass(struct ps_test_kafka_sink *kafka, unsigned real_ms);

/* The topic holds every number sent, in rising order in each partition, `duplicates` allowed or none. */
void ps_test_kafka_sink_verify(struct ps_test_kafka_sink *kafka, bool duplicates);

static inline uint64_t ps_test_kafka_sink_counter(const struct ps_test_kafka_sink *kafka,
                                                  enum ps_counter counter)
{
    return ps_test_stage_counter(&kafka->stage, counter);
}
