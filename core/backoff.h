/* The waits between tries that fail. All code that waits longer after each failure computes its waits here; the
 * caller decides what it counts, and when the count begins again. All waits of one call have the same unit.
 * Thread: any; no state. */
#pragma once

#include "core/base.h"

/* Returns step, 2 * step, 3 * step and so on, at most `longest`; `failures`: number of failures in a row, from 1 on. */
static inline uint64_t ps_backoff_linear(uint64_t step, uint64_t longest, uint64_t failures)
{
    return step == 0 || failures <= longest / step ? failures * step : longest;
}

/* Returns first, 2 * first, 4 * first and so on, at most `longest`; `doublings`: from 0 on. */
static inline uint64_t ps_backoff_doubled(uint64_t first, uint64_t longest, uint64_t doublings)
{
    return doublings > 63 || first > longest >> doublings ? longest : first << doublings;
}

/* The same for a caller that keeps its last wait; `last` 0: there was none. */
static inline uint64_t ps_backoff_next(uint64_t last, uint64_t first, uint64_t longest)
{
    return last == 0 ? ps_backoff_doubled(first, longest, 0) : ps_backoff_doubled(last, longest, 1);
}

/* Returns a wait between wait - wait / part and wait + wait / part, so that many clients do not try again at the same
 * time. `random`: 64 random bits. */
static inline uint64_t ps_backoff_spread(uint64_t wait, unsigned part, uint64_t random)
{
    return wait - wait / part + random % (wait / part * 2 + 1);
}
