/* The producer side of the Kafka channel: one for each producer number. Leases wait in a list until the sender has room
 * for them. A lease is returned to its source, as accepted, when the brokers have acknowledged all of its events.
 *
 * The client of each producer number is its own, so a source's events keep their order in each partition.
 *
 * Thread: the producer's worker, unless a comment says otherwise. */
#pragma once

#include "stages/lib/kafka/channel/reason.h"
#include "stages/lib/kafka/producer/sender.h"

/* Shared by all producers; const. */
struct ps_kafka_channel_put_plan {
    const char *component; /* of the channel */
    struct ps_kafka_sender_plan sender;
    uint64_t
        /* limit of memory for leases that wait and are in flight, for one producer; one lease is always admitted */
        memory_bytes_max;
    /* A lease of this age whose source can refuse it is given up when the brokers have acknowledged nothing for this
     * time. */
    uint64_t patience_ns;
};

struct ps_kafka_channel_put {
    const struct ps_kafka_channel_put_plan *plan;
    struct ps_counters *counters; /* of this producer of the channel */

    struct ps_kafka_sender *sender; /* NULL: not open yet */
    struct ps_port port;            /* the sender's: it hands over the leases that it has settled */
    struct ps_port *engine_port;    /* of the tick under way; NULL: none */
    struct ps_lease *stripped,
        **stripped_end;    /* while it is stripped: settled leases. `stripped_end` is NULL before */
    struct ps_lease *back; /* while it is stripped: leases that the sender has given back */
    bool recalled;         /* it has given back all of them */
    struct ps_lease *waiting, **waiting_end;
    uint64_t memory_bytes; /* memory of leases that wait and are in flight */
    uint64_t retry_ns;     /* earliest time of the next attempt to open */
    uint64_t since_ns;     /* its first tick; 0: none yet */
    uint64_t progress_ns;  /* the last acknowledgement, or the last tick at which nothing waited for one */
    uint64_t give_up_ns;   /* earliest time of the next look for leases to give up */
    bool giving_up;        /* taking back the sender's leases, to give up those that are too old */
    /* it has taken the leases that the last plan left, including those of other workers */
    bool has_all;
    /* Put and not acknowledged, for the channel's fill: one writer, any thread reads. */
    uint64_t events, bytes, leases;
    uint64_t front_events, front_bytes; /* totals that ps_kafka_channel_put_front has put */
    uint64_t stuck_since_ns;            /* progress_ns while something waits; 0: nothing does */
    struct ps_kafka_reason reason;      /* the library's last error since something was acknowledged */
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

/* Takes back what is not acknowledged. Called until it returns true, for a second or two: a request under way may be answered.
 * Thread: control, while no worker runs. */
bool ps_kafka_channel_put_recall(struct ps_kafka_channel_put *put);

/* Closes the client. Appends every lease to `*end` in order, acknowledged leases as settled; returns the new end. Leases that
 * the client still has, if `recall` was not done, count as not acknowledged, though their events may be in the topic. Thread:
 * control, while no worker runs. */
struct ps_lease **ps_kafka_channel_put_strip(struct ps_kafka_channel_put *put, struct ps_lease **end);
