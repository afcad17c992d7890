/* Translates Java's Kafka client properties (kafka-clients 2.7 to 3.9) to librdkafka's. One table has every
 * name: mapped, ignored with the reason, or unsupported with the reason and the remedy;
 * docs/KAFKA_PROPERTIES.md is printed from it.
 *
 * The Kafka source and sink call it with the sub-properties of kafka.consumer. and kafka.producer.: their
 * `check` only for the notes, their `build` to fill a list of settings that their workers then apply. The
 * translation reads key and trust stores (stages/lib/kafka/security/tls.c) and login configurations
 * (stages/lib/kafka/security/jaas.c), so it runs only on the control thread. librdkafka's own names are taken
 * as they are; any other name is a warning with "did you mean".
 *
 * After the translation the stages set the properties that they need (enable.auto.commit=false,
 * enable.idempotence, callbacks). Where Java's default differs from librdkafka's (isolation.level, the
 * partitioner, max.request.size, ...), Java's default is set when the user sets nothing. */
#pragma once

#include "stages/lib/kafka/librdkafka/settings.h"
#include "stages/lib/kafka/produce/seam.h"
#include "stages/lib/note.h"
#include "stages/lib/tls/tls.h"

#include <stdio.h>

/* The value of librdkafka's topic.blacklist for exclude.internal.topics = true. */
#define PS_KAFKA_INTERNAL_TOPICS "^(__consumer_offsets|__transaction_state)$"

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

/* Translates the properties. `settings` (zeroed, or with the stage's defaults) gets the result; NULL: the
 * function only checks. Notes: ERROR for a bad value and for a property that must not be dropped silently (Java
 * classes), WARN for a difference, INFO for a property without effect here. PS_FAIL: at least one value is bad;
 * `err` has a line for each with key, value, reason and remedy. An unsupported property alone is an ERROR note,
 * not PS_FAIL. Messages never contain secrets. */
enum ps_status ps_kafka_properties_translate(const struct ps_kafka_properties *properties,
                                             struct ps_kafka_settings *settings, struct ps_err *err);

/* Copies to `value` what the client gets for the library's property `name` after the translation: a check must judge
 * this value, and not the user's text, which may be Java's class, have blanks, or another case. Properties of TLS and
 * of logins are not translated, because their files would be read. Returns false if the client does not get the
 * property. */
bool ps_kafka_properties_value(enum ps_kafka_client client, const struct ps_pairs *pairs, const char *name,
                               char *value, size_t room);

/* Returns how events are assigned to partitions, by partitioner.class and partitioner.ignore.keys. */
enum ps_kafka_spread ps_kafka_properties_spread(const struct ps_pairs *pairs);

/* Prints docs/KAFKA_PROPERTIES.md. */
void ps_kafka_properties_document(FILE *out);
