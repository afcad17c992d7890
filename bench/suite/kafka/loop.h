/* The parts of bare librdkafka loops in benches: a producer and a consumer with the settings of a fast program. Errors
 * end the program.
 *
 * Thread: the bench's main one. */
#pragma once

#include "bench/suite/agent.h"
#include "bench/suite/kafka/account.h"
#include "bench/suite/paired.h"
#include "core/base.h"

#include <librdkafka/rdkafka.h>

/* Number of delivery reports since the program began, or since the caller set it to 0. The reports come in
 * ps_kafka_loop_produce and rd_kafka_poll. */
extern uint64_t ps_kafka_loop_reported;

/* Makes a client with these settings, {NULL, NULL} at the end. */
rd_kafka_t *ps_kafka_loop_client(rd_kafka_type_t type, const char *const (*settings)[2]);
/* Makes a producer: idempotent, acks=all. A report destroys the message that the record's _private points
 * to, if any. */
rd_kafka_t *ps_kafka_loop_producer(const char *brokers, const char *compression, const char *linger_ms);
/* Makes a member of a new group that reads the topic from its beginning; it commits only on the bench's call. */
rd_kafka_t *ps_kafka_loop_consumer(const char *brokers, const char *topic);

/* Makes a topic, if it is not there. */
void ps_kafka_loop_topic(rd_kafka_t *client, const char *name, int partitions);
/* Deletes a topic, so that the broker's disk does not fill. A broker that cannot delete topics (the mock broker) keeps
 * the topic. */
void ps_kafka_loop_topic_delete(rd_kafka_t *client, const char *name);
/* Produces all messages, waiting for room. Payloads are not copied. */
void ps_kafka_loop_produce(rd_kafka_t *client, rd_kafka_topic_t *topic, int32_t partition,
                           rd_kafka_message_t *messages, int count);

/* Input and results of a paired bench of an agent and a bare loop over one broker. It is the `argument` of the bench's
 * struct ps_paired. */
struct ps_kafka_loop_job {
    const char *brokers;
    uint64_t events;
    double bare_per_second, agent_per_second; /* wall clock, of the last round */
};

/* Measures the agent from its first delivered events until `events` of them are delivered, then stops it. Returns
 * events per CPU-second of this process. */
double ps_kafka_loop_agent_rate(struct ps_agent *agent, struct ps_kafka_loop_job *job);

/* Rates, CPU time and losses of the runs of one side of a pair; the warm-up is the first run. */
struct ps_kafka_side {
    unsigned runs;
    double per_second[PS_ROUNDS_MAX + 1];         /* wall clock */
    double broker_per_million[PS_ROUNDS_MAX + 1]; /* CPU-seconds of the broker for a million events */
    struct ps_kafka_account account;              /* of all runs */
};

void ps_kafka_side_add(struct ps_kafka_side *side, double per_second, double broker_per_million,
                       const struct ps_kafka_account *account);
/* Returns further members of a pair's record, for ps_paired_print, in static memory. */
const char *ps_kafka_sides_text(const struct ps_kafka_side *subject, const struct ps_kafka_side *bare);

/* Runs both sides in turn and prints the record. */
void ps_kafka_loop_compare(const struct ps_paired *paired, struct ps_kafka_loop_job *job, unsigned rounds,
                           unsigned bytes, int partitions);
