/* `penstock check` (and `agent --dry-run`): reads a configuration as the agent would, looks at the
 * directories and files that it names, and prints what would run, or every problem at once. Starts nothing
 * and writes no file; without --probe it neither connects nor opens a port. Exit status: 0: the agent would start; 1:
 * it would not start, or would run without a source or a sink; 2: wrong usage; 3: something that the agent needs is
 * missing, two components want the same thing, a path cannot be meant as it is written, or a probe failed. */
#include "commands/check/probe.h"
#include "commands/check/state.h"
#include "commands/commands.h"
#include "commands/dry_run.h"
#include "commands/dumpable.h"

#include "conf/conf.h"
#include "conf/report.h"
#include "conf/text.h"
#include "core/engine/plan.h"
#include "stages/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define PROBE_STATUS 3

static const struct ps_command_row rows[] = {
    {NULL, 0, "-Dkey=value", PS_ROW_NOTE, .help = "a Java system property, for ${sys:key} and Flume's own"},
    {.help = NULL},
};

const struct ps_command_line ps_line_check = {
    .name = "check",
    .usage = "Usage: penstock check [-n NAME] -f FILE [OPTION]...\n"
             "Reads the configuration of agent NAME as `penstock agent` would, looks at the directories and "
             "files that it\nnames on this machine, and prints its plan and every problem.\n",
    .rows = rows,
    .ends =
        "All other options of `penstock agent` are accepted.\n"
        "\n"
        "Exit status: 0 the agent would start, 1 it would not, or a channel would have none of its sources "
        "or sinks,\n"
        "2 wrong usage, 3 it would start, but a resource is unavailable: a directory, a port that another\n"
        "source uses, a path that is not what it seems, or one that --probe tries.\n"
        "\n"
        "Examples:\n"
        "  penstock check -n a1 -f conf/a1.properties\n"
        "  sudo -u penstock penstock check --probe -n a1 -f /etc/penstock/agent.properties\n"
        "  penstock check -n a1 -c conf -f base.properties -f site.properties -Dstage=prod\n"
        "  penstock check -n a1 -f a1.properties --for 2.0\n"
        "  penstock check -n a1 -f a1.properties --json | jq '.problems[] | select(.severity == "
        "\"error\")'\n",
    .flume = true,
};

struct lines {
    struct ps_arena *arena;
    struct ps_texts texts;
    const char *items[1024];
};

static void line_add(void *argument, const char *text)
{
    struct lines *lines = argument;
    lines->texts.items = lines->items;
    if (lines->texts.count < PS_COUNT_OF(lines->items))
        lines->items[lines->texts.count++] = ps_arena_text(lines->arena, text);
}

/* Returns the plan that the engine would run; NULL after adding an error to the problems. */
static struct ps_plan *plan_create(struct ps_conf *conf)
{
    struct ps_machine machine = ps_conf_machine(conf);
    struct ps_err err = {.length = 0};
    struct ps_plan *plan = ps_plan_create(ps_conf_take_spec(conf), &machine, NULL, &err);
    if (plan == NULL)
        ps_problem_add(&conf->problems, PS_SEVERITY_ERROR, (struct ps_place){.key = conf->wanted}, NULL, "%s",
                       err.text);
    else if (plan->memory_warning != NULL)
        ps_problem_add(&conf->problems, PS_SEVERITY_WARNING, (struct ps_place){.key = conf->wanted}, NULL,
                       "%s", plan->memory_warning);
    return plan;
}

/* The results of the check, besides the problems. */
struct verdict {
    struct ps_plan *plan; /* NULL: the agent does not start */
    struct ps_check_look look;
    unsigned failed; /* failures of the look at the disk and of the probe */
};

/* Makes the plan and looks for the files and directories that it needs. */
static void look(const struct ps_command *command, struct ps_conf *conf, bool starts, struct verdict *verdict)
{
    ps_check_look_aside(conf, starts);
    if (!starts)
        return;
    ps_check_state(conf);
    verdict->plan = plan_create(conf);
    if (verdict->plan != NULL)
        verdict->look = ps_check_look(conf, command, verdict->plan);
    verdict->failed = verdict->look.failed;
}

