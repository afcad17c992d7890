/* The consumer side of the Kafka channel: one for each consumer number, all members of one group. It makes batches of
 * the records, in memory of its worker. A window keeps the order of the batches: their offsets are committed in this
 * order, after a sink has delivered the batches.
 *
 * Thread: the consumer's worker, unless a comment says otherwise. */
#pragma once

#include "core/flow/channel.h"
#include "core/stage.h"
#include "stages/lib/kafka/channel/reason.h"
#include "stages/lib/kafka/fetch/reading.h"
#include "stages/lib/kafka/place.h"

/* Shared by all consumers; const. */
struct ps_kafka_channel_take_plan {
    const char *component; /* of the channel */
    const struct ps_kafka_settings *settings;
    struct ps_texts subscription;
    struct ps_kafka_record_plan record;
    uint64_t revoke_wait_ns, held_bytes_max;
    struct ps_kafka_place_plan place;
};

struct ps_kafka_channel_take {
    const struct ps_kafka_channel_take_plan *plan;
    unsigned number;              /* of this consumer */
    struct ps_counters *counters; /* of this consumer of the channel */
    struct ps_kafka_place place;
    struct ps_port port; /* for `reading` and `record`: the worker's, with the channel's name and counters */
    struct ps_kafka_fetch *reading; /* NULL: there is none yet, or no more */
    struct ps_kafka_record_state record;
    struct ps_readback *readback; /* of the batches of `reading` */
    struct ps_lease *given_back;  /* the first one is the next to be taken */
    struct ps_lease *held;        /* the lease of a batch whose dead letters are not written yet */
    struct ps_kafka_dead_letters dead_letters;
    bool starved;           /* memory or room was missing for records that may be in the topic */
    bool left;              /* the sink is closed */
    bool parting;           /* no more records are read; leaves the group */
    uint64_t part_until_ns; /* set by the channel when it parts */
    uint64_t
        left_over; /* when it parted: number of records that it leaves in the topic, if `knows_left_over` */
    bool knows_left_over;
    uint64_t retry_ns;             /* earliest time of the next attempt to make a client */
    bool failing;                  /* the last client failed, or could not be made. Any thread reads */
    bool lacking;                  /* the client reaches no broker, or not the topic. Any thread reads */
    struct ps_kafka_reason reason; /* why the last client failed, or what it lacks */
} PS_ALIGNED_GAP;

/* Thread: control. */
void ps_kafka_channel_take_init(struct ps_kafka_channel_take *take,
                                const struct ps_kafka_channel_take_plan *plan, unsigned consumer,
                                struct ps_counters *counters);

void ps_kafka_channel_take_fini(struct ps_kafka_channel_take *take);

struct ps_lease *ps_kafka_channel_take_next(struct ps_kafka_channel_take *take, struct ps_port *port,
                                            const struct ps_now *now);
void ps_kafka_channel_take_back(struct ps_kafka_channel_take *take, struct ps_lease **lease);

/* Called at every cycle: makes the client, handles group events, commits. Returns the time of the next call at the
 * latest. */
uint64_t ps_kafka_channel_take_tick(struct ps_kafka_channel_take *take, struct ps_port *port,
                                    const struct ps_now *now);

/* Called when the sink is closed: drops the leases that the sink gave back, so their records are read again,
 * and frees the worker's memory. Leases that were released before count as delivered. */
void ps_kafka_channel_take_leave(struct ps_kafka_channel_take *take, struct ps_port *port);

/* Called until it returns true: commits the delivered offsets, leaves the group, and frees the client. No records are
 * read after the first call. Returns true when the client is freed, at the latest when `until_ns` has come; never waits.
 * Thread: the consumer's worker while it recalls, or control, while no worker runs. */
bool ps_kafka_channel_take_part(struct ps_kafka_channel_take *take, uint64_t until_ns, uint64_t mono_ns);

/* Logs how many events these consumers, which have parted, leave in the topic of the brokers, if there are any. It is the
 * least number: the brokers may have got more since they answered last. Thread: control. */
void ps_kafka_channel_take_say_left_over(const struct ps_kafka_channel_take *takes, unsigned count,
                                         const char *brokers);

/* Returns whether the client failed, or does not reach the topic; then writes the reason, one line. Thread: any. */
bool ps_kafka_channel_take_trouble(struct ps_kafka_channel_take *take, char *text, size_t room);
