/* penstock plan: capacity planning (bench/plan), with its progress. */
#include "bench/plan/planning_text.h"
#include "bench/report/report.h"
#include "bench/plan/result.h"
#include "bench/support/quantity.h"
#include "core/commands/commands.h"
#include "core/commands/plan.h"
#include "version.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile sig_atomic_t interrupts;

static void on_interrupt(int number)
{
    (void)number;
    interrupts = 1;
}

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
    char rate[32];
    ps_live_status(&show->live, "%3u  %s for %.2f s ... %.1f s", show->number,
                   ps_quantity_print_rate(show->ask.rate, rate, sizeof rate), show->ask.seconds, seconds);
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
    json_object_set_new(object, "type", json_string("trial"));
    json_object_set_new(object, "lower", json_real(figure.lower));
    json_object_set_new(object, "upper", json_real(figure.upper));
    ps_live_object(&show->live, object, true);
}

static void on_note(void *argument, const char *text)
{
    struct show *show = argument;
    if (!show->live.quiet && !show->live.json)
        ps_live_note(&show->live, "%s", text);
}

/* ---- the runs ---- */

static void complain(const struct ps_err *err)
{
    fprintf(stderr, "penstock plan: %s\n", err->text);
}

static int render(const struct plan_wish *wish)
{
    struct ps_err err = {0};
    json_t *document;
    if (ps_result_read(&document, wish->render, &err) != PS_OK) {
        complain(&err);
        return 2;
    }
    enum ps_status status = ps_report_write(document, wish->report, &err);
    json_decref(document);
    if (status != PS_OK)
        complain(&err);
    return status == PS_OK ? 0 : 1;
}

static void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* Checks that a file can be made beside `path`, as the report and the result are: a measurement takes minutes,
 * and its output must not be lost to a misspelt directory. Makes and removes an empty file. */
static enum ps_status check_writable(const char *option, const char *path, struct ps_err *err)
{
    struct stat there;
    char beside[4096];
    if (path == NULL)
        return PS_OK;
    if (stat(path, &there) == 0 && !S_ISREG(there.st_mode))
        return !S_ISDIR(there.st_mode) && access(path, W_OK) == 0
                   ? PS_OK
                   : ps_err_set(err, "%s %s: %s", option, path,
                                S_ISDIR(there.st_mode) ? "it is a directory" : strerror(errno));
    snprintf(beside, sizeof beside, "%s.%d.part", path, (int)getpid());
    int file = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0)
        return ps_err_set(err, "%s %s: cannot be written: %s", option, path, strerror(errno));
    close(file);
    unlink(beside);
    return PS_OK;
}

static int run(struct plan_wish *wish)
{
    struct show show = {.number = 0};
    struct ps_planning *planning = ps_must_alloc(1, sizeof *planning, "the planning");
    struct ps_err err = {0};
    ps_live_init(&show.live, stdout, wish->json, wish->quiet);
    wish->config.stop = &interrupts;
    wish->config.on_begin = on_begin;
    wish->config.on_watch = on_watch;
    wish->config.on_trial = on_trial;
    wish->config.on_note = on_note;
    wish->config.argument = &show;
    catch_interrupts();
    enum ps_status status = ps_planning_run(planning, &wish->config, &err);
    int code = status == PS_OK ? ps_planning_code(planning) : 1;
    if (status != PS_OK && planning->trial_count == 0) { /* no trial: there is nothing to show */
        complain(&err);
        code = planning->tried_to_start ? 1 : 2;
        ps_planning_fini(planning);
        free(planning);
        return code;
    }
    ps_planning_print(&show.live, planning);
    if (status != PS_OK)
        complain(&err);
    json_t *document = ps_result_document(planning);
    if (wish->result != NULL && ps_result_write(document, wish->result, &err) != PS_OK) {
        complain(&err);
        code = code == 0 ? 1 : code;
    }
    if (wish->report != NULL && ps_report_write(document, wish->report, &err) != PS_OK) {
        complain(&err);
        code = code == 0 ? 1 : code;
    }
    ps_live_object(&show.live, document, false);
    ps_planning_fini(planning);
    free(planning);
    return code;
}

int ps_main_plan(int argc, char **argv)
{
    static struct plan_wish wish;
    static const char *command[256] = {"penstock"};
    struct ps_err err = {0};
    for (int i = 0; i < argc && i < (int)PS_COUNT_OF(command) - 2; i++)
        command[i + 1] = argv[i];
    if (plan_parse(&wish, argc, argv, &err) != PS_OK) {
        complain(&err);
        return 2;
    }
    if (!wish.help && (check_writable("--report", wish.report, &err) != PS_OK ||
                       check_writable("--result", wish.result, &err) != PS_OK)) {
        complain(&err);
        return 2;
    }
    wish.config.command = command;
    wish.config.version = PS_VERSION;
    if (wish.help) {
        fputs(plan_usage, stdout);
        return 0;
    }
    return wish.render != NULL ? render(&wish) : run(&wish);
}
