/* What the engine measures about itself (statistics.interval.ms), as counters of the sink. Thread: the sink's worker. */
#pragma once

#include "core/counters.h"
#include "stages/lib/kafka/produce/seam.h"

/* The sink's own counters, from PS_COUNTER_extra on, in this order. */
enum ps_kafka_gauge {
    PS_KAFKA_GAUGE_queue_messages,
    PS_KAFKA_GAUGE_queue_bytes,
    PS_KAFKA_GAUGE_requests_in_flight,
    PS_KAFKA_GAUGE_requests_sent,
    PS_KAFKA_GAUGE_request_bytes_sent,
    PS_KAFKA_GAUGE_rtt_avg_us,
    PS_KAFKA_GAUGE_rtt_p99_us,
    PS_KAFKA_GAUGE_producers_made,   /* ours */
    PS_KAFKA_GAUGE_events_in_flight, /* of the sender: taken and not acknowledged, */
    PS_KAFKA_GAUGE_events_submitted, /* and those of them that the client has */
    PS_KAFKA_GAUGE_leases_held,
    PS_KAFKA_GAUGE_queue_limit_messages,
    PS_KAFKA_GAUGE_in_flight_limit_bytes, /* ours */
    PS_KAFKA_GAUGE_transactions_committed,
    PS_KAFKA_GAUGE_transactions_aborted,
    PS_KAFKA_GAUGE_oldest_unacknowledged_ms, /* age of the oldest event that waits for its acknowledgement */
    PS_KAFKA_GAUGE_COUNT
};
_Static_assert(PS_COUNTER_extra + PS_KAFKA_GAUGE_COUNT <= PS_COUNTER_COUNT, "room for the stage's own");

/* The names of the counters, for ps_stage_ops.counters. */
extern const char *const ps_kafka_gauge_names[];

struct ps_kafka_statistics {
    struct ps_counters *counters;
    uint64_t requests_before, bytes_before; /* totals of the earlier producers */
    uint64_t requests_now, bytes_now;
};

void ps_kafka_statistics_take(struct ps_kafka_statistics *statistics,
                              const struct ps_kafka_measured *measured);
/* Called when the producer is gone: the totals of a new one start at zero, and nothing waits in the old one. */
void ps_kafka_statistics_renew(struct ps_kafka_statistics *statistics);
