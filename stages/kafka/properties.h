/* Java's Kafka client properties (kafka-clients 2.7 to 3.9) as librdkafka's. One table of every name: mapped,
 * ignored with the reason, or unsupported with the reason and the cure; docs/KAFKA_PROPERTIES.md is printed
 * from it.
 *
 * Called by the Kafka source and sink with the sub-properties of kafka.consumer. and kafka.producer.: in
 * `check` without an output, in `build` to fill a list of settings that their workers then apply. Key and
 * trust stores are read (stages/kafka/tls.c), login configurations too (stages/kafka/jaas.c): control thread
 * only. librdkafka's own names are taken as they are; anything else is a warning with "did you mean".
 *
 * What the stages insist on (enable.auto.commit=false, enable.idempotence, callbacks) they set themselves,
 * after this. Where Java's default means something else than librdkafka's (isolation.level, the partitioner,
 * max.request.size, ...) Java's is set when the user has not said anything. */
#pragma once

#include "stages/kafka/settings.h"
#include "stages/note.h"
#include "stages/net/tls.h"

#include <stdio.h>

enum ps_kafka_client {
    PS_KAFKA_PRODUCER = 1,
    PS_KAFKA_CONSUMER = 2,
};

struct ps_kafka_properties {
    enum ps_kafka_client client;
    const struct ps_pairs *pairs;     /* in file order; prefix stripped */
    const struct ps_tls_globals *tls; /* used where security.protocol is SSL or SASL_SSL; may be NULL */
    /* ps_context.system_property and its argument, for java.security.auth.login.config; may be NULL. */
    const char *(*system_property)(const void *argument, const char *name);
    const void *argument;
    const struct ps_notes *notes; /* hears of every key that is not simply mapped; may be NULL */
};

/* Translates the properties. `settings` (zeroed or already holding what the stage wants as defaults) gets the
 * result; NULL: only checks. Notes: ERROR for a bad value and for what must not be dropped silently (Java
 * classes), WARN for what differs, INFO for what changes nothing here. PS_FAIL: at least one value is bad;
 * `err` has a line for each, naming key, value, reason and cure. An unsupported property alone is an ERROR
 * note, not PS_FAIL. Secrets are never in a message. */
enum ps_status ps_kafka_properties_translate(const struct ps_kafka_properties *properties,
                                             struct ps_kafka_settings *settings, struct ps_err *err);

/* The same, set on a client's configuration at once; `conf` NULL: only checks. */
enum ps_status ps_kafka_properties_apply(const struct ps_kafka_properties *properties,
                                         struct rd_kafka_conf_s *conf, struct ps_err *err);

/* How events find their partition, as partitioner.class and partitioner.ignore.keys say. */
enum ps_kafka_partitioner {
    PS_KAFKA_PARTITIONER_BY_KEY, /* Java's default: murmur2 of the key; without a key sticky per batch */
    PS_KAFKA_PARTITIONER_STICKY, /* keys are not looked at (UniformStickyPartitioner, partitioner.ignore.keys)
                                  */
    PS_KAFKA_PARTITIONER_EVENLY, /* RoundRobinPartitioner */
};
enum ps_kafka_partitioner ps_kafka_properties_partitioner(const struct ps_pairs *pairs);

/* Prints docs/KAFKA_PROPERTIES.md. */
void ps_kafka_properties_document(FILE *out);
