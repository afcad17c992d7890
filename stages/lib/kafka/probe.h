/* A Kafka stage's text for users, and the trial of its cluster by `penstock check --probe`. Thread:
 * control. */
#pragma once

#include <stdio.h>

#include "core/probe.h"
#include "stages/lib/kafka/client_plan.h"

/* "brokers b1:9092 (SASL_SSL, SCRAM-SHA-512)". `pairs`: the client's properties by Java's names. */
void ps_kafka_outline(FILE *out, const char *brokers, const struct ps_pairs *pairs);

/* Returns false after reporting, at kafka.bootstrap.servers, a broker whose port no connection can have. */
bool ps_kafka_servers_check(const struct ps_context *context, const char *brokers);

struct ps_kafka_probe {
    enum ps_kafka_client client;
    const struct ps_pairs *pairs; /* the client's properties by Java's names */
    const char *brokers;
    const char *group; /* of a consumer */
    struct ps_texts topics;
};

/* Tries: a broker answers, and so accepts TLS and the credentials; of several addresses each alone; each topic is there; the leaders of its partitions
 * answer at the addresses that the cluster names. Asks for all topics, because a question for one topic can create
 * it. Waits at most probe->timeout_ms for each. With probe->local it asks nobody. */
void ps_kafka_probe(const struct ps_probe *probe, struct ps_context *context,
                    const struct ps_kafka_probe *kafka);
