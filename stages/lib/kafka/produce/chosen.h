/* Partitions and topics that an event itself chose: a header, or an escape in kafka.topic, may name one that takes no
 * records. Such an event is at fault, not the configuration: it becomes a dead letter, or waits without the events of
 * others being blamed.
 *
 * Thread: the sink's worker. Allocates nothing. */
#pragma once

#include "core/clock.h"
#include "stages/lib/kafka/errors.h"
#include "stages/lib/kafka/produce/mapping.h"

#define PS_KAFKA_BARRED_MAX 8U

struct ps_kafka_sender;

/* Places that the cluster has refused. Each event of the leases that are held now and that chose such a place becomes a
 * dead letter without another question: one answer counts for all of them. */
struct ps_kafka_barred {
    struct {
        char topic[PS_KAFKA_TOPIC_BYTES_MAX];
        int32_t partition; /* PS_KAFKA_PARTITION_ANY: the whole topic */
        const struct ps_kafka_error *error;
    } places[PS_KAFKA_BARRED_MAX];
    uint32_t count;
    uint32_t turn;      /* the place that is replaced next, when all are used */
    uint64_t judged_ns; /* time of the last answer; leases that came later are not affected */
};

/* Returns whether the error of kafka/errors.h is about a partition or a topic that the event chose. */
bool ps_kafka_chose(const struct ps_kafka_sender *sender, const void *token, int code);

/* Called when the engine does not know the partition that the event chose. Returns whether the cluster has been asked
 * since the event came, or since it was refused last. If not, the engine asks, and the event is submitted again soon.
 * If the cluster refuses the topic, it does not say which partitions there are: *code becomes its reason. */
bool ps_kafka_chosen_is_sure(struct ps_kafka_sender *sender, const void *token, int32_t partition, int *code);

/* Bars the place of the failure that is being handled. */
void ps_kafka_chosen_bar(struct ps_kafka_sender *sender);

/* Returns why the event's place is barred; NULL if it is not. `topic`, `partition`: what the mapping gave the event. */
const struct ps_kafka_error *ps_kafka_chosen_barred(const struct ps_kafka_sender *sender, const void *token,
                                                    struct ps_slice topic, int32_t partition);
