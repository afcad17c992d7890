/* The part of the plan that all stages with a Kafka client share: the translation of the stage's
 * sub-properties, and the settings that a stage always has. Thread: control. */
#pragma once

#include "stages/lib/kafka/produce/sender.h"
#include "stages/lib/kafka/properties/properties.h"

/* Translates the properties of Java's client, prefix stripped, to settings. `notes` NULL: no notes. PS_FAIL: the settings
 * need no `fini`. */
enum ps_status ps_kafka_translate(enum ps_kafka_client client, const struct ps_pairs *pairs,
                                  const struct ps_context *context, const struct ps_notes *notes,
                                  struct ps_kafka_settings *settings, struct ps_err *err);
/* Returns the settings without texts, translated as far as no file is read: for a check that must judge what the client
 * gets, and not the user's text, which may be Java's class, have blanks, or another case. `acks`: the value of an older
 * key of a producer, used if `pairs` has none; NULL: there is no such key. */
struct ps_kafka_settings ps_kafka_peek(enum ps_kafka_client client, const struct ps_pairs *pairs,
                                       const char *acks);

/* Checks the properties of a stage that has only the native client (stages/lib/kafka/cluster/native.h), and reports what is
 * wrong. PS_FAIL: one is wrong, or is a property of librdkafka's own, which that client does not read. */
enum ps_status ps_kafka_native_check(enum ps_kafka_client client, const struct ps_pairs *pairs,
                                     const struct ps_context *context, const struct ps_notes *notes);

/* ---- producers ---- */

/* Checks the properties, and reports what is wrong. `native`: the native client is used if the settings allow it. */
enum ps_status ps_kafka_producer_check(const struct ps_pairs *pairs, bool native,
                                       const struct ps_context *context, const struct ps_notes *notes);
/* Returns true for 0 and 1, which are used as set. All other values become "all". */
bool ps_kafka_acks_are_weak(int32_t acks);
/* Returns "0", "1" or "all". */
const char *ps_kafka_acks_word(int32_t acks);
/* Returns a sentence about the events that weak acks can lose. */
const char *ps_kafka_acks_warning(int32_t acks);

struct ps_kafka_sender_wants {
    uint64_t queue_bytes; /* size of the client's queue: a share of the memory budget */
    uint64_t in_flight_bytes_max;
    bool native; /* the native client, stages/lib/kafka/cluster/native.h, if the settings allow it */
};

/* Sets what the sender needs in addition to what the user sets, and fills its plan except for the mapping. The plan
 * points to `settings`. PS_FAIL: librdkafka, which is used, refuses a property. */
enum ps_status ps_kafka_sender_plan_build(struct ps_kafka_sender_plan *sender,
                                          struct ps_kafka_settings *settings,
                                          const struct ps_kafka_sender_wants *wants, struct ps_err *err);

/* ---- consumers ---- */

/* Returns for how many nanoseconds a revocation waits for the delivery of the records that were read. */
uint64_t ps_kafka_revoke_wait_ns(const struct ps_kafka_settings *settings);
