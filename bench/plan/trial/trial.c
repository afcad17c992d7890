/* Runs a trial: starts verify, starts load when verify is ready, then waits for the events that are still in
 * flight. */
#include "bench/plan/trial/trial.h"
#include "bench/plan/cpu_shares.h"
#include "bench/plan/process.h"
#include "bench/plan/reach.h"
#include "bench/support/measure.h"
#include "core/clock.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READY_S 20.0 /* limit until verify has opened its far end */
#define START_S 30.0 /* limit until load is connected and begins */
#define SETTLE_S 2.0 /* time in which load may still send events that are due */
#define DRAIN_S 60.0 /* limit until the far end has everything */
#define QUIET_S                                                                                              \
    5.0 /* after this much time without arrivals no more events are expected, if not asked otherwise */
#define IDLE_S 1.0 /* silence after which verify ends, if not asked otherwise */
#define END_MS 3000U
#define CANNOT_START 2 /* exit status of load and verify */
#define WATCH_S 0.5
#define WATCH_COUNTERS_S 0.1 /* interval of reading the counters when only they show the arrivals */

struct run {
    struct ps_trial *trial;
    const struct ps_trial_setup *setup;
    const struct ps_goal *goals;
    unsigned goal_count;
    struct ps_process load, verify;
    char run[16], manifest[512], load_log[512], verify_log[512];
    bool ready, load_done, verify_done;
    double begin_s, load_begin_s; /* monotonic; load_begin_s 0: not known yet */
    double came_s;                /* when verify last reported arrivals */
    struct ps_scrape before;
    struct ps_parts during;
    double watched_s, cpu_before_s;
    struct ps_cpu_reading cpus_before;
};

static bool stop_requested(const struct run *run)
{
    return run->setup->stop != NULL && *run->setup->stop != 0;
}

static bool fail(struct run *run, const struct ps_err *err)
{
    run->trial->failed = true;
    char *to = run->trial->note, *end = to + sizeof run->trial->note - 2;
    for (const char *at = err->text; *at != '\0' && to < end; at++) { /* its lines as one */
        *to++ = *at == '\n' ? ';' : *at;
        if (*at == '\n')
            *to++ = ' ';
    }
    *to = '\0';
    return false;
}

/* ---- output of the children ---- */

/* Parses a line; returns NULL when it is not a JSON object. */
static json_t *object_of(const char *line)
{
    json_t *object = line[0] == '{' ? json_loads(line, 0, NULL) : NULL;
    if (object != NULL && !json_is_object(object)) {
        json_decref(object);
        object = NULL;
    }
    return object;
}

static const char *type_of(const json_t *object)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    return type != NULL ? type : "";
}

static void load_line(struct run *run, const char *line)
{
    json_t *object = object_of(line);
    double t = json_number_value(json_object_get(object, "t"));
    if (strcmp(type_of(object), "progress") == 0) {
        if (run->load_begin_s == 0)
            run->load_begin_s = ps_now_s() - t;
        ps_trial_take_load_step(run->trial, t, object);
    } else if (strcmp(type_of(object), "summary") == 0) {
        run->load_done = ps_trial_take_load(run->trial, object);
    }
    json_decref(object);
}

static void verify_line(struct run *run, const char *line)
{
    json_t *object = object_of(line);
    const char *type = type_of(object);
    if (strcmp(type, "ready") == 0)
        run->ready = true;
    else if (strcmp(type, "progress") == 0 && run->load_begin_s > 0)
        ps_trial_take_verify_step(run->trial, ps_now_s() - run->load_begin_s, object);
    if (json_number_value(json_object_get(object, "rate")) > 0)
        run->came_s = ps_now_s();
    if (strcmp(type, "summary") == 0)
        run->verify_done = ps_trial_take_verify(run->trial, object, run->goals, run->goal_count);
    json_decref(object);
}

/* Waits at most 50 ms for output of load and verify, and handles the output. */
static void take_lines(struct run *run)
{
    struct pollfd ready[2] = {{.fd = run->load.out, .events = POLLIN},
                              {.fd = run->verify.out, .events = POLLIN}};
    if (run->load.pid == 0 && run->load.log[0] == '\0')
        ready[0].fd = -1;
    if (run->verify.pid == 0 && run->verify.log[0] == '\0')
        ready[1].fd = -1;
    poll(ready, 2, 50);
    const char *line;
    while (ready[0].fd >= 0 && (line = ps_process_line(&run->load)) != NULL)
        load_line(run, line);
    while (ready[1].fd >= 0 && (line = ps_process_line(&run->verify)) != NULL)
        verify_line(run, line);
}

