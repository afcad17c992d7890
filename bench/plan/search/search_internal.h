/* Shared by the parts of the search: bench/plan/search/search.c chooses trials, bench/plan/search/search_bounds.c
 * evaluates them, bench/plan/search/looks.c finds out how the pipeline behaves before it is loaded. */
#pragma once

#include "bench/plan/search/search.h"

#define PS_SEARCH_TRIALS_MAX 1000U
#define PS_SEARCH_LEVELS 3U

/* A level of the search: the length of its trials, the number of trials that decide, and the width of its interval. */
struct ps_search_level {
    double seconds, width;
    unsigned repeats;
};

/* The results of the looks, and the state of the next one. */
struct ps_looks {
    bool done, silent; /* silent: nothing arrived in any look */
    bool
        uneven; /* the first look showed a larger share than the second one, at the same rate: no filter does so */
    bool patient; /* the last look waits long for a batch that is not full */
    unsigned count;
    double rate, share, sent; /* of the last look in which anything arrived; rate 0: there was none */
    double rhythm_s;
    double silence_s; /* length of the longest look in which nothing arrived although something had before */
    bool by_chance;   /* which events pass the filter varies; false: it keeps each n-th event */
    bool even;        /* the last look that was long enough to tell saw no chance */
    /* Numbers of events in the looks that showed a filter: sent, and received. 0: there is no filter */
    double share_sent, share_received;
    /* the same numbers, with the events of held trials added */
    double pool_sent, pool_received;
};

struct ps_search {
    struct ps_search_config config;
    struct ps_looks looks;
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

/* Asks for the next look; returns false when no more looks are needed. */
bool ps_search_look(struct ps_search *search, struct ps_search_ask *ask);
/* Takes what a look showed. */
void ps_search_look_feed(struct ps_search *search, const struct ps_search_ask *ask,
                         const struct ps_search_answer *answer);
/* Lengthens a trial to what the rhythm needs at its rate, and fills in what the looks found. */
void ps_search_fit(const struct ps_search *search, struct ps_search_ask *ask);
/* Returns the number of events of the burst that `trial` used up. Counts its own events beyond the lasting rate, and also the
 * events beyond that rate in the trials from number `from` on. */
double ps_search_burst(const struct ps_search *search, unsigned from, unsigned trial);
/* Decides for each trial what is missing beyond the filter's share. The share at a rate comes from the looks and from held
 * trials at lower rates, because a pipeline also loses events at a high rate. Called after each trial,
 * because that may change the verdict on others. */
void ps_search_filter(struct ps_search *search);

/* A hint about the rate at which the subject's limit lies, from the nearest trial that was too high. Latency goals have
 * no hint. */
struct ps_search_hint {
    double goodput, worst; /* of all connections; the rate that the worst connection would hold; 0: none */
    bool refuted;          /* the hint was already followed, and its rate was too high as well */
};
struct ps_search_hint ps_search_hint(const struct ps_search *search, unsigned goal, double upper);
