/* What becomes of a record: its stamp is looked for, its event counted, its latency recorded.
 *
 * Latency is arrival minus due time on the wall clock, where arrival is the wall clock as it was at the start
 * plus the monotonic time since: a clock that is set while verify runs bends nothing here (the sender anchors
 * in the same way), and is told by ps_account_clock.
 *
 * Thread: one at a time. */
#pragma once

#include "bench/verify/far_end.h"
#include "bench/verify/tracker.h"

struct ps_account {
    struct ps_tracker *tracker;
    bool run_only; /* only `run` is tracked */
    uint32_t run;
    uint64_t start_mono_ns, start_wall_ns;
    int64_t clock_step_ns; /* the largest seen */

    uint64_t records;               /* of any kind */
    uint64_t foreign;               /* without a stamp */
    uint64_t broken;                /* begins like a stamp whose numbers mean nothing */
    uint64_t other;                 /* of runs that are not tracked because only one is wanted */
    uint64_t untracked;             /* good stamps for which there was no room: too many runs, no memory */
    uint32_t other_run;             /* the first of them; with `other` > 0 */
    uint64_t active_mono_ns;        /* arrival of the last record with a stamp that is tracked; 0: none yet */
    struct ps_histogram latency_ns; /* of all runs, since somebody emptied it: a second */
};

/* NULL: no memory. `run` is looked at when run_only. Owns: the caller destroys it. */
struct ps_account *ps_account_create(uint64_t memory_limit_bytes, bool run_only, uint32_t run);
void ps_account_destroy(struct ps_account *account);

/* One record. Its stream tells apart what far ends bring, too (far_end.h). */
void ps_account_take(struct ps_account *account, const struct ps_far_record *record, uint64_t stream);

/* How far CLOCK_REALTIME has moved against the start, now: positive is forward. Keeps the largest. */
int64_t ps_account_clock(struct ps_account *account);
