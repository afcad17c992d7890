/* When the events of each source arrived: counts of first arrivals in steps of equal length. `penstock plan`
 * decides from them whether a target kept up with every connection.
 *
 * Sources are counted in groups (source modulo PS_ARRIVALS_GROUPS), and steps end at PS_ARRIVALS_STEPS: memory
 * is at most 256 bytes a step.
 *
 * Thread: one at a time. */
#pragma once

#include "core/base.h"

#include <jansson.h>

#define PS_ARRIVALS_GROUPS 64U
#define PS_ARRIVALS_STEPS 36000U /* later arrivals are not counted */

struct ps_arrivals {
    uint64_t step_ns;
    uint64_t start_ns; /* when step 0 begins, on the clock of the arrivals */
    uint32_t count;    /* steps so far */
    uint32_t room;
    uint32_t groups; /* one more than the highest group that was seen */
    uint32_t (*steps)[PS_ARRIVALS_GROUPS];
};

void ps_arrivals_init(struct ps_arrivals *arrivals, uint64_t step_ns, uint64_t start_ns);
void ps_arrivals_fini(struct ps_arrivals *arrivals);

/* Extends the counts, with zeros, up to this step; called by ps_arrivals_add. */
void ps_arrivals_extend(struct ps_arrivals *arrivals, uint64_t step);

/* Counts one arrival. An arrival before the start counts in step 0. */
static inline void ps_arrivals_add(struct ps_arrivals *arrivals, uint32_t source, uint64_t arrival_ns)
{
    uint64_t since_ns = arrival_ns > arrivals->start_ns ? arrival_ns - arrivals->start_ns : 0;
    uint64_t step = since_ns / arrivals->step_ns;
    uint32_t group = source % PS_ARRIVALS_GROUPS;
    if (PS_UNLIKELY(step >= arrivals->count))
        ps_arrivals_extend(arrivals, step);
    if (PS_UNLIKELY(group >= arrivals->groups))
        arrivals->groups = group + 1;
    if (PS_LIKELY(step < arrivals->count))
        arrivals->steps[step][group]++;
}

/* Makes {"start_unix_ns":N,"step_ns":N,"received":[[count, ...], ...]}: for each group the counts of the steps, from
 * the first step in which anything arrived to the last. The member start_unix_ns is the time at which this first step
 * begins; the argument `start_unix_ns` is the wall clock at start_ns. Owns: the caller. */
json_t *ps_arrivals_json(const struct ps_arrivals *arrivals, uint64_t start_unix_ns);
