/* Prints the results of verify: progress once a second, and a summary at the end, as text for people or JSON
 * for programs.
 *
 * Thread: one at a time, while no other thread adds records to the account. */
#pragma once

#include "bench/support/live.h"
#include "bench/verify/verdict.h"

#define PS_OUTCOME_RANGES_MAX 100U /* lost ranges of one source */
/* Sources in the JSON; those with problems come first. */
#define PS_OUTCOME_SOURCES_MAX 10000U

/* The figures of one second. */
struct ps_outcome_second {
    double t_s, rate; /* time since the start; distinct events per second */
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
    double last_s;      /* when the last event with a stamp arrived; below 0: none arrived */
    const char *ended;  /* "idle", "signal" ... */
    const char *remark; /* problems noticed by far ends, NULL: none */
    bool lossy;
    bool histogram;      /* the user asked for the histogram in the JSON */
    const json_t *old;   /* the summary of an older run, to compare with; NULL: none */
    const char *compare; /* its file */
};
/* Prints the summary as one JSON object or as text. Returns how many figures are worse than those of the older run. */
unsigned ps_outcome_summary(struct ps_live *live, const struct ps_outcome *outcome);
