/* A log-linear histogram of durations (after HdrHistogram): constant memory, relative error below 1/128,
 * percentiles up to p99.99 and the exact maximum. It has one writer, its worker. Readers on other threads add
 * instances up; their sums may be off by the one record that the writer is making, never by more. */
#pragma once

#include "core/base.h"

#define PS_HISTOGRAM_BITS 7U      /* linear steps in each power of two: 2^7 */
#define PS_HISTOGRAM_BITS_MAX 43U /* values from 2^43 ns (2.4 hours) on are counted in the last bucket */
#define PS_HISTOGRAM_BUCKETS ((PS_HISTOGRAM_BITS_MAX - PS_HISTOGRAM_BITS + 1U) << PS_HISTOGRAM_BITS)

struct ps_histogram {
    uint64_t count, sum, max;
    uint64_t counts[PS_HISTOGRAM_BUCKETS];
};

/* Returns the bucket of a value. ps_histogram_bucket_max returns the largest value of a bucket. */
static inline uint32_t ps_histogram_bucket(uint64_t value)
{
    if (value >> PS_HISTOGRAM_BITS == 0)
        return (uint32_t)value;
    if (PS_UNLIKELY(value >> PS_HISTOGRAM_BITS_MAX != 0))
        return PS_HISTOGRAM_BUCKETS - 1;
    uint32_t shift = 63U - (uint32_t)__builtin_clzll(value) - PS_HISTOGRAM_BITS;
    return (uint32_t)(value >> shift) + (shift << PS_HISTOGRAM_BITS);
}
uint64_t ps_histogram_bucket_max(uint32_t bucket);

/* Records `times` events of this value. Thread: the one writer. */
static inline void ps_histogram_record(struct ps_histogram *histogram, uint64_t value, uint64_t times)
{
    uint64_t *bucket = &histogram->counts[ps_histogram_bucket(value)];
    __atomic_store_n(bucket, *bucket + times, __ATOMIC_RELAXED);
    __atomic_store_n(&histogram->count, histogram->count + times, __ATOMIC_RELAXED);
    __atomic_store_n(&histogram->sum, histogram->sum + value * times, __ATOMIC_RELAXED);
    if (value > histogram->max)
        __atomic_store_n(&histogram->max, value, __ATOMIC_RELAXED);
}

/* Adds the present counts of `part` to `total`, which the caller owns. `part` may belong to another
 * thread. */
void ps_histogram_add(struct ps_histogram *total, const struct ps_histogram *part);

/* Returns the smallest recorded value (rounded up by at most 1/128, never above the maximum) that
 * `percentile` per cent of the events do not exceed; 0 if the histogram is empty. `percentile` is 0 to 100.
 * Thread: the owner. */
uint64_t ps_histogram_percentile(const struct ps_histogram *histogram, double percentile);

/* Returns the number of events of at most `value`, in whole buckets: includes all events of the bucket of
 * `value`. Thread: the owner. */
uint64_t ps_histogram_count_upto(const struct ps_histogram *histogram, uint64_t value);
