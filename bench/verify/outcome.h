/* What verify says: a line a second, and at the end a summary, as text for people and as JSON for programs.
 *
 * Thread: one at a time, while nobody counts. */
#pragma once

#include "bench/support/live.h"
#include "bench/verify/verdict.h"

#define PS_OUTCOME_RANGES_MAX 100U    /* lost ranges of one source */
#define PS_OUTCOME_SOURCES_MAX 10000U /* sources in the JSON; those with something wrong come first */

/* A second's figures. */
struct ps_outcome_second {
    double t_s, rate; /* since the start; distinct events a second */
    struct ps_tracker_counts tally;
    uint64_t sent; /* 0: not known */
    uint64_t foreign;
    const struct ps_histogram *latency_ns; /* of this second */
};
void ps_outcome_progress(struct ps_live *live, const struct ps_outcome_second *second);

struct ps_outcome {
    const struct ps_account *account;
    const struct ps_expected *expected;
    const struct ps_verdict *verdict;
    double seconds;
    double last_s;      /* when the last event with a stamp came; below 0: none did */
    const char *ended;  /* "idle", "signal" ... */
    const char *remark; /* what far ends noticed, NULL: nothing */
    bool lossy;
};
/* One object in JSON, or the text. */
void ps_outcome_summary(struct ps_live *live, const struct ps_outcome *outcome);
