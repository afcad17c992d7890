/* Searches for the highest rate that meets a goal: chooses the next trial and evaluates the trials so far. It
 * uses no clock, no input or output, and no random numbers. The driver asks for a trial, runs it, and feeds
 * back the measurements.
 *
 * It is based on RFC 2544 (26.1, throughput: the fastest rate at which nothing is lost) and the IETF's
 * MLRsearch (draft-ietf-bmwg-mlrsearch):
 *
 * - several goals share their trials
 * - trials are short far from the answer and long near it
 * - full-length trials decide whether a rate is held: a rate is a lower end when it was held for half of the required
 *   time, and an upper end when it was missed for more than half of it; a miss by a large margin counts twice
 * - looks come first: trials at a low rate that show when the pipeline delivers (its rhythm), whether it is open yet
 *   (a consumer group that joins late), and which share of the events it passes on by design (a filter)
 * - a trial that missed and was shorter than the rhythm of the pipeline tells nothing; it is repeated, longer
 * - when a rate was not held although a higher rate was (loss inversion), the lower of the two is the upper end
 * - a rate that a burst may have carried for as long as the trial lasted was not held: how large a burst the subject saves up, and
 *   which rate lasts, is seen in the trials at higher rates
 *
 * Thread: the driver's. */
#pragma once

#include "core/base.h"

#define PS_GOALS_MAX 8U
#define PS_GOAL_NAME_BYTES 48U

struct ps_goal {
    char name[PS_GOAL_NAME_BYTES]; /* as given: "ndr", "pdr=0.1%", "p99<20ms" */
    double loss_max;               /* share of the sent events, 0 for ndr */
    double percentile;             /* 0: no latency limit */
    uint64_t latency_limit_ns;
};

struct ps_search_config {
    struct ps_goal goals[PS_GOALS_MAX];
    unsigned goal_count;
    double rate_min, rate_max; /* events/s, rate_min > 0 */
    double rate_first;         /* where the search begins; 0: rate_min */
    double precision;          /* relative width of the answer's interval: upper / lower - 1 */
    double budget_s;           /* for all goals; every trial's cost_s counts */
    bool looks;                /* begin with looks */
    double rhythm_s;           /* time between two deliveries, as the user knows it; 0: look for it */
    double long_s;             /* length of a full trial; 0: it follows from a goal's share of the budget */
    unsigned repeats;          /* number of full-length trials that decide; 0: 2 */
    /* maximum number of full-length trials at one bound, to raise the confidence; 0: 5 */
    unsigned repeats_max;
    /* wanted confidence; 0: 0.95. While there is time, more trials are run to reach it */
    double confidence;
};

struct ps_search_ask {
    double rate, seconds;
    unsigned goal;  /* the goal that needs the trial */
    bool look;      /* it decides nothing */
    double quiet_s; /* after this much silence the rest counts as lost; 0: the default */
    double passes;  /* share of the events that the pipeline passes on by design; 0: all */
    bool by_chance; /* which ones pass varies: their number in a short time does, too */
};

struct ps_search_answer {
    double sent, lost; /* events; `lost` of those that a filter passes on */
    double received;
    double bunched; /* number of events that the generator sent late, together with other events */
    /* The number of events that are due and not received grew (bench/plan/flow.h): a queue fills, so the rate is not
     * held. */
    bool behind;
    bool untold;     /* the trial was too short for the pipeline's rhythm */
    double rhythm_s; /* longest time between two deliveries, or before the first; 0: they came at once */
    double silent_s; /* the last event came so long before the end of the schedule; 0: in time, or later */
    bool decisive;   /* the subject fell so far behind that no second trial is needed */
    /* events/s that arrived; events/s at which no connection would have fallen behind; 0: unknown. Only used to choose
     * the next rate */
    double goodput, goodput_worst;
    double lasting, burst;           /* bench/plan/flow.h */
    double latency_ns[PS_GOALS_MAX]; /* each goal's percentile */
    /* false: the load was not offered at this rate, for reasons outside the subject */
    bool generator_held;
    /* The generator was so late that a latency above the goal's limit proves nothing. */
    bool generator_late[PS_GOALS_MAX];
    bool failed;   /* no measurement: the subject or a part of the trial failed */
    double cost_s; /* duration of the whole trial, with start and drain */
};

