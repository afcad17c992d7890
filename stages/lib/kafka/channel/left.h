/* Counts the records that stay in the topic, after the group's offsets, when a reload removes a Kafka channel.
 * No sink of this agent takes these records, and no metric shows them, so their number is logged. */
#pragma once

#include "stages/lib/kafka/librdkafka/settings.h"

/* Makes a client from the consumer's `settings`, and asks the brokers for the group's offsets and the ends of
 * the topic's partitions. Logs the number of records between them, unless it is 0. All members must have
 * committed. If the brokers do not answer within 2 s, the number is not known; the client then has another
 * second to end. Of a partition without an offset all records are counted: whether they will be delivered
 * depends on auto.offset.reset. Thread: control; blocks, while flows continue. */
void ps_kafka_channel_say_left(const struct ps_kafka_settings *settings, const char *component,
                               const char *topic, const char *group);
