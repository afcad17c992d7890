/* Shared by the two parts of the search: bench/plan/search/search.c chooses trials, bench/plan/search/search_bounds.c
 * evaluates them. */
#pragma once

#include "bench/plan/search/search.h"

#define PS_SEARCH_TRIALS_MAX 1000U
#define PS_SEARCH_LEVELS 3U

/* A level of the search: the length of its trials, the number of trials that decide, and the width of its interval. */
struct ps_search_level {
    double seconds, width;
    unsigned repeats;
};

struct ps_search {
    struct ps_search_config config;
    struct ps_search_level levels[PS_SEARCH_LEVELS];
    double spent_s, overhead_s; /* time spent so far; time that a trial takes beyond its length */
    unsigned failed_in_a_row;
    bool asked, out_of_time;
    struct ps_search_ask ask;
    unsigned trial_count;
    struct ps_search_trial trials[PS_SEARCH_TRIALS_MAX];
};

/* The bounds that the trials of a level give; 0: there is no such bound. */
struct ps_search_bounds {
    /* The highest held rate below `upper`; the lowest rate that was not held. */
    double lower, upper;
    double open;    /* a rate between `lower` and `upper` that was tried but is undecided */
    bool generator; /* at `upper` the generator failed more often than the subject */
};

/* Computes the bounds of a level. Trials that are shorter than the level requires can only show that a rate was not
 * held (MLRsearch's exceed ratio of one half). */
void ps_search_bound(const struct ps_search *search, unsigned goal, const struct ps_search_level *level,
                     struct ps_search_bounds *bounds);
/* Returns the number of full-length trials of the level at a rate. */
unsigned ps_search_repeats(const struct ps_search *search, const struct ps_search_level *level, double rate);

/* A hint about the rate at which the subject's limit lies, from the nearest trial that was too high. Latency goals have
 * no hint. */
struct ps_search_hint {
    double goodput, worst; /* of all connections; the rate that the worst connection would hold; 0: none */
    bool refuted;          /* the hint was already followed, and its rate was too high as well */
};
struct ps_search_hint ps_search_hint(const struct ps_search *search, unsigned goal, double upper);
