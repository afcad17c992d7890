/* A log-linear histogram of durations (after HdrHistogram): constant memory, relative error below 1/128,
 * percentiles up to p99.99 and the true maximum. One writer (the worker it lives on); readers on other
 * threads add instances up and may see a record half done, which is off by one event and never worse. */
#pragma once

#include "core/base.h"

#define PS_HISTOGRAM_BITS 7U      /* linear steps in each power of two: 2^7 */
#define PS_HISTOGRAM_BITS_MAX 43U /* values from 2^43 ns (2.4 hours) on are counted in the last bucket */
#define PS_HISTOGRAM_BUCKETS ((PS_HISTOGRAM_BITS_MAX - PS_HISTOGRAM_BITS + 1U) << PS_HISTOGRAM_BITS)

struct ps_histogram {
    uint64_t count, sum, max;
    uint64_t counts[PS_HISTOGRAM_BUCKETS];
};

/* The bucket of a value, and the largest value that falls into a bucket. */
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

/* `times` events of this value. Thread: the one writer. */
static inline void ps_histogram_record(struct ps_histogram *histogram, uint64_t value, uint64_t times)
{
    uint64_t *bucket = &histogram->counts[ps_histogram_bucket(value)];
    __atomic_store_n(bucket, *bucket + times, __ATOMIC_RELAXED);
    __atomic_store_n(&histogram->count, histogram->count + times, __ATOMIC_RELAXED);
    __atomic_store_n(&histogram->sum, histogram->sum + value * times, __ATOMIC_RELAXED);
    if (value > histogram->max)
        __atomic_store_n(&histogram->max, value, __ATOMIC_RELAXED);
}

/* Adds what `part` holds now to `total`, which the caller owns. Thread: any, for `part`. */
void ps_histogram_add(struct ps_histogram *total, const struct ps_histogram *part);

/* The smallest recorded value (rounded up by at most 1/128, never above the maximum) that `percentile` per
 * cent of the events do not exceed; 0 when empty. `percentile` is 0 to 100. Thread: the owner. */
uint64_t ps_histogram_percentile(const struct ps_histogram *histogram, double percentile);

/* How many events are at most `value`, counted by whole buckets. Thread: the owner. */
uint64_t ps_histogram_count_upto(const struct ps_histogram *histogram, uint64_t value);
