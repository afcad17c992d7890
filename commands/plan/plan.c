/* penstock plan: capacity planning (bench/plan), with its progress. */
#include "bench/plan/comparison.h"
#include "bench/plan/export/export.h"
#include "bench/plan/goal.h"
#include "bench/plan/planning_text.h"
#include "bench/plan/result.h"
#include "bench/report/report.h"
#include "bench/support/output.h"
#include "core/quantity.h"
#include "commands/commands.h"
#include "commands/line/line.h"
#include "commands/interrupts.h"
#include "commands/plan/plan.h"
#include "version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- progress ---- */

struct show {
    struct ps_live live;
    unsigned number;
    struct ps_search_ask ask;
};

static void on_begin(void *argument, const struct ps_planning *planning, const struct ps_search_ask *ask)
{
    struct show *show = argument;
    show->number = planning->trial_count + 1;
    show->ask = *ask;
}

static void on_watch(void *argument, double seconds)
{
    struct show *show = argument;
    ps_live_status(&show->live, "%3u  %s for %s ... %.0f s", show->number,
                   ps_quantity_print_rate(show->ask.rate).text, ps_quantity_print_s(show->ask.seconds).text,
                   seconds);
}

static void on_trial(void *argument, const struct ps_planning *planning)
{
    struct show *show = argument;
    struct ps_search_figure figure;
    if (!show->live.json) {
        if (!show->live.quiet)
            ps_planning_print_trial(&show->live, planning);
        return;
    }
    json_t *object = ps_result_trial(planning, planning->trial_count - 1);
    ps_search_figure(planning->search, show->ask.goal, &figure);
    json_object_del(object, "histogram");
    json_object_set_new(object, "type", json_string("trial"));
    json_object_set_new(object, "lower", json_real(figure.lower));
    json_object_set_new(object, "upper", json_real(figure.upper));
    ps_live_object(&show->live, object, true);
}

static void on_note(void *argument, const char *text)
{
    struct show *show = argument;
    if (!show->live.quiet)
        ps_live_note(&show->live, show->live.json ? "penstock plan: %s" : "%s", text);
}

static void complain(const struct ps_err *err)
{
    fprintf(stderr, "penstock plan: %s\n", err->text);
}

/* ---- output of a result document ---- */

/* Returns whether each goal has its figure. A goal with a requirement counts as answered, because its verdict makes
 * the exit status. */
static bool is_complete(const struct plan_wish *wish, const json_t *document)
{
    struct ps_result_goal figure;
    for (size_t i = 0; ps_result_goal(document, i, &figure); i++) {
        bool answered = ps_result_is_confirmed(&figure);
        for (unsigned k = 0; k < wish->requirement_count; k++)
            answered = answered || ps_goal_equal(&wish->requirements[k].goal, &figure.goal);
        if (!answered)
            return false;
    }
    return true;
}

/* Writes the document for programs, without the histograms (--result writes these too). Takes ownership. */
static void write_object(struct ps_live *live, json_t *document)
{
    size_t index;
    json_t *trial;
    json_array_foreach(json_object_get(document, "trials"), index, trial) json_object_del(trial, "histogram");
    ps_live_object(live, document, false);
}

/* Prints on standard error which verdicts cause the exit status, because the result itself is one long line of JSON. */
static void complain_of(const json_t *list, const char *option, const char *key)
{
    const char *const bad[] = {ps_requirement_verdict_text(PS_REQUIREMENT_MISSED),
                               ps_requirement_verdict_text(PS_REQUIREMENT_NOT_SHOWN),
                               ps_comparison_verdict_text(PS_COMPARED_WORSE)};
    size_t index;
    const json_t *item;
    json_array_foreach((json_t *)(uintptr_t)list, index, item)
    {
        const char *verdict = json_string_value(json_object_get(item, "verdict"));
        for (size_t i = 0; i < PS_COUNT_OF(bad); i++)
            if (strcmp(verdict, bad[i]) == 0)
                fprintf(stderr, "penstock plan: %s %s: %s: %s\n", option,
                        json_string_value(json_object_get(item, key)), verdict,
                        json_string_value(json_object_get(item, "text")));
    }
}

