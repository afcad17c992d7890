/* `penstock check` (and `agent --dry-run`): reads a configuration as the agent would and prints what would
 * run, or every problem at once. Starts nothing, opens no port, writes no file. Exit: 0 the agent would
 * start, 1 it would not, 2 wrong usage. */
#include "core/commands/commands.h"

#include "conf/command.h"
#include "conf/conf.h"
#include "conf/report.h"
#include "conf/text.h"
#include "core/engine/plan.h"
#include "stages/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "Usage: penstock check -n NAME -f FILE [OPTION]...\n"
    "Reads the configuration of agent NAME as `penstock agent` would, and prints its plan and every "
    "problem.\n"
    "\n"
    "  -n, --name NAME          the agent to look at\n"
    "  -f, --conf-file FILE     its configuration; several are merged in order\n"
    "  -u, --conf-uri URI       the same from file:, classpath:, http: or https:\n"
    "  -c, --conf DIR           configuration directory (flume-env.sh and log4j files are read, never "
    "executed)\n"
    "  -Dkey=value              a Java system property, for ${sys:key} and Flume's own\n"
    "      --json               one JSON object instead of text\n"
    "      --strict             exit with 1 for dropped components and warnings too\n"
    "  -h, --help               this text\n"
    "All other options of `penstock agent` are accepted.\n"
    "\n"
    "Exit status: 0 the agent would start, 1 it would not, 2 wrong usage.\n"
    "\n"
    "Examples:\n"
    "  penstock check -n a1 -f conf/a1.properties\n"
    "  penstock check -n a1 -c conf -f base.properties -f site.properties -Dstage=prod\n"
    "  penstock check -n a1 -f a1.properties --json | jq '.problems[] | select(.severity == \"error\")'\n";

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

/* Prints the workers, rings and budgets that the engine would create. */
static enum ps_status describe(struct ps_conf *conf, struct lines *lines)
{
    struct ps_machine machine;
    struct ps_err err = {.length = 0};
    ps_machine_read(&machine, "");
    machine.heap_hint_bytes = (uint64_t)conf->heap_bytes;
    struct ps_plan *plan = ps_plan_create(ps_conf_take_spec(conf), &machine, 0, &err);
    if (plan == NULL) {
        ps_problem_add(&conf->problems, PS_SEVERITY_ERROR, (struct ps_place){.key = conf->wanted}, NULL, "%s",
                       err.text);
        return PS_FAIL;
    }
    ps_plan_describe(plan, line_add, lines);
    ps_plan_destroy(plan);
    return PS_OK;
}

static int run(const struct ps_command *command)
{
    struct ps_conf *conf;
    struct lines *lines = ps_must_alloc(1, sizeof *lines, "lines of check");
    char *agent = NULL;
    size_t agent_length = 0;
    lines->arena = ps_arena_create();
    enum ps_status status = ps_conf_load(command, ps_stages, &conf);
    if (command->json) {
        struct json_t *root = ps_report_json_begin(conf);
        if (status == PS_OK)
            status = describe(conf, lines);
        char *text = ps_report_json_end(root, conf, &lines->texts);
        puts(text);
        free(text);
    } else {
        FILE *memory = ps_must_open_text(&agent, &agent_length, "lines of check");
        if (status == PS_OK) {
            ps_report_agent(memory, conf);
            status = describe(conf, lines);
        }
        fclose(memory);
        ps_report_problems(stdout, conf, ps_report_colour(stdout));
        if (conf->problems.count > 0 && agent_length > 0)
            putchar('\n');
        fputs(agent, stdout);
        for (size_t i = 0; i < lines->texts.count; i++)
            printf("%s\n", lines->items[i]);
        ps_report_summary(stdout, conf);
        free(agent);
    }
    bool strict = command->strict && (conf->problems.dropped > 0 || conf->problems.warnings > 0);
    ps_conf_destroy(conf);
    ps_arena_destroy(lines->arena);
    free(lines);
    return status == PS_OK && !strict ? 0 : 1;
}

int ps_main_check(int argc, char **argv)
{
    struct ps_command command;
    struct ps_err err = {.length = 0};
    int code = 2;
    if (ps_command_parse(&command, argc, argv, &err) != PS_OK) {
        fprintf(stderr, "penstock check: %s\n", err.text);
    } else if (command.help) {
        fputs(usage, stdout);
        code = 0;
    } else {
        command.dry_run = true;
        code = run(&command);
    }
    ps_command_fini(&command);
    return code;
}
