#include "stages/lib/kafka/produce/statistics.h"

#include <jansson.h>
#include <string.h>

/* enough for thousands of partitions; longer texts would delay the worker */
#define JSON_BYTES_MAX (2U << 20)

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

static uint64_t number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    json_int_t found = json_is_integer(value) ? json_integer_value(value) : 0;
    return found > 0 ? (uint64_t)found : 0;
}

static void set(const struct ps_kafka_statistics *statistics, enum ps_kafka_gauge gauge, uint64_t value)
{
    ps_gauge_set(statistics->counters, (enum ps_counter)(PS_COUNTER_extra + gauge), value);
}

void ps_kafka_statistics_read(struct ps_kafka_statistics *statistics, const char *json)
{
    size_t length = strnlen(json, JSON_BYTES_MAX);
    if (length == JSON_BYTES_MAX)
        return;
    json_t *root = json_loadb(json, length, 0, NULL);
    if (root == NULL)
        return;
    set(statistics, PS_KAFKA_GAUGE_queue_messages, number(root, "msg_cnt"));
    set(statistics, PS_KAFKA_GAUGE_queue_bytes, number(root, "msg_size"));
    set(statistics, PS_KAFKA_GAUGE_queue_limit_messages, number(root, "msg_max"));
    statistics->requests_now = number(root, "tx");
    statistics->bytes_now = number(root, "tx_bytes");

    uint64_t in_flight = 0, answered = 0, weighted = 0, p99 = 0;
    const char *name;
    json_t *broker;
    json_object_foreach(json_object_get(root, "brokers"), name, broker)
    {
        const json_t *rtt = json_object_get(broker, "rtt");
        in_flight += number(broker, "waitresp_cnt");
        answered += number(rtt, "cnt");
        weighted += number(rtt, "avg") * number(rtt, "cnt");
        if (number(rtt, "p99") > p99)
            p99 = number(rtt, "p99");
    }
    set(statistics, PS_KAFKA_GAUGE_requests_in_flight, in_flight);
    set(statistics, PS_KAFKA_GAUGE_requests_sent, statistics->requests_before + statistics->requests_now);
    set(statistics, PS_KAFKA_GAUGE_request_bytes_sent, statistics->bytes_before + statistics->bytes_now);
    set(statistics, PS_KAFKA_GAUGE_rtt_avg_us, answered > 0 ? weighted / answered : 0);
    set(statistics, PS_KAFKA_GAUGE_rtt_p99_us, p99);
    if (answered > 0)
        statistics->round_trip_ns = weighted / answered * 1000;
    json_decref(root);
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
