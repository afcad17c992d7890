/* The topic of positions: a compacted topic in the sink's cluster. A sink that delivers exactly once writes
 * into it, in its transactions, up to which position a file channel or a source of files is delivered (as in
 * KIP-618), and reads it when it starts.
 *
 * Keys are "OWNER" or "OWNER/..", where OWNER is the random number of the channel or source. All records are in
 * partition 0, so partitions that are added later change nothing.
 *
 * The topic is read by librdkafka on a thread of its own (core/helper/helper.h), because that may take seconds.
 * The reader reads up to the end that the topic has when the reading begins, not to the last stable offset:
 * another agent's transaction may be open at offsets below records of this owner, so the reader waits until
 * that transaction has ended.
 *
 * Thread: the sink's worker calls all functions. */
#pragma once

#include "core/status.h"
#include "stages/lib/kafka/cluster/settings.h"

#include <jansson.h>

#define PS_KAFKA_POSITIONS_PARTITION 0

struct ps_kafka_positions_settings {
    const char *topic;
    const struct ps_kafka_settings *producer;
};

/* The functions that read the topic; tests have a reader of their own. */
struct ps_kafka_positions_ops {
    /* Starts the thread. Copies what it needs of the settings. `wake_fd` is written when there is a reply; -1: none. Returns
     * NULL if no thread can be started. */
    void *(*open)(const struct ps_kafka_positions_settings *settings, int wake_fd, struct ps_err *err);
    void (*close)(void *reader);
    /* Begins to read the positions of the owner, at most 95 characters. Makes the topic if the cluster does not have it. */
    void (*ask)(void *reader, const char *owner);
    /* Returns the last value of each key of the owner, as texts; the caller owns them. NULL: there is no reply yet. Sets
     * `err` if the positions could not be read: call `ask` again later. Without an error, `warning` is a sentence for
     * the log, or empty. */
    json_t *(*reply)(void *reader, char warning[512], struct ps_err *err);
};

extern const struct ps_kafka_positions_ops ps_kafka_positions_topic;
