/* Reload of `penstock agent`. Slow work (reading over http, compiling rules) runs on a helper thread (aside.c). Thread:
 * control, except the functions named job_. */
#include <stdlib.h>
#include <string.h>

#include "conf/diff.h"
#include "conf/mistake.h"
#include "commands/agent/service.h"
#include "core/watch/notify.h"
#include "stages/lib/java/launch.h"

/* Longest time of the tests, in milliseconds: more than the 5 s after which the system asks its second name server
 * (resolv.conf(5), timeout). */
#define TRY_MS UINT64_C(6000)
/* After a build that failed, control waits this many times as long as the build took: compiling rules may take minutes. */
#define BUILD_REST 10U
#define REFUSED "the new configuration is not used; the agent keeps the old one: "

/* ---- the jobs of the helper thread ---- */

/* Notes the first failure of a component. */
static void on_tried(const struct ps_probe *probe, enum ps_probed result, const char *key, const char *what,
                     const char *cause, const char *cure)
{
    struct service *service = probe->argument;
    if ((result != PS_PROBED_FAILED && result != PS_PROBED_REFUSED) ||
        probe->component == service->job.failed)
        return;
    service->job.failed = probe->component;
    struct ps_place place = ps_conf_place(service->job.conf, probe->component, key);
    place.key = NULL; /* the text already names it */
    ps_problem_add(&service->job.failures, PS_SEVERITY_ERROR, place, cure, "%s: %s: %s", probe->component,
                   what, cause);
}

/* Tests directories, addresses and programs, because the components' `open` would find faults only after the old plan
 * is closed. */
static void job_try(struct service *service)
{
    struct ps_probe probe = {.timeout_ms = TRY_MS,
                             .until_ns = ps_clock_now().mono_ns + TRY_MS * PS_NS_PER_MS,
                             .local = true,
                             .tried = on_tried,
                             .argument = service};
    ps_plan_probe(service->job.plan, &probe);
}

static void job_look(struct service *service)
{
    service->job.changed = ps_conf_changed(service->seen, &service->command, &service->job.err);
}

/* ---- reload ---- */

static void say_changes(const struct ps_agent_spec *old, const struct ps_agent_spec *fresh)
{
    struct ps_arena *arena = ps_arena_create();
    struct ps_diff diff;
    ps_diff_specs(&diff, arena, old, fresh);
    if (diff.any)
        ps_log(PS_LOG_INFO, "agent", "reload: %s", ps_diff_text(arena, &diff));
    ps_arena_destroy(arena);
}

/* Returns whether this attempt fails as the one before, of the same files, did: the log has it, and waits for a change. */
static bool is_said(const struct service *service, const char *reason)
{
    return service->retries && strcmp(service->refused_before.text, reason) == 0;
}

static void say_refused(const char *reason)
{
    ps_log(PS_LOG_ERROR, "agent", REFUSED "%s", reason);
}

/* Notes a failure that may pass without a change of the files: the next poll loads them again (refusal_has_changed). */
static void refuse_for_now(struct service *service, const char *reason)
{
    ps_agent_reload_failed(service->agent, reason);
    service->test_failed = true;
    ps_err_set(&service->refusal, "%s", reason);
    if (!is_said(service, service->refusal.text))
        say_refused(reason);
}

/* Runs a job of a reload. If there is no thread for it, notes that the reload is refused for now. */
static bool run_step(struct service *service, void (*run)(struct service *service))
{
    if (ps_service_run_aside(service, run))
        return true;
    if (!service->abandoned)
        refuse_for_now(service, service->job.err.text);
    return false;
}

/* Returns the first of `count` problems that refuses the configuration loaded last, or NULL. */
static const struct ps_problem *first_refusing(struct service *service, size_t *count)
{
    if (service->job.status != PS_OK)
        return ps_conf_refusal(service->job.conf, count);
    return ps_conf_mistake(service->running, ps_agent_plan(service->agent)->spec, service->job.conf, count);
}

static const char *refusal_text(struct ps_arena *arena, const struct ps_problem *first, size_t count)
{
    struct ps_problem error = *first;
    error.severity = PS_SEVERITY_ERROR;
    const char *text = ps_problem_text(arena, &error);
    return count > 1 ? ps_arena_format(arena, "%s (and %zu more)", text, count - 1) : text;
}

static void refuse(struct service *service, const struct ps_problem *first, size_t count)
{
    struct ps_arena *arena = ps_arena_create();
    const char *reason = refusal_text(arena, first, count);
    ps_agent_reload_failed(service->agent, reason);
    ps_err_set(&service->refusal, "%s", reason);
    reason = ps_arena_format(arena, REFUSED "%s", reason);
    /* ps_log_text, because it also prints the 11th refusal within 10 s */
    if (!is_said(service, service->refusal.text))
        ps_log_text(PS_LOG_ERROR, "agent", reason, strlen(reason));
    ps_arena_destroy(arena);
}

static void keep(struct service *service, struct ps_conf *conf, bool runs)
{
    if (service->seen != service->running)
        ps_conf_destroy(service->seen);
    service->seen = conf;
    if (runs) {
        ps_conf_destroy(service->running);
        service->running = conf;
        ps_service_back_up(service);
    }
}

/* Tries whether this machine can open the new and changed parts of the plan, and returns whether it can. If not,
 * frees the plan, unless the helper thread still uses it. */
