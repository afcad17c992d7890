/* The search for the highest rate that meets a goal: which trial to run next, and what the trials so far say.
 * Pure: no clock, no input or output, no chance. The driver asks for a trial, runs it, feeds back what it
 * saw.
 *
 * From RFC 2544 (26.1, throughput: the fastest rate at which nothing is lost) by way of the IETF's MLRsearch
 * (draft-ietf-bmwg-mlrsearch): several goals share their trials; trials are short while the search is far
 * from the answer and long near it; a rate is called held or not by the majority of the full-length trials at
 * it, so that one unlucky trial decides nothing; when a higher rate was held and a lower one not (loss
 * inversion), the lower one counts.
 *
 * Thread: the driver's. */
#pragma once

#include "core/base.h"

#define PS_GOALS_MAX 8U
#define PS_GOAL_NAME_BYTES 48U

struct ps_goal {
    char name[PS_GOAL_NAME_BYTES]; /* as it was asked for: "ndr", "pdr=0.1%", "p99<20ms" */
    double loss_max;               /* share of what was sent, 0 for ndr */
    double percentile;             /* 0: no limit of latency */
    uint64_t latency_limit_ns;
};

struct ps_search_config {
    struct ps_goal goals[PS_GOALS_MAX];
    unsigned goal_count;
    double rate_min, rate_max; /* events/s, rate_min > 0 */
    double rate_first;         /* where to begin; 0: rate_min */
    double precision;          /* the answer's interval: upper / lower - 1 */
    double budget_s;           /* for all goals; answers' cost_s count against it */
    double long_s;             /* a full-length trial; 0: a thirtieth of a goal's share of the budget */
    unsigned repeats;          /* full-length trials whose majority decides; 0: 3 */
    unsigned repeats_max;      /* at one bound, to be surer; 0: 5 */
    double confidence;         /* wanted; 0: 0.95. More trials are spent on it while there is time */
};

struct ps_search_ask {
    double rate, seconds;
    unsigned goal; /* for whose sake */
};

struct ps_search_answer {
    double sent, lost; /* events */
    double growth;     /* seconds by which the delay grew in a second: a queue fills, the rate is not held */
    double goodput;    /* events/s that came through, 0: not known. Only a guess to aim with */
    double latency_ns[PS_GOALS_MAX]; /* each goal's percentile */
    bool generator_held;             /* false: the load could not offer the rate, whatever the subject did */
    bool generator_late[PS_GOALS_MAX]; /* so late itself that a latency above the goal's limit proves nothing
                                        */
    bool failed;                       /* no measurement: the subject or a part of the trial broke down */
    double cost_s;                     /* the whole trial, with start, drain and all */
};

enum ps_trial_verdict {
    PS_TRIAL_HELD,
    PS_TRIAL_LOST,      /* more lost than the goal allows */
    PS_TRIAL_LATE,      /* too slow, or a queue that grew */
    PS_TRIAL_GENERATOR, /* the load was not offered: nothing is known about this rate */
    PS_TRIAL_FAILED,
};
const char *ps_trial_verdict_text(enum ps_trial_verdict verdict);

struct ps_search_trial {
    struct ps_search_ask ask;
    struct ps_search_answer answer;
};

enum ps_search_status {
    PS_SEARCH_OUT_OF_TIME,       /* the interval is wider than asked, or not confirmed */
    PS_SEARCH_FOUND,             /* interval within the precision, both ends confirmed */
    PS_SEARCH_BELOW_RANGE,       /* not met even at rate_min */
    PS_SEARCH_ABOVE_RANGE,       /* met at rate_max: "at least" */
    PS_SEARCH_GENERATOR_LIMITED, /* met as far as load could be offered: "at least" */
    PS_SEARCH_FAILED,            /* trials broke down */
};
const char *ps_search_status_text(enum ps_search_status status);

struct ps_search_figure {
    enum ps_search_status status;
    double rate;          /* the best guess, within lower and upper; `lower` for "at least" */
    double lower, upper;  /* the highest rate that was held, the lowest above it that was not; 0: none seen */
    double confidence;    /* that the rate is between lower and upper (bench/plan/belief.h); 0: not known */
    double low95, high95; /* where it is with 95 %: wider than the above when trials were few or noisy */
    unsigned repeats;     /* full-length trials at the end that has fewer of them */
};

struct ps_search;

/* `config` is copied. Owns: the caller destroys it. */
struct ps_search *ps_search_create(const struct ps_search_config *config);
void ps_search_destroy(struct ps_search *search);

/* The trial to run now; false: done. The same until it is answered. */
bool ps_search_next(struct ps_search *search, struct ps_search_ask *ask);
/* What came of the trial that ps_search_next asked for. */
void ps_search_feed(struct ps_search *search, const struct ps_search_answer *answer);
/* Also while it is under way: what is known so far. */
void ps_search_figure(const struct ps_search *search, unsigned goal, struct ps_search_figure *figure);

unsigned ps_search_trial_count(const struct ps_search *search);
const struct ps_search_trial *ps_search_trial(const struct ps_search *search, unsigned number);
enum ps_trial_verdict ps_search_verdict(const struct ps_search *search, unsigned trial, unsigned goal);
double ps_search_spent_s(const struct ps_search *search);
double ps_search_long_s(const struct ps_search *search); /* a full-length trial */
