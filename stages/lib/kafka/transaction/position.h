/* The positions that a transaction commits, sorted by group, member, assignment, topic and partition. Thread: the sink's
 * worker. */
#pragma once

#include "stages/lib/kafka/cluster/native_internal.h"

/* ---- coordinator_requests.c ---- */

/* Returns the number of positions from `from` on that are of the same group and, if `of_member`, of the same
 * member. */
uint32_t ps_kafka_native_positions_run(const struct ps_kafka_position *positions, uint32_t count,
                                       uint32_t from, bool of_member);
/* Returns the end of the positions from `from` on that are of the same member; positions are sorted by member. */
uint32_t ps_kafka_native_positions_member_end(const struct ps_kafka_position *positions, uint32_t count,
                                              uint32_t from);

/* ---- transaction_answers.c ---- */

/* Returns the position of a partition among those that are being committed; NULL: it is not one of them. */
struct ps_kafka_position *ps_kafka_native_position_find(const struct ps_kafka_native_transaction *transaction,
                                                        struct ps_slice topic, int32_t part);