static bool try(struct service *service, struct ps_plan *next, struct ps_conf *conf)
{
    service->job.plan = next;
    service->job.conf = conf;
    service->job.failed = NULL;
    service->doing = "a reload: tries directories and addresses of new and changed components";
    struct ps_problems *failures = &service->job.failures;
    ps_problems_init(failures, conf->arena);
    bool tried = run_step(service, job_try);
    if (service->abandoned)
        return false;
    size_t count = failures->count;
    if (count > 0) {
        service->test_failed = true;
        refuse(service, failures->items, count);
    }
    bool said = count > 0 && is_said(service, service->refusal.text);
    for (size_t i = 1; i < count && !said; i++) /* refuse() prints the first one */
        ps_log(PS_LOG_ERROR, "configuration", "%s", ps_problem_text(conf->arena, &failures->items[i]));
    ps_problems_fini(failures);
    if (tried && count == 0)
        return true;
    ps_plan_destroy(next);
    return false;
}

/* Builds the plan. Returns whether it is built; if not, frees the plan, unless the helper thread still uses it. */
static bool build(struct service *service, struct ps_plan *next)
{
    service->job.plan = next;
    service->doing = "a reload: builds the next plan";
    uint64_t began_ns = ps_clock_now().mono_ns;
    if (run_step(service, ps_service_build_job)) {
        if (service->job.status == PS_OK)
            return true;
        refuse_for_now(service, ps_err_join(&service->job.err));
        uint64_t now_ns = ps_clock_now().mono_ns;
        service->retry_ns = now_ns + BUILD_REST * (now_ns - began_ns);
    }
    if (!service->abandoned)
        ps_plan_destroy(next);
    return false;
}

/* Replaces the running configuration. Returns whether the new one runs. */
static bool exchange(struct service *service, struct ps_conf *conf)
{
    struct ps_err err = {0};
    struct ps_plan *next;
    struct ps_machine machine = ps_conf_machine(conf);
    struct ps_agent_spec *fresh = ps_conf_take_spec(conf);
    fresh->program = PS_AGENT_PROGRAM;
    if (!service->retries)
        say_changes(ps_agent_plan(service->agent)->spec, fresh);
    enum ps_status status = ps_agent_reload_begin(service->agent, fresh, &machine, &next, &err);
    if (status == PS_OK && next == NULL)
        return true;
    if (status == PS_OK) {
        if (!try(service, next, conf) || !build(service, next))
            return false;
        if (service->retries)
            say_changes(ps_agent_plan(service->agent)->spec, fresh);
        service->doing = "a reload: waits for workers to give up the old plan and to open the new one";
        status = ps_agent_reload_end(service->agent, next, ps_service_stops, service, &err);
    }
    if (status != PS_OK)
        say_refused(ps_err_join(&err));
    return status == PS_OK;
}

static void reload(struct service *service)
{
    size_t count;
    service->job.conf = NULL;
    service->retry_ns = 0;
    if (!run_step(service, ps_service_load_job))
        return;
    struct ps_conf *conf = service->job.conf;
    bool runs = false;
    const struct ps_problem *first = first_refusing(service, &count);
    if (!service->retries)
        ps_service_say_problems(conf, first != NULL && service->job.status == PS_OK);
    service->refused_before = service->refusal;
    service->test_failed = false;
    service->refusal = (struct ps_err){0};
    if (first != NULL) {
        refuse(service, first, count);
    } else {
        /* read before the exchange, which frees a plan that changes nothing together with its class path */
        const char *const *java = ps_java_launch_command(conf->arena, conf->class_path);
        ps_service_apply_log(service, conf);
        runs = exchange(service, conf);
        if (runs)
            ps_java_launch_follow(java);
    }
    keep(service, conf, runs);
}

void ps_service_reload(struct service *service)
{
    ps_notify_reloading();
    if (!service->retries)
        ps_log(PS_LOG_INFO, "agent", "reading the configuration again");
    service->doing = "reads the configuration again";
    reload(service);
    service->doing = NULL;
    service->retries = false;
    if (service->stops == 0)
        ps_notify_ready(service->seen == service->running && service->refusal.length == 0
                            ? "running"
                            : "running; the last reload failed, see the log");
}

/* Returns whether a refused configuration is worth another attempt although its own files are the same: when a file
 * that they name (rules) exists again or was corrected, the configuration may be accepted, or refused for another
 * reason; when only the tests or the build failed, they may succeed now. Only the stages know the files that are named,
 * so this function loads the configuration. */
static bool refusal_has_changed(struct service *service)
{
    size_t count;
    struct ps_err now = {0};
    if (service->refusal.length == 0 || ps_clock_now().mono_ns < service->retry_ns)
        return false;
    service->job.conf = NULL;
    if (!ps_service_run_aside(service, ps_service_load_job))
        return false;
    struct ps_arena *arena = ps_arena_create();
    const struct ps_problem *first = first_refusing(service, &count);
    if (first != NULL)
        ps_err_set(&now, "%s", refusal_text(arena, first, count));
    ps_arena_destroy(arena);
    ps_conf_destroy(service->job.conf);
    return strcmp(now.text, service->refusal.text) != 0;
}

/* Reports a missing file or a failure once, not at every poll. */
bool ps_service_configuration_changed(struct service *service)
{
    service->job.changed = false;
    if (!ps_service_run_aside(service, job_look) && service->abandoned)
        return false;
    struct ps_err *err = &service->job.err;
    const char *missing = ps_conf_missing(service->seen);
    bool fresh = strcmp(err->text, service->poll_failure.text) != 0;
    service->poll_failure = *err;
    if (err->length > 0 && fresh)
        ps_log(PS_LOG_WARN, "agent", "%s", ps_err_join(err));
    if (missing != NULL && !service->missing)
        ps_log(PS_LOG_WARN, "agent",
               "%s no longer exists: the agent keeps the configuration that it has read", missing);
    service->missing = missing != NULL;
    if (service->job.changed || missing != NULL || err->length > 0)
        return service->job.changed;
    bool again = refusal_has_changed(service);
    service->retries = again && service->test_failed;
    return again;
}
