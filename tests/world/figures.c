#include "tests/world/figures.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "tests/world/ledger.h"
#include "tests/world/real.h"

#define VALUES 4096U

/* Lives by a value, so that counting allocates nothing. */
struct histogram {
    uint64_t count, lives[VALUES];
};

static struct histogram delivered, effects;

static void add(struct histogram *histogram, uint64_t value)
{
    histogram->lives[value < VALUES ? value : VALUES - 1]++;
    histogram->count++;
}

static unsigned median(const struct histogram *histogram)
{
    uint64_t below = 0;
    for (unsigned value = 0; value < VALUES; value++) {
        below += histogram->lives[value];
        if (2 * below >= histogram->count)
            return value;
    }
    return VALUES;
}

void figures_count(const struct run *run)
{
    for (unsigned i = 0; i < run->life_count; i++) {
        bool is_last = i + 1 == run->life_count;
        size_t end = is_last ? world->ledger->logged : run->lives[i + 1].arrivals_from;
        add(&delivered, end - run->lives[i].arrivals_from);
        add(&effects, run->lives[i].effects);
    }
}

static double seconds(int whose)
{
    struct rusage used;
    real_call(SYS_getrusage, whose, (long)&used, 0, 0, 0, 0);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

void figures_print(void)
{
    if (delivered.count == 0)
        return;
    double hours = (seconds(RUSAGE_SELF) + seconds(RUSAGE_CHILDREN)) / 3600;
    printf("%llu lives; the median one delivered %u events, and %u faults took effect in it; %.0f lives an "
           "hour of CPU\n",
           (unsigned long long)delivered.count, median(&delivered), median(&effects),
           (double)delivered.count / hours);
}
