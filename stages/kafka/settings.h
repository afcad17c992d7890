/* What a librdkafka client is to be configured with: a list of its own property names and values, in the
 * order they are set.
 *
 * Made by kafka/properties.c from Java's names, completed by a stage with what it insists on, applied to as
 * many clients as there are workers. Values may be secrets: the list is overwritten when it is destroyed, and
 * nothing here prints one. Thread: made and changed by the control thread; const from then on, applied by
 * any. */
#pragma once

#include "core/option.h"
#include "core/status.h"

struct rd_kafka_conf_s; /* librdkafka's rd_kafka_conf_t */

/* Threads of one librdkafka client: its main thread and its brokers' threads. */
#define PS_KAFKA_CLIENT_THREADS 3U

struct ps_kafka_settings {
    size_t count, room;
    struct ps_pair *items; /* key, value; file and line are not set */
};

/* Zeroed is empty. */
void ps_kafka_settings_fini(struct ps_kafka_settings *settings);

/* Sets a property: replaces the value it has, or adds it at the end. Copies both. */
void ps_kafka_settings_set(struct ps_kafka_settings *settings, const char *name, const char *value);
/* The value, or NULL. Its owner is the list. */
const char *ps_kafka_settings_get(const struct ps_kafka_settings *settings, const char *name);

/* Whether a value of this librdkafka property must not be printed: passwords, private keys, tokens. */
bool ps_kafka_setting_secret(const char *name);

/* Sets all of them on a client's configuration (topic properties go to its default topic configuration). */
enum ps_status ps_kafka_settings_apply(const struct ps_kafka_settings *settings, struct rd_kafka_conf_s *conf,
                                       struct ps_err *err);
