#include "bench/load/statistics.h"

#include <string.h>

void ps_statistics_count(struct ps_statistics *total, const struct ps_statistics *part)
{
    total->sent += ps_statistics_read(&part->sent);
    total->completed += ps_statistics_read(&part->completed);
    total->failed += ps_statistics_read(&part->failed);
    total->bytes += ps_statistics_read(&part->bytes);
    total->memory_up += ps_statistics_read(&part->memory_up);
    total->memory_down += ps_statistics_read(&part->memory_down);
    total->downs += ps_statistics_read(&part->downs);
    total->reasons += ps_statistics_read(&part->reasons);
}

void ps_statistics_merge(struct ps_statistics *total, const struct ps_statistics *part)
{
    ps_statistics_count(total, part);
    ps_histogram_add(&total->latency_ns, &part->latency_ns);
    ps_histogram_add(&total->schedule_error_ns, &part->schedule_error_ns);
    ps_histogram_add(&total->schedule_error_net_ns, &part->schedule_error_net_ns);
    ps_histogram_add(&total->gap_ns, &part->gap_ns);
}

void ps_statistics_since(const struct ps_histogram *now, struct ps_histogram *earlier,
                         struct ps_histogram *between)
{
    memset(between, 0, sizeof *between);
    for (uint32_t i = 0; i < PS_HISTOGRAM_BUCKETS; i++) {
        uint64_t count = now->counts[i] - earlier->counts[i];
        if (count == 0)
            continue;
        uint64_t value = ps_histogram_bucket_max(i);
        between->counts[i] = count;
        between->count += count;
        between->max = value < now->max ? value : now->max;
    }
    between->sum = now->sum - earlier->sum;
    memcpy(earlier, now, sizeof *earlier);
}