/* ---- the subject, seen from outside ---- */

static double delivered_since(const struct run *run, const struct ps_scrape *scrape)
{
    static const char name[] = "penstock_sink_events_delivered_total";
    return ps_scrape_sum(scrape, name) - ps_scrape_sum(&run->before, name);
}

static void watch(struct run *run)
{
    double now = ps_now_s(), t = run->load_begin_s > 0 ? now - run->load_begin_s : 0;
    if (now - run->watched_s < (run->setup->from_count == 0 ? WATCH_COUNTERS_S : WATCH_S))
        return;
    run->watched_s = now;
    if (run->setup->watch != NULL)
        run->setup->watch(run->setup->watch_argument, t);
    struct ps_scrape scrape;
    double unix_ns = (double)ps_clock_now().wall_ms * 1e6;
    if (run->setup->metrics_url == NULL || ps_scrape_get(&scrape, run->setup->metrics_url, NULL) != PS_OK)
        return;
    if (run->setup->from_count == 0 && run->before.text != NULL)
        ps_trial_take_delivered(run->trial, unix_ns, delivered_since(run, &scrape));
    ps_parts_watch(&run->during, &scrape);
    if (t > 0)
        ps_trial_take_fills(run->trial, t, &scrape);
    double rss = ps_scrape_value(&scrape, "process_resident_memory_bytes", NULL, -1);
    if (rss > run->trial->rss_bytes)
        run->trial->rss_bytes = rss;
    ps_scrape_fini(&scrape);
}

static bool read_cpus(const struct run *run, struct ps_cpu_reading *reading)
{
    const pid_t roots[] = {getpid(), run->setup->pid};
    return ps_cpu_read(reading, "/proc", roots, PS_COUNT_OF(roots));
}

static void look_before(struct run *run)
{
    const struct ps_trial_setup *setup = run->setup;
    read_cpus(run, &run->cpus_before);
    if (setup->metrics_url != NULL)
        ps_scrape_get(&run->before, setup->metrics_url, NULL);
    if (setup->pid > 0)
        run->cpu_before_s = ps_usage_of(setup->pid).cpu_s;
}

/* Measures at the end of the load: the drain afterwards does not show the subject's pace. */
static void look_after(struct run *run)
{
    const struct ps_trial_setup *setup = run->setup;
    struct ps_trial *trial = run->trial;
    struct ps_scrape after;
    struct ps_cpu_reading cpus_after;
    struct ps_cpu_shares shares;
    double cpus = (double)sysconf(_SC_NPROCESSORS_ONLN);
    if (setup->metrics_url != NULL && run->before.text != NULL &&
        ps_scrape_get(&after, setup->metrics_url, NULL) == PS_OK) {
        static const char cpu[] = "process_cpu_seconds_total";
        ps_parts_measure(&trial->parts, &run->before, &after, &run->during, trial->seconds, cpus);
        trial->cpu_seconds =
            ps_scrape_value(&after, cpu, NULL, 0) - ps_scrape_value(&run->before, cpu, NULL, 0);
        ps_scrape_fini(&after);
    }
    if (setup->pid > 0) {
        struct ps_usage usage = ps_usage_of(setup->pid);
        trial->cpu_seconds = usage.cpu_s - run->cpu_before_s;
        if (setup->metrics_url == NULL)
            trial->rss_bytes = (double)usage.rss_bytes;
        if (setup->metrics_url == NULL && trial->seconds > 0)
            ps_parts_add(&trial->parts, "subject's CPU", "all CPUs", PS_PART_TIME,
                         trial->cpu_seconds / trial->seconds / cpus);
    }
    if (read_cpus(run, &cpus_after) && ps_cpu_shares_between(&run->cpus_before, &cpus_after, &shares)) {
        ps_parts_add(&trial->parts, "this machine's CPUs",
                     "time (generator and far end included, other programs not)", PS_PART_TIME, shares.own);
        trial->foreign_cpu = shares.foreign;
    }
}

/* ---- the steps ---- */

