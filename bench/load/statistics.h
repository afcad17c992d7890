/* The counters of a sender. Only the sender's thread writes; the main thread reads meanwhile (relaxed), so a
 * total may be off by what is being counted at that moment. */
#pragma once

#include "core/watch/histogram.h"

struct ps_statistics {
    uint64_t sent;                   /* events handed to targets */
    uint64_t completed, failed;      /* events */
    uint64_t bytes;                  /* of completed events, framing included */
    uint64_t memory_up, memory_down; /* down: lost, with reconnection attempts going on */
    uint64_t downs, reasons;         /* connections lost; errors of any kind */
    struct ps_histogram latency_ns;  /* completed minus due */
    /* Time at which an event was handed to the target minus its due time, where the target did not block. */
    struct ps_histogram schedule_error_ns;
    struct ps_histogram schedule_error_net_ns; /* without the gaps that the pacer detected */
    struct ps_histogram gap_ns;                /* gaps that the pacer detected */
};

static inline void ps_statistics_add(uint64_t *counter, uint64_t count)
{
    __atomic_store_n(counter, *counter + count, __ATOMIC_RELAXED);
}

static inline uint64_t ps_statistics_read(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Adds a part's current counters, but not its histograms: cheap enough for 20 times a second. */
void ps_statistics_count(struct ps_statistics *total, const struct ps_statistics *part);

/* Adds a part's current counters and histograms. */
void ps_statistics_merge(struct ps_statistics *total, const struct ps_statistics *part);

/* Computes the latencies recorded since an earlier reading, and updates that reading. The maximum is that of
 * the highest bucket that grew. */
void ps_statistics_since(const struct ps_histogram *now, struct ps_histogram *earlier,
                         struct ps_histogram *between);
