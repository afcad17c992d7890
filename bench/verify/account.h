/* Accounts for one record: finds its stamp, counts its event, records its latency.
 *
 * Latency is arrival minus due time on the wall clock. The arrival is the wall clock at the start plus the
 * monotonic time since, so setting the clock while verify runs does not change latencies (the sender does the
 * same); ps_account_clock reports the change.
 *
 * Thread: one at a time. */
#pragma once

#include "bench/verify/arrivals.h"
#include "bench/verify/far/end.h"
#include "bench/verify/tracker.h"

struct ps_account {
    struct ps_tracker *tracker;
    bool run_only; /* only `run` is tracked */
    uint32_t run;
    uint64_t start_mono_ns, start_wall_ns;
    int64_t clock_step_ns; /* the largest step so far */

    uint64_t records;   /* all records, of the following kinds too */
    uint64_t foreign;   /* without a stamp */
    uint64_t broken;    /* records with the beginning of a stamp, but invalid numbers */
    uint64_t other;     /* records of other runs, when only one run is tracked */
    uint64_t untracked; /* good stamps that could not be tracked: too many runs, no memory */
    uint32_t other_run; /* the first of these runs; valid when `other` > 0 */
    /* Arrival of the last record with a tracked stamp; 0: none yet. */
    uint64_t active_mono_ns;
    struct ps_histogram latency_ns; /* of all runs, since it was last emptied (once a second) */
    struct ps_arrivals *arrivals;   /* NULL: not counted; owned */
};

/* `run_only`: only the run `run` is tracked. Owns: the caller destroys it. */
struct ps_account *ps_account_create(uint64_t memory_limit_bytes, bool run_only, uint32_t run);
void ps_account_destroy(struct ps_account *account);

/* From now on, records how many events arrive in each interval of `step_ns`, by source (arrivals.h). */
void ps_account_count_arrivals(struct ps_account *account, uint64_t step_ns);

/* Accounts for one record. The stream number also distinguishes far ends (far/end.h). */
void ps_account_take(struct ps_account *account, const struct ps_far_record *record, uint64_t stream);

/* Returns how far CLOCK_REALTIME has moved since the start relative to the monotonic clock; positive is
 * forward. Remembers the largest value. */
int64_t ps_account_clock(struct ps_account *account);
