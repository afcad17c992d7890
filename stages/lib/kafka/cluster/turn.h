/* One turn of the native client, called by its two engines (produce/producer.c, stages/lib/kafka/fetch/engine.c). Thread: the
 * worker of the sink or source. */
#pragma once

#include "stages/lib/kafka/cluster/native_internal.h"

/* Does as much as is possible now, and hands reports and notices to the listener. Returns the number of records
 * reported. */
uint32_t ps_kafka_native_turn(struct ps_kafka_native *client, const struct ps_kafka_listener *listener);

/* Returns the time at which a turn is needed although no socket is ready, or PS_NEVER. */
uint64_t ps_kafka_native_turn_due_ns(const struct ps_kafka_native *client);

/* Drops the waiting records; with `in_flight` also the records that were sent and not answered. The next turn reports them. */
void ps_kafka_native_purge(struct ps_kafka_native *client, bool in_flight);
