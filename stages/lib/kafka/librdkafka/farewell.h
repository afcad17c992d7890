/* The end of a consumer, on a thread of its own. rd_kafka_destroy waits until the last requests are answered or
 * timed out, which takes minutes if the coordinator is silent. The library may also drop a request that is made while
 * the client ends, and then rd_kafka_destroy waits for ever. Workers and the control thread must not wait that long.
 * Used by stages/lib/kafka/channel/take.c and reading.c. Thread of all functions: the owner's, one at a time. */
#pragma once

#include "stages/lib/kafka/librdkafka/consumer.h"

struct ps_kafka_farewell;

/* Takes the consumer and destroys it on the thread. If `leave` is true and the consumer is still in the group,
 * it leaves the group first. Returns NULL if there is no memory or no thread: then the consumer is destroyed
 * already. */
struct ps_kafka_farewell *ps_kafka_farewell_begin(struct ps_kafka_consumer *consumer, bool leave);

/* Returns whether the consumer is destroyed; true for NULL. Never waits. */
bool ps_kafka_farewell_is_over(struct ps_kafka_farewell *farewell);

/* Frees the farewell. Waits at most `patience_ms` for the thread; a thread that has not ended by then continues
 * alone. */
void ps_kafka_farewell_end(struct ps_kafka_farewell *farewell, uint32_t patience_ms);
