/* A complete plan: starts the subject, runs the search and its trials, then computes the limits, the scaling
 * and the projection.
 *
 * Thread: the main one; blocks for minutes. */
#pragma once

#include "bench/plan/limits.h"
#include "bench/plan/projection.h"
#include "bench/plan/scaling.h"
#include "bench/plan/search/search.h"
#include "bench/plan/subject.h"
#include "bench/plan/trial/trial.h"

/* From this share of the machine's CPUs on, the use by other programs is reported. */
#define PS_PLANNING_FOREIGN_SHARE 0.1

struct ps_planning;

struct ps_planning_config {
    struct ps_subject_config subject;
    struct ps_search_config search;
    const char *load_options[PS_TRIAL_OPTIONS_MAX]; /* passed on to load */
    unsigned load_option_count;
    const char *format, *shape; /* for the document */
    uint64_t size_bytes;        /* 0: the natural size */
    unsigned connections;
    bool paced_by_sleep;               /* the program, not the user, chose to pace by sleep */
    unsigned workers_min, workers_max; /* 0: as in the file, no scaling */
    bool project;
    struct ps_projection_wish wish;
    uint64_t seed;
    const char *const *command; /* for the document; NULL at the end */
    const char *version;        /* of penstock */
    const volatile sig_atomic_t *stop;
    /* Callbacks that show the progress; each may be NULL. They may read `planning`. */
    void (*on_begin)(void *argument, const struct ps_planning *planning, const struct ps_search_ask *ask);
    void (*on_watch)(void *argument, double seconds);
    void (*on_trial)(void *argument, const struct ps_planning *planning);
    void (*on_note)(void *argument, const char *text);
    void *argument;
};

/* One point of the scaling curve. */
struct ps_planning_point {
    unsigned workers;
    struct ps_search_figure figure;
};

struct ps_planning {
    const struct ps_planning_config *config;
    struct ps_subject subject;
    struct ps_search *search; /* the search for the goals' rates, with the largest number of workers */
    struct ps_trial *trials;  /* as many as the search has */
    unsigned trial_count, trial_room;
    unsigned workers; /* number of workers of the running subject; 0: as in the file */
    double event_bytes;

    struct ps_limits limits;
    struct ps_planning_point points[PS_SCALING_POINTS_MAX];
    unsigned point_count;
    struct ps_scaling scaling;
    /* false: the plan failed before its first trial because the command line was wrong */
    bool tried_to_start;
    bool scaled, projected, interrupted;
    struct ps_projection projection;
    char projection_note[256]; /* why there is no projection */
    int64_t started_wall_ms;
    double seconds;
};

/* Runs the plan. Returns PS_FAIL when the subject did not start, or ended; the results so far are valid all the same.
 * Owns: the caller calls ps_planning_fini in any case. `config` must outlive `planning`. */
enum ps_status ps_planning_run(struct ps_planning *planning, const struct ps_planning_config *config,
                               struct ps_err *err);
void ps_planning_fini(struct ps_planning *planning);
