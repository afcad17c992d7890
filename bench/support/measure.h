/* CPU time of this process or of a child, wall time, medians: shared by the bench programs, load and plan. */
#pragma once

#include "core/base.h"

struct ps_usage {
    double wall_s, cpu_s; /* user + system, all threads */
    uint64_t rss_bytes;   /* peak */
};

/* Returns the monotonic clock's time. */
double ps_now_s(void);
/* Returns the CPU time of the calling thread. */
double ps_thread_cpu_s(void);
void ps_sleep_s(double seconds);

/* Returns the usage of this process so far. */
struct ps_usage ps_usage_self(void);
/* Returns the usage of a process that is still running, or has ended and was not waited for yet, from
 * /proc (10 ms resolution). */
struct ps_usage ps_usage_of(int pid);

/* The lowest figure, the median and the highest of `count` figures (sorted in place). */
struct ps_spread {
    double low, median, high;
};
struct ps_spread ps_spread_of(double *figures, size_t count);
