/* What librdkafka gets of the settings (stages/lib/kafka/cluster/settings.h). */
#pragma once

#include "stages/lib/kafka/cluster/settings.h"

/* Returns librdkafka's version, for example "2.0.2". */
const char *ps_kafka_version(void);

struct rd_kafka_conf_s; /* librdkafka's rd_kafka_conf_t */

/* Sets a property on a client's configuration. The line in `err` has no secret. */
enum ps_status ps_kafka_conf_set(struct rd_kafka_conf_s *conf, const char *name, const char *value,
                                 struct ps_err *err);
/* Sets each property of the settings (topic properties go to the default topic configuration), or those whose name
 * `wanted` accepts; NULL: all. Thread: any. */
enum ps_status ps_kafka_settings_apply(const struct ps_kafka_settings *settings,
                                       bool (*wanted)(const char *name), struct rd_kafka_conf_s *conf,
                                       struct ps_err *err);
/* Checks that librdkafka accepts the settings, without connecting or starting threads. Thread: control. */
enum ps_status ps_kafka_settings_check(const struct ps_kafka_settings *settings, struct ps_err *err);
/* Sets a property by librdkafka's name, if librdkafka accepts the value. */
enum ps_status ps_kafka_settings_try(struct ps_kafka_settings *settings, const char *name, const char *value,
                                     struct ps_err *err);
