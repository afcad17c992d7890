/* The consumer side of the Kafka channel: one for each consumer number, all members of one group. It makes batches of
 * the records, in memory of its worker. A window keeps the order of the batches: their offsets are committed in this
 * order, after a sink has delivered the batches.
 *
 * Thread: the consumer's worker, unless a comment says otherwise. */
#pragma once

#include "core/flow/channel.h"
#include "core/stage.h"
#include "stages/lib/kafka/channel/reason.h"
#include "stages/lib/kafka/client_factory.h"
#include "stages/lib/kafka/librdkafka/farewell.h"
#include "stages/lib/kafka/librdkafka/rebalance.h"
#include "stages/lib/kafka/fetch/record.h"
#include "stages/lib/kafka/place.h"

/* Shared by all consumers; const. */
struct ps_kafka_channel_take_plan {
    const char *component; /* of the channel */
    const struct ps_pair *pairs;
    size_t pair_count;
    const char *group_instance_id; /* NULL: none */
    struct ps_texts subscription;
    struct ps_kafka_record_plan record;
    uint64_t revoke_wait_ns;
    bool cooperative;
    struct ps_kafka_place_plan place;
};

enum ps_kafka_channel_phase {
    PS_KAFKA_CHANNEL_NEW,
    PS_KAFKA_CHANNEL_MAKING, /* the consumer is being made, on the client factory's thread */
    PS_KAFKA_CHANNEL_OPEN,
    PS_KAFKA_CHANNEL_GONE, /* the consumer leaves the group on a thread of its own, or has left it */
};

struct ps_kafka_channel_take {
    const struct ps_kafka_channel_take_plan *plan;
    struct ps_counters *counters; /* of this consumer of the channel */
    struct ps_kafka_place place;
    struct ps_kafka_consumer_config config;
    struct ps_kafka_client_factory *factory;
    enum ps_kafka_channel_phase phase;
    struct ps_kafka_group group;
    struct ps_port port; /* has the channel's name and counters, for `record` */
    struct ps_kafka_record_state record;
    struct ps_readback *readback;
    struct ps_lease *given_back; /* the first one is the next to be taken */
    struct ps_lease *held;       /* the lease of a batch whose dead letters are not written yet */
    struct ps_kafka_dead_letters dead_letters;
    bool starved; /* memory or room was missing for records that may be in the topic */
    bool left;
    bool parting;                       /* the consumer leaves: no more records are read */
    uint64_t part_until_ns;             /* set by the channel when it parts */
    struct ps_kafka_farewell *farewell; /* in phase GONE: the consumer's departure */
    uint64_t retry_ns;                  /* earliest time of the next attempt to make a consumer */
    bool failing;                       /* the last consumer failed, or could not be made. Any thread reads */
    bool lacking;                  /* the consumer reaches no broker, or not the topic. Any thread reads */
    struct ps_kafka_reason reason; /* why the last consumer failed, or what it lacks */
} PS_ALIGNED_GAP;

/* Thread: control. */
void ps_kafka_channel_take_init(struct ps_kafka_channel_take *take,
                                const struct ps_kafka_channel_take_plan *plan, unsigned consumer,
                                struct ps_counters *counters);

void ps_kafka_channel_take_fini(struct ps_kafka_channel_take *take);

struct ps_lease *ps_kafka_channel_take_next(struct ps_kafka_channel_take *take, struct ps_port *port,
                                            const struct ps_now *now);
void ps_kafka_channel_take_back(struct ps_kafka_channel_take *take, struct ps_lease **lease);

/* Called at every cycle: makes the consumer, handles group events, commits. Returns the time of the next call at the
 * latest. */
uint64_t ps_kafka_channel_take_tick(struct ps_kafka_channel_take *take, struct ps_port *port,
                                    const struct ps_now *now);

/* Called when the sink is closed: drops the leases that the sink gave back, so their records are read again,
 * and frees the worker's memory. Leases that were released before count as delivered. */
void ps_kafka_channel_take_leave(struct ps_kafka_channel_take *take, struct ps_port *port);

/* Called until it returns true: commits the delivered offsets, then leaves the group and destroys the consumer
 * on another thread. No records are read after the first call. Returns true when the consumer is destroyed or
 * `until_ns` has come; never waits. Thread: the consumer's worker while it recalls, or control, as for `close`. */
bool ps_kafka_channel_take_part(struct ps_kafka_channel_take *take, uint64_t until_ns, uint64_t mono_ns);

/* Ends the consumer. If `part` has not given it to the other thread, waits for the brokers until `until_ns` at
 * the latest. A consumer that has not left the group by then continues to leave it on the other thread. Thread:
 * control, while no worker runs. */
void ps_kafka_channel_take_close(struct ps_kafka_channel_take *take, uint64_t until_ns);

/* Returns whether the consumer failed, or does not reach the topic; then writes the reason, one line. Thread: any. */
bool ps_kafka_channel_take_trouble(struct ps_kafka_channel_take *take, char *text, size_t room);
