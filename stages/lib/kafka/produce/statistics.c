#include "stages/lib/kafka/produce/statistics.h"

#define NAME(name) "kafka_" #name
#define GAUGE(name) "kafka_" #name "_now" /* may decrease: core/watch/metrics/metrics.h */
const char *const ps_kafka_gauge_names[] = {
    GAUGE(queue_messages),
    GAUGE(queue_bytes),
    GAUGE(requests_in_flight),
    NAME(requests_sent),
    NAME(request_bytes_sent),
    GAUGE(rtt_avg_us),
    GAUGE(rtt_p99_us),
    NAME(producers_made),
    GAUGE(events_in_flight),
    GAUGE(events_submitted),
    GAUGE(leases_held),
    GAUGE(queue_limit_messages),
    GAUGE(in_flight_limit_bytes),
    NAME(transactions_committed),
    NAME(transactions_aborted),
    GAUGE(oldest_unacknowledged_ms),
    NULL,
};
_Static_assert(PS_COUNT_OF(ps_kafka_gauge_names) == PS_KAFKA_GAUGE_COUNT + 1, "a name for each");

static void set(const struct ps_kafka_statistics *statistics, enum ps_kafka_gauge gauge, uint64_t value)
{
    ps_gauge_set(statistics->counters, (enum ps_counter)(PS_COUNTER_extra + gauge), value);
}

void ps_kafka_statistics_take(struct ps_kafka_statistics *statistics,
                              const struct ps_kafka_measured *measured)
{
    statistics->requests_now = measured->requests;
    statistics->bytes_now = measured->request_bytes;
    set(statistics, PS_KAFKA_GAUGE_queue_messages, measured->queue_records);
    set(statistics, PS_KAFKA_GAUGE_queue_bytes, measured->queue_bytes);
    set(statistics, PS_KAFKA_GAUGE_queue_limit_messages, measured->queue_records_max);
    set(statistics, PS_KAFKA_GAUGE_requests_in_flight, measured->requests_in_flight);
    set(statistics, PS_KAFKA_GAUGE_requests_sent, statistics->requests_before + measured->requests);
    set(statistics, PS_KAFKA_GAUGE_request_bytes_sent, statistics->bytes_before + measured->request_bytes);
    set(statistics, PS_KAFKA_GAUGE_rtt_avg_us, measured->round_trip_us);
    set(statistics, PS_KAFKA_GAUGE_rtt_p99_us, measured->round_trip_p99_us);
}

void ps_kafka_statistics_renew(struct ps_kafka_statistics *statistics)
{
    statistics->requests_before += statistics->requests_now;
    statistics->bytes_before += statistics->bytes_now;
    statistics->requests_now = statistics->bytes_now = 0;
    set(statistics, PS_KAFKA_GAUGE_queue_messages, 0);
    set(statistics, PS_KAFKA_GAUGE_queue_bytes, 0);
    set(statistics, PS_KAFKA_GAUGE_requests_in_flight, 0);
}
