/* Finds the limits of an agent: how busy each of its parts was in each trial, and which parts saturate first.
 *
 * Parts are of two kinds. Parts with a time or a size of their own (a worker's cycle time, the CPUs, memory) can be
 * extrapolated over the rate. Queues (channels, rings) are not limits themselves: a queue that fills shows that its
 * consumer is slower than its producer.
 *
 * A part limits the rate only when its use grew with the rate; the CPU time of other programs does not grow with it.
 *
 * Thread: any; no state. */
#pragma once

#include "bench/plan/scrape.h"

#define PS_PARTS_MAX 192U
#define PS_LIMITS_MAX (PS_PARTS_MAX + 1U) /* and the pipeline itself */

enum ps_part_kind {
    PS_PART_TIME,     /* a share of time or space that grows with the rate */
    PS_PART_QUEUE,    /* how full it is */
    PS_PART_LOSS,     /* the share of events lost there */
    PS_PART_WAIT,     /* a share of time spent waiting for another part */
    PS_PART_PIPELINE, /* the pipeline itself, when none of the measured parts is the limit */
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

/* Measures the parts between two scrapes. Counters: `after` minus `before`, divided by the `seconds` in which
 * load arrived (otherwise the agent is idle). Gauges (queues): the highest value of `during`, which may be
 * NULL. Counters missing in `before` are left out. */
void ps_parts_measure(struct ps_parts *parts, const struct ps_scrape *before, const struct ps_scrape *after,
                      const struct ps_parts *during, double seconds, double cpus);
/* Reads the current queue sizes; each part keeps its highest value. */
void ps_parts_watch(struct ps_parts *during, const struct ps_scrape *scrape);
/* Adds a part, or raises the value of an existing one. Ignored when there is no room. */
void ps_parts_add(struct ps_parts *parts, const char *part, const char *of, enum ps_part_kind kind,
                  double value);
const struct ps_part *ps_parts_find(const struct ps_parts *parts, const char *part);

/* The parts of one trial at its rate. */
struct ps_limits_trial {
    double rate; /* events/s actually offered */
    bool held;
    bool in_steps; /* the pipeline delivers in steps: queues also hold what waits for the next one */
    struct ps_parts parts;
};

struct ps_limit {
    char part[96];
    enum ps_part_kind kind;
    bool in_steps;      /* of the trials */
    double utilisation; /* at the answer's rate */
    double headroom;    /* 1 - utilisation, not below 0 */
    /* Queues, losses, waits: the value at the lowest rate that was too high; 0: not seen. */
    double beyond;
    /* Events/s at which a straight line through the trials reaches full use; 0: the use does not grow with the rate. */
    double saturates_at;
    char text[256];
};

struct ps_limits {
    unsigned count;
    struct ps_limit items[PS_LIMITS_MAX]; /* the part that saturates first comes first */
};

/* Ranks the parts. `rate` is the answer of the search. Only held trials define the lines, unless there are fewer than
 * two. A part that did not grow with the rate is never first: when no part that grew is nearly full, queues, waits and
 * losses that were seen come first; if there are none, "the pipeline itself" comes first. */
void ps_limits_find(struct ps_limits *limits, const struct ps_limits_trial *trials, unsigned count,
                    double rate);
/* Called after ps_limits_find when the search ended before the pipeline's end was seen: then --rate-max or the load
 * generator was the limit, and neither a measured part nor the pipeline itself. */
void ps_limits_end_not_seen(struct ps_limits *limits, bool rate_max, double rate);
/* Called after ps_limits_find when the search ended far from the answer: leaves only what a trial met: a part that was in
 * full use, a full queue, a wait or a loss. Removes a part that is full only far beyond the
 * trials by a straight line, or was full only above `failed`, the lowest missed rate.
 * Returns whether anything is left. */
bool ps_limits_keep_met(struct ps_limits *limits, const struct ps_limits_trial *trials, unsigned count,
                        double failed);
/* Called after ps_limits_find when the search ended before any rate was too high, or far from the answer: puts first that the limit is not known,
 * since no trial met one. `why`: "the time was used up". `held` and `failed`: the rates that trials held and missed; 0: none. */
void ps_limits_end_unknown(struct ps_limits *limits, const char *why, double held, double failed);
