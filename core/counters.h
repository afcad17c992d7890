/* Counters of a component: Flume's names (JMX beans, /metrics), and ours.
 *
 * Each open instance of a component has one block (a source on two workers has two). Only the instance's worker
 * writes the block; readers on other threads add up the instances. Counters only grow and are never reset (readers
 * take differences); gauges (OpenConnectionCount) may go down. */
#pragma once

#include "core/base.h"

/* Flume's own, exported in /metrics under exactly these names, as strings. */
#define PS_SOURCE_COUNTERS(X)                                                                                \
    X(EventReceivedCount)                                                                                    \
    X(EventAcceptedCount)                                                                                    \
    X(AppendReceivedCount)                                                                                   \
    X(AppendAcceptedCount)                                                                                   \
    X(AppendBatchReceivedCount)                                                                              \
    X(AppendBatchAcceptedCount)                                                                              \
    X(OpenConnectionCount)                                                                                   \
    X(EventReadFail)                                                                                         \
    X(ChannelWriteFail)                                                                                      \
    X(GenericProcessingFail)                                                                                 \
    X(KafkaEventGetTimer)                                                                                    \
    X(KafkaCommitTimer)                                                                                      \
    X(KafkaEmptyCount)

#define PS_SINK_COUNTERS(X)                                                                                  \
    X(ConnectionCreatedCount)                                                                                \
    X(ConnectionClosedCount)                                                                                 \
    X(ConnectionFailedCount)                                                                                 \
    X(BatchEmptyCount)                                                                                       \
    X(BatchUnderflowCount)                                                                                   \
    X(BatchCompleteCount)                                                                                    \
    X(EventDrainAttemptCount)                                                                                \
    X(EventDrainSuccessCount)                                                                                \
    X(EventWriteFail)                                                                                        \
    X(ChannelReadFail)                                                                                       \
    X(KafkaEventSendTimer)                                                                                   \
    X(RollbackCount)

#define PS_CHANNEL_COUNTERS(X)                                                                               \
    X(EventPutAttemptCount)                                                                                  \
    X(EventPutSuccessCount)                                                                                  \
    X(EventTakeAttemptCount)                                                                                 \
    X(EventTakeSuccessCount)

#define PS_COUNTER_ENUM(name) PS_COUNTER_##name,
enum ps_counter {
    PS_SOURCE_COUNTERS(PS_COUNTER_ENUM) PS_SINK_COUNTERS(PS_COUNTER_ENUM) PS_CHANNEL_COUNTERS(PS_COUNTER_ENUM)
    /* Ours, any kind; Prometheus only. */
    PS_COUNTER_bytes,   /* bytes of event bodies received or delivered */
    PS_COUNTER_batches, /* batches put, or leases finished */
    /* Events dropped by an interceptor, by a selector without a match, or at an optional channel that was full. */
    PS_COUNTER_dropped,
    PS_COUNTER_malformed,      /* input that did not parse; the stage's page says how it is handled */
    PS_COUNTER_discarded,      /* input that was thrown away for its form (ps_port_discard) */
    PS_COUNTER_kernel_dropped, /* datagrams the kernel dropped before they were read (SO_RXQ_OVFL, SO_MEMINFO) */
    PS_COUNTER_retried,        /* events sent again */
    /* events that the server refused one by one; each counts once, and is tried again or given up */
    PS_COUNTER_refused,
    PS_COUNTER_duplicated, /* events that may arrive twice: a producer was rebuilt, or a closed source reads again */
    PS_COUNTER_blocked_ns, /* nanoseconds that a source waited for a full channel */
    PS_COUNTER_deadletter, /* events and inputs that were given up and written (penstock.deadletter) */
    PS_COUNTER_failures,   /* failures to open, and failures of the open stage (ps_port_failed) */
    PS_COUNTER_extra,      /* the stage's own, named by ps_stage_ops.counters */
    PS_COUNTER_COUNT = PS_COUNTER_extra + 16
};

struct ps_counters {
    uint64_t values[PS_COUNTER_COUNT];
} PS_ALIGNED_GAP;

/* Thread: the one writer. */
static inline void ps_count(struct ps_counters *counters, enum ps_counter counter, uint64_t amount)
{
    uint64_t *value = &counters->values[counter];
    __atomic_store_n(value, *value + amount, __ATOMIC_RELAXED);
}

static inline void ps_gauge_set(struct ps_counters *counters, enum ps_counter counter, uint64_t amount)
{
    __atomic_store_n(&counters->values[counter], amount, __ATOMIC_RELAXED);
}

/* Thread: any. */
static inline uint64_t ps_counter_read(const struct ps_counters *counters, enum ps_counter counter)
{
    return __atomic_load_n(&counters->values[counter], __ATOMIC_RELAXED);
}

/* Returns the name of the counter, "EventReceivedCount" or "bytes"; NULL for the stage's own counters. */
const char *ps_counter_name(enum ps_counter counter);
