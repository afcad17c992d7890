/* Counts the records that stay in the topic, after the group's offsets, when a reload takes a Kafka channel away. No sink of this
 * agent takes them, and no metric shows them, so the log does. */
#pragma once

#include "stages/lib/kafka/settings.h"

/* Asks the brokers for the group's offsets and the topic's ends with a client of its own, made from the consumer's
 * `settings`, and logs the number of records between them, unless it is 0. All members have committed. The number is not
 * known if the brokers have not answered after 2 s; the client then has another second to end. A partition without an offset counts as a whole: whether its records
 * are delivered depends on auto.offset.reset. Thread: control; blocks, while flows go on. */
void ps_kafka_channel_say_left(const struct ps_kafka_settings *settings, const char *component,
                               const char *topic, const char *group);