static bool start_verify(struct run *run)
{
    const struct ps_trial_setup *setup = run->setup;
    const char *arguments[PS_PROCESS_ARGUMENTS_MAX] = {"verify", "--json", "--histogram"};
    unsigned count = 3;
    char idle[32], every[32], arrivals[32];
    struct ps_err err = {0};
    snprintf(idle, sizeof idle, "%.0fms", run->trial->quiet_s * 1000);
    snprintf(every, sizeof every, "%.0fms", PS_TRIAL_STEP_S * 1000);
    snprintf(arrivals, sizeof arrivals, "%ums", PS_TRIAL_ARRIVALS_MS);
    /* --run: verify reads a followed file from its beginning, and must not count the events of earlier trials. */
    const char *rest[] = {"--manifest", run->manifest, "--idle", idle,         "--run",
                          run->run,     "--every",     every,    "--arrivals", arrivals};
    for (size_t i = 0; i < PS_COUNT_OF(rest); i++)
        arguments[count++] = rest[i];
    for (unsigned i = 0; i < setup->from_count; i++) {
        arguments[count++] = "--from";
        arguments[count++] = setup->from[i];
    }
    if (ps_process_start(&run->verify, setup->program, arguments, run->verify_log, false, &err) != PS_OK)
        return fail(run, &err);
    double end_s = ps_now_s() + READY_S;
    while (!run->ready && ps_now_s() < end_s && !stop_requested(run) && run->verify.out >= 0)
        take_lines(run);
    if (run->ready || stop_requested(run))
        return true;
    ps_process_end(&run->verify, 0);
    run->trial->refused_start = ps_process_exit_code(&run->verify) == CANNOT_START;
    ps_err_set(&err, "verify does not get ready");
    ps_process_explain(&run->verify, "verify", &err);
    return fail(run, &err);
}

/* Fails when nothing listens at the target. Called when verify is ready, because the target may be verify itself. */
static bool look_at_target(struct run *run)
{
    struct ps_err err = {0};
    if (!run->setup->look_at_target || ps_reach_look(run->setup->target, &err) == PS_OK)
        return true;
    run->trial->refused_start = true;
    return fail(run, &err);
}

static bool start_load(struct run *run)
{
    const struct ps_trial_setup *setup = run->setup;
    const char *arguments[PS_PROCESS_ARGUMENTS_MAX] = {"load", "--json"};
    unsigned count = 2;
    char rate[32], duration[32], settle[32], every[32];
    struct ps_err err = {0};
    snprintf(rate, sizeof rate, "%.9g", run->trial->rate);
    snprintf(duration, sizeof duration, "%.0fms", run->trial->seconds * 1000);
    snprintf(settle, sizeof settle, "%.0fs", SETTLE_S);
    snprintf(every, sizeof every, "%.0fms", PS_TRIAL_STEP_S * 1000);
    const char *rest[] = {"--target", setup->target, "--rate",  rate,         "--duration",
                          duration,   "--run",       run->run,  "--manifest", run->manifest,
                          "--settle", settle,        "--every", every};
    for (size_t i = 0; i < PS_COUNT_OF(rest); i++)
        arguments[count++] = rest[i];
    for (unsigned i = 0; i < setup->load_option_count; i++)
        arguments[count++] = setup->load_options[i];
    if (ps_process_start(&run->load, setup->program, arguments, run->load_log, false, &err) != PS_OK)
        return fail(run, &err);
    return true;
}

static bool wait_load(struct run *run)
{
    double end_s = ps_now_s() + START_S + run->trial->seconds * 1.2 + SETTLE_S + 5;
    struct ps_err err = {0};
    while (run->load.out >= 0 && ps_now_s() < end_s && !stop_requested(run)) {
        take_lines(run);
        watch(run);
    }
    if (stop_requested(run))
        return true;
    bool slow = run->load.out >= 0;
    ps_process_end(&run->load, END_MS);
    if (run->load_done)
        return true;
    run->trial->refused_start = !slow && ps_process_exit_code(&run->load) == CANNOT_START;
    ps_err_set(&err, slow ? "load does not end" : "load could not run");
    ps_process_explain(&run->load, "load", &err);
    return fail(run, &err);
}

/* Returns how long the far end may take to get everything. */
static double drain_of(const struct ps_trial *trial)
{
    return trial->quiet_s * 2 > DRAIN_S ? trial->quiet_s * 2 : DRAIN_S;
}

