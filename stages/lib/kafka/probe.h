/* The line about a Kafka stage for users, and the checks of its cluster by `penstock check --probe`. Thread: control. */
#pragma once

#include <stdio.h>

#include "core/probe.h"
#include "stages/lib/kafka/client_plan.h"

/* "brokers b1:9092 (SASL_SSL, SCRAM-SHA-512)". `pairs`: the client's properties by Java's names. */
void ps_kafka_outline(FILE *out, const char *brokers, const struct ps_pairs *pairs);

/* Returns false after reporting, at kafka.bootstrap.servers, each broker whose port is not a number from 1 to 65535. */
bool ps_kafka_servers_check(const struct ps_context *context, const char *brokers);

struct ps_kafka_probe {
    enum ps_kafka_client client;
    const struct ps_pairs *pairs; /* the client's properties by Java's names */
    const char *brokers;
    const char *group; /* of a consumer */
    struct ps_texts topics;
};

/* Checks that a broker answers (and so accepts TLS and the credentials), that each configured address answers
 * alone if there are several, that each topic exists, and that the leaders of its partitions answer at the
 * addresses that the cluster names. Requests the metadata of all topics, because a request for one topic can
 * create it. Each check waits at most probe->timeout_ms. With probe->local it sends nothing. */
void ps_kafka_probe(const struct ps_probe *probe, struct ps_context *context,
                    const struct ps_kafka_probe *kafka);
