/* The native client: an engine behind stages/lib/kafka/produce/seam.h that writes record batches itself and sends
 * them over sockets of its own, without threads. The worker polls the client's epoll. ps_kafka_native_fits
 * names a setting that the client does not support. */
#pragma once

#include "stages/lib/kafka/produce/seam.h"

extern const struct ps_kafka_engine ps_kafka_native;

/* ---- transactions: the engine's own functions, since librdkafka's block. Thread: the sink's worker ---- */

/* Returns whether the open transaction of the last producer with this transactional id has ended, so that
 * the last producer can write nothing more. */
bool ps_kafka_native_begun(struct ps_kafka_producer *producer);
/* Returns whether the cluster has given this producer an id: without one it has opened no transaction. */
bool ps_kafka_native_had_id(struct ps_kafka_producer *producer);
/* Commits the records reported as delivered since the last commit, together with the positions, which stay valid until
 * the listener's `ended`. No record may be submitted meanwhile. */
void ps_kafka_native_commit(struct ps_kafka_producer *producer, struct ps_kafka_position *positions,
                            uint32_t count);
/* Gives up a commit that is under way. Returns false if the commit may have been carried out, or may still
 * be carried out. */
bool ps_kafka_native_withdraw(struct ps_kafka_producer *producer);
/* Finds out whether a transaction that ended PS_KAFKA_END_UNKNOWN was committed: `ended` reports
 * PS_KAFKA_END_COMMITTED or PS_KAFKA_END_ABORTED, or PS_KAFKA_END_UNKNOWN if this producer fails. Called
 * before the first `submit`. */
void ps_kafka_native_resolve(struct ps_kafka_producer *producer, struct ps_kafka_position *positions,
                             uint32_t count);
/* Aborts the open transaction. Returns whether no transaction of this id is open any more; call `poll`, and then this
 * again, until it returns true. Called when every record is reported. Nothing may be submitted afterwards. */
bool ps_kafka_native_abort(struct ps_kafka_producer *producer);

/* Returns PS_OK if the client supports these settings; PS_FAIL: `err` has the reason. Thread: any. */
enum ps_status ps_kafka_native_fits(const struct ps_kafka_settings *settings, struct ps_err *err);