static bool wait_verify(struct run *run)
{
    double quiet_s = run->trial->quiet_s > 1 ? run->trial->quiet_s + 1 : QUIET_S;
    double end_s = ps_now_s() + drain_of(run->trial);
    struct ps_err err = {0};
    run->came_s = ps_now_s();
    while (run->verify.out >= 0 && ps_now_s() < end_s && ps_now_s() < run->came_s + quiet_s &&
           !stop_requested(run))
        take_lines(run);
    if (run->verify.out >= 0 && !stop_requested(run)) { /* on SIGTERM verify reports what it has received */
        kill(run->verify.pid, SIGTERM);
        end_s = ps_now_s() + QUIET_S;
        while (run->verify.out >= 0 && ps_now_s() < end_s)
            take_lines(run);
    }
    if (run->verify_done || stop_requested(run))
        return true;
    ps_err_set(&err, "verify did not report");
    ps_process_explain(&run->verify, "verify", &err);
    return fail(run, &err);
}

/* Waits until nothing more is delivered. */
static bool wait_counters(struct run *run)
{
    double delivered = -1, quiet_s = run->trial->quiet_s;
    double moved_s = ps_now_s(), end_s = ps_now_s() + drain_of(run->trial);
    struct ps_err err = {0};
    while (ps_now_s() < end_s && ps_now_s() - moved_s < quiet_s && !stop_requested(run)) {
        struct ps_scrape scrape;
        if (run->before.text == NULL || ps_scrape_get(&scrape, run->setup->metrics_url, &err) != PS_OK)
            return fail(run, &err);
        double now = delivered_since(run, &scrape);
        ps_scrape_fini(&scrape);
        if (run->setup->from_count == 0)
            ps_trial_take_delivered(run->trial, (double)ps_clock_now().wall_ms * 1e6, now);
        if (now > delivered)
            moved_s = ps_now_s();
        delivered = now;
        if (delivered >= run->trial->sent)
            break;
        ps_sleep_s(0.05);
    }
    ps_trial_take_counters(run->trial, delivered);
    return true;
}

void ps_trial_run(struct ps_trial *trial, const struct ps_trial_setup *setup, const struct ps_search_ask *ask,
                  unsigned run_number, const struct ps_goal *goals, unsigned goal_count)
{
    struct run *run = ps_must_alloc(1, sizeof *run, "a trial");
    *trial = (struct ps_trial){.rate = ask->rate,
                               .seconds = ask->seconds,
                               .passes = ask->passes > 0 ? ask->passes : 1,
                               .by_chance = ask->by_chance,
                               .quiet_s = ask->quiet_s > 0 ? ask->quiet_s : IDLE_S,
                               .run = run_number & 0xffffffU,
                               .uneven = setup->uneven,
                               .cpu_seconds = -1,
                               .foreign_cpu = -1,
                               .rss_bytes = -1};
    run->trial = trial;
    run->setup = setup;
    run->goals = goals;
    run->goal_count = goal_count;
    run->load.out = run->verify.out = -1;
    run->begin_s = ps_now_s();
    snprintf(run->run, sizeof run->run, "%06x", trial->run);
    snprintf(run->manifest, sizeof run->manifest, "%s/%s.manifest", setup->directory, run->run);
    snprintf(run->load_log, sizeof run->load_log, "%s/load.log", setup->directory);
    snprintf(run->verify_log, sizeof run->verify_log, "%s/verify.log", setup->directory);
    if (setup->from_count == 0 || start_verify(run)) {
        look_before(run);
        if (!stop_requested(run) && look_at_target(run) && start_load(run) && wait_load(run) &&
            !stop_requested(run)) {
            look_after(run);
            bool read = setup->from_count > 0 && wait_verify(run);
            if (setup->from_count == 0 || (read && trial->lossy && run->before.text != NULL))
                wait_counters(run);
        }
    }
    trial->interrupted = stop_requested(run);
    ps_process_end(&run->load, END_MS);
    ps_process_end(&run->verify, END_MS);
    unlink(run->manifest);
    ps_trial_conclude(trial);
    ps_scrape_fini(&run->before);
    trial->cost_s = ps_now_s() - run->begin_s;
    free(run);
}