/* Judges the document by --require and --compare, and adds the verdicts to it. */
static enum plan_exit judge(const struct plan_wish *wish, struct ps_live *live, json_t *document,
                            const json_t *old)
{
    unsigned unmet = 0, worse = 0;
    if (wish->requirement_count > 0) {
        unmet = ps_requirements_judge(wish->requirements, wish->requirement_count, document);
        if (live->json)
            complain_of(json_object_get(document, "requirements"), "--require", "requirement");
    }
    if (old != NULL) {
        worse = ps_comparison_make(document, old, wish->compare);
        if (live->json)
            complain_of(json_object_get(json_object_get(document, "comparison"), "figures"), "--compare",
                        "figure");
    }
    ps_planning_print_verdicts(live, document);
    return unmet > 0 ? PLAN_UNMET : worse > 0 ? PLAN_WORSE : PLAN_GOOD;
}

/* Writes all output files that the options name. */
static enum ps_status write_files(const struct plan_wish *wish, const json_t *document)
{
    const struct {
        const char *path;
        enum ps_status (*write)(const json_t *document, const char *path, struct ps_err *err);
    } files[] = {
        {wish->result, ps_result_write}, {wish->report, ps_report_write}, {wish->csv, ps_export_csv},
        {wish->hgrm, ps_export_hgrm},    {wish->hlog, ps_export_hlog},
    };
    enum ps_status status = PS_OK;
    for (size_t i = 0; i < PS_COUNT_OF(files); i++) {
        struct ps_err err = {0};
        if (files[i].path == NULL || files[i].write(document, files[i].path, &err) == PS_OK)
            continue;
        complain(&err);
        status = PS_FAIL;
    }
    return status;
}

