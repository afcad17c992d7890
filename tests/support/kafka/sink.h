/* Runs a Kafka sink with the embedded cluster: gives it numbered events, and compares the topic's records
 * with the events sent. */
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
    unsigned haste;           /* how many times faster the sink's clock runs than the real one */
    unsigned rest_haste;      /* the same while nothing is in flight; 0: `haste` */
    uint64_t sent;            /* events: their numbers are 0 .. sent-1 */
    size_t lease_count;       /* taken by the sink so far */
    struct ps_lease *waiting; /* refused with BACKOFF */
};

void ps_test_kafka_sink_stop(struct ps_test_kafka_sink *kafka);

/* Makes a lease of `count` numbered events ("<number> ......", `length` bytes); does not offer it. */
struct ps_lease *ps_test_kafka_sink_lease(struct ps_test_kafka_sink *kafka, uint32_t count, uint32_t length);

/* Runs one cycle of a worker: offers the waiting lease, ticks, parks for a millisecond, moves the clock. */
void ps_test_kafka_sink_turn(struct ps_test_kafka_sink *kafka);
/* Offers the lease until the sink takes it; fails the test after PS_TEST_PATIENCE_MS. */
void ps_test_kafka_sink_offer(struct ps_test_kafka_sink *kafka, struct ps_lease *lease);
/* Sends `leases` leases of `count` events. */
void ps_test_kafka_sink_send(struct ps_test_kafka_sink *kafka, unsigned leases, uint32_t count);
/* Runs cycles until every lease is done; fails the test after `patience_ms` of real time. */
void ps_test_kafka_sink_wait(struct ps_test_kafka_sink *kafka, unsigned patience_ms);
/* Runs cycles for `real_ms`. */
void ps_test_kafka_sink_pass(struct ps_test_kafka_sink *kafka, unsigned real_ms);

static inline uint64_t ps_test_kafka_sink_counter(const struct ps_test_kafka_sink *kafka,
                                                  enum ps_counter counter)
{
    return ps_test_stage_counter(&kafka->stage, counter);
}
