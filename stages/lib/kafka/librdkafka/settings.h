/* The configuration of a librdkafka client: a list of librdkafka's property names and values, in the order they
 * are set.
 *
 * kafka/properties/properties.c makes it from Java's names, a stage adds the properties that it needs, and each
 * worker applies the list to its client. Values may be secrets: `fini` overwrites the list, and nothing here
 * prints a value. Thread: the control thread makes and changes it; const from then on, any thread applies it. */
#pragma once

#include "core/option.h"
#include "core/status.h"

struct rd_kafka_conf_s; /* librdkafka's rd_kafka_conf_t */

struct ps_kafka_settings {
    size_t count, room;
    struct ps_pair *items; /* key, value; file and line are not set */
};

/* A zeroed list is empty. */
void ps_kafka_settings_fini(struct ps_kafka_settings *settings);

/* Sets a property: replaces its value, or adds it at the end. Copies both. */
void ps_kafka_settings_set(struct ps_kafka_settings *settings, const char *name, const char *value);
/* Returns the value, or NULL. The list owns it. */
const char *ps_kafka_settings_get(const struct ps_kafka_settings *settings, const char *name);

/* Returns whether a value of this librdkafka property must not be printed: passwords, private keys,
 * tokens. */
bool ps_kafka_setting_secret(const char *name);

/* Sets all properties of the list on a client's configuration (topic properties go to its default topic
 * configuration). */
enum ps_status ps_kafka_settings_apply(const struct ps_kafka_settings *settings, struct rd_kafka_conf_s *conf,
                                       struct ps_err *err);
