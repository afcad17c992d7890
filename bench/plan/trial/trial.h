/* One trial: `penstock load` offers a rate for some seconds, `penstock verify` reads the far end, and both
 * report. Each trial is a new run, so events that are late from the previous trial do not count.
 *
 * Thread: the driver's. Blocks for as long as the trial takes. */
#pragma once

#include "bench/plan/flow.h"
#include "bench/plan/limits.h"
#include "bench/plan/search/search.h"

#include <jansson.h>
#include <signal.h>

#define PS_TRIAL_FROM_MAX 16U
#define PS_TRIAL_STEP_S 0.25     /* a step of the timeline: --every of load and verify */
#define PS_TRIAL_ARRIVALS_MS 20U /* a step of the arrivals of each connection */
#define PS_TRIAL_OPTIONS_MAX 64U

struct ps_trial_setup {
    const char *program;                 /* the program to run; NULL: this one */
    const char *target;                  /* load's URL */
    const char *from[PS_TRIAL_FROM_MAX]; /* verify's URLs */
    unsigned from_count;                 /* 0: arrivals are read from the agent's counters */
    /* Content, connections, pace: as on load's command line. */
    const char *load_options[PS_TRIAL_OPTIONS_MAX];
    unsigned load_option_count;
    bool uneven;                       /* the load's rate is not constant: it has a shape */
    const char *directory;             /* for logs and the manifest */
    const char *metrics_url;           /* URL of the agent's metrics; NULL: none */
    bool look_at_target;               /* fail at once when nothing listens there */
    int pid;                           /* the subject's process, for CPU time and memory; 0: unknown */
    const volatile sig_atomic_t *stop; /* not 0: end immediately; may be NULL */
    /* Called a few times a second with the time since the load began. May be NULL. */
    void (*watch)(void *argument, double seconds);
    void *watch_argument;
};

/* The result of a trial. Owns the JSON: ps_trial_fini frees it. */
struct ps_trial {
    double rate, seconds; /* as requested */
    double passes;        /* share of the events that the pipeline passes on by design; 1: all */
    bool by_chance;       /* which ones pass varies */
    double quiet_s;       /* the far end is complete after this much silence */
    unsigned run;
    double offered;       /* events that were due */
    double sent;          /* number of the `offered` events that left the generator */
    double achieved_rate; /* events/s completed while the schedule ran */
    double received, lost, duplicated, reordered, corrupted;
    double refused;   /* events that the target refused for good; included in `lost` */
    double loss;      /* lost / sent, of those that a filter passes on */
    double shortfall; /* share of the rate that the target did not accept */
    double bunched;   /* number of events that the generator sent late, together with other events */
    bool behind;      /* the number of events due and not received grew: the rate was not held */
    bool untold;      /* the trial is too short for the pipeline's rhythm */
    double rhythm_s;  /* longest time between two deliveries, or before the first; 0: they came at once */
    double silent_s;  /* the last event came so long before the end of the schedule; 0: in time, or later */
    double growth;    /* seconds of delay gained per second, of the worst connection */
    double goodput;   /* events/s that arrived, 0: unknown */
    double goodput_worst; /* the rate at which no connection would have fallen behind; 0: unknown */
    struct ps_flow_result flow;
    double schedule_error_p90_ns; /* how late the generator was */
    double schedule_error_p99_ns;
    bool generator_held;
    bool lossy; /* the far end itself dropped records: losses are not the subject's alone */
    bool failed, interrupted;
    bool
        refused_start; /* with failed: load or verify could not start: the target or the far end is wrong, or not there */
    char note[256]; /* why the trial failed, or a remark */
    struct {
        json_t *latency;   /* percentiles and maximum, ns; NULL: not known */
        json_t *histogram; /* [[value, count], ...]; NULL */
        json_t *timeline;  /* an object for each step */
        json_t *arrivals;  /* from verify: when the events of each connection came; NULL: not known */
        json_t *delivered; /* [[wall clock ns, events], ...] from the agent's counters; NULL */
        json_t *due;       /* [[seconds, events], ...] of an uneven load; NULL */
    } json;
    double start_unix_ns;            /* the wall clock at the start of the schedule; 0: unknown */
    unsigned connections;            /* of the load */
    bool uneven;                     /* the load's rate was not constant */
    double cpu_seconds;              /* CPU time of the subject while load ran; < 0: unknown */
    double rss_bytes;                /* the subject's peak; < 0: unknown */
    double foreign_cpu;              /* share of this machine's CPUs that other programs used; < 0: unknown */
    double cost_s;                   /* duration of everything */
    double event_bytes;              /* mean size of an event, framing included; 0: unknown */
    double latency_ns[PS_GOALS_MAX]; /* each goal's percentile, from the histogram */
    struct ps_parts parts;
};

/* Runs a trial; failures are reported in trial->failed. `run` is its run number, below 2^24; the goals are
 * for trial->latency_ns. */
void ps_trial_run(struct ps_trial *trial, const struct ps_trial_setup *setup, const struct ps_search_ask *ask,
                  unsigned run, const struct ps_goal *goals, unsigned goal_count);
void ps_trial_fini(struct ps_trial *trial);

/* Converts the trial to the search's form. */
void ps_trial_answer(const struct ps_trial *trial, const struct ps_goal *goals, unsigned goal_count,
                     struct ps_search_answer *answer);

/* ---- internal: combines the reports of load and verify (bench/plan/trial/account.c) ---- */

/* Takes load's summary; returns false when the object is not one. */
bool ps_trial_take_load(struct ps_trial *trial, const json_t *summary);
/* Takes verify's summary; call it after load's. */
bool ps_trial_take_verify(struct ps_trial *trial, const json_t *summary, const struct ps_goal *goals,
                          unsigned goal_count);
/* Takes the number of events that the agent's sinks delivered. Called when there is no far end, or the far end was
 * lossy. */
void ps_trial_take_counters(struct ps_trial *trial, double delivered);
/* Adds a step of load or verify, which ended `t` seconds after the load began, to the timeline. */
void ps_trial_take_load_step(struct ps_trial *trial, double t, const json_t *progress);
void ps_trial_take_verify_step(struct ps_trial *trial, double t, const json_t *progress);
/* Adds the number of events delivered since the trial began, by the agent's counters, at a time of the wall clock. */
void ps_trial_take_delivered(struct ps_trial *trial, double unix_ns, double delivered);
/* Adds to the timeline's step how full the channels were at that time. */
void ps_trial_take_fills(struct ps_trial *trial, double t, const struct ps_scrape *scrape);
/* Call at the end: compares the events that were due with those that came (bench/plan/trial/flow.c). */
void ps_trial_conclude(struct ps_trial *trial);
/* Returns a percentile (0 to 100) of [[value, count], ...]; 0 when empty. */
double ps_trial_percentile(const json_t *histogram, double percentile);
