/* A whole plan: the subject is started, the search runs its trials, then come what limits it, how it scales
 * and what it takes.
 *
 * Thread: the main one; blocks for minutes. */
#pragma once

#include "bench/plan/limits.h"
#include "bench/plan/projection.h"
#include "bench/plan/scaling.h"
#include "bench/plan/search.h"
#include "bench/plan/subject.h"
#include "bench/plan/trial.h"

struct ps_planning;

struct ps_planning_config {
    struct ps_subject_config subject;
    struct ps_search_config search;
    const char *load_options[PS_TRIAL_OPTIONS_MAX]; /* passed on to load */
    unsigned load_option_count;
    const char *format, *shape; /* for the document */
    uint64_t size_bytes;        /* 0: as it comes */
    unsigned connections;
    bool paced_by_sleep;               /* decided here, not by the user */
    unsigned workers_min, workers_max; /* 0: as the file says, no scaling */
    bool project;
    struct ps_projection_wish wish;
    uint64_t seed;
    const char *const *command; /* for the document; NULL at the end */
    const char *version;        /* of penstock */
    const volatile sig_atomic_t *stop;
    /* What happens, for whoever shows it; each may be NULL. `planning` may be looked at. */
    void (*on_begin)(void *argument, const struct ps_planning *planning, const struct ps_search_ask *ask);
    void (*on_watch)(void *argument, double seconds);
    void (*on_trial)(void *argument, const struct ps_planning *planning);
    void (*on_note)(void *argument, const char *text);
    void *argument;
};

struct ps_planning_point { /* of the scaling */
    unsigned workers;
    struct ps_search_figure figure;
};

struct ps_planning {
    const struct ps_planning_config *config;
    struct ps_subject subject;
    struct ps_search *search; /* of the goals, at the most workers */
    struct ps_trial *trials;  /* as many as the search has */
    unsigned trial_count, trial_room;
    unsigned workers; /* that run now; 0: as the file says */
    double event_bytes;

    struct ps_limits limits;
    struct ps_planning_point points[PS_SCALING_POINTS_MAX];
    unsigned point_count;
    struct ps_scaling scaling;
    bool tried_to_start; /* it was known what to start; false after an error: the question was wrong */
    bool scaled, projected, interrupted;
    struct ps_projection projection;
    char projection_note[256]; /* why there is none */
    int64_t started_wall_ms;
    double seconds;
};

/* Runs it. PS_FAIL: the subject did not start or ended; what is known so far is there all the same. Owns:
 * ps_planning_fini in any case. `config` must stay. */
enum ps_status ps_planning_run(struct ps_planning *planning, const struct ps_planning_config *config,
                               struct ps_err *err);
void ps_planning_fini(struct ps_planning *planning);

/* 0 all goals found (or "at least"), 1 one is not. */
int ps_planning_code(const struct ps_planning *planning);
