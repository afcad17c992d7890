/* Machines: enough for the rate with headroom, rounded up, plus those that may be down. Partitions: enough
 * that none carries more than 5 MB/s and every worker has one. Disk: rate times retention times
 * replication. */
#include "bench/plan/projection.h"
#include "bench/support/quantity.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* Moderate: a consumer can follow it and a replica can catch up with it. */
#define PARTITION_BYTES_PER_S 5e6
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

/* The cost of larger events grows with their size; smaller ones do not count as cheaper. */
static double rate_at_size(const struct ps_projection_measured *measured, double size_bytes,
                           struct ps_projection *projection)
{
    if (size_bytes > measured->size_bytes * 1.001 && measured->size_bytes > 0) {
        assume(
            projection,
            "events of %.0f B cost %.2f times as much as those of %.0f B that were measured (by bytes: the "
            "worst case; measure with --size %.0f to know)",
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
    char held[32];
    assume(projection, "each machine is like the one measured and holds what it held: %s events/s",
           ps_quantity_print_count((uint64_t)measured->rate, held, sizeof held));
    if (measured->at_least)
        assume(projection, "the measured figure is \"at least\": fewer machines may be enough");
    if (measured->shared)
        assume(projection, "generator and far end ran on the measured machine too: a machine without them "
                           "holds at least as much");
    assume(projection, "load is spread evenly over %.0f machines with %u down", needed, wish->spare);
    assume(projection, "%.0f %% of each machine is kept free for peaks", wish->headroom * 100);
    assume(projection, "network and brokers hold %.1f MB/s; they were not measured",
           wish->rate * wish->size_bytes / 1e6);
}

static void brokers(const struct ps_projection_wish *wish, const struct ps_projection_measured *measured,
                    struct ps_projection *projection)
{
    double bytes_per_s = wish->rate * wish->size_bytes;
    double by_rate = ceil(bytes_per_s / PARTITION_BYTES_PER_S);
    double by_workers = (double)projection->machines * (measured->workers > 0 ? measured->workers : 1);
    projection->partitions = (unsigned)fmin(fmax(fmax(by_rate, by_workers), 1), 1e9);
    projection->brokers = wish->replication > 3 ? wish->replication : 3;
    assume(projection, "at most %.0f MB/s a partition, and no fewer partitions than workers",
           PARTITION_BYTES_PER_S / 1e6);
    if (wish->retention_s <= 0 || wish->replication == 0)
        return;
    projection->disk_bytes_per_broker =
        bytes_per_s * wish->retention_s * wish->replication / projection->brokers / DISK_FILL;
    assume(projection,
           "%u brokers of equal size, disks at most %.0f %% full, records not compressed, the rate asked for "
           "all day",
           projection->brokers, DISK_FILL * 100);
}

enum ps_status ps_projection_make(const struct ps_projection_wish *wish,
                                  const struct ps_projection_measured *measured,
                                  struct ps_projection *projection, struct ps_err *err)
{
    *projection = (struct ps_projection){.error = measured->at_least ? (double)NAN : measured->error,
                                         .at_most = measured->at_least};
    if (!(measured->rate > 0))
        return ps_err_set(err, "no rate was held: there is nothing to project from");
    struct ps_projection_wish own = *wish;
    if (own.size_bytes <= 0)
        own.size_bytes = measured->size_bytes;
    PS_ASSERT(own.rate > 0 && own.headroom >= 0 && own.headroom < 1);
    projection->workers = measured->workers;
    projection->machine_rate = rate_at_size(measured, own.size_bytes, projection) * (1 - own.headroom);
    if (own.rate / projection->machine_rate > MACHINES_MAX)
        return ps_err_set(err, "more than %.0f machines of %.0f events/s each", MACHINES_MAX,
                          projection->machine_rate);
    machines(&own, measured, projection);
    brokers(&own, measured, projection);
    return PS_OK;
}
