/* What the native client measures about itself. */
#include "stages/lib/kafka/cluster/native_internal.h"

#include "stages/lib/least.h"

#include <string.h>

/* Returns the bucket of a time: there are four buckets for each power of two of microseconds. */
static unsigned bucket_of(uint64_t us)
{
    if (us < 4)
        return (unsigned)us;
    unsigned power = 63U - (unsigned)__builtin_clzll(us);
    unsigned bucket = 4 * (power - 1) + (unsigned)(us >> (power - 2) & 3U);
    return (unsigned)ps_least(bucket, PS_KAFKA_NATIVE_ROUND_TRIPS - 1);
}

/* Returns the first microsecond after the bucket. */
static uint64_t end_of(unsigned bucket)
{
    if (bucket < 4)
        return bucket + 1;
    unsigned power = bucket / 4 + 1;
    return (4 + UINT64_C(1) + bucket % 4) << (power - 2);
}

void ps_kafka_native_count_answer(struct ps_kafka_native *client,
                                  const struct ps_kafka_native_request *request)
{
    struct ps_kafka_native_statistics *statistics = &client->statistics;
    uint64_t us =
        client->now.mono_ns > request->sent_ns ? (client->now.mono_ns - request->sent_ns) / 1000 : 0;
    statistics->answers++;
    statistics->round_trips_us += us;
    statistics->round_trips[bucket_of(us)]++;
}

static uint64_t p99_us(const struct ps_kafka_native_statistics *statistics)
{
    uint64_t left = statistics->answers / 100;
    for (unsigned i = PS_KAFKA_NATIVE_ROUND_TRIPS; i > 0; i--) {
        if (statistics->round_trips[i - 1] > left)
            return end_of(i - 1);
        left -= statistics->round_trips[i - 1];
    }
    return 0;
}

static uint64_t in_flight(const struct ps_kafka_native *client)
{
    uint64_t count = 0;
    for (const struct ps_kafka_native_broker *broker = client->brokers; broker != NULL; broker = broker->next)
        for (const struct ps_kafka_native_request *request = broker->first; request != NULL;
             request = request->next)
            count++;
    return count;
}

void ps_kafka_native_tell_statistics(struct ps_kafka_native *client)
{
    struct ps_kafka_native_statistics *statistics = &client->statistics;
    if (client->settings.statistics_ns == 0 || client->now.mono_ns < statistics->due_ns)
        return;
    statistics->due_ns = client->now.mono_ns + client->settings.statistics_ns;
    const struct ps_kafka_measured measured = {
        .queue_records = client->queued.records,
        .queue_bytes = client->queued.bytes,
        .queue_records_max = client->settings.queue_records_max,
        .requests = statistics->requests,
        .request_bytes = statistics->bytes,
        .requests_in_flight = in_flight(client),
        .round_trip_us = statistics->answers > 0 ? statistics->round_trips_us / statistics->answers : 0,
        .round_trip_p99_us = p99_us(statistics),
    };
    const struct ps_kafka_notice notice = {.kind = PS_KAFKA_NOTICE_STATISTICS, .measured = &measured};
    client->listener->notice(client->listener->argument, &notice);
    statistics->answers = statistics->round_trips_us = 0;
    memset(statistics->round_trips, 0, sizeof statistics->round_trips);
}

uint64_t ps_kafka_native_statistics_due_ns(const struct ps_kafka_native *client)
{
    bool needed =
        client->settings.statistics_ns != 0 && (client->queued.records > 0 || client->statistics.answers > 0);
    return needed ? client->statistics.due_ns : PS_NEVER;
}
