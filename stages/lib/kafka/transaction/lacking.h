/* Topics that a group's coordinator lacks, although the transaction has positions in them (lacking.c). Thread: the
 * sink's worker. */
#pragma once

#include "stages/lib/kafka/transaction/position.h"

/* Returns whether a question may be under way: the positions of a commit lack topics. */
static inline bool ps_kafka_native_lacking_is_open(const struct ps_kafka_native *client)
{
    return client->transaction.step == PS_KAFKA_NATIVE_STEP_OFFSETS && client->transaction.missing_ns != 0;
}

/* Asks all brokers for the topics that the group's coordinator lacks, when it is time. */
void ps_kafka_native_lacking_turn(struct ps_kafka_native *client);

/* ---- transaction_answers.c ---- */

/* Returns whether the group's coordinator has lacked topics for so long that the other brokers are asked. */
bool ps_kafka_native_lacks_long(const struct ps_kafka_native *client);

/* ---- lacking_answers.c ---- */

#define PS_KAFKA_NATIVE_LACKING_REST_NS PS_NS_PER_S /* pause before the next question */

/* Forgets the question and its answers: the group has another coordinator, which may have all topics. */
void ps_kafka_native_lacking_forget(struct ps_kafka_native *client);

/* Ends the question. Without an answer nothing is known. */
void ps_kafka_native_lacking_conclude(struct ps_kafka_native *client);
bool ps_kafka_native_lacking_answer(struct ps_kafka_native *client,
                                    const struct ps_kafka_native_request *request, struct ps_wire_in *in);
void ps_kafka_native_lacking_lost(struct ps_kafka_native *client,
                                  const struct ps_kafka_native_request *request);
