/* Machines: enough for the rate with headroom, rounded up, plus those that may be down. Partitions: enough
 * that none carries more than 5 MB/s and every worker has one. Disk: rate times retention times
 * replication. */
#include "bench/plan/projection.h"
#include "core/quantity.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* A moderate rate: a consumer can follow it, and a replica can catch up with it. */
#define PARTITION_BYTES_PER_S (5.0 * (1 << 20))
#define DISK_FILL 0.7 /* brokers with fuller disks have no room for a rebalance */
#define MACHINES_MAX 1e6

__attribute__((format(printf, 2, 3))) static void assume(struct ps_projection *projection, const char *format,
                                                         ...)
{
    va_list arguments;
    PS_ASSERT(projection->assumption_count < PS_ASSUMPTIONS_MAX);
    va_start(arguments, format);
    vsnprintf(projection->assumptions[projection->assumption_count++], PS_ASSUMPTION_BYTES, format,
              arguments);
    va_end(arguments);
}

/* Larger events cost more in proportion to their size; smaller events are not taken to cost less. */
static double rate_at_size(const struct ps_projection_measured *measured, double size_bytes,
                           struct ps_projection *projection)
{
    if (size_bytes > measured->size_bytes * 1.001 && measured->size_bytes > 0) {
        assume(projection,
               "events of %.0f B cost %.2f times as much as those of %.0f B that were measured (by bytes: "
               "the worst case; measure with --size %.0f to know)",
               size_bytes, size_bytes / measured->size_bytes, measured->size_bytes, size_bytes);
        return measured->rate * measured->size_bytes / size_bytes;
    }
    if (size_bytes < measured->size_bytes * 0.999)
        assume(projection, "events of %.0f B are not counted as cheaper than those of %.0f B measured",
               size_bytes, measured->size_bytes);
    return measured->rate;
}

static void machines(const struct ps_projection_wish *wish, const struct ps_projection_measured *measured,
                     struct ps_projection *projection)
{
    double needed = ceil(wish->rate / projection->machine_rate * (1 - 1e-12));
    projection->machines = (unsigned)needed + wish->spare;
    assume(projection, "each machine is like the one measured and holds what it held: %s",
           ps_quantity_print_event_rate(measured->rate).text);
    if (measured->at_least)
        assume(projection, "the measured figure is \"at least\": fewer machines may be enough");
    if (measured->shared)
        assume(projection, "generator and far end ran on the measured machine too: a machine without them "
                           "holds at least as much");
    assume(projection, "load is spread evenly over %.0f machines with %u down", needed, wish->spare);
    assume(projection, "%.0f %% of each machine is kept free for peaks", wish->headroom * 100);
    assume(projection, "network and brokers hold %s/s; they were not measured",
           ps_quantity_print_bytes((uint64_t)(wish->rate * wish->size_bytes)).text);
}

static void brokers(const struct ps_projection_wish *wish, const struct ps_projection_measured *measured,
                    struct ps_projection *projection)
{
    double bytes_per_s = wish->rate * wish->size_bytes;
    double by_rate = ceil(bytes_per_s / PARTITION_BYTES_PER_S);
    double by_workers = (double)projection->machines * (measured->workers > 0 ? measured->workers : 1);
    projection->partitions = (unsigned)fmin(fmax(fmax(by_rate, by_workers), 1), 1e9);
    projection->brokers = wish->replication > 3 ? wish->replication : 3;
    assume(projection, "at most %s/s a partition, and no fewer partitions than workers",
           ps_quantity_print_bytes((uint64_t)PARTITION_BYTES_PER_S).text);
    if (wish->retention_s <= 0 || wish->replication == 0)
        return;
    projection->disk_bytes_per_broker =
        bytes_per_s * wish->retention_s * wish->replication / projection->brokers / DISK_FILL;
    assume(projection,
           "%u brokers of equal size, disks at most %.0f %% full, records not compressed, the rate asked for "
           "all day",
           projection->brokers, DISK_FILL * 100);
}

static void cost(const struct ps_projection_wish *wish, struct ps_projection *projection)
{
    char text[48];
    if (wish->cost.per_hour <= 0)
        return;
    projection->cost_per_hour = projection->machines * wish->cost.per_hour;
    projection->cost_per_month = projection->cost_per_hour * PS_COST_HOURS_A_MONTH;
    projection->cost_per_million = projection->cost_per_hour / (wish->rate * 3600) * 1e6;
    assume(projection,
           "each machine costs %s an hour, spare ones too, all day, a month of %.0f hours; brokers, disks "
           "and network are not in the cost",
           ps_cost_print(wish->cost.per_hour, wish->cost.currency, text, sizeof text), PS_COST_HOURS_A_MONTH);
}

enum ps_status ps_projection_make(const struct ps_projection_wish *wish,
                                  const struct ps_projection_measured *measured,
                                  struct ps_projection *projection, struct ps_err *err)
{
    *projection = (struct ps_projection){.error = measured->at_least ? (double)NAN : measured->error,
                                         .at_most = measured->at_least};
    if (!(measured->rate > 0))
        return ps_err_set(err, "no rate was shown to meet the goal: there is nothing to project from");
    struct ps_projection_wish own = *wish;
    if (own.size_bytes <= 0)
        own.size_bytes = measured->size_bytes;
    PS_ASSERT(own.rate > 0 && own.headroom >= 0 && own.headroom < 1);
    projection->workers = measured->workers;
    projection->machine_rate = rate_at_size(measured, own.size_bytes, projection) * (1 - own.headroom);
    if (own.rate / projection->machine_rate > MACHINES_MAX)
        return ps_err_set(err, "more than %s machines of %s each",
                          ps_quantity_print_count((uint64_t)MACHINES_MAX).text,
                          ps_quantity_print_event_rate(projection->machine_rate).text);
    machines(&own, measured, projection);
    brokers(&own, measured, projection);
    cost(&own, projection);
    return PS_OK;
}
