#include "core/watch/histogram.h"

#include <math.h>

uint64_t ps_histogram_bucket_max(uint32_t bucket)
{
    PS_ASSERT(bucket < PS_HISTOGRAM_BUCKETS);
    if (bucket >> (PS_HISTOGRAM_BITS + 1) == 0)
        return bucket;
    uint32_t shift = (bucket >> PS_HISTOGRAM_BITS) - 1;
    uint64_t step = (bucket & ((1U << PS_HISTOGRAM_BITS) - 1)) | (1U << PS_HISTOGRAM_BITS);
    return ((step + 1) << shift) - 1;
}

void ps_histogram_add(struct ps_histogram *total, const struct ps_histogram *part)
{
    total->count += __atomic_load_n(&part->count, __ATOMIC_RELAXED);
    total->sum += __atomic_load_n(&part->sum, __ATOMIC_RELAXED);
    uint64_t max = __atomic_load_n(&part->max, __ATOMIC_RELAXED);
    if (max > total->max)
        total->max = max;
    for (uint32_t bucket = 0; bucket < PS_HISTOGRAM_BUCKETS; bucket++)
        total->counts[bucket] += __atomic_load_n(&part->counts[bucket], __ATOMIC_RELAXED);
}

/* Returns the sum of the buckets. While the writer records, `count` may be larger or smaller. */
static uint64_t buckets_sum(const struct ps_histogram *histogram)
{
    uint64_t sum = 0;
    for (uint32_t bucket = 0; bucket < PS_HISTOGRAM_BUCKETS; bucket++)
        sum += histogram->counts[bucket];
    return sum;
}

uint64_t ps_histogram_percentile(const struct ps_histogram *histogram, double percentile)
{
    PS_ASSERT(percentile >= 0 && percentile <= 100);
    uint64_t sum = buckets_sum(histogram);
    if (sum == 0)
        return 0;
    /* 99.9 per cent of 1,000 must be rank 999, but 0.999 * 1000.0 is slightly more than 999: therefore the factor. */
    uint64_t rank = (uint64_t)ceil(percentile / 100.0 * (double)sum * (1 - 1e-12));
    if (rank == 0)
        rank = 1;
    uint64_t passed = 0;
    for (uint32_t bucket = 0; bucket < PS_HISTOGRAM_BUCKETS - 1; bucket++) {
        passed += histogram->counts[bucket];
        if (passed >= rank) {
            uint64_t value = ps_histogram_bucket_max(bucket);
            return value < histogram->max ? value : histogram->max;
        }
    }
    return histogram->max;
}

uint64_t ps_histogram_count_upto(const struct ps_histogram *histogram, uint64_t value)
{
    uint64_t sum = 0;
    for (uint32_t bucket = 0; bucket <= ps_histogram_bucket(value); bucket++)
        sum += histogram->counts[bucket];
    return sum;
}
