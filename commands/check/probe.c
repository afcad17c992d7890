#include "commands/check/probe.h"
#include "conf/report.h"

#include "core/watch/metrics/server.h"
#include "stages/lib/net/listen.h"

#include <jansson.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 5000U

static const char *const words[] = {[PS_PROBED_OK] = "ok",
                                    [PS_PROBED_FAILED] = "FAILED",
                                    [PS_PROBED_REFUSED] = "FAILED",
                                    [PS_PROBED_SKIPPED] = "skipped"};

struct results {
    FILE *out;
    json_t *list;
    unsigned failed;
};

static void on_tried(const struct ps_probe *probe, enum ps_probed result, const char *key, const char *what,
                     const char *cause, const char *cure)
{
    struct results *results = probe->argument;
    results->failed += result == PS_PROBED_FAILED || result == PS_PROBED_REFUSED;
    if (results->list != NULL) {
        json_t *object = json_object();
        json_object_set_new(object, "component", ps_report_json_text(probe->component));
        json_object_set_new(object, "result", json_string(words[result]));
        json_object_set_new(object, "key", ps_report_json_text(key));
        json_object_set_new(object, "what", ps_report_json_text(what));
        json_object_set_new(object, "cause", ps_report_json_text(cause));
        json_object_set_new(object, "cure", ps_report_json_text(cure));
        json_array_append_new(results->list, object);
        return;
    }
    fprintf(results->out, "  %-7s %s: %s", words[result], probe->component, what);
    fprintf(results->out, "%s%s", cause != NULL ? ": " : "", cause != NULL ? cause : "");
    fprintf(results->out, "%s%s\n", cure != NULL ? "; " : "", cure != NULL ? cure : "");
    fflush(results->out); /* the next check may take seconds */
}

/* ---- the look ---- */

struct look {
    struct ps_conf *conf;
    struct ps_check_look *result;
    bool probe_follows;
    FILE *skipped;
};

/* Returns whether the value was reported as a path that nobody can have meant: to make it would be no cure. */
static bool is_doubted(const struct ps_conf *conf, const struct ps_place *place)
{
    for (size_t i = 0; conf->doubts > 0 && place->key != NULL && i < conf->problems.count; i++) {
        const struct ps_problem *problem = &conf->problems.items[i];
        if (problem->severity == PS_SEVERITY_WARNING && problem->mistake == PS_MISTAKE_CAUSE &&
            problem->key != NULL && strcmp(problem->key, place->key) == 0)
            return true;
    }
    return false;
}

static void on_looked(const struct ps_probe *probe, enum ps_probed result, const char *key, const char *what,
                      const char *cause, const char *cure)
{
    struct look *look = probe->argument;
    if (result == PS_PROBED_SKIPPED) {
        fprintf(look->skipped, "%s%s of %s", look->result->skipped++ > 0 ? ", " : "", what, probe->component);
        return;
    }
    bool refused = result == PS_PROBED_REFUSED;
    if (result == PS_PROBED_OK || (!refused && look->probe_follows))
        return;
    look->result->failed += !refused;
    const struct ps_place place = ps_conf_place(look->conf, probe->component, key);
    if (!refused && is_doubted(look->conf, &place))
        return;
    ps_problem_add(&look->conf->problems, refused ? PS_SEVERITY_ERROR : PS_SEVERITY_WARNING, place, cure,
                   "%s: %s", what, cause);
}

/* Returns whether this key was refused, so that its value is not the one that will be used. */
static bool is_refused(const struct ps_conf *conf, const struct ps_place *place)
{
    for (size_t i = 0; place->key != NULL && i < conf->problems.count; i++) {
        const struct ps_problem *problem = &conf->problems.items[i];
        if (problem->severity <= PS_SEVERITY_DROPPED && problem->key != NULL &&
            strcmp(problem->key, place->key) == 0)
            return true;
    }
    return false;
}

static void on_aside(const struct ps_probe *probe, enum ps_probed result, const char *key, const char *what,
                     const char *cause, const char *cure)
{
    struct ps_conf *conf = probe->argument;
    if (result == PS_PROBED_OK || result == PS_PROBED_SKIPPED)
        return;
    const struct ps_place place = ps_conf_place(conf, probe->component, key);
    if (!is_doubted(conf, &place) && !is_refused(conf, &place))
        ps_problem_add(&conf->problems, PS_SEVERITY_WARNING, place, cure, "%s: %s", what, cause);
}

void ps_check_look_aside(struct ps_conf *conf, bool starts)
{
    struct ps_probe probe = {.local = true, .files_only = true, .tried = on_aside, .argument = conf};
    ps_conf_probe(conf, starts, &probe);
    ps_problems_forget_quoted(&conf->problems);
    ps_problems_sort(&conf->problems);
}

struct ps_check_look ps_check_look(struct ps_conf *conf, const struct ps_command *command,
                                   const struct ps_plan *plan)
{
    struct ps_check_look result = {.failed = 0};
    size_t length;
    struct look look = {
        .conf = conf,
        .result = &result,
        .probe_follows = command->probe,
        .skipped = ps_must_open_text(&result.not_tried, &length, "the list of things that were not tried")};
    struct ps_probe probe = {.local = true, .files_only = true, .tried = on_looked, .argument = &look};
    ps_plan_probe(plan, &probe);
    if (conf->monitoring.on)
        fprintf(look.skipped, "%sthe port of the metrics server", result.skipped++ > 0 ? ", " : "");
    fclose(look.skipped);
    ps_problems_forget_quoted(&conf->problems);
    ps_problems_sort(&conf->problems);
    return result;
}

/* ---- the probe ---- */

static void probe_log(const struct ps_probe *probe, struct ps_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *folder = slash == NULL   ? "."
                         : slash == path ? "/"
                                         : ps_arena_copy(arena, path, (size_t)(slash - path));
    ps_probe_directory_to_make(probe, "log file", folder);
}

static void print_user(FILE *out)
{
    const struct passwd *user = getpwuid(geteuid());
    fprintf(out, "tried as user %s, each resource for at most %u s, a Java class for 60 s:\n",
            user != NULL ? user->pw_name : "?", TIMEOUT_MS / 1000);
    fflush(out);
}

unsigned ps_check_probe(const struct ps_conf *conf, const struct ps_command *command,
                        const struct ps_plan *plan, FILE *out, struct json_t *list)
{
    struct results results = {.out = out, .list = list};
    struct ps_probe probe = {.timeout_ms = TIMEOUT_MS, .tried = on_tried, .argument = &results};
    const struct ps_conf_monitoring *monitoring = &conf->monitoring;
    if (out != NULL)
        print_user(out);
    ps_plan_probe(plan, &probe);
    probe.component = "agent";
    if (monitoring->on) {
        const struct ps_bind_options listen = {.host = monitoring->host,
                                               .port = monitoring->port >= 0 ? (unsigned)monitoring->port
                                                                             : PS_METRICS_SERVER_PORT};
        probe.component = "metrics";
        ps_listen_probe(&probe, "-Dpenstock.monitoring.host", &listen);
        probe.component = "agent";
    }
    if (conf->log.path != NULL)
        probe_log(&probe, conf->arena, conf->log.path);
    if (command->backup_directory != NULL)
        ps_probe_directory_to_make(&probe, "backup (-b)", command->backup_directory);
    return results.failed;
}
