/* The defaults of Kafka's clients that differ from Java's, for docs/KAFKA_PROPERTIES.md and for the test that finds rows that
 * are missing. */
#pragma once

#include "tests/stages/lib/kafka/properties/support.h"

/* A property whose default differs from that of Flume's client (kafka-clients 2.7.2 in Flume 1.11.0).
 * tests/stages/lib/kafka/defaults_test.c finds rows that are missing. */
struct ps_kafka_default {
    const char *name;
    enum ps_kafka_client client;
    const char *flume;
    const char *here; /* librdkafka's default; if `stage`: the value of the stage, in words */
    bool stage;
    const char *why;
};

#define NO_IDLE_LIMIT                                                                                        \
    "brokers close idle connections after 10 minutes (their own connections.max.idle.ms); the client "       \
    "connects again"
#define SYSTEM_BUFFERS "the system's sizes grow as needed"

static const struct ps_kafka_default ps_kafka_default_rows[] = {
    {"connections.max.idle.ms", C, "540000", "0", false, NO_IDLE_LIMIT},
    {"reconnect.backoff.ms", C, "50", "100", false, "the first pause before connecting again"},
    {"request.timeout.ms", C, "30000", "60000", false,
     "a broker that is silent, with its connection open, is given up later"},
    {"receive.buffer.bytes", C, "65536", "0", false, SYSTEM_BUFFERS},
    {"send.buffer.bytes", C, "131072", "0", false, SYSTEM_BUFFERS},
    {"fetch.max.bytes", C, "52428800", "at most the source's share of the memory budget", true,
     "what is fetched ahead counts in the budget"},
    {"acks", P, "1", "all", true, "an event that was acknowledged must not be lost"},
    {"enable.idempotence", P, "false", "true", true, "retries neither duplicate nor reorder events"},
    {"batch.size", P, "16384", "1000000", true, "throughput"},
    {"linger.ms", P, "0", "0; with penstock.engine = librdkafka 5", true, "a third of the CPU for 3 ms"},
    {"buffer.memory", P, "33554432", "a share of the memory budget, at least max.request.size", true,
     "the queue counts in the budget"},
    {"delivery.timeout.ms", P, "120000", "none", true, "an outage of hours must fail no event"},
    {"connections.max.idle.ms", P, "540000", "0", false, NO_IDLE_LIMIT},
    {"reconnect.backoff.ms", P, "50", "100", false, "the first pause before connecting again"},
    {"request.timeout.ms", P, "30000", "60000", false,
     "the broker has 30 s for its replicas, as in Java; a broker that is silent, with its connection open, "
     "is given up "
     "later"},
    {"max.in.flight.requests.per.connection", P, "5", "5, with acks 0 or 1: 1", true,
     "without idempotence a retry can change the order of two requests, not of more"},
    {"receive.buffer.bytes", P, "32768", "0", false, SYSTEM_BUFFERS},
    {"send.buffer.bytes", P, "131072", "0", false, SYSTEM_BUFFERS},
};

static const size_t ps_kafka_default_count = PS_COUNT_OF(ps_kafka_default_rows);
