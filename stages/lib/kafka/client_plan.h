/* The part of the plan that all stages with a Kafka client share: the translation of the stage's
 * sub-properties, and the properties of the library that a stage always sets. Thread: control. */
#pragma once

#include "stages/lib/kafka/produce/sender.h"
#include "stages/lib/kafka/properties/properties.h"
#include "stages/lib/kafka/librdkafka/settings.h"

/* Translates the properties of Java's client, prefix stripped, to the library's. `settings` NULL: only checks them.
 * `notes` NULL: no notes. */
enum ps_status ps_kafka_translate(enum ps_kafka_client client, const struct ps_pairs *pairs,
                                  const struct ps_context *context, const struct ps_notes *notes,
                                  struct ps_kafka_settings *settings, struct ps_err *err);

/* ---- producers ---- */

/* Returns what the producer gets as acks: "0", "1", "all", or NULL if nothing sets it. `otherwise`: the value of an
 * older key, used if `pairs` has none; may be NULL. */
const char *ps_kafka_acks_of(const struct ps_pairs *pairs, const char *otherwise);
/* Returns true for 0 and 1, which are used as set. All other values, and NULL, become "all". */
bool ps_kafka_acks_are_weak(const char *acks);
/* Returns a sentence about the events that weak acks can lose. */
const char *ps_kafka_acks_warning(const char *acks);

struct ps_kafka_sender_wants {
    const char *acks;     /* NULL: all */
    uint64_t queue_bytes; /* size of the library's queue: a share of the memory budget */
    uint64_t in_flight_bytes_max;
    enum ps_kafka_spread spread;
    bool native; /* the native client, stages/lib/kafka/cluster/native.h, if the settings allow it */
};

/* Sets the properties that the sender needs in addition to those of the user, and fills its plan except for the mapping.
 * The plan points into `settings`. PS_FAIL: the library refuses a property. */
enum ps_status ps_kafka_sender_plan_build(struct ps_kafka_sender_plan *sender,
                                          struct ps_kafka_settings *settings,
                                          const struct ps_kafka_sender_wants *wants, struct ps_err *err);

/* ---- consumers ---- */

/* Checks the properties of a client that reads, and reports what is wrong. PS_FAIL: one is wrong, or is a property of
 * librdkafka's own, which the client does not read. */
enum ps_status ps_kafka_consumer_check(const struct ps_pairs *pairs, const struct ps_context *context,
                                       const struct ps_notes *notes);

/* Returns whether members with this list of assignors, in the library's words, use the cooperative protocol. */
bool ps_kafka_strategy_is_cooperative(const char *strategy);
bool ps_kafka_is_cooperative(const struct ps_kafka_settings *settings);

/* Returns for how many nanoseconds a revocation waits for the delivery of the records that were read. */
uint64_t ps_kafka_revoke_wait_ns(const struct ps_kafka_settings *settings);