static void print_json(const struct ps_command *command, struct ps_conf *conf, struct lines *lines,
                       bool starts, struct verdict *verdict)
{
    struct json_t *root = ps_report_json_begin(conf);
    look(command, conf, starts, verdict);
    const struct ps_plan *plan = verdict->plan;
    if (plan != NULL)
        ps_plan_describe(plan, PS_PLAN_BUDGET | PS_PLAN_FLOWS, line_add, lines);
    ps_report_json_texts(root, "flows", &lines->texts);
    lines->texts.count = 0;
    if (plan != NULL)
        ps_plan_describe(plan, PS_PLAN_EXPRESSIONS | PS_PLAN_ENGINE, line_add, lines);
    ps_report_json_texts(root, "engine", &lines->texts);
    if (command->probe && plan != NULL) {
        json_t *list = json_array();
        verdict->failed += ps_check_probe(conf, command, plan, NULL, list);
        json_object_set_new(root, "probes", list);
    }
    char *text = ps_report_json_end(root, conf);
    puts(text);
    free(text);
}

/* Prints the last lines: the results of --probe, or what it would try. */
static void print_end(const struct ps_command *command, const struct ps_conf *conf,
                      const struct verdict *verdict)
{
    ps_report_summary(stdout, conf, verdict->failed == 0);
    if (verdict->failed > 0)
        printf("%s: %u required %s unavailable\n", conf->wanted, verdict->failed,
               verdict->failed == 1 ? "resource is" : "resources are");
    if (conf->clashes > 0)
        printf("%s: %u %s a resource that another component uses\n", conf->wanted, conf->clashes,
               conf->clashes == 1 ? "component needs" : "components need");
    if (conf->doubts > 0)
        printf("%s: %u %s not what %s\n", conf->wanted, conf->doubts,
               conf->doubts == 1 ? "path is" : "paths are", conf->doubts == 1 ? "it seems" : "they seem");
    if (command->flume != NULL)
        printf("%s: Flume %s no longer has %u of its components\n", conf->wanted, command->flume, conf->gone);
    if (!command->probe && verdict->look.skipped > 0)
        printf("not tried without --probe: %s\n", verdict->look.not_tried);
}

static void print_text(const struct ps_command *command, struct ps_conf *conf, struct lines *lines,
                       bool starts, struct verdict *verdict)
{
    char *agent = NULL;
    size_t agent_length = 0;
    FILE *memory = ps_must_open_text(&agent, &agent_length, "lines of check");
    if (starts)
        ps_report_agent(memory, conf);
    look(command, conf, starts, verdict);
    fclose(memory);
    if (verdict->plan != NULL)
        ps_plan_describe(verdict->plan,
                         PS_PLAN_BUDGET | PS_PLAN_FLOWS | PS_PLAN_EXPRESSIONS |
                             (command->verbose ? PS_PLAN_ENGINE : 0),
                         line_add, lines);
    ps_report_problems(stdout, conf, ps_report_colour(stdout));
    if (conf->problems.count > 0 && agent_length > 0)
        putchar('\n');
    fputs(agent, stdout);
    for (size_t i = 0; i < lines->texts.count; i++)
        printf("%s\n", lines->items[i]);
    if (command->probe && verdict->plan != NULL)
        verdict->failed += ps_check_probe(conf, command, verdict->plan, stdout, NULL);
    print_end(command, conf, verdict);
    free(agent);
}

/* Returns the exit status. */
static int judge(const struct ps_command *command, const struct ps_conf *conf, const struct verdict *verdict)
{
    const struct ps_problems *problems = &conf->problems;
    bool strict = command->strict && (problems->dropped > 0 || problems->warnings > 0);
    if (problems->errors > 0 || conf->lacks != NULL || conf->cut != NULL || strict)
        return 1;
    return verdict->failed > 0 || conf->clashes > 0 || conf->doubts > 0 ? PROBE_STATUS : 0;
}

static int run(const struct ps_command *command)
{
    ps_process_set_dumpable(false); /* this process reads the agent's passwords */
    struct ps_conf *conf;
    struct verdict verdict = {.plan = NULL};
    struct lines *lines = ps_must_alloc(1, sizeof *lines, "lines of check");
    lines->arena = ps_arena_create();
    struct ps_command load = *command;
    load.ask_classes = command->probe;
    bool starts = ps_conf_load(&load, ps_stages, &conf) == PS_OK;
    (command->json ? print_json : print_text)(command, conf, lines, starts, &verdict);
    int code = judge(command, conf, &verdict);
    free(verdict.look.not_tried);
    ps_plan_destroy(verdict.plan);
    ps_conf_destroy(conf);
    ps_arena_destroy(lines->arena);
    free(lines);
    return code;
}

int ps_main_check(int argc, char **argv)
{
    return ps_dry_run_main(argc, argv, &ps_line_check, run);
}
