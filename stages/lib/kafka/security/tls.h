/* Key and trust stores of a Kafka client: Java's ssl.keystore.*, ssl.truststore.* and ssl.key.password, or
 * Flume's global SSL settings, are read (stages/lib/keystore/keystore.h) and become PEM in memory.
 * Control thread only: reads files. */
#pragma once

#include "stages/lib/kafka/properties/properties.h"

/* Sets the texts of key, certificates and authorities. Does nothing unless security.protocol is SSL or SASL_SSL,
 * like Java. `properties->tls` supplies settings that the pairs lack. PS_FAIL: a store cannot be used; `err` names
 * property, file and reason. */
enum ps_status ps_kafka_tls_translate(const struct ps_kafka_properties *properties,
                                      struct ps_kafka_settings *settings, struct ps_err *err);
