/* The line about a Kafka stage for users, and the checks of its cluster by `penstock check --probe`. Thread: control. */
#pragma once

#include <stdio.h>

#include "core/probe.h"
#include "stages/lib/kafka/client_plan.h"

/* "brokers b1:9092 (SASL_SSL, SCRAM-SHA-512)". `pairs`: the client's properties by Java's names. */
void ps_kafka_outline(FILE *out, const char *brokers, const struct ps_pairs *pairs);

/* Returns false after reporting, at kafka.bootstrap.servers, each broker that is not host:port. */
bool ps_kafka_servers_check(const struct ps_context *context, const char *brokers);

/* Reports an error if Kafka allows no topic of this name. */
bool ps_kafka_topic_check(const struct ps_context *context, const char *key, const char *topic);
/* The same for each of kafka.topics. */
bool ps_kafka_topics_check(const struct ps_context *context, struct ps_texts topics);

struct ps_kafka_probe {
    enum ps_kafka_client client;
    const struct ps_pairs *pairs; /* the client's properties by Java's names */
    const char *brokers;
    struct ps_texts topics;
    bool identities; /* a sink reads the identities of the topics' events */
};

/* Checks that a broker answers (and so accepts TLS and the credentials), that each configured address answers
 * alone if there are several, that each topic exists, and that the leaders of its partitions answer at the
 * addresses that the cluster names. Requests the metadata of all topics, because a request for one topic can
 * create it. Each check waits at most probe->timeout_ms. With probe->local it sends nothing. */
void ps_kafka_probe(const struct ps_probe *probe, struct ps_context *context,
                    const struct ps_kafka_probe *kafka);