static bool same_file(const char *a, const char *b)
{
    struct stat first, second;
    return b != NULL && stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

/* Checks before anything is measured that each output can be written. */
static enum ps_status check_files(const struct plan_wish *wish, struct ps_err *err)
{
    const struct {
        const char *option, *path;
    } files[] = {
        {"--report", wish->report}, {"--result", wish->result}, {"--csv", wish->csv},
        {"--hgrm", wish->hgrm},     {"--hlog", wish->hlog},
    };
    for (size_t i = 0; i < PS_COUNT_OF(files); i++) {
        if (files[i].path == NULL)
            continue;
        if (same_file(files[i].path, wish->render) || same_file(files[i].path, wish->compare))
            return ps_err_set(
                err,
                "%s %s would replace the measurement that --render or --compare reads; name another file",
                files[i].option, files[i].path);
        if (ps_output_check(files[i].option, files[i].path, err) != PS_OK)
            return PS_FAIL;
    }
    return PS_OK;
}

/* Reads the document of --compare, which must have one of the goals, or the measurement would be useless. */
static enum ps_status read_old(const struct plan_wish *wish, const struct ps_goal *goals, unsigned goal_count,
                               json_t **old, struct ps_err *err)
{
    struct ps_result_goal found;
    if (wish->compare == NULL)
        return PS_OK;
    if (ps_result_read(old, wish->compare, err) != PS_OK)
        return ps_err_append(err, "--compare %s", wish->compare);
    for (unsigned i = 0; i < goal_count; i++)
        if (ps_result_goal_find(*old, &goals[i], &found))
            return PS_OK;
    json_decref(*old);
    *old = NULL;
    return ps_err_set(err, "--compare %s: it has no result for any of the goals", wish->compare);
}

/* ---- the runs ---- */

static int render(const struct plan_wish *wish)
{
    struct ps_live live;
    struct ps_err err = {0};
    struct ps_goal goals[PS_GOALS_MAX];
    struct ps_result_goal found;
    unsigned goal_count = 0;
    json_t *document = NULL, *old = NULL;
    ps_live_init(&live, stdout, wish->json, wish->quiet);
    enum ps_status status = ps_result_read(&document, wish->render, &err);
    while (goal_count < PS_GOALS_MAX && ps_result_goal(document, goal_count, &found))
        goals[goal_count++] = found.goal;
    for (unsigned i = 0; status == PS_OK && i < wish->requirement_count; i++)
        if (!ps_result_goal_find(document, &wish->requirements[i].goal, &found))
            status = ps_err_set(&err, "--require %s: %s has no goal %s", wish->requirements[i].text,
                                wish->render, wish->requirements[i].goal.name);
    if (status == PS_OK)
        status = read_old(wish, goals, goal_count, &old, &err);
    if (status != PS_OK) {
        complain(&err);
        json_decref(document);
        return PLAN_USAGE;
    }
    bool no_file = wish->result == NULL && wish->report == NULL && wish->csv == NULL && wish->hgrm == NULL &&
                   wish->hlog == NULL;
    if (no_file)
        ps_planning_print(&live, document);
    enum plan_exit code = judge(wish, &live, document, old);
    if (write_files(wish, document) != PS_OK)
        code = PLAN_FAILED;
    if (wish->requirement_count > 0 || old != NULL || no_file)
        write_object(&live, json_incref(document));
    json_decref(document);
    json_decref(old);
    return (int)code;
}

/* Returns the exit status of a complete measurement: first by its figures, then by the verdicts. */
static enum plan_exit code_of(const struct plan_wish *wish, const json_t *document, enum plan_exit judged)
{
    struct ps_result_goal figure;
    for (size_t i = 0; ps_result_goal(document, i, &figure); i++)
        if (figure.status == PS_SEARCH_FAILED)
            return PLAN_FAILED;
    if (judged != PLAN_GOOD)
        return judged;
    return is_complete(wish, document) ? PLAN_GOOD : PLAN_FAILED;
}

static int run(struct plan_wish *wish, const json_t *old)
{
    struct show show = {.number = 0};
    struct ps_planning *planning = ps_must_alloc(1, sizeof *planning, "the planning");
    struct ps_err err = {0};
    ps_live_init(&show.live, stdout, wish->json, wish->quiet);
    wish->config.stop = ps_interrupts_catch();
    wish->config.on_begin = on_begin;
    wish->config.on_watch = on_watch;
    wish->config.on_trial = on_trial;
    wish->config.on_note = on_note;
    wish->config.argument = &show;
    enum ps_status status = ps_planning_run(planning, &wish->config, &err);
    if (status != PS_OK && planning->trial_count == 0) { /* there was no trial: there is nothing to show */
        complain(&err);
        enum plan_exit code = planning->tried_to_start ? PLAN_FAILED : PLAN_USAGE;
        ps_planning_fini(planning);
        free(planning);
        return (int)code;
    }
    json_t *document = ps_result_document(planning);
    ps_planning_print(&show.live, document);
    if (status != PS_OK)
        complain(&err);
    enum plan_exit code = code_of(wish, document, judge(wish, &show.live, document, old));
    if (write_files(wish, document) != PS_OK || status != PS_OK || planning->interrupted)
        code = PLAN_FAILED;
    write_object(&show.live, document);
    ps_planning_fini(planning);
    free(planning);
    return (int)code;
}

int ps_main_plan(int argc, char **argv)
{
    static struct plan_wish wish;
    static const char *command[256] = {"penstock", "plan"}; /* argv[0] holds both the command and the
                                                             * subcommand */
    struct ps_err err = {0};
    json_t *old = NULL;
    for (int i = 1; i < argc && i < (int)PS_COUNT_OF(command) - 2; i++)
        command[i + 1] = argv[i];
    if (plan_parse(&wish, argc, argv, &err) != PS_OK) {
        complain(&err);
        return PLAN_USAGE;
    }
    if (wish.help) {
        ps_command_line_usage(stdout, &ps_line_plan);
        return PLAN_GOOD;
    }
    const struct ps_search_config *search = &wish.config.search;
    if (check_files(&wish, &err) != PS_OK ||
        (wish.render == NULL && read_old(&wish, search->goals, search->goal_count, &old, &err) != PS_OK)) {
        complain(&err);
        return PLAN_USAGE;
    }
    wish.config.command = command;
    wish.config.version = PS_VERSION;
    int code = wish.render != NULL ? render(&wish) : run(&wish, old);
    json_decref(old);
    return code;
}
