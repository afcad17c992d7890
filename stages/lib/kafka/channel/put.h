/* The producer side of the Kafka channel: one for each producer number. Leases wait in a list until the sender has room
 * for them. A lease is returned to its source, as accepted, when the brokers have acknowledged all of its events.
 *
 * Each producer number has a Kafka client of its own, so a source's events keep their order in each partition.
 *
 * Thread: the producer's worker, unless a comment says otherwise. */
#pragma once

#include <pthread.h>

#include "stages/lib/kafka/channel/reason.h"
#include "stages/lib/kafka/produce/sender.h"

/* Shared by all producers; const. */
struct ps_kafka_channel_put_plan {
    const char *component; /* of the channel */
    struct ps_kafka_sender_plan sender;
    /* Maximum bytes of memory of one producer's leases that wait or are in flight; one lease is always admitted. */
    uint64_t memory_bytes_max;
    /* A lease of this age whose source can refuse it is given up when the brokers have acknowledged nothing for this
     * time. */
    uint64_t patience_ns;
};

struct ps_kafka_channel_put {
    const struct ps_kafka_channel_put_plan *plan;
    struct ps_counters *counters; /* of this producer of the channel */

    struct ps_kafka_sender *sender; /* NULL: not open yet */
    struct ps_port port;            /* for the sender, which returns the settled leases through it */
    struct ps_port *engine_port;    /* of the tick under way; NULL: none */
    /* while the channel is stripped: leases that are settled or given back; `stripped_end` is NULL before that */
    struct ps_lease *stripped, **stripped_end;
    struct ps_lease *waiting, **waiting_end;
    uint64_t memory_bytes; /* memory of leases that wait and are in flight */
    uint64_t retry_ns;     /* earliest time of the next attempt to open */
    uint64_t since_ns;     /* time of the first tick of this producer; 0: there was none yet */
    /* time of the last acknowledgement, or of the last tick at which no lease waited for one */
    uint64_t progress_ns;
    uint64_t give_up_ns; /* earliest time of the next look for leases to give up */
    uint64_t ticked_ns;  /* time of the last tick */
    bool giving_up;      /* taking back the sender's leases, to give up those that are too old */
    /* Numbers of events, bytes and leases that are put and not acknowledged, for the channel's fill. One thread
     * writes, any thread reads. */
    uint64_t events, bytes, leases;
    uint64_t front_events, front_bytes; /* totals of the leases that ps_kafka_channel_put_front has put */
    uint64_t stuck_since_ns;            /* progress_ns while leases wait; 0: no lease waits */
    struct ps_kafka_reason reason;      /* the client's last error since the last acknowledgement */
} PS_ALIGNED_GAP;

/* Thread: control. */
void ps_kafka_channel_put_init(struct ps_kafka_channel_put *put, const struct ps_kafka_channel_put_plan *plan,
                               struct ps_counters *counters);

void ps_kafka_channel_put_fini(struct ps_kafka_channel_put *put);

enum ps_put ps_kafka_channel_put_add(struct ps_kafka_channel_put *put, struct ps_lease **lease,
                                     const struct ps_now *now);
/* Puts a list of leases, in order, before all waiting leases. */
void ps_kafka_channel_put_front(struct ps_kafka_channel_put *put, struct ps_lease *list);
uint64_t ps_kafka_channel_put_tick(struct ps_kafka_channel_put *put, struct ps_port *port,
                                   const struct ps_now *now);
bool ps_kafka_channel_put_hungry(const struct ps_kafka_channel_put *put);

/* Takes back the leases that are not acknowledged, and closes the client. Call it until it returns true, for a second or
 * two, because the brokers may still answer a request under way. Thread: control, while no worker runs. */
bool ps_kafka_channel_put_recall(struct ps_kafka_channel_put *put);

/* Called when `recall` has returned true. Appends every lease to `*end` in order, acknowledged leases as settled; returns
 * the new end. Thread: control, while no worker runs. */
struct ps_lease **ps_kafka_channel_put_strip(struct ps_kafka_channel_put *put, struct ps_lease **end);

/* ---- leases of the last plan ---- */

/* The leases that a reload carries over from the old plan's Kafka channel to the new plan's: leases that were
 * put and are not acknowledged by the brokers. A source that stays open stays on its worker, so each producer
 * takes the leases of its worker before it sends leases that were put later. This keeps the order of a source's
 * events. If a worker no longer has a producer, any producer takes the worker's leases, a second later. */
struct ps_kafka_channel_carried {
    pthread_mutex_t lock;   /* guards `first` */
    struct ps_lease *first; /* the leases that are left, in order */
    uint64_t events, bytes; /* of all leases that were carried over */
};

/* Returns the leases that are left, in order: those of this worker; of all workers, if `worker` is NULL. Returns NULL if
 * there are none. Thread: any. */
struct ps_lease *ps_kafka_channel_carried_take(struct ps_kafka_channel_carried *carried,
                                               const unsigned *worker);
