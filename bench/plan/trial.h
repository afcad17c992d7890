/* One trial: `penstock load` offers a rate for some seconds, `penstock verify` reads the far end, and both
 * say what they saw. A fresh run each time, so that what is late from the trial before does not count.
 *
 * Thread: the driver's. Blocks for as long as the trial takes. */
#pragma once

#include "bench/plan/limits.h"
#include "bench/plan/search.h"

#include <jansson.h>
#include <signal.h>

#define PS_TRIAL_FROM_MAX 16U
#define PS_TRIAL_STEP_S 0.25 /* of a timeline: what --every asks of load and verify */
#define PS_TRIAL_OPTIONS_MAX 64U

struct ps_trial_setup {
    const char *program;                 /* that is run; NULL: this one */
    const char *target;                  /* load's URL */
    const char *from[PS_TRIAL_FROM_MAX]; /* verify's URLs */
    unsigned from_count;                 /* 0: what arrived is read from the agent's counters */
    const char
        *load_options[PS_TRIAL_OPTIONS_MAX]; /* content, connections, pace: as on load's command line */
    unsigned load_option_count;
    const char *directory;             /* for logs and the manifest */
    const char *metrics_url;           /* of the agent; NULL: none */
    int pid;                           /* of the subject's process, for CPU time and memory; 0: unknown */
    unsigned from_drain_ms;            /* how long silence means that nothing more comes; 0: 1,000 */
    const volatile sig_atomic_t *stop; /* not 0: end at once; may be NULL */
    /* Called a few times a second with the time since the load began. May be NULL. */
    void (*watch)(void *argument, double seconds);
    void *watch_argument;
};

/* What came out. Owns the JSON: ps_trial_fini. */
struct ps_trial {
    double rate, seconds; /* asked */
    unsigned run;
    double offered;       /* events that were due */
    double sent;          /* of them, those that left the generator */
    double achieved_rate; /* events/s completed while the schedule ran */
    double received, lost, duplicated, reordered, corrupted;
    double refused;               /* by the target, for good: part of lost */
    double loss;                  /* lost / sent */
    double growth;                /* seconds of delay gained in a second */
    double goodput;               /* events/s that came through, 0: unknown */
    double schedule_error_p99_ns; /* how late the generator itself was */
    bool generator_held;
    bool lossy; /* the far end itself threw records away: what is lost is not the subject's fault alone */
    bool failed, interrupted;
    char note[256];                  /* why it failed, or what is to be known about it */
    json_t *latency;                 /* percentiles and maximum, ns; NULL: not known */
    json_t *histogram;               /* [[value, count], ...]; NULL */
    json_t *timeline;                /* an object for each step */
    double cpu_seconds;              /* the subject's while load ran; < 0: unknown */
    double rss_bytes;                /* its peak; < 0: unknown */
    double cost_s;                   /* all in all */
    double event_bytes;              /* of an event, framing included; 0: unknown */
    double latency_ns[PS_GOALS_MAX]; /* each goal's percentile, from the histogram */
    struct ps_parts parts;
};

/* Never fails but by trial->failed. `run` is its name, below 2^24; the goals are for trial->latency_ns. */
void ps_trial_run(struct ps_trial *trial, const struct ps_trial_setup *setup, const struct ps_search_ask *ask,
                  unsigned run, const struct ps_goal *goals, unsigned goal_count);
void ps_trial_fini(struct ps_trial *trial);

/* For the search. */
void ps_trial_answer(const struct ps_trial *trial, const struct ps_goal *goals, unsigned goal_count,
                     struct ps_search_answer *answer);

/* ---- inside: what the two said, put together (bench/plan/trial_account.c) ---- */

/* load's summary; false: it is none. */
bool ps_trial_take_load(struct ps_trial *trial, const json_t *summary);
/* verify's summary, behind load's. */
bool ps_trial_take_verify(struct ps_trial *trial, const json_t *summary, const struct ps_goal *goals,
                          unsigned goal_count);
/* Instead of verify's count, or when its far end was lossy: what the agent's sinks delivered meanwhile. */
void ps_trial_take_counters(struct ps_trial *trial, double delivered);
/* A step of load and of verify that ended `t` seconds after the load began; to the timeline. */
void ps_trial_take_load_step(struct ps_trial *trial, double t, const json_t *progress);
void ps_trial_take_verify_step(struct ps_trial *trial, double t, const json_t *progress);
/* Fills of channels at the time, to the step they belong to. */
void ps_trial_take_fills(struct ps_trial *trial, double t, const struct ps_scrape *scrape);
/* At the end: growth from the timeline. */
void ps_trial_conclude(struct ps_trial *trial);
/* A percentile (0 to 100) of [[value, count], ...]; 0: empty. */
double ps_trial_percentile(const json_t *histogram, double percentile);
