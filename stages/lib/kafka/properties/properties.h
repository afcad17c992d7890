/* Translates Java's Kafka client properties (kafka-clients 2.7 to 3.9) to settings. One table has every name: mapped to a
 * property of librdkafka, which names a field of the settings, ignored with the reason, or unsupported with the reason
 * and the remedy; docs/KAFKA_PROPERTIES.md is printed from it.
 *
 * The Kafka source and sink call it with the sub-properties of kafka.consumer. and kafka.producer.: their
 * `check` only for the notes, their `build` to fill the settings that their clients then read. The
 * translation reads key and trust stores (stages/lib/kafka/security/tls.c) and login configurations
 * (stages/lib/kafka/security/jaas.c), so it runs only on the control thread. librdkafka's own names are taken
 * as they are; any other name is a warning with "did you mean".
 *
 * After the translation the stages set the fields that they need. Where Java's default differs from librdkafka's (isolation.level, the
 * partitioner, max.request.size, ...), Java's default is set when the user sets nothing. */
#pragma once

#include "core/clock.h"
#include "stages/lib/kafka/cluster/settings.h"
#include "stages/lib/note.h"
#include "stages/lib/tls/tls.h"

/* linger.ms of librdkafka, when it is not set. Measured at 200,000 events/s over four connections: with 0 the median latency
 * is 3 ms lower, and the CPU time is 3 times as much. */
#define PS_KAFKA_LINGER_NS (5 * PS_NS_PER_MS)

enum ps_kafka_client {
    PS_KAFKA_PRODUCER = 1,
    PS_KAFKA_CONSUMER = 2,
};

struct ps_kafka_properties {
    enum ps_kafka_client client;
    const struct ps_pairs *pairs;     /* in file order; prefix stripped */
    const struct ps_tls_globals *tls; /* used if security.protocol is SSL or SASL_SSL; may be NULL */
    /* ps_context.system_property and its argument, for java.security.auth.login.config; may be NULL. */
    const char *(*system_property)(const void *argument, const char *name);
    const void *argument;
    const struct ps_notes *notes; /* gets a note for each key that is not simply mapped; may be NULL */
};

/* Translates the properties. `settings`: initialized, perhaps with the stage's defaults, which the properties replace.
 * Notes: ERROR for a bad value and for a property that must not be dropped silently (Java classes), WARN for a
 * difference, INFO for a property without effect here. PS_FAIL: at least one value is bad; `err` has a line for each with
 * key, value, reason and remedy. An unsupported property alone is an ERROR note, not PS_FAIL. Messages never contain
 * secrets. */
enum ps_status ps_kafka_properties_translate(const struct ps_kafka_properties *properties,
                                             struct ps_kafka_settings *settings, struct ps_err *err);
