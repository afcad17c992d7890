/* What limits an agent: how busy each of its parts was in each trial, which is full first, which comes next.
 *
 * Two kinds of parts. Those that have a time or a size of their own (a worker's cycle time, the CPUs, memory)
 * can be extrapolated over the rate. Queues (channels, rings) are no limits of their own: one that fills says
 * that what is behind it is slower than what is before it.
 *
 * Thread: any; pure but for ps_machine_busy. */
#pragma once

#include "bench/plan/scrape.h"

#define PS_PARTS_MAX 192U
#define PS_LIMITS_MAX PS_PARTS_MAX

enum ps_part_kind {
    PS_PART_TIME,  /* a share of time or room that grows with the rate */
    PS_PART_QUEUE, /* a fill */
    PS_PART_LOSS,  /* a share of events lost there */
    PS_PART_WAIT,  /* a share of time spent waiting for another part */
};

struct ps_part {
    char part[96];  /* "worker 0", "channel c1" */
    const char *of; /* "cycle time", "capacity", ... */
    enum ps_part_kind kind;
    double value; /* 1: full */
};

struct ps_parts {
    unsigned count;
    struct ps_part items[PS_PARTS_MAX];
};

/* Counters of `after` less those of `before`, by the `seconds` in which load came (outside of them an agent
 * is idle); gauges (queues) at their highest of `during`, which may be NULL. What `before` lacks is left out.
 */
void ps_parts_measure(struct ps_parts *parts, const struct ps_scrape *before, const struct ps_scrape *after,
                      const struct ps_parts *during, double seconds, double cpus);
/* Queues as they are now; each keeps its highest value. */
void ps_parts_watch(struct ps_parts *during, const struct ps_scrape *scrape);
/* Adds a part, or raises it when it is there. Ignored when there is no room. */
void ps_parts_add(struct ps_parts *parts, const char *part, const char *of, enum ps_part_kind kind,
                  double value);
const struct ps_part *ps_parts_find(const struct ps_parts *parts, const char *part);

/* Busy and all CPU time of the machine so far, seconds; false: unknown. */
bool ps_machine_busy(double *busy_s, double *all_s);

/* A trial's parts at its rate. */
struct ps_limits_trial {
    double rate; /* events/s that were really offered */
    bool held;
    struct ps_parts parts;
};

struct ps_limit {
    char part[96];
    enum ps_part_kind kind;
    double utilisation; /* at the answer's rate */
    double headroom;    /* 1 - utilisation, not below 0 */
    double beyond; /* queues, losses, waits: its value at the lowest rate that was too much; 0: not seen */
    double saturates_at; /* events/s, by a straight line through the trials; 0: does not grow with the rate */
    char text[256];
};

struct ps_limits {
    unsigned count;
    struct ps_limit items[PS_LIMITS_MAX]; /* the first to be full first */
};

/* `rate` is the answer. Only trials that were held make the lines, unless there are fewer than two. */
void ps_limits_find(struct ps_limits *limits, const struct ps_limits_trial *trials, unsigned count,
                    double rate);
