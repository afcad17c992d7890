/* What the two halves of the search share: bench/plan/search.c chooses trials, bench/plan/search_judge.c says
 * what they mean. */
#pragma once

#include "bench/plan/search.h"

#define PS_SEARCH_TRIALS_MAX 1000U
#define PS_SEARCH_LEVELS 3U

/* A level of the search: how long its trials are, how many decide, how narrow its interval gets. */
struct ps_search_level {
    double seconds, width;
    unsigned repeats;
};

struct ps_search {
    struct ps_search_config config;
    struct ps_search_level levels[PS_SEARCH_LEVELS];
    double spent_s, overhead_s; /* so far; what a trial costs beside its length */
    unsigned failed_in_a_row;
    bool asked, out_of_time;
    struct ps_search_ask ask;
    unsigned trial_count;
    struct ps_search_trial trials[PS_SEARCH_TRIALS_MAX];
};

/* What trials of a level say about the rates: 0 where there is none. */
struct ps_search_bounds {
    double lower, upper; /* the highest held rate below `upper`; the lowest that was not */
    double open;         /* a rate between them that was tried and not decided */
    bool generator;      /* at `upper` it was the load that failed, more often than the subject */
};

/* Trials shorter than the level's count as far as they speak against a rate (MLRsearch's exceed ratio of one
 * half). */
void ps_search_judge(const struct ps_search *search, unsigned goal, const struct ps_search_level *level,
                     struct ps_search_bounds *bounds);
/* Full-length trials of the level at a rate. */
unsigned ps_search_repeats(const struct ps_search *search, const struct ps_search_level *level, double rate);
