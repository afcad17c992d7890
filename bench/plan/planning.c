/* Runs a plan. */
#include "bench/plan/planning.h"
#include "bench/plan/cpu_shares.h"
#include "core/array.h"
#include "core/clock.h"
#include "core/quantity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FAR 1.25     /* ends that are farther apart are not near the answer */
#define BUSY_MS 500U /* how long the machine is watched before the subject starts */

static bool stopped(const struct ps_planning *planning)
{
    return planning->config->stop != NULL && *planning->config->stop != 0;
}

static void note(const struct ps_planning *planning, const char *text)
{
    if (planning->config->on_note != NULL)
        planning->config->on_note(planning->config->argument, text);
}

/* ---- one search ---- */

/* Returns a run number that no other trial of this plan has and, most likely, no trial of another plan. */
static unsigned run_name(struct ps_planning *planning)
{
    static uint64_t state;
    if (state == 0)
        state = planning->config->seed * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)planning->started_wall_ms;
    state += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */
    uint64_t mixed = (state ^ (state >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (unsigned)((mixed ^ (mixed >> 31)) & 0xffffffU);
}

static void setup_make(struct ps_planning *planning, struct ps_trial_setup *setup)
{
    const struct ps_planning_config *config = planning->config;
    *setup = (struct ps_trial_setup){
        .stop = config->stop, .watch = config->on_watch, .watch_argument = config->argument};
    ps_subject_setup(&planning->subject, setup);
    for (unsigned i = 0; i < config->load_option_count; i++)
        setup->load_options[i] = config->load_options[i];
    setup->load_option_count = config->load_option_count;
    setup->uneven = strcmp(config->shape, "constant") != 0;
}

/* Stores the trial if `keep`, else frees it. */
static void keep_trial(struct ps_planning *planning, struct ps_trial *trial, bool keep)
{
    if (trial->event_bytes > 0)
        planning->event_bytes = trial->event_bytes;
    if (!keep) {
        ps_trial_fini(trial);
        return;
    }
    PS_ARRAY_GROW(planning->trials, planning->trial_count, planning->trial_room, "the trials of a plan");
    planning->trials[planning->trial_count++] = *trial;
}

/* Corrects the losses of a trial by what the search knows of a filter, and says what a look showed. */
static void take_back(struct ps_trial *trial, const struct ps_search_trial *known,
                      const struct ps_search *search)
{
    struct ps_search_pipeline pipeline;
    ps_search_pipeline(search, &pipeline);
    if (!trial->failed && !known->ask.look && trial->passes < 1) {
        trial->lost = known->answer.lost;
        trial->loss = trial->sent > 0 ? trial->lost / (trial->sent * trial->passes) : 0;
    }
    if (trial->note[0] != '\0' || trial->failed)
        return;
    if (!trial->behind && ps_search_is_carried(search, ps_search_count(search) - 1))
        snprintf(trial->note, sizeof trial->note, "a burst that was saved up may have carried it");
    if (known->ask.look && trial->received <= 0)
        snprintf(trial->note, sizeof trial->note, "a look: nothing arrived within %s",
                 ps_quantity_print_s(round(trial->cost_s)).text);
    else if (known->ask.look && trial->rhythm_s > 0)
        snprintf(trial->note, sizeof trial->note, "a look: for %s nothing arrived",
                 ps_quantity_print_s(round(trial->rhythm_s * 10) / 10).text);
    else if (known->ask.look)
        snprintf(trial->note, sizeof trial->note, "a look: %.4g %% arrived, at once",
                 trial->sent > 0 ? trial->received / trial->sent * 100 : 0);
    else if (trial->untold)
        snprintf(trial->note, sizeof trial->note, "too short: for %s nothing arrived",
                 ps_quantity_print_s(round(trial->rhythm_s * 10) / 10).text);
}

/* Runs trials until the search is finished. Returns PS_FAIL when the subject ended. */
static enum ps_status search_run(struct ps_planning *planning, struct ps_search *search,
                                 const struct ps_search_config *wish, bool keep, struct ps_err *err)
{
    const struct ps_planning_config *config = planning->config;
    struct ps_trial_setup setup;
    struct ps_search_ask ask;
    setup_make(planning, &setup);
    while (!stopped(planning) && ps_search_next(search, &ask)) {
        struct ps_trial trial;
        struct ps_search_answer answer;
        if (keep && config->on_begin != NULL)
            config->on_begin(config->argument, planning, &ask);
        setup.look_at_target = keep && planning->trial_count == 0;
        ps_trial_run(&trial, &setup, &ask, run_name(planning), wish->goals, wish->goal_count);
        if (trial.interrupted) {
            ps_trial_fini(&trial);
            break;
        }
        if (trial.refused_start && keep && planning->trial_count == 0) { /* it will not start the next time */
            planning->tried_to_start = false;
            ps_err_set(err, "%s", trial.note);
            ps_trial_fini(&trial);
            return PS_FAIL;
        }
        bool alive = ps_subject_settle(&planning->subject, err);
        trial.failed = trial.failed || !alive;
        if (!alive)
            snprintf(trial.note, sizeof trial.note, "%.250s", err->text);
        ps_trial_answer(&trial, wish->goals, wish->goal_count, &answer);
        ps_search_feed(search, &answer);
        take_back(&trial, ps_search_trial(search, ps_search_count(search) - 1), search);
        keep_trial(planning, &trial, keep);
        if (keep && config->on_trial != NULL)
            config->on_trial(config->argument, planning);
        if (!alive)
            return PS_FAIL;
    }
    return PS_OK;
}

static enum ps_status subject_start(struct ps_planning *planning, struct ps_subject_config *own,
                                    struct ps_err *err)
{
    *own = planning->config->subject;
    own->workers = planning->workers;
    own->stop = planning->config->stop;
    return ps_subject_start(&planning->subject, own, err);
}

/* Checks the goals: without a far end only counters are known, and they contain no latency. */
static enum ps_status check_goals(const struct ps_planning *planning, struct ps_err *err)
{
    const struct ps_search_config *search = &planning->config->search;
    for (unsigned i = 0; i < search->goal_count; i++)
        if (search->goals[i].percentile > 0 && planning->subject.from_count == 0)
            return ps_err_set(err,
                              "--goal %s: latency can only be measured at a far end; give one with --from",
                              search->goals[i].name);
    return PS_OK;
}

/* ---- workers ---- */

/* Returns the rate that a machine holds by this figure; 0: only the shortest trials held one, and these show none. */
static double machine_rate(const struct ps_search_figure *figure)
{
    bool shown = figure->status != PS_SEARCH_OUT_OF_TIME || figure->low95 > 0 || figure->held > 0;
    return shown ? figure->lower : 0;
}

/* Searches the first goal with fewer workers. Stops the running subject first. */
static enum ps_status scale(struct ps_planning *planning, struct ps_subject_config *own, struct ps_err *err)
{
    const struct ps_planning_config *config = planning->config;
    struct ps_search_figure top;
    ps_search_figure(planning->search, 0, &top);
    enum ps_status status = PS_OK;
    for (unsigned workers = config->workers_min;
         workers < config->workers_max && status == PS_OK && !stopped(planning); workers++) {
        struct ps_search_config wish = config->search;
        char text[128];
        wish.budget_s = config->search.budget_s / config->search.goal_count;
        wish.goal_count = 1;
        if (top.lower > 0)
            wish.rate_first =
                fmin(fmax(top.lower * workers / config->workers_max, wish.rate_min), wish.rate_max);
        ps_subject_stop(&planning->subject);
        planning->workers = workers;
        snprintf(text, sizeof text, "now with %u worker%s", workers, workers == 1 ? "" : "s");
        note(planning, text);
        status = subject_start(planning, own, err);
        struct ps_search *search = ps_search_create(&wish);
        if (status == PS_OK)
            status = search_run(planning, search, &wish, false, err);
        struct ps_planning_point *point = &planning->points[planning->point_count];
        *point = (struct ps_planning_point){.workers = workers};
        ps_search_figure(search, 0, &point->figure);
        if (!stopped(planning) && machine_rate(&point->figure) > 0)
            planning->point_count++;
        ps_search_destroy(search);
    }
    return status;
}

static void fit(struct ps_planning *planning)
{
    struct ps_scaling_point points[PS_SCALING_POINTS_MAX];
    struct ps_planning_point *top = &planning->points[planning->point_count];
    ps_search_figure(planning->search, 0, &top->figure);
    top->workers = planning->config->workers_max;
    if (machine_rate(&top->figure) > 0 && planning->point_count < PS_SCALING_POINTS_MAX)
        planning->point_count++;
    for (unsigned i = 0; i < planning->point_count; i++)
        points[i] = (struct ps_scaling_point){planning->points[i].workers, planning->points[i].figure.rate,
                                              ps_search_is_at_least(&planning->points[i].figure)};
    planning->scaled = ps_scaling_fit(points, planning->point_count, &planning->scaling);
}

/* ---- results from the trials ---- */

/* Returns whether the search ended so far from the answer that what limits it was perhaps not met by any trial. */
static bool is_far(const struct ps_search_figure *figure)
{
    bool ended = figure->status == PS_SEARCH_OUT_OF_TIME || figure->status == PS_SEARCH_FAILED;
    /* at an upper end that only the generator missed, no trial met the pipeline's limit */
    return figure->failed <= 0 || (ended && (figure->lower <= 0 || figure->upper > figure->lower * FAR));
}

static void find_limits(struct ps_planning *planning)
{
    struct ps_search_figure figure;
    struct ps_search_pipeline pipeline;
    struct ps_limits_trial *trials =
        ps_must_alloc(planning->trial_count + 1, sizeof *trials, "the trials of a plan");
    unsigned count = 0;
    ps_search_figure(planning->search, 0, &figure);
    ps_search_pipeline(planning->search, &pipeline);
    for (unsigned i = 0; i < planning->trial_count; i++) {
        const struct ps_trial *trial = &planning->trials[i];
        enum ps_trial_verdict verdict = ps_search_verdict(planning->search, i, 0);
        if (trial->failed || verdict == PS_TRIAL_GENERATOR || verdict == PS_TRIAL_UNTOLD)
            continue;
        trials[count++] = (struct ps_limits_trial){.rate = trial->achieved_rate,
                                                   .held = verdict == PS_TRIAL_HELD,
                                                   .in_steps = pipeline.rhythm_s > 0,
                                                   .parts = trial->parts};
    }
    double rate = figure.lower > 0 ? figure.lower : figure.upper;
    ps_limits_find(&planning->limits, trials, count, rate);
    if (figure.status == PS_SEARCH_GENERATOR_LIMITED && figure.offered)
        ps_limits_end_unknown(&planning->limits,
                              "above it the generator was itself too late to tell, although it offered more",
                              rate, 0);
    else if (ps_search_is_at_least(&figure))
        ps_limits_end_not_seen(&planning->limits, figure.status == PS_SEARCH_ABOVE_RANGE, rate);
    else if (is_far(&figure) &&
             !(ps_limits_keep_met(&planning->limits, trials, count, figure.failed) && figure.failed > 0))
        ps_limits_end_unknown(&planning->limits,
                              stopped(planning)                   ? "the plan was interrupted"
                              : pipeline.silent                   ? "nothing arrived"
                              : figure.status == PS_SEARCH_FAILED ? "trials failed"
                                                                  : "the time was used up",
                              machine_rate(&figure), figure.failed);
    free(trials);
}

/* Projects from the best of the measured worker counts. */
static void project(struct ps_planning *planning)
{
    struct ps_search_figure figure;
    struct ps_err err = {0};
    ps_search_figure(planning->search, 0, &figure);
    struct ps_projection_measured measured = {.rate = machine_rate(&figure),
                                              .size_bytes = planning->event_bytes,
                                              .workers = planning->config->workers_max};
    for (unsigned i = 0; i < planning->point_count; i++) {
        if (planning->points[i].figure.lower <= measured.rate)
            continue;
        figure = planning->points[i].figure;
        measured.rate = figure.lower;
        measured.workers = planning->points[i].workers;
    }
    measured.error = figure.high95 > 0 ? (figure.high95 / figure.low95 - 1) / 2 : 0;
    if (planning->scaled)
        measured.error = fmax(measured.error, planning->scaling.error);
    const char *target = planning->subject.target;
    measured.shared = strstr(target, "127.0.0.1") != NULL || strstr(target, "localhost") != NULL;
    measured.at_least = ps_search_is_at_least(&figure) || figure.high95 <= 0;
    planning->projected =
        ps_projection_make(&planning->config->wish, &measured, &planning->projection, &err) == PS_OK;
    if (!planning->projected)
        snprintf(planning->projection_note, sizeof planning->projection_note, "%.250s", err.text);
}

/* Warns before the subject starts when other programs keep this machine busy. */
static void warn_of_busy_machine(const struct ps_planning *planning)
{
    const pid_t roots[] = {getpid(), planning->config->subject.pid};
    char busiest[PS_CPU_NAME_BYTES], text[320], used[PS_CPU_NAME_BYTES + 32] = "";
    double foreign = 0;
    if (!ps_cpu_foreign_now("/proc", roots, PS_COUNT_OF(roots), BUSY_MS, &foreign, busiest) ||
        foreign < PS_PLANNING_FOREIGN_SHARE)
        return;
    if (busiest[0] != '\0')
        snprintf(used, sizeof used, " (most of it: %s)", busiest);
    snprintf(text, sizeof text,
             "this machine is busy: other programs use %.0f %% of its CPUs%s; the figures will be lower and "
             "less certain; stop them, or measure from another machine",
             foreign * 100, used);
    note(planning, text);
}

enum ps_status ps_planning_run(struct ps_planning *planning, const struct ps_planning_config *config,
                               struct ps_err *err)
{
    struct ps_now start = ps_clock_now();
    struct ps_subject_config own;
    *planning = (struct ps_planning){.config = config, .started_wall_ms = start.wall_ms};
    planning->workers = config->workers_max;
    planning->search = ps_search_create(&config->search);
    warn_of_busy_machine(planning);
    enum ps_status status = subject_start(planning, &own, err);
    planning->tried_to_start =
        status == PS_OK || planning->subject.agent.log[0] != '\0' || planning->subject.broker.log[0] != '\0';
    for (unsigned i = 0; i < planning->subject.note_count; i++)
        note(planning, planning->subject.notes[i]);
    if (status == PS_OK && check_goals(planning, err) != PS_OK) {
        planning->tried_to_start = false;
        status = PS_FAIL;
    }
    if (status == PS_OK)
        status = search_run(planning, planning->search, &config->search, true, err);
    if (status == PS_OK && config->workers_max > 0 && !stopped(planning))
        status = scale(planning, &own, err);
    if (stopped(planning) &&
        planning->trial_count > 0) /* the subject that did not start was interrupted, too */
        status = PS_OK;
    ps_subject_stop(&planning->subject);
    planning->subject.config = &config->subject;
    if (planning->trial_count > 0)
        find_limits(planning);
    if (config->workers_max > 0)
        fit(planning);
    if (config->project)
        project(planning);
    planning->interrupted = stopped(planning);
    planning->seconds = (double)(ps_clock_now().mono_ns - start.mono_ns) / 1e9;
    return status;
}

void ps_planning_fini(struct ps_planning *planning)
{
    for (unsigned i = 0; i < planning->trial_count; i++)
        ps_trial_fini(&planning->trials[i]);
    free(planning->trials);
    ps_search_destroy(planning->search);
    planning->trials = NULL;
    planning->search = NULL;
}
