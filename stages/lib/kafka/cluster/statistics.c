/* What the native client measures about itself. */
#include "stages/lib/kafka/cluster/native_internal.h"

#include <string.h>

void ps_kafka_native_count_answer(struct ps_kafka_native *client,
                                  const struct ps_kafka_native_request *request)
{
    uint64_t now_ns = client->now.mono_ns;
    uint64_t trip_ns = now_ns > request->sent_ns ? now_ns - request->sent_ns : 0;
    ps_histogram_record(&client->statistics.round_trips, trip_ns, 1);
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
    struct ps_histogram *trips = &client->statistics.round_trips;
    if (client->settings.statistics_ns == 0 || client->now.mono_ns < client->statistics.due_ns)
        return;
    client->statistics.due_ns = client->now.mono_ns + client->settings.statistics_ns;
    const struct ps_kafka_measured measured = {
        .queue_records = client->queued.records,
        .queue_bytes = client->queued.bytes,
        .queue_records_max = client->settings.queue_records_max,
        .requests = client->statistics.requests,
        .request_bytes = client->statistics.bytes,
        .requests_in_flight = in_flight(client),
        .round_trip_us = trips->count > 0 ? trips->sum / trips->count / 1000 : 0,
        .round_trip_p99_us = ps_histogram_percentile(trips, 99) / 1000,
    };
    const struct ps_kafka_notice notice = {.kind = PS_KAFKA_NOTICE_STATISTICS, .measured = &measured};
    client->listener->notice(client->listener->argument, &notice);
    memset(trips, 0, sizeof *trips);
}

uint64_t ps_kafka_native_statistics_due_ns(const struct ps_kafka_native *client)
{
    bool needed = client->settings.statistics_ns != 0 &&
                  (client->queued.records > 0 || client->statistics.round_trips.count > 0);
    return needed ? client->statistics.due_ns : PS_NEVER;
}