enum ps_trial_verdict {
    PS_TRIAL_HELD,
    PS_TRIAL_LOST,      /* more events lost than the goal allows */
    PS_TRIAL_LATE,      /* too slow, or a queue that grew */
    PS_TRIAL_GENERATOR, /* the load was not offered: the rate remains unknown */
    PS_TRIAL_FAILED,
    PS_TRIAL_UNTOLD, /* a look, or a trial that was shorter than the pipeline's rhythm: it decides nothing */
    PS_TRIAL_VERDICTS,
};
const char *ps_trial_verdict_text(enum ps_trial_verdict verdict);

struct ps_search_trial {
    struct ps_search_ask ask;
    struct ps_search_answer answer;
};

enum ps_search_status {
    PS_SEARCH_OUT_OF_TIME,       /* the interval is wider than asked, or not confirmed */
    PS_SEARCH_FOUND,             /* the interval is within the precision, both ends are confirmed */
    PS_SEARCH_BELOW_RANGE,       /* the goal was not met even at rate_min */
    PS_SEARCH_ABOVE_RANGE,       /* the goal was met at rate_max: "at least" */
    PS_SEARCH_GENERATOR_LIMITED, /* met at all rates that could be offered: "at least" */
    PS_SEARCH_FAILED,            /* trials failed, or nothing ever arrived */
};
const char *ps_search_status_text(enum ps_search_status status);

struct ps_search_figure {
    enum ps_search_status status;
    /* The best estimate, between lower and upper; `lower` for "at least". When the time was used up and only the shortest
     * trials held `lower`: the rate at which events came through, or 0. */
    double rate;
    /* The highest rate that was held, and the lowest above it that was not; 0: none. */
    double lower, upper;
    /* probability that the rate is between lower and upper (bench/plan/search/posterior.h); 0: unknown */
    double confidence;
    /* The 95 % interval: wider than lower..upper when trials were few or noisy. high95 is 0 when the generator,
     * not the subject, failed at the upper end: there is no upper limit. */
    double low95, high95;
    unsigned repeats; /* number of full-length trials at that end of the interval which has fewer */
    double held;      /* highest rate below `upper` that a full-length trial held; 0: none */
    double failed;    /* lowest rate that the subject, not the generator, was shown not to hold; 0: none */
    double held_s;    /* length of the longest trial that held `lower` */
    double bunched;   /* at the lower end: share of the events that the generator sent late */
    bool offered;     /* the generator failed at `upper`, but offered that rate in time in another trial */
    bool busy;        /* `bunched` is too large to confirm an end: the machine was busy */
};

/* Returns whether the rate is only a lower limit: the subject held the highest rate of the range or of the generator.
 */
static inline bool ps_search_is_at_least(const struct ps_search_figure *figure)
{
    return figure->status == PS_SEARCH_ABOVE_RANGE || figure->status == PS_SEARCH_GENERATOR_LIMITED;
}

struct ps_search;

/* Copies `config`. Owns: the caller destroys it. */
struct ps_search *ps_search_create(const struct ps_search_config *config);
void ps_search_destroy(struct ps_search *search);

/* Returns the trial to run now; the same one until it is answered. Returns false when the search is
 * finished. */
bool ps_search_next(struct ps_search *search, struct ps_search_ask *ask);
/* Reports the result of the trial that ps_search_next returned. */
void ps_search_feed(struct ps_search *search, const struct ps_search_answer *answer);
/* Writes what is known so far to *figure; may be called during the search. */
void ps_search_figure(const struct ps_search *search, unsigned goal, struct ps_search_figure *figure);

unsigned ps_search_count(const struct ps_search *search); /* of the trials so far */
const struct ps_search_trial *ps_search_trial(const struct ps_search *search, unsigned number);
enum ps_trial_verdict ps_search_verdict(const struct ps_search *search, unsigned trial, unsigned goal);
/* Returns whether a burst that the subject had saved up may have carried the rate for as long as the trial lasted. */
bool ps_search_is_carried(const struct ps_search *search, unsigned trial);
double ps_search_long_s(const struct ps_search *search); /* length of a full trial */

/* The properties of the pipeline that the search found. */
struct ps_search_pipeline {
    double rhythm_s; /* longest time between two deliveries; 0: they come at once */
    double least_s;  /* length of a trial that this rhythm needs */
    double passes;   /* share of the events that the pipeline passes on by design; 1: all */
    bool silent;     /* nothing ever arrived */
    /* Events of a saved-up burst that carried a trial, and the events/s that last after it; 0: no trial was carried. */
    double burst, lasting;
};
void ps_search_pipeline(const struct ps_search *search, struct ps_search_pipeline *pipeline);
