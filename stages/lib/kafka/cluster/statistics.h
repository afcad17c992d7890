/* The figures of the native client's report about itself (statistics.c).
 *
 * Owner and thread: as in native_internal.h, which includes this file. */
#pragma once

#include "core/watch/histogram.h"

struct ps_kafka_native;
struct ps_kafka_native_request;

struct ps_kafka_native_statistics {
    uint64_t requests, bytes;        /* bytes written since the producer was made */
    struct ps_histogram round_trips; /* of the answers since the last report */
    uint64_t due_ns;
};

/* Counts the round trip of an answered request. */
void ps_kafka_native_count_answer(struct ps_kafka_native *client,
                                  const struct ps_kafka_native_request *request);
/* Hands a report to the listener if its time has come. */
void ps_kafka_native_tell_statistics(struct ps_kafka_native *client);
uint64_t ps_kafka_native_statistics_due_ns(const struct ps_kafka_native *client);
