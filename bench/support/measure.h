/* What the bench programs share: CPU time of this process or of a child, wall time, medians. */
#pragma once

#include "core/base.h"

struct ps_usage {
    double wall_s, cpu_s; /* user + system, all threads */
    uint64_t rss_bytes;   /* peak */
};

/* Of this process so far. */
struct ps_usage ps_usage_self(void);
/* Of a process that still runs, from /proc (10 ms resolution), or of one that was waited for. */
struct ps_usage ps_usage_of(int pid);

/* Medians and spread of `count` figures (sorted in place). */
struct ps_spread {
    double low, median, high;
};
struct ps_spread ps_spread_of(double *figures, size_t count);
