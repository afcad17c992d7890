/* The memory of a native client: its record batches and requests, which are used again (pools.c), and the calls of the sink's
 * listener. native_internal.h includes this file.
 *
 * Owner and thread: as in native_internal.h. */
#pragma once

#include "stages/lib/kafka/cluster/native_internal.h"

/* Returns the limit of the memory of all batches; half of it is for records, because buffers double. */
static inline uint64_t ps_kafka_native_memory_bytes_max(const struct ps_kafka_native *client)
{
    return 2 * client->settings.queue_bytes_max;
}

/* Returns whether the queue is full: no record is taken before some that wait are delivered. */
static inline bool ps_kafka_native_is_full(const struct ps_kafka_native *client)
{
    return client->queued.bytes >= client->settings.queue_bytes_max ||
           client->queued.memory_bytes >= ps_kafka_native_memory_bytes_max(client) ||
           client->queued.records >= client->settings.queue_records_max;
}

struct ps_kafka_native_batch *ps_kafka_native_take_batch(struct ps_kafka_native *client,
                                                         struct ps_kafka_native_partition *partition);
void ps_kafka_native_give_batch(struct ps_kafka_native *client, struct ps_kafka_native_batch *batch);
/* Counts the growth of a batch whose memory was `before` bytes. */
void ps_kafka_native_batch_grew(struct ps_kafka_native *client, const struct ps_kafka_native_batch *batch,
                                uint64_t before);
struct ps_kafka_native_request *ps_kafka_native_take_request(struct ps_kafka_native *client,
                                                             enum ps_kafka_native_kind kind, int16_t version);
void ps_kafka_native_give_request(struct ps_kafka_native *client, struct ps_kafka_native_request *request);

/* Reports the records of a batch, and frees it. `error` 0: delivered. */
void ps_kafka_native_report(struct ps_kafka_native *client, struct ps_kafka_native_batch *batch, int error);
/* Does the same for a batch of several records, of which the broker refuses this one: the others count as purged, and are sent
 * again. */
void ps_kafka_native_report_record(struct ps_kafka_native *client, struct ps_kafka_native_batch *batch,
                                   int error, uint32_t record);
void ps_kafka_native_notice(struct ps_kafka_native *client, enum ps_kafka_notice_kind kind, int code,
                            const char *text);
/* Returns whether a lasting trouble may be reported now: it was not for a minute, or never (*told_ns 0). Notes the time. */
bool ps_kafka_native_may_tell(const struct ps_kafka_native *client, uint64_t *told_ns);
/* If no broker can be reached, reports this once, with the last broker's reason; reports it again only after a
 * broker has answered. */
void ps_kafka_native_tell_all_down(struct ps_kafka_native *client, const char *reason);
